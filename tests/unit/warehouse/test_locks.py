"""Locks: one run of a month at a time, also after a crash, and a clear error for a run that waits in vain."""

import signal
import threading
import time

import psycopg
import pytest

from pipeline.errors import WarehouseUnavailableError
from pipeline.month import RatingMonth
from pipeline.resources import SQL
from pipeline.warehouse import locks
from pipeline.warehouse.connection import transaction
from tests.support.environment import variables

OCTOBER = RatingMonth(2026, 10)
HOLD = """
import os, signal, time
from pathlib import Path
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import locks

with locks.rating(Settings.load(), RatingMonth(2026, 10), 1, "gridgrade backfill 2026-10"):
    Path("READY").touch()
    while not Path("GO").exists():
        time.sleep(0.01)
    if "kill" in "HOW":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def free(settings, month=OCTOBER, seconds=0.0, **options):
    """Whether the month can be worked on within that time."""
    try:
        with locks.rating(settings, month, seconds, "a test", **options):
            return True
    except WarehouseUnavailableError:
        return False


@pytest.mark.parametrize("how", ["leave", "kill"])
def test_another_process_waits_until_the_first_is_done_or_dead(settings, forks, tmp_path, how):
    ready, go = tmp_path / "ready", tmp_path / "go"
    source = HOLD.replace("READY", str(ready)).replace("GO", str(go)).replace("HOW", how)
    run = forks.start(source, variables(settings))
    while not ready.exists():
        time.sleep(0.01)
    with (
        pytest.raises(WarehouseUnavailableError) as raised,
        locks.rating(settings, OCTOBER, 0, "gridgrade command 2026-10"),
    ):
        pass
    line = str(raised.value)
    assert line.startswith("2026-10: another run is rating this month (gridgrade backfill 2026-10, warehouse process ")
    assert line.endswith("run again when it is")
    assert free(settings, OCTOBER + 1)

    waiting = threading.Thread(target=go.touch)
    waiting.start()
    assert free(settings, seconds=10)
    assert forks.wait(run) == (0 if how == "leave" else -signal.SIGKILL)


def test_tasks_that_leave_each_other_alone_share_a_month(settings):
    with locks.rating(settings, OCTOBER, 1, "one", is_shared=True):
        assert free(settings, is_shared=True)
        assert not free(settings)
    with locks.rating(settings, OCTOBER, 1, "one"):
        assert not free(settings, is_shared=True)


def test_cleaning_and_rating_keep_each_other_out(settings):
    refused = pytest.raises(WarehouseUnavailableError, match=r"a month is being rated \(one, warehouse process")
    with locks.rating(settings, OCTOBER, 1, "one"), refused, locks.cleaning(settings, 0):
        pass
    with locks.cleaning(settings, 0):
        assert not free(settings)


def test_a_warehouse_that_goes_away_meanwhile_hides_no_other_error(settings):
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)

    def fail():
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{who}'")
        raise ZeroDivisionError

    who = "gone soon"
    with pytest.raises(ZeroDivisionError), locks.rating(settings, OCTOBER, 1, who):
        fail()
    assert free(settings, seconds=5)


def end_sessions(sql, who):
    sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", who)
    while sql("select from pg_stat_activity where application_name = %s", who):
        time.sleep(0.01)


def test_a_lock_that_was_lost_is_noticed_and_another_runs_is_not_taken_for_it(settings, sql):
    with transaction(settings) as connection:
        locks.require_rating(connection, OCTOBER)
    with locks.rating(settings, OCTOBER, 1, "mine"):
        with transaction(settings) as connection:
            locks.require_rating(connection, OCTOBER)
        end_sessions(sql, "mine")
        holder = threading.Thread(target=lambda: free(settings))
        holder.start()
        holder.join()
        with (
            transaction(settings) as connection,
            pytest.raises(WarehouseUnavailableError, match=r"2026-10: the lock of this run was lost, .* run again"),
        ):
            locks.require_rating(connection, OCTOBER)


def test_who_only_reads_takes_no_lock_and_makes_no_object(settings, postgres, sql):
    reader, superuser = (
        url.set(drivername="postgresql", database=settings.warehouse.database)
        for url in (postgres.warehouse_reader, postgres.superuser)
    )
    with psycopg.connect(superuser.render_as_string(hide_password=False)) as connection:
        connection.execute((SQL / "warehouse" / "reader_limits.sql").read_text())
    sql(f"grant connect on database {settings.warehouse.database} to {reader.username}")
    with psycopg.connect(reader.render_as_string(hide_password=False)) as connection:
        assert connection.execute("select count(*) from report.current_grades").fetchone() == (0,)
        for statement in (
            f"select pg_advisory_lock({locks.RATING}, {OCTOBER.number})",
            f"select pg_try_advisory_lock_shared({locks.RATING}, 0)",
            f"select pg_advisory_xact_lock({locks.PUBLISHING})",
            "lock table rating.credit_grades in access share mode",
            "lock table report.current_grades in share mode",
            "create table public.x (a int)",
            "create table report.x (a int)",
            "create temporary table x (a int)",
            "create schema x",
            "create view public.x as select 1",
            "create function public.x() returns int language sql as 'select 1'",
            "select lo_create(0)",
            "select lo_from_bytea(0, 'x')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()
    assert free(settings)
