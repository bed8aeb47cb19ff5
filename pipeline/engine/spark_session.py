"""A Spark session that computes as DuckDB does: errors instead of nulls, exact decimals, instants in UTC."""

import logging
import os
import re
import shutil
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from pipeline.engine.connection import gone
from pipeline.errors import ConfigError, LakeError, SparkUnavailableError
from pipeline.private import make_folder
from pipeline.settings import Settings

# Nothing is turned into pandas by PySpark, and what its bridge to Java does is nobody's news.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
logging.getLogger("py4j").setLevel(logging.WARNING)

_SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A query of the lake recurs as often as one customer has credits.
    "spark.sql.cteRecursionLevelLimit": "100000",
    "spark.sql.cteRecursionRowLimit": "-1",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # What is sent to every executor passes through the driver, where it takes ten times the space and more.
    "spark.sql.autoBroadcastJoinThreshold": "1MB",
    "spark.sql.adaptive.autoBroadcastJoinThreshold": "1MB",
}
# The driver plans queries, each once: Java's second compiler would work longer on it than it does, and what it keeps of
# tasks and plans would fill a small heap. spark.driver.extraJavaOptions come after these, and hold.
_DRIVER = {
    "spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "100",
    "spark.ui.retainedTasks": "1000",
    "spark.sql.ui.retainedExecutions": "5",
}
# A task may join a dozen tables by customer, and each of them is sorted in memory of its own, at least a page: of up to
# 64 MB, unless it is said.
_TASKS = {"spark.buffer.pageSize": "2m"}
CONNECTORS = {"s3": "s3a", "abfs": "abfs", "gs": "gs"}
"""By scheme of a lake's URL, that of Hadoop's connector to the store."""
_NO_CONNECTOR = re.compile(r"No FileSystem for scheme|ClassNotFoundException")
_REFUSED = re.compile(r"AccessDeniedException|NoAuthWithAWSException|AWS\w*Exception|AbfsRestOperationException")
_TOO_LARGE = re.compile(r"is bigger than (?:local )?(spark\.driver\.maxResultSize|maxResultSize)")
_GONE = re.compile(r"Path does not exist: (\S+?)\.? |FILE_NOT_EXIST\] Encountered error while reading file (\S+?)\. ")
_SIZES = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_PORTS = {"spark": 7077, "sc": 15002}
_PATIENCE = 10  # seconds
_AWAY = re.compile(
    r"StatusCode\.UNAVAILABLE|SparkContext was shut down|stopped SparkContext|All masters are unresponsive|"
    r"Connection refused|UnknownHostException|Answer from Java side is empty|Checkpoint block .* not found"
)


def open_session(settings: Settings, timezone: str = "UTC") -> SparkSession:
    """A session of its own at ``settings.spark``; all of a process share one connection to it. ``timezone`` is where
    an instant's date is read off.

    ConfigError where there is no Java, SparkUnavailableError where the cluster cannot be reached.
    """
    try:
        make_folder(settings.scratch_path)
    except OSError as error:
        raise LakeError(f"{settings.scratch_path} cannot be made: {error.strerror}; check GRIDGRADE_HOME") from error
    where = settings.spark.get_secret_value() if settings.spark else f"local[{settings.threads or '*'}]"
    _require_reachable(where)
    with refusals():
        if where.startswith("sc://"):
            session = SparkSession.builder.remote(where).create()
        else:
            _require_java()
            session = _builder(where, settings).getOrCreate().newSession()
        for name, value in (_SESSION | {"spark.sql.session.timeZone": timezone}).items():
            session.conf.set(name, value)
    return session


def close_session(session: SparkSession) -> None:
    """End a session of a server. One in this process ends with its last view: stopping it would stop all of them."""
    if is_server(session):
        session.stop()


def is_server(session: SparkSession) -> bool:
    """Whether the session is one of Spark Connect."""
    return not isinstance(session, SparkSession)


@contextmanager
def refusals() -> Iterator[None]:
    """What Spark refuses for want of memory, as a ConfigError that names the settings; a cluster that is away as a
    SparkUnavailableError; a file of the lake that is gone, or that Spark may not read in its store, as a LakeError."""
    try:
        yield
    except Exception as error:
        what = " ".join(str(error).split())
        if "OutOfMemoryError" in what:
            raise ConfigError(
                "Spark has too little memory for this step: raise GRIDGRADE_MEMORY_LIMIT or, on a cluster, "
                "spark.executor.memory in spark-defaults.conf"
            ) from None
        if too_large := _TOO_LARGE.search(what):
            raise ConfigError(
                f"Spark would send a result to the step's process that is larger than {too_large[1]}; if it is set "
                "lower than 1g in spark-defaults.conf, raise it"
            ) from None
        if lost := _GONE.search(what):
            raise LakeError(gone(lost[1] or lost[2])) from None
        if refused := _REFUSED.search(what):
            raise LakeError(
                f"Spark cannot read the lake in its store: {refused[0]}; check what spark-defaults.conf says of it "
                "(spark.hadoop.fs.*), and what those credentials may do there"
            ) from None
        if away := _AWAY.search(what):
            raise SparkUnavailableError(
                f"Spark cannot be reached, or went away: {away[0]}; check GRIDGRADE_SPARK and that the cluster runs"
            ) from None
        raise


def has_connector(session: SparkSession, url: str) -> bool:
    """Whether Spark's Hadoop has a connector for the scheme of this file's URL."""
    try:
        with refusals():
            session.read.format("binaryFile").load(url).schema  # noqa: B018
    except Exception as error:
        if _NO_CONNECTOR.search(str(error)):
            return False
        raise
    return True


def _builder(master: str, settings: Settings) -> SparkSession.Builder:
    """What holds for a cluster stands in Spark's own spark-defaults.conf; here is only what this process needs."""
    builder = SparkSession.builder.appName("gridgrade").master(master)
    own = (
        _DRIVER
        | _TASKS
        | {
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.warehouse.dir": str(settings.scratch_path / "warehouse"),
        }
    )
    if master.startswith("local"):
        own |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": f"{_mebibytes(settings.memory_limit)}m",
            "spark.local.dir": str(settings.scratch_path),
            "spark.sql.shuffle.partitions": str(2 * (settings.threads or os.cpu_count() or 1)),
            "spark.ui.enabled": "false",
        }
    for name, value in own.items():
        builder = builder.config(name, value)
    return builder


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(Path(home, "bin", "java") if home else "java"):
        raise ConfigError(
            "GRIDGRADE_ENGINE=spark needs Java 17 or newer: apt-get install openjdk-17-jre-headless, or set JAVA_HOME"
        )


def _require_reachable(where: str) -> None:
    """SparkUnavailableError where nobody listens; Spark's own clients would go on trying for minutes."""
    scheme, _, rest = where.partition("://")
    if scheme not in _PORTS:
        return
    refused = []
    for address in re.split(r"[/;]", rest)[0].split(","):
        host, _, port = address.partition(":")
        try:
            with socket.create_connection((host, int(port or _PORTS[scheme])), _PATIENCE):
                return
        except OSError as error:
            refused.append(f"{address}: {error.strerror or error}")
    raise SparkUnavailableError(f"GRIDGRADE_SPARK cannot be reached: {'; '.join(refused)}; check that it runs there")


def _mebibytes(size: str) -> int:
    """A size in DuckDB's notation."""
    number, unit = re.fullmatch(r"([\d.]+) ?(\w+)B", size, re.IGNORECASE).groups()  # type: ignore[union-attr]
    return int(float(number) * _SIZES[unit.capitalize()]) // 2**20
