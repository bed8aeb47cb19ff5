"""Published data to hold the library against, and a small rating problem."""

import numpy as np
import pandas as pd
import pytest

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
    """(indices of 3,000 customers with gaps, whether each defaulted): about one in ten does."""
    rng = np.random.default_rng(20)
    rows = 3000
    frame = pd.DataFrame(
        {
            "on_time_rate": rng.beta(8, 2, rows),
            "arrears_ratio": rng.exponential(1, rows),
            "monthly_kwh": rng.lognormal(6, 1, rows),
        }
    )
    logit = 1.5 * frame["arrears_ratio"] - 5 * frame["on_time_rate"]
    default = (rng.logistic(size=rows) < logit).astype(int)
    frame.loc[rng.random(rows) < 0.1, "arrears_ratio"] = np.nan
    return frame, default.to_numpy()
