"""``gridgrade actions`` and ``rebates``: what an operator sees, and which calls are refused in which words."""

import csv
import json
import uuid

import psycopg
import pytest


@pytest.fixture(scope="module")
def warehouse(databases, tmp_path_factory):
    with databases(tmp_path_factory.mktemp("acting")) as settings:
        yield settings


@pytest.fixture
def acting(gridgrade, warehouse):
    """``acting("list")`` on an outbox of three actions: a rebate and a retention task proposed, a visit suppressed."""
    url = warehouse.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute(
            "truncate ops.service_actions, ops.service_action_events, ops.arrears_rebates, ops.outage_notices"
        )
        fill(connection)

    def run(*arguments):
        return gridgrade("actions", *arguments, settings=warehouse)

    return run


def fill(connection):
    actions = {
        "arrears_rebate": ("proposed", None, {"campaign": "m", "opening_arrears": "9", "repaid": "9", "earned": "1",
                                              "rebate": "1", "terms": {}}),
        "retention": ("proposed", None, {"grade": "AA", "consumption_trend": "-9%"}),
        "visit": ("suppressed", "publication", {"grade": "C", "amount_overdue": "5.00"}),
    }  # fmt: skip
    for number, (action_type, (status, suppressed_by, payload)) in enumerate(actions.items(), start=1):
        connection.execute(
            "insert into ops.service_actions (action_id, rating_month, customer_id, action_type, reason, payload, "
            "status, suppressed_by, run_kind) values (%s, '2026-10-01', 'C1', %s, 'because', %s, %s, %s, 'scheduled')",
            (IDS[number - 1], action_type, json.dumps(payload), status, suppressed_by),
        )  # fmt: skip


IDS = [str(uuid.UUID(int=number)) for number in range(1, 4)]
REBATE, RETENTION, VISIT = IDS


def test_the_way_of_an_action_through_the_commands(acting):
    assert acting("approve", REBATE, "--by", "Li Na") == (0, "1 approved\n", "")
    code, out, _ = acting("dispatch", "--json")
    outcome = json.loads(out)
    assert (code, outcome["approved"], outcome["dispatched"]["queue"], outcome["to_approve"]) == (0, 1, 2, 0)
    assert acting("ack", "--month", "2026-10", "--type", "arrears_rebate", "--by", "billing") == (
        0,
        "1 acknowledged\n",
        "",
    )
    assert acting("release", VISIT, "--by", "Li Na")[1] == "1 released\n"
    assert acting("deny", VISIT, "--by", "Li Na", "--reason", "paid by now")[1] == "1 denied\n"
    rows = json.loads(acting("list", "--json")[1])
    assert {row["action_type"]: row["status"] for row in rows} == {
        "arrears_rebate": "acknowledged",
        "retention": "dispatched",
        "visit": "suppressed",
    }
    shown = json.loads(acting("show", REBATE, "--json")[1])
    assert [event["changed_by"] for event in shown["events"]][1:] == ["Li Na", "dispatcher", "billing"]


def test_tables_for_people(acting):
    out = acting("list", "--month", "2026-10", "--status", "suppressed")[1]
    assert VISIT in out
    assert REBATE not in out
    assert "publication" in acting("show", VISIT)[1]
    out = acting("dispatch")[1]
    assert "to_approve" in out
    assert "dispatched by queue" in out


def test_a_letter_is_previewed_with_sample_and_with_real_fields(acting):
    assert acting("preview", "visit")[1].startswith("Visit customer C00000001\n\n")
    assert acting("preview", "retention", "--lang", "zh")[1].startswith("客户 C00000001 用电量持续下降")
    assert "-9%" in acting("preview", "retention", "--action", RETENTION)[1]
    assert json.loads(acting("preview", "visit", "--json")[1])["language"] == "en"
    assert "does not know dance" in acting("preview", "dance")[2]
    _, _, err = acting("preview", "visit", "--action", RETENTION)
    assert err == f"gridgrade: action {RETENTION} is of type retention: gridgrade actions preview retention\n"


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("approve", REBATE), 2, "--by"),
        (("approve", REBATE, "--by", " "), 2, "say who decides, by a name on one line"),
        (("approve", "--by", "Li Na"), 2, "name actions by their ids, or by --month and --type, not both"),
        (("approve", REBATE, "--month", "2026-10", "--by", "Li"), 2, "not both"),
        (("deny", REBATE, "--by", "Li Na"), 2, "--reason"),
        (("approve", "first", "--by", "Li Na"), 2, "invalid character"),
        (("list", "--status", "done"), 2, "'done'"),
        (("approve", VISIT, "--by", "Li Na"), 1, f"gridgrade: action {VISIT} cannot be approved: it is suppressed"),
        (("ack", str(uuid.UUID(int=9)), "--by", "x"), 1, "gridgrade: there is no action 0000"),
    ],
)
def test_a_call_that_is_refused(acting, arguments, code, fault):
    found, _, err = acting(*arguments)
    assert found == code
    assert fault in " ".join(err.replace("│", "").split())
    assert "Traceback" not in err


def test_measures_are_decided_and_outages_announced_on_the_command_line(gridgrade, settings):
    code, _, err = gridgrade("actions", "decide", "2026-10", settings=settings)
    assert (code, err) == (
        1,
        "gridgrade: 2026-10 is not published, so no actions follow from it: rate and publish 2026-10 first\n",
    )
    code, out, _ = gridgrade("actions", "notices", "--at", "2026-10-20T08:00+08:00", "--json", settings=settings)
    assert (code, json.loads(out)["because"]) == (0, "nothing is published yet")
    for wrong in ("yesterday", "2026-10-20T08:00"):
        assert gridgrade("actions", "notices", "--at", wrong, settings=settings)[0] == 2


@pytest.mark.parametrize("columns", ["80", "piped"])
def test_ids_are_whole_at_any_width(acting, monkeypatch, columns):
    if columns != "piped":
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = acting("list")
    found = json.loads(acting("list", "--json")[1])
    assert len(found) == 3
    assert all(row["action_id"] in out and row["customer_id"] in out for row in found)
    assert "…" not in out


def test_a_list_is_written_whole_as_csv(acting, tmp_path):
    assert acting("list", "--out", str(tmp_path / "a.csv"))[:2] == (0, "")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} == {row["action_id"] for row in json.loads(acting("list", "--json")[1])}
