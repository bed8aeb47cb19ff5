"""The command line: what it prints, on which stream, and with which exit code."""

import json
import os
import subprocess
import sys

import pytest
from billing_records import fill, records

from pipeline import cli
from pipeline.sample import LAST
from pipeline.settings import PROJECT


def environment(settings):
    return {
        "GRIDGRADE_HOME": str(settings.home),
        "GRIDGRADE_SOURCE_URL": settings.source.render_as_string(hide_password=False),
        "GRIDGRADE_WAREHOUSE_URL": settings.warehouse.render_as_string(hide_password=False),
    }


@pytest.fixture
def gridgrade(monkeypatch, capfd, tmp_path):
    """``gridgrade("grades", "2026-10")`` gives exit code, standard output and standard error."""
    monkeypatch.setenv("GRIDGRADE_HOME", str(tmp_path / "nowhere"))

    def run(*arguments, settings=None):
        for name, value in (environment(settings) if settings else {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["gridgrade", *arguments])
        try:
            code = cli.main()
        except SystemExit as exited:
            code = exited.code
        return code or 0, *capfd.readouterr()

    return run


WRONG_CALLS = {
    ("rate",): "YYYY-MM",
    ("rate", "2026-13"): "'2026-13' is not a rating month",
    ("rate", "October"): "'October' is not a rating month",
    ("rate", "2026-10", "--mode", "guess"): "'guess'",
    ("rate", "2026-10", "--basis", "as_known_later"): "'as_known_later'",
    ("backfill", "2026-10"): "TO",
    ("backfill", "2026-10", "2026-09"): "2026-10 is after 2026-09: give the oldest month first",
    ("backfill", "2026-10", "2026-9"): "'2026-9' is not a rating month",
    ("grades", "2026-10", "--format", "xml"): "'xml'",
    ("source", "sample", "--customers", "0"): "--customers",
    ("source", "sample", "--last", "soon"): "'soon' is not a rating month",
    ("source", "load"): "DIR",
    ("fly",): "fly",
}


@pytest.mark.parametrize("arguments", WRONG_CALLS, ids=" ".join)
def test_a_call_that_is_wrong_in_itself_exits_with_2_and_says_why(gridgrade, arguments):
    code, out, err = gridgrade(*arguments)
    assert (code, out) == (2, "")
    assert WRONG_CALLS[arguments] in " ".join(err.replace("│", "").split())
    assert "Traceback" not in err


def test_help_lists_every_command(gridgrade):
    code, out, _ = gridgrade("--help")
    assert code == 0
    for command in ("demo", "source", "rate", "backfill", "grades", "migrate", "doctor"):
        assert command in out


def test_a_refusal_exits_with_1_and_is_one_line(gridgrade, settings):
    fill(settings, records())
    code, out, err = gridgrade("rate", "2026-11", settings=settings)
    assert (code, out) == (1, "")
    assert err.startswith("gridgrade: 2026-11 is not closed")
    assert err.count("\n") == 1


def test_what_a_run_of_its_own_process_says(settings):
    command = [sys.executable, "-m", "pipeline.cli", "grades", "2026-10"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
    done = subprocess.run(
        command,
        env=inherited | environment(settings) | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "gridgrade: nothing is published for 2026-10: gridgrade rate 2026-10 rates it\n"


def test_rate_prints_grades_by_month_or_all_that_was_done_as_json(gridgrade, rated):
    code, out, err = gridgrade("rate", str(LAST), settings=rated.settings)
    assert (code, err) == (0, "")
    assert "2026-10" in out
    assert "unchanged, revision 1" in " ".join(out.split())
    code, out, err = gridgrade("rate", str(LAST), "--json", "--dry-run", settings=rated.settings)
    assert (code, err) == (0, "")
    outcome = json.loads(out)
    assert outcome["grade"]["grades"] == rated.outcomes[LAST]["grade"]["grades"]
    assert outcome["publish"]["dry_run"]


def test_backfill_rates_every_month_of_the_range_oldest_first(gridgrade, rated):
    code, out, _ = gridgrade("backfill", str(LAST - 1), str(LAST), "--mode", "apply", "--json", settings=rated.settings)
    assert code == 0
    assert [outcome["month"] for outcome in json.loads(out)] == [str(LAST - 1), str(LAST)]
    assert [outcome["publish"]["changed"] for outcome in json.loads(out)] == [False, False]


def test_grades_come_as_asked_for(gridgrade, rated, tmp_path):
    rows = rated.outcomes[LAST]["publish"]["rows"]
    assert len(json.loads(gridgrade("grades", str(LAST), "--json", settings=rated.settings)[1])) == rows
    assert len(json.loads(gridgrade("grades", str(LAST), "--format", "json")[1])) == rows
    _, out, _ = gridgrade("grades", str(LAST), "--format", "csv")
    assert len(out.splitlines()) == rows + 1
    code, out, _ = gridgrade("grades", str(LAST), "--format", "csv", "--out", str(tmp_path / "g.csv"))
    assert (code, out) == (0, "")
    assert len((tmp_path / "g.csv").read_text().splitlines()) == rows + 1
    assert "C00000001" in gridgrade("grades", str(LAST))[1]


def test_a_source_is_filled_from_a_folder_or_with_a_sample(gridgrade, settings, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "customers.csv").write_text("customer_id\n1\n")
    code, _, err = gridgrade("source", "load", str(tmp_path / "files"), settings=settings)
    assert code == 1
    assert err.splitlines()[-1].startswith("gridgrade: ")
    code, out, _ = gridgrade("source", "sample", "--customers", "50", "--months", "3", "--json", settings=settings)
    assert code == 0
    rows = {row["table"]: row["rows"] for row in json.loads(out)}
    assert rows["billing_closes"] == 3
    assert rows["customers"] >= 50


def test_migrate_says_when_there_is_nothing_to_do(gridgrade, settings):
    assert gridgrade("migrate", settings=settings) == (0, "nothing to migrate\n", "")


def test_doctor_exits_with_1_while_something_is_wrong(gridgrade, settings):
    code, out, _ = gridgrade("doctor", "--json", settings=settings)
    assert code == 1
    assert {row["state"] for row in json.loads(out)} == {"ok", "WRONG"}
    fill(settings, records())
    code, out, err = gridgrade("doctor", settings=settings)
    assert (code, err) == (0, "")
    assert "WRONG" not in out
