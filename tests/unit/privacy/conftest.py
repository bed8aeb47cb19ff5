"""An installation that keeps something of a customer wherever it keeps anything of customers."""

import shutil
from contextlib import contextmanager

import pytest

from pipeline.cycle import rate_month
from pipeline.lake import Lake
from pipeline.policy import Policy
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse import overrides
from tests.support.records.indices import MODELS, expert, register
from tests.support.records.kept import everywhere, query


@pytest.fixture(scope="session")
def copying(policy) -> Policy:
    """The policy, with a copy of what is published in the lake, and invalid rows let pass."""
    document = policy.model_dump(mode="json")
    document["validation"] |= {"quarantine_limit": 0.5}
    return Policy(**document | {"publish": document["publish"] | {"lake_copy": True}})


@pytest.fixture(scope="session")
def template(databases, copying, tmp_path_factory):
    """Two months rated, the first of them twice; an override; invalid rows. Not to be changed."""
    with databases(tmp_path_factory.mktemp("kept") / "home") as settings:
        replace_tables(settings.source, generate(60, 14, dirty=0.03))
        for family, version in MODELS.items():
            register(settings, family, version, expert(copying, family))
        rate_month(LAST - 1, settings, copying, models=MODELS)
        chosen = {"customer_id": chosen_of(settings), "reason": "a call", "created_by": "desk"}
        best = copying.grades.names[0]
        overrides.add(settings, copying, kind="veto", grade=best, first=LAST, last=None, **chosen)
        rate_month(LAST, settings, copying, models=MODELS)
        rate_month(LAST - 1, settings, copying, models=MODELS, basis="as_known_now", accept_moves=True)
        yield settings


def chosen_of(settings) -> str:
    """The customer of whom most tables say something."""
    found = everywhere(settings)
    return max(sorted(found), key=lambda name: len(found[name]))


@pytest.fixture(scope="session")
def copied(databases):
    """``with copied(settings, home) as copy``: an installation like another, pages and all."""

    @contextmanager
    def copy(of, home):
        with databases(home, like=of) as settings:
            for folder in (of.data_docs_path, of.reports_path):
                shutil.copytree(folder, settings.home / folder.name)
            yield settings

    return copy


@pytest.fixture
def settings(copied, template, tmp_path):
    """A copy of the template, to change."""
    with copied(template, tmp_path / "home") as settings:
        yield settings


@pytest.fixture
def lake(settings) -> Lake:
    return Lake(settings.lake_path)


@pytest.fixture(scope="session")
def someone(template) -> str:
    """The customer with the override."""
    return query(template, "select customer_id from ops.rating_overrides")[0][0]
