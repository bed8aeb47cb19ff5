"""A month with the lake in an object store: what is published is what a local folder gives, killed runs and all."""

import json
import os
import signal
from collections import Counter

import pytest
from sqlalchemy import text

from pipeline.cycle import rate_month
from pipeline.lake import Lake
from pipeline.maintenance.audit import WRONG, Span, audit
from pipeline.maintenance.retention import clean
from pipeline.privacy.erase import erase
from pipeline.privacy.export import export
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from tests.end_to_end.test_killed_runs import RATE, points
from tests.support.environment import variables
from tests.support.records.indices import MODELS, expert, register

pytestmark = pytest.mark.slow


def published(settings):
    """The hash of the month's content, and what was decided on it."""
    actions = "select action_id, customer_id, status, reason from ops.service_actions order by action_id"
    with transaction(settings) as connection:
        found = publications.current(connection, LAST)
        return found.content_sha256, [tuple(row) for row in connection.execute(text(actions))]


def wrong(settings):
    return [finding.detail for finding in audit(settings, Span()) if finding.state == WRONG]


def fill(settings, policy, customers, months):
    """A source with some dirty rows, and models to rate it by; no lake."""
    replace_tables(settings.source, generate(customers, months, dirty=0.002))
    for family, version in MODELS.items():
        register(settings, family, version, expert(policy, family))


@pytest.fixture(scope="module")
def both(databases, policy, new_bucket, tmp_path_factory):
    """The same month, by a lake in a folder and by one in a store."""
    folder = tmp_path_factory.mktemp("months")
    with databases(folder / "local") as local:
        fill(local, policy, 60, 6)
        with databases(folder / "stored", like=local) as other:
            stored = other.model_copy(update={"lake": new_bucket()})
            for settings in (local, stored):
                rate_month(LAST, settings, policy, models=MODELS)
            yield local, stored


def test_the_month_is_the_same(both):
    local, stored = both
    assert published(stored) == published(local)
    assert [*Lake.of(stored).partitions()] == [*Lake.of(local).partitions()]
    assert wrong(stored) == []
    assert not (stored.home / "lake").exists()
    assert not [path for path in stored.scratch_path.rglob("*") if path.is_file()]


def test_what_a_killed_writer_left_is_cleaned_when_it_is_old(both, policy):
    _, stored = both
    lake = Lake.of(stored)
    left = f"{lake.name('grades', rating_month=LAST, basis='as_known_then')}/part-0-{'0' * 32}.parquet"
    (stored.home / "half").write_bytes(b"half")
    lake._storage.put_file(stored.home / "half", left)
    brief = policy.model_copy(update={"retention": policy.retention.model_copy(update={"min_age_days": 0})})
    assert clean(stored, policy) == []
    assert [leftover.name for leftover in clean(stored, brief) if leftover.kind == "unfinished"] == [left]
    assert wrong(stored) == []


def test_a_customer_is_exported_and_erased(both, policy):
    local, stored = both
    with transaction(stored) as connection:
        customer = connection.scalar(text("select min(customer_id) from rating.credit_grades"))
    kept = [
        {table: sorted(rows, key=str) for table, rows in export(settings, customer)["lake"].items()}
        for settings in both
    ]
    assert "bills" in kept[0]
    assert kept[0] == kept[1]
    gone = [erase(settings, policy, [customer], erased_by="a person", reason="asked") for settings in (local, stored)]
    assert gone[0] == gone[1]
    assert export(stored, customer)["lake"] == {}
    storage = Lake.of(stored)._storage
    files = [file.name for file in storage.found("") if file.name.endswith(".parquet")]
    named = Counter(name.rpartition("/")[0] for name in files)
    assert set(named.values()) == {1}  # what was replaced is not there any more
    assert wrong(stored) == []


@pytest.mark.timeout(1800)
def test_a_month_killed_twice_is_completed_by_the_next(forks, databases, policy, new_bucket, tmp_path):
    """A few hundred customers, extraction to actions."""
    options = {"month": str(LAST), "from_lake": False, "options": {"models": MODELS}}
    client = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    def run(settings, kill=None, calls=None):
        asked = options | {"kill": kill, "calls": calls and str(calls)}
        return forks.run(RATE.replace("ASKED", repr(json.dumps(asked))), variables(settings) | client)

    with databases(tmp_path / "local") as local:
        fill(local, policy, 300, 8)
        with databases(tmp_path / "stored", like=local) as other:
            stored = other.model_copy(update={"lake": new_bucket()})
            assert run(local, calls=tmp_path / "calls.json") == 0
            calls = Counter(json.loads((tmp_path / "calls.json").read_text()))
            for function, call in points(calls, 2, seed=18):
                assert run(stored, kill=[function, call]) == -signal.SIGKILL, (function, call)
            assert run(stored) == 0
            assert published(stored) == published(local)
            assert wrong(stored) == []
