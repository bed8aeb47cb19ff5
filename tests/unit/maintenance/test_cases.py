"""What a failing or a wrong test case says, and what ``gridgrade test`` makes of a project folder."""

import json

import pytest
import yaml

from pipeline.engine import open_engine
from pipeline.maintenance import project_tests
from pipeline.maintenance.cases import OURS, fault
from pipeline.maintenance.new_project import create
from pipeline.settings import Settings
from tests.support.documented_project import INDEX, MEASURE, documented_project

CASE = {
    "month": "2026-03",
    "tables": {"rated": "customer_id,grade\nearly,C\nlate,C\n", "in_arrears": "customer_id,days_past_due\nlate,16\n"},
    "expected": "customer_id,subject,grade\nlate,2026-01-31,C\n",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=1)) as engine:
        yield engine


@pytest.fixture
def fault_of(engine, tmp_path):
    """What is wrong with a case of the query ``visit``, or of another; ``fault_of(expected=...)`` changes a key."""

    def run(query="visit", **changes):
        path = tmp_path / query / "case.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({key: value for key, value in (CASE | changes).items() if value is not None}))
        return fault(engine, path)

    return run


def test_a_right_answer_is_no_fault(fault_of):
    assert fault_of() is None


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("customer_id,grade\nlate,D\n", "row 1 (late), grade: expected D, got C"),
        ("customer_id,grade\nlate,\n", "row 1 (late), grade: expected nothing, got C"),
        ("customer_id,grade\nearly,C\nlate,C\n", "expected 2 rows, got 1: the row early, C is missing"),
        ("customer_id,grade\nlate,C,1\n", "row late,C,1 has 3 cells, and the header customer_id,grade 2"),
        ("customer_id,grades\nlate,C\n", "expected a column grades, got customer_id, subject, reason, grade"),
        ("customer_id,grade\n", "expected has no row: a case needs one, so that it can fail"),
    ],
)
def test_a_wrong_answer_names_row_and_column_with_what_was_expected_and_what_came(fault_of, expected, message):
    assert fault_of(expected=expected).startswith(message)


def test_a_row_too_many_is_named(fault_of):
    both = "customer_id,days_past_due\nearly,16\nlate,16\n"
    expected = "customer_id,grade\nlate,C\n"
    message = "expected 1 rows, got 2: the row early, C is too many"
    assert fault_of(tables=CASE["tables"] | {"in_arrears": both}, expected=expected) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": "visits"}, "there is no query visits.sql under sql/lake: name the case's folder like the query"),
        ({"month": None}, "the case needs either month or cohort"),
        ({"month": "March"}, "'March' is not a rating month"),
        ({"basis": "later"}, "'later' is not a basis"),
        ({"expected": None}, "the case lacks expected"),
        ({"expects": "a"}, "the case has a key expects; known are based_on, basis"),
        ({"based_on": "moon.yaml"}, "based_on: there is no moon.yaml in a folder above the case"),
        ({"policy": {"measures": {"visit": {"overdue_days": -1}}}}, "policy"),
        ({"tables": {"rating": "customer_id\na\n"}}, "there is no table rating; known are "),
        ({"tables": {"rated": "customer\na\n"}}, "rated has no column customer; it has customer_id, segment"),
        ({"tables": {"in_arrears": "days_past_due\nmany\n"}}, "in_arrears.days_past_due: Failed to parse"),
        ({"tables": {"bills": "customer_id\na\n"}}, "bills: '' is no day"),
        ({"query": "social", "expected": "social_credit_rating\nhigh\n"}, "'high' is no number"),
    ],
)
def test_a_case_that_cannot_be_run_says_why_in_one_line(fault_of, changes, message):
    found = fault_of(**changes)
    assert found.startswith(message)
    assert "\n" not in found


@pytest.fixture
def project(tmp_path, monkeypatch):
    create(tmp_path / "ours")
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path / "ours"))
    return tmp_path / "ours"


def test_the_command_runs_a_project_s_cases_under_its_policy(gridgrade, project):
    (project / "policy.yaml").write_text("measures: {visit: {overdue_days: 30}}\n")
    case = project / "cases" / "lake" / "measures" / "visit" / "thirty_days.yaml"
    case.parent.mkdir(parents=True)
    debts = "customer_id,days_past_due\nearly,30\nlate,31\n"
    case.write_text(yaml.safe_dump(CASE | {"tables": CASE["tables"] | {"in_arrears": debts}}))
    assert gridgrade("test") == (0, "1 passed, 0 failed\n", "")
    case.write_text(yaml.safe_dump(CASE))
    code, out, err = gridgrade("test")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "cases/lake/measures/visit/thirty_days: expected 1 rows, got 0: the row late, 2026-01-31, C is missing",
        "0 passed, 1 failed",
    ]
    code, out, _ = gridgrade("test", "--json")
    assert (code, [outcome["case"] for outcome in json.loads(out)]) == (1, ["cases/lake/measures/visit/thirty_days"])


def test_the_command_writes_a_project_s_letters(gridgrade, project):
    letters = project / "letters"
    (letters / "payloads.yaml").write_text("collection: {grade: D}\n")
    (letters / "visit.en.txt").write_text("A visit\n\nYou owe {{ amount_overdue }} in grade {{ grade }}.\n")
    assert gridgrade("test")[:2] == (0, "1 passed, 0 failed\n")
    (letters / "visit.en.txt").write_text("A visit\n\nYou owe {{ amount }}.\n")
    (letters / "farewell.en.txt").write_text("Farewell\n\nGood bye.\n")
    (letters / "collection.fr.txt").write_text("Recouvrement\n\n.\n")
    (letters / "collection.zh.txt").write_text("催收\n\n{{ grade }}\n")
    code, out, _ = gridgrade("test")
    assert code == 1
    assert out.splitlines() == [
        "letters/collection.fr.txt: 'fr' is no language of letters: en or zh",
        "letters/collection.zh.txt: letters/payloads.yaml lacks the field amount_overdue of collection; its query "
        "returns amount_overdue, days_past_due, grade",
        "letters/farewell.en.txt: no action type of the policy has a letter farewell",
        "letters/visit.en.txt: template visit.en.txt cannot be filled for this action: 'amount' is undefined",
        "0 passed, 4 failed",
    ]


def test_without_a_project_there_is_nothing_to_test_but_ours(gridgrade):
    code, _, err = gridgrade("test")
    assert (code, err.count("\n")) == (1, 1)
    assert "GRIDGRADE_PROJECT is not set: name the folder to test, or test what is ours with --ours" in err


def test_our_cases_hold_a_project_s_queries_to_account(gridgrade, project, monkeypatch):
    monkeypatch.setattr(project_tests, "OURS", OURS / "lake" / "measures")
    own = project / "sql" / "lake" / "measures" / "visit.sql"
    ours = "select customer_id, '' as subject, '' as reason, grade, '' as amount_overdue from rated where grade = 'C'"
    own.write_text(ours)
    code, out, _ = gridgrade("test", "--ours")
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()[:-1]] == ["ours/visit/growing_debts"]


def test_the_index_and_the_measure_of_the_documentation_can_be_added(gridgrade, tmp_path, monkeypatch):
    project = documented_project(tmp_path / "documented")
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(project))
    assert gridgrade("test") == (0, "3 passed, 0 failed\n", "")
    for case in (project / "cases").rglob("*.yaml"):
        case.write_text(case.read_text().replace("edges,2", "edges,3").replace(",200.00,hardship", ",199.00,hardship"))
    code, out, _ = gridgrade("test")
    assert code == 1
    assert out.splitlines() == [
        f"cases/lake/indices/plans/window: row 1 (edges), {INDEX}: expected 3.0, got 2.0",
        f"cases/lake/measures/{MEASURE}/large_debts: row 1 (much), amount_overdue: expected 199.00, got 200.00",
        "1 passed, 2 failed",
    ]
