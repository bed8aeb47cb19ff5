"""The rows that SQL picks out for Great Expectations, held against what it finds in all of them."""

import os
import subprocess
import sys

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.expectations import Checker, Rule, suspicious

NUMBERS = st.none() | st.sampled_from([-1e18, -1.0, -0.01, 0.0, 0.01, 1.0, 31.0, 1e18])
TEXTS = st.none() | st.sampled_from(["", "a", "b", "A", "it's", '"', "线"])
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, TEXTS, st.booleans()), min_size=1, max_size=25)
BOUNDS = st.sampled_from([-1.0, 0.0, 0.01, 31.0])
BETWEEN = "ExpectColumnValuesToBeBetween"
LATER = "ExpectColumnPairValuesAToBeGreaterThanB"
RULES = st.one_of(
    st.just(Rule("null", None, "ExpectColumnValuesToBeNull", {"column": "text"})),
    st.just(Rule("given", None, "ExpectColumnValuesToNotBeNull", {"column": "the number"})),
    st.just(Rule("flag", None, "ExpectColumnValuesToBeInSet", {"column": "flag", "value_set": [True]})),
    st.lists(st.sampled_from(["a", "it's", '"', "线"]), min_size=1).map(
        lambda values: Rule("among", None, "ExpectColumnValuesToBeInSet", {"column": "text", "value_set": values})
    ),
    st.lists(st.sampled_from([0.0, 1.0, 31.0]), min_size=1).map(
        lambda days: Rule("day", None, "ExpectColumnValuesToBeInSet", {"column": "the number", "value_set": days})
    ),
    st.tuples(BOUNDS, BOUNDS, st.booleans()).map(
        lambda bounds: Rule(
            "between",
            None,
            BETWEEN,
            {"column": "other", "min_value": min(bounds[:2]), "max_value": max(bounds[:2])}
            | ({"strict_min": True} if bounds[2] and bounds[0] != bounds[1] else {}),
        )
    ),
    BOUNDS.map(lambda low: Rule("at least", None, BETWEEN, {"column": "other", "min_value": low})),
    BOUNDS.map(lambda high: Rule("at most", None, BETWEEN, {"column": "other", "max_value": high})),
    st.booleans().map(
        lambda equal: Rule(
            "later",
            None,
            LATER,
            {
                "column_A": "the number",
                "column_B": "other",
                "or_equal": equal,
                "ignore_row_if": "either_value_is_missing",
            },
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(RULES, min_size=1, max_size=4, unique_by=lambda rule: rule.name))
def test_sql_picks_out_the_rows_that_great_expectations_fails_and_no_others(rows, rules):
    frame = pd.DataFrame(rows, columns=["the number", "other", "text", "flag"])
    frame = frame.astype({"the number": "float64", "other": "float64", "text": "object"})
    failing = {int(at) for failure in Checker("table", rules).failures(frame) for at in failure.positions}
    with duckdb.connect() as database:
        database.register("numbered", frame.assign(place=range(len(frame))))
        picked = database.execute(f"select place from numbered where {suspicious(rules)}").fetchall()
    assert {place for (place,) in picked} == failing


def test_a_kind_of_rule_without_a_condition_is_refused():
    with pytest.raises(ValueError, match="no condition for ExpectColumnMaxToBeBetween"):
        suspicious([Rule("most", None, "ExpectColumnMaxToBeBetween", {"column": "other"})])


def test_great_expectations_does_not_load_spark_where_nothing_else_does(tmp_path):
    (tmp_path / "pyspark.py").write_text("raise RuntimeError('loaded')", encoding="utf-8")
    (tmp_path / "checking.py").write_text(
        "from pipeline.ingest.expectations import Checker, TIES\n"
        "Checker('totals', [TIES])\n"
        "try:\n"
        "    import pyspark\n"
        "except RuntimeError as error:\n"
        "    print('there for others:', error)\n",
        encoding="utf-8",
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths}
    command = [sys.executable, "-m", "checking"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "there for others: loaded", done.stderr
