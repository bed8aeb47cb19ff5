"""Replacing the tables of a source database."""

import psycopg
import pytest

from pipeline.errors import SourceUnavailableError
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.source.write import create_tables, replace_tables


def test_a_stream_that_breaks_leaves_the_earlier_content(database, batch, rows, read, tables):
    customer = rows["customers"]
    assert replace_tables(database.source_owner, [batch("customers", customer)]) == {"customers": 1}

    def breaks():
        yield batch("customers", customer, customer)
        yield batch("outages")
        raise ConnectionResetError("half-way")

    with pytest.raises(ConnectionResetError):
        replace_tables(database.source_owner, breaks())
    assert tables(database) == {"customers"}
    assert read(database, "select count(*) from customers") == [(1,)]


def test_tables_come_in_any_order_and_nothing_of_the_contract_is_enforced(database, batch, rows, read):
    nonsense = {"customer_id": None, "segment": "pirate", "recorded_at": rows["bills"]["recorded_at"]}
    stream = [batch("customers", nonsense), batch("outages"), batch("customers", nonsense, nonsense)]

    assert replace_tables(database.source_owner, iter(stream)) == {"customers": 3, "outages": 0}
    assert read(database, "select distinct segment from customers") == [("pirate",)]


def test_create_tables_makes_the_source_empty(sqlite, batch, rows, tables, read):
    replace_tables(sqlite.source_owner, [batch("customers", rows["customers"])])
    create_tables(sqlite.source_owner)
    assert tables(sqlite) == set(contract())
    assert read(sqlite, "select count(*) from customers") == [(0,)]


def test_the_extracting_role_of_the_embedded_server_may_read_what_is_loaded(settings, postgres, batch, rows):
    replace_tables(settings.source_owner, [batch("customers", rows["customers"])])
    reader = postgres.source_reader.set(drivername="postgresql", database=settings.source_owner.database)
    with psycopg.connect(reader.render_as_string(hide_password=False)) as connection:
        assert connection.execute("select count(*) from customers").fetchone() == (1,)


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@127.0.0.1:1/cis", "sqlite:////nowhere/at/all/cis.db"])
def test_a_source_that_is_away_is_named_without_its_password(tmp_path, url):
    settings = Settings(home=tmp_path, source_url=url)
    with pytest.raises(SourceUnavailableError, match=r"the source database at .*cis.* could not be filled") as error:
        create_tables(settings.source_owner)
    assert "s3cret" not in str(error.value)
    assert "\n" not in str(error.value)
