"""Spark where it is not there: one line that says what to do."""

import socket
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engine import open_engine
from pipeline.engine.queries import compose
from pipeline.errors import ConfigError, LakeError, SparkUnavailableError
from pipeline.settings import Settings


def test_without_pyspark_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "pipeline.engine.spark", raising=False)
    for module in [name for name in sys.modules if name.split(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ConfigError, match=r"^GRIDGRADE_ENGINE=spark needs PySpark: pip install 'gridgrade\[spark\]'$"):
        open_engine(Settings(home=tmp_path, engine="spark"))


@pytest.mark.spark
def test_without_java_debians_package_is_named(spark_settings, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(
        ConfigError, match="needs Java 17 or newer: apt-get install openjdk-17-jre-headless, or set JAVA"
    ):
        open_engine(spark_settings)


@pytest.mark.spark
@pytest.mark.parametrize("where", ["spark://127.0.0.1:{}", "sc://127.0.0.1:{}/;token=secret"])
def test_a_cluster_that_is_away_is_named_without_its_token(spark_settings, where):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(home=spark_settings.home, engine="spark", spark=where.format(port))
    refused = rf"^GRIDGRADE_SPARK cannot be reached: 127.0.0.1:{port}: Connection refused; check that it runs there$"
    with pytest.raises(SparkUnavailableError, match=refused) as found:
        open_engine(settings)
    assert "secret" not in str(found.value)


@pytest.mark.spark
def test_a_written_file_is_in_the_order_that_was_asked_for(spark, tmp_path):
    spark.bind_table("shuffled", pa.table({"n": [number * 7919 % 20_011 for number in range(20_011)]}))
    query = compose("select n from shuffled order by n desc")
    assert spark.write(query, {}, tmp_path / "sorted.parquet") == 20_011
    assert pq.read_table(tmp_path / "sorted.parquet")["n"].to_pylist() == list(range(20_010, -1, -1))


@pytest.mark.spark
def test_a_cluster_that_writes_elsewhere_names_the_settings(spark, tmp_path, monkeypatch):
    from pyspark.sql import DataFrameWriter

    monkeypatch.setattr(DataFrameWriter, "parquet", lambda *_, **__: None)  # as seen from here
    with pytest.raises(LakeError, match="finds nothing: put GRIDGRADE_HOME and GRIDGRADE_LAKE on a volume that"):
        spark.write(compose("select 1 as n"), {}, tmp_path / "file.parquet")


@pytest.mark.spark
def test_nothing_is_left_in_scratch(spark_settings, tmp_path):
    settings = spark_settings.model_copy(update={"home": tmp_path})
    with open_engine(settings) as engine:
        engine.bind_table("numbers", pa.table({"n": [1, 2, 3]}))
        assert engine.batches(compose("select n from numbers")).read_next_batch().num_rows
    assert list(settings.scratch_path.iterdir()) == []
