"""The example dashboards: each question is answered to who may only read the reports."""

import psycopg
import pytest
from psycopg.rows import dict_row

from pipeline.resources import ROOT

QUESTIONS = sorted((ROOT / "docs" / "examples" / "dashboards").glob("*.sql"))


@pytest.fixture(scope="module")
def reader(console_warehouse, postgres):
    url = postgres.warehouse_reader.set(drivername="postgresql", database=console_warehouse.warehouse.database)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        assert connection.execute("select current_user").fetchone() == ("gridgrade_reader",)
        yield connection


def answer(reader, name):
    with reader.cursor(row_factory=dict_row) as cursor:
        path = next(path for path in QUESTIONS if path.stem == name)
        return cursor.execute(path.read_text(encoding="utf-8")).fetchall()


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_has_rows_that_a_bi_tool_can_take(reader, path):
    question, chart, *_ = path.read_text(encoding="utf-8").splitlines()
    assert question.startswith("-- ")
    assert question.endswith("?")
    assert chart.startswith("-- Chart: ")
    with reader.cursor() as cursor:
        rows = cursor.execute(path.read_text(encoding="utf-8")).fetchall()
        kinds = {column.name: cursor.adapters.types[column.type_code].name for column in cursor.description}
    assert rows
    assert not set(kinds.values()) & {"json", "jsonb"}
    assert "grade" not in kinds or "grade_ordinal" in kinds


def test_the_questions_agree_with_each_other(reader):
    [figures] = answer(reader, "month_in_figures")
    month = figures["rating_month"]
    by_grade = [row for row in answer(reader, "customers_by_grade") if row["rating_month"] == month]
    assert sum(row["customers"] for row in by_grade) == figures["customers"]
    for name in ("customers_by_segment", "expected_loss"):
        assert sum(row["customers"] for row in answer(reader, name)) == figures["customers"]
    moved = [row for row in answer(reader, "grade_moves") if row["to_state"] != "closed"]
    assert sum(row["customers"] for row in moved) == figures["customers"]
    assert answer(reader, "recovery")[-1]["recovery_rate"] == figures["recovery_rate"]
