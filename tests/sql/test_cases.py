"""Each query of sql/lake on tables worked out by hand: see pipeline/maintenance/cases.py."""

import pytest

from pipeline.engine import open_engine, queries
from pipeline.maintenance.cases import OURS, fault
from pipeline.resources import SQL
from pipeline.settings import Settings

CASES = sorted(OURS.rglob("*.yaml"))
# Tested with the steps that run them, as are queries with fragments.
ELSEWHERE = ("inputs", "outages", "outbox", "publishing", "rebates", "range_starts", "joined_outcomes")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_query_gives_what_was_worked_out_by_hand(engine, path):
    assert fault(engine, path) is None


def test_every_query_has_cases_and_every_case_lies_where_its_query_does():
    queried = {
        path.relative_to(SQL).with_suffix("")
        for name, path in queries.files().items()
        if not {path.parent.name, name} & set(ELSEWHERE) and not queries.slots(name)
    }
    assert queried == {path.parent.relative_to(OURS) for path in CASES}
