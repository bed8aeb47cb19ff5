"""The extract queries for CC&B and IS-U: through them and through the contract, customers get the same grades."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pipeline.cycle import rate_month
from pipeline.policy import Policy
from pipeline.sample import LAST, generate
from pipeline.settings import SQL, Settings
from pipeline.source import read
from pipeline.source.write import replace_tables

SCRIPTS = Path(__file__).parents[1] / "support" / "billing_systems"
CUSTOMERS = 250
MONTHS = 16


def psql(url, text: str) -> list[tuple]:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def queries(folder: Path) -> Iterator[None]:
    """The extract queries of this folder in the place of the package's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read, "EXTRACT", folder)
        yield


@pytest.fixture(scope="module")
def policy() -> Policy:
    """One whose months end by the billing systems' clocks, with the expert scorecard and little to look back on."""
    default = Policy.load().model_dump(mode="json")
    few = {"cohorts": 2, "out_of_time_cohorts": 1, "min_defaults": 100_000}
    return Policy(**default | {"timezone": "Asia/Shanghai", "training": default["training"] | few})


@pytest.fixture(scope="module")
def utility(databases, tmp_path_factory) -> Iterator[Settings]:
    """A source with what both systems can tell of the sample utility, nothing rated."""
    with databases(tmp_path_factory.mktemp("utility")) as settings:
        replace_tables(settings.source, generate(CUSTOMERS, MONTHS))
        psql(settings.source, (SCRIPTS / "restricted.sql").read_text())
        yield settings


def published(settings: Settings, table: str) -> dict[str, dict]:
    """The rows of October by customer, without what differs from one publication to the next."""
    rows = psql(
        settings.warehouse,
        f"select customer_id, to_jsonb(t) - 'publication_id' - 'model_version' from rating.{table} as t "
        "where rating_month = '2026-10-01'",
    )
    return dict(rows)


@pytest.fixture(scope="module")
def through_contract(databases, utility, policy, tmp_path_factory) -> Iterator[Settings]:
    with databases(tmp_path_factory.mktemp("contract"), like=utility) as settings:
        rate_month(LAST, settings, policy)
        yield settings


@pytest.mark.parametrize("system", ["ccb", "sap_isu"])
def test_through_a_template_the_same_customers_get_the_same_grades(
    databases, utility, through_contract, policy, tmp_path, system
):
    with databases(tmp_path, like=utility) as settings, queries(SQL / "templates" / system / "extract"):
        psql(settings.source, (SCRIPTS / f"{system}.sql").read_text())
        outcome = rate_month(LAST, settings, policy)
        assert sum(outcome["validate"]["quarantined"].values()) == 0
        for table in ("credit_indices", "credit_grades"):
            expected, found = published(through_contract, table), published(settings, table)
            assert len(expected) > CUSTOMERS * 0.8
            assert found == expected
