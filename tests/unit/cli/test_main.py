"""The command line: what it prints, on which stream, and with which exit code."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.resources import ROOT
from tests.support.environment import variables
from tests.support.records.billing import fill, records

WRONG_CALLS = {
    ("rate",): "YYYY-MM",
    ("rate", "2026-13"): "'2026-13' is not a rating month",
    ("rate", "October"): "'October' is not a rating month",
    ("rate", "2026-10", "--mode", "guess"): "'guess'",
    ("rate", "2026-10", "--basis", "as_known_later"): "'as_known_later'",
    ("backfill", "2026-10"): "FROM and TO",
    (
        "backfill",
        "--stale",
        "--dry-run",
    ): "--stale rates a month as it was rated: leave out",
    ("override", "add", "C1", "--grade", "A"): "--reason",
    ("override", "end", "an-id"): "--by",
    ("diff", "October"): "'October' is not a rating month",
    ("backfill", "2026-10", "2026-09"): "2026-10 is after 2026-09: give the oldest month first",
    ("backfill", "2026-10", "2026-9"): "'2026-9' is not a rating month",
    ("grades", "2026-10", "--format", "xml"): "'xml'",
    ("explain", "2026-10"): "CUSTOMER",
    ("explain", "2026-10", "C00001", "--lang", "fr"): "'fr'",
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
    for command in (
        *("demo", "source", "rate", "backfill", "diff", "late", "override", "clean", "grades", "explain"),
        *("migrate", "doctor", "init", "test"),
    ):
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
        env=inherited | variables(settings) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "gridgrade: nothing is published for 2026-10: gridgrade rate 2026-10 rates it\n"


def test_grades_come_as_asked_for(gridgrade, published, tmp_path):
    assert len(json.loads(gridgrade("grades", "2026-10", "--json", settings=published)[1])) == 50
    assert len(json.loads(gridgrade("grades", "2026-10", "--format", "json")[1])) == 50
    _, out, _ = gridgrade("grades", "2026-10", "--format", "csv")
    assert len(out.splitlines()) == 51
    code, out, _ = gridgrade("grades", "2026-10", "--format", "csv", "--out", str(tmp_path / "g.csv"))
    assert (code, out) == (0, "")
    assert len((tmp_path / "g.csv").read_text().splitlines()) == 51
    assert "C00001" in gridgrade("grades", "2026-10")[1]


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


def test_an_override_is_added_listed_and_ended(gridgrade, settings):
    asked = ("--grade", "A", "--reason", "pays by hand", "--by", "ana")
    code, out, _ = gridgrade("override", "add", "C1", *asked, "--from", "2026-09", "--json", settings=settings)
    [added] = json.loads(out)
    assert (code, added["valid_from"], added["valid_until"], added["kind"]) == (0, "2026-09-01", None, "override")
    gridgrade("override", "add", "C2", *asked, "--veto", "--from", "2026-09", "--until", "2027-02")
    listed = json.loads(gridgrade("override", "list", "--json")[1])
    assert [(one["customer_id"], one["kind"], one["valid_until"]) for one in listed] == [
        ("C2", "veto", "2027-02-28"),
        ("C1", "override", None),
    ]
    code, out, _ = gridgrade("override", "end", added["override_id"], "--by", "ben")
    assert (code, added["override_id"] in out, "ben" in out) == (0, True, True)
    code, _, err = gridgrade("override", "end", added["override_id"], "--by", "ben")
    assert (code, err.count("\n")) == (1, 1)
    _, out, _ = gridgrade("override", "list")
    assert "no better than A" in out
    assert "2026-09 to 2027-02" in out


def test_a_month_without_a_second_basis_has_nothing_to_compare(gridgrade, published):
    code, out, err = gridgrade("late", "2026-10", settings=published)
    assert (code, out) == (1, "")
    assert err.startswith("gridgrade: 2026-10 is not published as_known_now: gridgrade diff 2026-10 --basis")


def test_clean_says_what_it_would_do(gridgrade, settings):
    assert gridgrade("clean", "--dry-run", settings=settings) == (0, "there is nothing to remove\n", "")
    assert json.loads(gridgrade("clean", "--json")[1]) == []


def test_migrate_says_when_there_is_nothing_to_do(gridgrade, settings):
    assert gridgrade("migrate", settings=settings) == (0, "nothing to migrate\n", "")


def test_migrate_needs_no_billing_system_and_starts_none(gridgrade, settings, monkeypatch, tmp_path):
    monkeypatch.delenv("GRIDGRADE_SOURCE_URL", raising=False)
    monkeypatch.setenv("GRIDGRADE_WAREHOUSE_URL", settings.warehouse.render_as_string(hide_password=False))
    assert gridgrade("migrate") == (0, "nothing to migrate\n", "")
    assert not (tmp_path / "nowhere").exists()


def test_doctor_exits_with_1_while_something_is_wrong(gridgrade, settings):
    code, out, _ = gridgrade("doctor", "--json", settings=settings)
    assert code == 1
    assert {row["state"] for row in json.loads(out)} == {"ok", "WRONG"}
    fill(settings, records())
    code, out, err = gridgrade("doctor", settings=settings)
    assert (code, err) == (0, "")
    assert "WRONG" not in out


def test_doctor_profiles_the_source_as_a_page_and_as_json(gridgrade, settings, tmp_path):
    fill(settings, records())
    path = tmp_path / "pages" / "profile.html"
    assert gridgrade("doctor", "--profile", "--out", str(path), settings=settings)[:2] == (0, f"{path}\n")
    assert "rows by month" in path.read_text(encoding="utf-8")
    code, out, _ = gridgrade("doctor", "--profile", "--json", settings=settings)
    tables = {table["table"]: table for table in json.loads(out)}
    assert (code, tables["bills"]["rows"], tables["arrears"]["state"]) == (0, 30, "absent")
    assert gridgrade("doctor", "--out", str(path), settings=settings)[0] == 2
