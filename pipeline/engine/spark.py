"""Spark: for what one machine does not hold. The same queries, over files that the driver and every executor see."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import move, rmtree
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pipeline.engine import Range
from pipeline.engine.objects import objects, reading
from pipeline.engine.queries import Query
from pipeline.engine.spark_session import CONNECTORS, close_session, has_connector, is_server, open_session, refusals
from pipeline.engine.spark_sql import spark_type, stages, text
from pipeline.errors import LakeError
from pipeline.settings import Settings, is_url

BATCH_ROWS = 100_000
_KEYS = pa.schema({"table_name": pa.string(), "customer_id": pa.string()})
_LEFT_OUT = pa.schema({"file": pa.string(), "left_out": pa.string()})
_NUMBERED = pa.schema({"file": pa.string(), "file_number": pa.int32()})


class SparkEngine:
    """See ``pipeline.engine.Engine``. Results that are too large for the driver pass through ``settings.scratch_path``,
    which the driver and the executors have to see at the same path, as they do the lake."""

    fault = PySparkException
    customers_at_once = 2_000_000
    reads_in_order = False

    def __init__(self, settings: Settings, timezone: str = "UTC"):
        self._session = open_session(settings, timezone)
        self._connected: dict[str, bool] = {}
        self._scratch = TemporaryDirectory(dir=settings.scratch_path, prefix="spark-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_session(self._session)
        self._scratch.cleanup()

    @property
    def described(self) -> str:
        where = "at a server" if is_server(self._session) else f"at {self._session.sparkContext.master}"
        return f"Spark {self._session.version}, {where}"

    def bind_facts(
        self,
        name: str,
        columns: Mapping[str, str],
        files: Sequence[tuple[str, str | None]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        rows = self._read_facts(columns, [facts for facts, _ in files])
        if pairs := [(facts, left_out) for facts, left_out in files if left_out is not None]:
            called = self._names(rows)
            left_out = self._left_out([(uri, left_out) for facts, left_out in pairs for uri in called(facts)])
            rows = _numbered(rows).join(left_out, ["file", "file_row_number"], "left_anti").select(*columns)
        self._bind_customers(name, rows, only, within)

    def _left_out(self, pairs: Sequence[tuple[str, str]]) -> DataFrame:
        """The rows to leave out, of all files at once: a branch of the plan for each would make an endless one."""
        rows = self._read([left_out for _, left_out in pairs])
        called = self._names(rows)
        names = [{"file": facts, "left_out": uri} for facts, left_out in pairs for uri in called(left_out)]
        of = self._table(pa.Table.from_pylist(names, _LEFT_OUT)).hint("broadcast")
        listed = rows.selectExpr("_metadata.file_path as left_out", "file_row_number")
        return listed.join(of, "left_out").select("file", "file_row_number")

    def bind_left_out(
        self,
        name: str,
        files: Mapping[str, Sequence[str]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        rows = self._table(_KEYS.empty_table())
        for table, left_out in files.items():
            if left_out:
                rows = rows.unionByName(self._read(left_out).selectExpr(f"{text(table)} as table_name", "customer_id"))
        self._bind_customers(name, rows, only, within)

    def bind_files(
        self, name: str, files: Sequence[str], *, only: str | None = None, within: Range | None = None
    ) -> None:
        self._bind_customers(name, self._read(files), only, within)

    def _bind_customers(self, name: str, rows: DataFrame, only: str | None, within: Range | None) -> None:
        if only:
            chosen = self._session.table(only).select("customer_id")
            rows = rows.join(chosen, "customer_id", "left_semi").select(rows.columns)
        for bound, sign in zip(within or (None, None), (">=", "<"), strict=True):
            if bound is not None:
                rows = rows.where(f"customer_id {sign} {text(bound)}")
        rows.createOrReplaceTempView(name)

    def bind_rows(self, name: str, columns: Mapping[str, str], files: Sequence[tuple[int, str]]) -> None:
        if not files:
            columns = {**columns, "file_number": "INTEGER", "file_row_number": "BIGINT"}
            self._read_facts(columns, []).createOrReplaceTempView(name)
            return
        rows = self._read_facts(columns, [file for _, file in files])
        called = self._names(rows)
        numbers = [{"file": uri, "file_number": number} for number, file in files for uri in called(file)]
        of = self._table(pa.Table.from_pylist(numbers, _NUMBERED)).hint("broadcast")
        placed = _numbered(rows).join(of, "file")
        placed.select(*columns, "file_number", "file_row_number").createOrReplaceTempView(name)

    def _read_facts(self, columns: Mapping[str, str], files: Sequence[str]) -> DataFrame:
        schema = StructType.fromDDL(", ".join(f"`{column}` {spark_type(kind)}" for column, kind in columns.items()))
        return self._read(files, schema) if files else self._empty(schema)

    def _read(self, files: Sequence[str], schema: StructType | None = None) -> DataFrame:
        """Parquet files as they are; the schema of the first, unless one is given, so that Spark looks at none."""
        schema = schema or from_arrow_schema(self._schema(files[0]))
        with refusals():
            return self._session.read.schema(schema).parquet(*map(self._here, files))

    def _schema(self, file: str) -> pa.Schema:
        if not is_url(here := self._here(file)):
            return pq.read_schema(here)
        with reading(file), objects(file).open(file) as opened:
            return pq.read_schema(opened)

    def _names(self, rows: DataFrame) -> Callable[[str], set[str]]:
        """What Spark may call each of the files that are read: a URI, of this machine's with one slash or three."""
        found = {}
        for uri in rows.inputFiles():
            name = unquote(urlsplit(uri).path if uri.startswith("file:") else uri)
            found[name] = {uri, uri.replace("file:///", "file:/", 1)}
        return lambda file: found[self._here(file)]

    def _here(self, file: str) -> str:
        """A file of the lake where Spark can read it: in its store where Hadoop has a connector to it, else as a copy
        in scratch, made once a session."""
        scheme, _, rest = file.partition("://")
        if not is_url(file) or scheme not in CONNECTORS:
            return file
        in_store = f"{CONNECTORS[scheme]}://{rest}"
        if scheme not in self._connected:
            self._connected[scheme] = has_connector(self._session, in_store)
        return in_store if self._connected[scheme] else self._copied(file)

    def _copied(self, file: str) -> str:
        copy = Path(self._scratch.name, f"{sha256(file.encode()).hexdigest()}.parquet")
        if not copy.exists():
            with reading(file):
                objects(file).store.get_file(file, f"{copy}.part")
            Path(f"{copy}.part").rename(copy)
        return str(copy)

    def bind_table(self, name: str, table: pa.Table) -> None:
        self._table(table).createOrReplaceTempView(name)

    def _table(self, table: pa.Table) -> DataFrame:
        """An Arrow table, which needs no Python on the executors, as a list of rows would."""
        schema = from_arrow_schema(table.schema)
        # A server does not take the types of an empty table from it.
        return self._session.createDataFrame(table, schema) if table.num_rows else self._empty(schema)

    def _empty(self, schema: StructType) -> DataFrame:
        nulls = (f"cast(null as {field.dataType.simpleString()}) as `{field.name}`" for field in schema)
        return self._session.range(0).selectExpr(*nulls)

    def keep(self, name: str, query: Query, parameters: Mapping[str, Any] | None = None) -> None:
        with self._result(query, parameters) as rows:
            rows.localCheckpoint().createOrReplaceTempView(name)

    def release(self, name: str) -> None:
        self._session.catalog.dropTempView(name)

    def fetch(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        with self._result(query, parameters) as rows:
            return rows.toArrow()

    def batches(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.RecordBatchReader:
        files = self._written(query, parameters)
        return pa.RecordBatchReader.from_batches(pq.read_schema(files[0]), _stream(files))

    def write(self, query: Query, parameters: Mapping[str, Any] | None, path: Path) -> int:
        [file] = self._written(query, parameters, one_file=True)
        move(file, path)  # from one volume to another, perhaps
        rmtree(file.parent)
        return pq.read_metadata(path).num_rows

    def _written(self, query: Query, parameters: Mapping[str, Any] | None, *, one_file: bool = False) -> list[Path]:
        """The result as Parquet files, in its order; LakeError where they do not lie where this process looks."""
        folder = Path(self._scratch.name, uuid4().hex)
        with self._result(query, parameters) as rows:
            (rows.coalesce(1) if one_file else rows).write.parquet(str(folder), compression="zstd")
        if files := sorted(folder.glob("*.parquet")):
            return files
        raise LakeError(
            f"Spark wrote to {folder}, where this process finds nothing: put GRIDGRADE_HOME and GRIDGRADE_LAKE on a "
            "volume that it, the driver and every executor see at the same path"
        )

    @contextmanager
    def _result(self, query: Query, parameters: Mapping[str, Any] | None) -> Iterator[DataFrame]:
        """The result, of which nothing is computed yet. What it names more than once is held until it is closed."""
        bound = {name: value for name, value in (parameters or {}).items() if name in query.parameters}
        *shared, whole = stages(query, f"stage_{uuid4().hex[:8]}")
        with refusals():
            try:
                for stage in shared:
                    rows = self._session.sql(stage.sql, args=bound)
                    (rows.localCheckpoint() if stage.times_named > 1 else rows).createOrReplaceTempView(stage.name)
                yield self._session.sql(whole.sql, args=bound)
            finally:
                for stage in shared:
                    self._session.catalog.dropTempView(stage.name)


def _numbered(rows: DataFrame) -> DataFrame:
    """Rows of files with the file that each is from, as Spark calls it, and its place there."""
    return rows.selectExpr("*", "_metadata.file_path as file", "_metadata.row_index as file_row_number")


def _stream(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """The rows of these files, each of which is removed when it was read."""
    for path in files:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BATCH_ROWS)
        path.unlink()
