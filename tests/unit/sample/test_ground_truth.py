"""The hidden credit orders the defaults that the source shows."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.month import RatingMonth
from pipeline.sample import creditworthiness, hidden_state

CUSTOMERS, MONTHS, LAST = 6_000, 24, RatingMonth(2026, 10)
AT = RatingMonth(2026, 4)


@pytest.fixture(scope="module")
def cohort(small):
    """Customers active and not in default at the end of AT: hidden values, and whether they default in six months."""
    hidden = hidden_state(CUSTOMERS, MONTHS, LAST, at=AT)
    active = hidden.is_active
    columns = {"customer_id": hidden.customer_id, "z": hidden.creditworthiness, "p": hidden.default_probability}
    small.register("hidden", pa.table({name: pa.array(values[active]) for name, values in columns.items()}))
    return small.execute(
        """
        with bad as (
            select customer_id, as_of as on_day
            from arrears
            where days_past_due >= 60
            union all
            select customer_id, occurred_on
            from collection_events
            where event_type in ('disconnection', 'write_off')
        )
        select
            z,
            p,
            (customer_id in (select customer_id from bad where on_day > '2026-04-30'))::integer as is_default
        from hidden
        where customer_id not in (select customer_id from bad where on_day = '2026-04-30')
        """
    ).df()


def test_creditworthiness_is_standard_normal_and_does_not_depend_on_how_many_there_are():
    credit = creditworthiness(50_000)
    assert abs(credit.mean()) < 0.02
    assert abs(credit.std() - 1) < 0.02
    np.testing.assert_array_equal(creditworthiness(100), credit[:100])


def test_a_few_in_a_hundred_default_within_six_months(cohort):
    assert 0.03 < cohort.is_default.mean() < 0.07


def test_default_rates_fall_with_creditworthiness(cohort):
    fifth = np.minimum(cohort.z.rank(pct=True) * 5, 4.999).astype(int)
    rates = cohort.is_default.groupby(fifth).mean()
    assert rates.is_monotonic_decreasing
    assert rates.iloc[0] > 10 * rates.iloc[-1]


def test_what_is_hidden_tells_much_but_not_all_and_the_whole_state_tells_more(cohort):
    by_credit = roc_auc_score(cohort.is_default, -cohort.z)
    by_state = roc_auc_score(cohort.is_default, cohort.p)
    assert 0.8 < by_credit < by_state < 0.96


def test_the_default_probability_is_about_the_rate_that_comes_true(cohort):
    assert cohort.p.mean() == pytest.approx(cohort.is_default.mean(), rel=0.35)


def test_nothing_hidden_is_in_the_source(small):
    names = {name for (name,) in small.execute("select column_name from information_schema.columns").fetchall()}
    assert not names & {"creditworthiness", "hardship", "stress"}
