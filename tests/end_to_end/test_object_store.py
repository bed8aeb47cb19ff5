"""A month with the lake in an object store: what is published is what a local folder gives, killed runs and all."""

import os
import random
import signal

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


def published(settings):
    with transaction(settings) as connection:
        found = publications.current(connection, LAST)
        actions = "select action_id, customer_id, status, reason from ops.service_actions order by action_id"
        return found.content_sha256, [tuple(row) for row in connection.execute(text(actions))]


@pytest.fixture(scope="module")
def template(databases, policy, tmp_path_factory):
    """A source with a few dirty rows, and models to rate it by; no lake."""
    with databases(tmp_path_factory.mktemp("template") / "home") as settings:
        replace_tables(settings.source, generate(60, 6, dirty=0.01))
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        yield settings


@pytest.fixture(scope="module")
def months(databases, policy, template, new_bucket, tmp_path_factory):
    """The same month, by a lake in a folder and by one in a store."""
    folder = tmp_path_factory.mktemp("months")
    with (
        databases(folder / "local", like=template) as local,
        databases(folder / "stored", like=template) as other,
    ):
        stored = other.model_copy(update={"lake": new_bucket()})
        for settings in (local, stored):
            rate_month(LAST, settings, policy, models=MODELS)
        yield local, stored


def test_the_month_is_the_same(months):
    local, stored = months
    assert published(stored) == published(local)
    lakes = [Lake.of(settings) for settings in months]
    assert list(lakes[0].partitions()) == list(lakes[1].partitions())
    assert not (stored.home / "lake").exists()
    assert not [path for path in (stored.home / "scratch").rglob("*") if path.is_file()]


def test_it_is_audited_and_cleaned(months, policy):
    _, stored = months
    assert [finding.detail for finding in audit(stored, Span()) if finding.state == WRONG] == []
    lake = Lake.of(stored)
    name = lake.name("grades", rating_month=LAST, basis="as_known_then")
    lake._storage.put_file(_some_file(stored), f"{name}/part-0-{'0' * 32}.parquet")
    brief = policy.model_copy(update={"retention": policy.retention.model_copy(update={"min_age_days": 0})})
    assert "unfinished" not in {left.kind for left in clean(stored, policy)}
    assert [left.name for left in clean(stored, brief) if left.kind == "unfinished"] == [
        f"{name}/part-0-{'0' * 32}.parquet"
    ]
    assert [finding.detail for finding in audit(stored, Span()) if finding.state == WRONG] == []


def _some_file(settings):
    path = settings.home / "some.parquet"
    path.write_bytes(b"half")
    return path


def test_a_customer_is_exported_and_erased(months, policy):
    local, stored = months
    with transaction(stored) as connection:
        customer = connection.scalar(text("select min(customer_id) from rating.credit_grades"))
    documents = [export(settings, customer) for settings in (local, stored)]
    assert documents[0]["lake"] == documents[1]["lake"]
    found = [erase(settings, policy, [customer], erased_by="a person", reason="asked") for settings in (local, stored)]
    assert found[0] == found[1]
    assert "bills" in documents[1]["lake"]
    assert export(stored, customer)["lake"] == {} if _is_known(stored, customer) else True
    lake = Lake.of(stored)
    assert list(lake.unnamed()) == []
    kept = {name for name in lake.partitions()}
    files = [stored_file.name for stored_file in lake._storage.found("") if stored_file.name.endswith(".parquet")]
    for file in files:
        assert file.rpartition("/")[0] in kept
        with lake._storage.open(file) as content:
            assert customer.encode() not in content.read()
    assert [finding.detail for finding in audit(stored, Span()) if finding.state == WRONG] == []


def _is_known(settings, customer):
    with transaction(settings) as connection:
        return connection.scalar(text("select count(*) from ops.erasures where customer_sha256 = :c"), {"c": customer})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_month_killed_twice_is_completed_by_the_next(forks, databases, policy, new_bucket, tmp_path):
    """A few hundred customers, extraction to actions."""
    from tests.end_to_end.test_killed_runs import Trial

    with databases(tmp_path / "template") as template:
        replace_tables(template.source, generate(300, 26))
        for family, version in MODELS.items():
            register(template, family, version, expert(policy, family))
        trial = Trial(forks, databases, template, tmp_path, from_lake=False, models=MODELS)
        _, calls = trial.undisturbed()
        with databases(tmp_path / "local", like=template) as local:
            rate_month(LAST, local, policy, models=MODELS)
            expected = published(local)
        with databases(tmp_path / "stored", like=template) as other:
            stored = other.model_copy(update={"lake": new_bucket()})
            client = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
            deaths = points(calls, 2, seed=random.Random(18).randrange(99))
            for kill in [*map(list, deaths), None]:
                asked = trial._asked | {"kill": kill, "calls": None}
                source = RATE.replace("ASKED", repr(__import__("json").dumps(asked)))
                code = forks.run(source, variables(stored) | client)
                assert code == (-signal.SIGKILL if kill else 0), kill
            assert published(stored) == expected
