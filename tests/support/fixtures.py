"""Made once and only looked at: a sample utility, a lake of it, and a small published month."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline import cli
from pipeline.grading.grade import grade
from pipeline.lake import Lake
from pipeline.publishing.publish import publish
from pipeline.sample import LAST, generate
from pipeline.settings import Settings
from tests.support.environment import variables
from tests.support.killable_runs import Forks
from tests.support.outbox import House
from tests.support.records.explained_customers import LEARNT, drawn, fitted, table
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices
from tests.support.records.lake import Tables, fill_lake

SIZE = 900, 28  # customers, months
SNAPSHOTS = (LAST - 2, LAST - 1, LAST)
WHOLE = ("customers", "bills", "payments", "arrears", "collection_events", "billing_closes")
RECENT = (LAST - 10).cutoff("UTC")


@pytest.fixture(scope="session")
def sample_size() -> tuple[int, int]:
    return SIZE


@pytest.fixture(scope="session")
def sample() -> Tables:
    """The rows of 900 customers over 28 months; of the tables that are not billing's, only the last 10 months."""
    batches = defaultdict(list)
    for name, batch in generate(*SIZE):
        batches[name].append(batch if name in WHOLE else batch.filter(pc.field("recorded_at") >= RECENT))
    return {name: pa.Table.from_batches(parts) for name, parts in batches.items()}


@pytest.fixture(scope="session")
def sample_lake(sample, tmp_path_factory) -> Path:
    """A lake of the sample's facts, with the customers of the last three months. Not to be written to."""
    lake = Lake(tmp_path_factory.mktemp("sample") / "lake")
    fill_lake(lake, sample, *SNAPSHOTS)
    return lake.root


@pytest.fixture(scope="session")
def published(databases, policy, tmp_path_factory) -> Iterator[Settings]:
    """A warehouse with one month published, October 2026: 50 customers, graded by the expert scorecard.

    Not to be changed.
    """
    with databases(tmp_path_factory.mktemp("published")) as settings:
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        rows = [customer(number, policy, band="ABCD"[number % 4]) for number in range(50)]
        write_indices(settings, pa.Table.from_pylist(rows))
        grade(OCTOBER, settings, policy, **BASIS, models=MODELS)
        publish(OCTOBER, settings, policy, **BASIS, run_id="test", run_kind="command")
        yield settings


@pytest.fixture(scope="session")
def people(policy) -> list[dict[str, float | None]]:
    """Values by index of the customers of ``explained``, by number."""
    return drawn(policy)


@pytest.fixture(scope="session")
def explained(databases, policy, people, tmp_path_factory) -> Iterator[Settings]:
    """A warehouse with October 2026 published: ``people``, homes graded by a fitted model, firms by the scorecard.

    Not to be changed, but for the lake's ``sensitivity``.
    """
    with databases(tmp_path_factory.mktemp("explained")) as settings:
        register(settings, "residential", "learnt", fitted(people, policy))
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        write_indices(settings, table(people, policy))
        grade(OCTOBER, settings, policy, **BASIS, models=LEARNT)
        publish(OCTOBER, settings, policy, **BASIS, run_id="test", run_kind="command")
        yield settings


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs of the pipeline in processes that can be killed."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def gridgrade(monkeypatch, capfd, tmp_path) -> Callable[..., tuple[int, str, str]]:
    """``gridgrade("grades", "2026-10")`` gives exit code, standard output and standard error."""
    monkeypatch.setenv("GRIDGRADE_HOME", str(tmp_path / "nowhere"))

    def run(*arguments, settings=None):
        for name, value in (variables(settings) if settings else {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["gridgrade", *arguments])
        try:
            code = cli.main()
        except SystemExit as exited:
            code = exited.code
        return code or 0, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def module_house(databases, policy, tmp_path_factory):
    with databases(tmp_path_factory.mktemp("house")) as settings:
        house = House(settings, policy)
        yield house
        house.close()


@pytest.fixture
def house(module_house) -> House:
    """An outbox with nothing in it; its warehouse is that of the module."""
    module_house.empty()
    return module_house
