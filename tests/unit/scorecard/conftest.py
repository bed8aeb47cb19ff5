"""Published data to hold the library against, and a small rating problem."""

import pandas as pd
import pytest

from tests.support import rating_problem
from tests.support.published_data import shared_data


@pytest.fixture(scope="session")
def islr():
    """ISLR's Default data: (student and balance of 10,000 people, whether each defaulted)."""
    table = pd.read_csv(shared_data("tables/islr_default.csv"))
    people = pd.DataFrame({"student": (table["student"] == "Yes").astype(float), "balance": table["balance"]})
    return people, (table["default"] == "Yes").astype(int).to_numpy()


@pytest.fixture(scope="session")
def german():
    """Statlog German credit: (24 attributes of 1,000 people, whether each was bad)."""
    table = pd.read_csv(shared_data("tables/german_numeric24.csv"))
    return table.drop(columns="class"), (table["class"] == 2).astype(int).to_numpy()


@pytest.fixture(scope="session")
def customers():
    return rating_problem.customers()
