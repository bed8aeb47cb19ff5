"""Spark over a lake in an object store: by Hadoop's connector to it, and by copies where there is none."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engine import open_engine
from pipeline.engine.objects import objects
from pipeline.engine.queries import compose
from pipeline.errors import LakeError

pytestmark = pytest.mark.spark

COLUMNS = {"customer_id": "VARCHAR"}
CUSTOMERS = compose("select customer_id from bills order by customer_id")


@pytest.fixture
def stored(bucket, tmp_path):
    """Two files of the store, facts and the rows of them to leave out; what lies there lies in a folder as well."""
    urls = []
    for name, column in (("facts", {"customer_id": ["a", "b", "c"]}), ("left_out", {"file_row_number": [1]})):
        path = tmp_path / "store" / "bills" / "recorded_month=2026-10" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(column), path)
        urls.append(f"{bucket}/{path.relative_to(tmp_path / 'store')}")
        objects(bucket).store.put(str(path), urls[-1])
    return urls


@pytest.fixture
def connected(spark_settings, bucket, stored, tmp_path):
    """An engine whose Hadoop has a connector: the one of Hadoop that lays any scheme over a folder."""
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    with open_engine(spark_settings.model_copy(update={"home": tmp_path / "home"})) as engine:
        for setting, value in {
            "fs.s3a.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
            f"fs.viewfs.mounttable.{name}.link./{prefix}": (tmp_path / "store").as_uri(),
        }.items():
            engine._session.conf.set(setting, value)
        yield engine


@pytest.fixture(params=["connected", "spark"])
def engine(request):
    """With a connector and without."""
    return request.getfixturevalue(request.param)


def test_facts_are_read_less_the_rows_to_leave_out(engine, stored):
    engine.bind_facts("bills", COLUMNS, [tuple(stored)])
    assert engine.fetch(CUSTOMERS)["customer_id"].to_pylist() == ["a", "c"]


def test_rows_are_numbered(engine, stored):
    engine.bind_rows("numbered", COLUMNS, [(202610, stored[0])])
    found = engine.fetch(compose("select * from numbered order by file_row_number")).to_pylist()
    assert [tuple(row.values()) for row in found] == [("a", 202610, 0), ("b", 202610, 1), ("c", 202610, 2)]


def test_files_are_read_as_they_are(engine, stored):
    engine.bind_files("bills", stored[:1])
    assert engine.fetch(CUSTOMERS)["customer_id"].to_pylist() == ["a", "b", "c"]


def test_a_file_that_is_gone_is_one_line(engine, bucket):
    gone = f"s3a?://{bucket.removeprefix('s3://')}/bills/gone.parquet is gone: another run has replaced or removed"
    with pytest.raises(LakeError, match=gone):
        engine.bind_facts("bills", COLUMNS, [(f"{bucket}/bills/gone.parquet", None)])


def test_with_a_connector_nothing_is_copied(connected, stored, tmp_path):
    connected.bind_facts("bills", COLUMNS, [tuple(stored)])
    assert connected.fetch(CUSTOMERS).num_rows == 2
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_without_one_each_file_is_copied_once(spark_settings, stored, tmp_path):
    with open_engine(spark_settings.model_copy(update={"home": tmp_path / "home"})) as engine:
        for _ in range(2):
            engine.bind_facts("bills", COLUMNS, [tuple(stored)])
        assert len(list((tmp_path / "home").rglob("*.parquet"))) == 2


@pytest.mark.parametrize("said", ["AccessDeniedException: s3a://lake/x: key AK", "NoAuthWithAWSException"])
def test_credentials_that_do_not_do_are_one_line_without_them(said):
    from pipeline.engine.spark_session import refusals

    line = r"^Spark cannot read the lake in its store: \w+Exception; check what spark-defaults.conf says of it"
    with pytest.raises(LakeError, match=line) as found, refusals():
        raise RuntimeError(said)
    assert "AK" not in str(found.value)
