"""The texts under sql/: composed, complete, and as their headers say."""

import re
from fnmatch import fnmatchcase

import pytest
import sqlglot
from sqlglot import exp

from pipeline.customers import parameters
from pipeline.engine import queries
from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.resources import ROOT
from pipeline.source import contract

QUERIES = sorted(queries.files().values())
SLOT = re.compile(r"\{(\w+)\}")
RATED = [
    path
    for path in QUERIES
    if path.parent.name not in ("inputs", "measures", "monitoring", "outages", "outbox", "publishing", "rebates")
    and not queries.slots(path.stem)
]


def header(path):
    """The comment at the top, on one line."""
    lines = path.read_text().splitlines()
    return " ".join(
        line.removeprefix("--").strip() for line in lines[: next(n for n, line in enumerate(lines) if line[:2] != "--")]
    )


def stated(path, what):
    """The names that follow ``what`` in the header, without the remarks in brackets; ``since_*`` stands for several."""
    found = re.search(rf"\b{what} ((?:[^.()]|\([^()]*\))*)\.", header(path) + ".")
    return set(re.findall(r"\w+\*?", re.sub(r"\([^()]*\)", "", found[1]))) if found else set()


def matched(names, patterns):
    return {name for name in names for pattern in patterns if fnmatchcase(name, pattern)}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_the_header_says_what_the_query_reads_and_binds(path):
    text = SLOT.sub(r"fragment_\1", path.read_text())
    tree = sqlglot.parse_one(text, read="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = {table.name for table in tree.find_all(exp.Table) if not table.name.startswith("fragment_")}
    assert stated(path, "Reads") == named - own
    bound = {placeholder.name for placeholder in tree.find_all(exp.Placeholder)}
    parameters_stated = stated(path, "Parameters:")
    assert matched(bound, parameters_stated) == bound
    composed = queries.compose(text).parameters
    assert stated(path, "Fragments:") - {"and"} == set(queries.slots(path.stem)) == set(SLOT.findall(path.read_text()))
    assert [pattern for pattern in parameters_stated if not matched(composed, [pattern])] == []


@pytest.mark.parametrize("path", RATED, ids=lambda path: path.stem)
def test_a_query_is_composed_down_to_tables_of_the_source_and_of_the_step(path, policy):
    cards = Policy.load(ROOT / "docs" / "examples" / "card-policy.yaml")
    query = queries.compose(f"select * from {path.stem}")
    tree = sqlglot.parse_one(query.sql(), read="duckdb")
    read = {table.name for table in tree.find_all(exp.Table)} - {cte.alias for cte in tree.find_all(exp.CTE)}
    of_steps = {
        "closed_customers",
        "cohort",
        "families",
        "lake_begins",
        "members",
        "quarantined",
        "roles",
        "segment_slopes",
        "shares",
        "snapshot",
    }
    assert read == query.tables <= {*contract(), *of_steps}
    march = RatingMonth(2026, 3)
    known = set(parameters.label_parameters(policy, march) | parameters.group_parameters(policy, march)) | {"customers"}
    assert query.parameters <= known | set(parameters.parameters(cards, march))


@pytest.mark.parametrize("path", RATED, ids=lambda path: path.stem)
def test_the_text_reads_as_spark_sql_too(path):
    text = queries.compose(f"select * from {path.stem}").sql("spark")
    assert sqlglot.parse_one(text, read="spark").named_selects == ["*"]


def test_a_query_named_twice_on_the_way_is_put_in_once():
    text = queries.compose("with mine as (select * from bill_status) select * from mine, late_debt").sql()
    names = [cte.alias for cte in sqlglot.parse_one(text, read="duckdb").find_all(exp.CTE)]
    assert names.count("received") == names.count("bill_status") == 1
    assert names.index("received") < names.index("bill_status") < names.index("late_debt") < names.index("mine")


def test_a_text_is_the_same_whatever_was_composed_and_written_before():
    """Composed queries have the parsed ones in common."""

    def texts(names):
        queries._composed.cache_clear()
        queries._parsed.cache_clear()
        composed = {name: queries.compose(f"select * from {name}") for name in names}
        return {name: (query.sql(), query.sql("spark")) for name, query in composed.items()}

    names = ["payment", "consumption", "late_debt", "bill_status"]
    together = texts(names)
    assert together == texts(names[::-1])
    for name in names:
        assert texts([name]) == {name: together[name]}


def test_what_is_given_is_read_as_a_table():
    query = queries.compose("select * from late_debt", ["bill_status", "credited"])
    names = {cte.alias for cte in sqlglot.parse_one(query.sql(), read="duckdb").find_all(exp.CTE)}
    assert {"bill_status", "credited"} <= query.tables
    assert not names & {"bill_status", "credited", "bill_money", "named_money"}


def test_columns_are_those_of_the_select(policy):
    assert {"customer_id", "avg_monthly_kwh"} <= set(queries.columns("consumption"))
    for name, index in policy.indices.items():
        assert name in queries.columns(index.group)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A utility's own folder: ``own("facts/population.sql", "...")`` puts a query there."""
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))

    def put(name, text):
        path = tmp_path / "sql" / "lake" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        queries._files.cache_clear()
        queries._parsed.cache_clear()

    yield put
    queries._files.cache_clear()


def test_a_query_that_is_not_there_or_is_no_sql_is_one_clear_line(own):
    with pytest.raises(ConfigError, match=r"there is no query moon.sql under sql/lake"):
        queries.columns("moon")
    own("indices/broken.sql", "select (\nfrom where")
    with pytest.raises(ConfigError, match=r"/sql/lake/indices/broken.sql is not SQL that can be read") as raised:
        queries.compose("select * from broken")
    assert "\n" not in str(raised.value)


def test_a_project_s_query_takes_the_place_of_ours_wherever_ours_is_named(own, monkeypatch):
    own("facts/received.sql", "select 'nothing came' as remark")
    assert "nothing came" in queries.compose("select * from bill_status").sql()
    monkeypatch.delenv("GRIDGRADE_PROJECT")
    assert "nothing came" not in queries.compose("select * from bill_status").sql()


def test_two_queries_of_one_name_are_refused(own):
    own("indices/received.sql", "select 1 as one")
    with pytest.raises(ConfigError, match=r"received.sql and .*received.sql have one name: rename one of them"):
        queries.files()
