"""Figures that others published for the discriminant, and what the transforms add to it on the same records."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold

from pipeline.scorecard import CreditModel, auc
from pipeline.scorecard.fisher import FisherLDA
from tests.support.published_data import shared_data


def held_out(fit, X, y, folds):
    """Risk of every row by a model that has not seen it, one column a repetition."""
    repeats = folds.get_n_splits() // 10
    risks = np.zeros((len(y), repeats))
    for at, (seen, unseen) in enumerate(folds.split(X, y)):
        risks[unseen, at // 10] = fit(X.iloc[seen], y[seen])(X.iloc[unseen])
    return risks


def plain(X, y):
    """The discriminant without transforms, but for gaps, which it cannot take: medians."""
    medians = X.median()
    model = FisherLDA().fit(X.fillna(medians), y)
    return lambda rows: model.decision_function(rows.fillna(medians))


def transformed(**options):
    return lambda X, y: CreditModel().fit(X, y, **options).log_odds


def test_german_credit_has_the_published_auc_by_repeated_cross_validation(german):
    X, bad = german
    risks = held_out(plain, X, bad, RepeatedStratifiedKFold(n_splits=10, n_repeats=5, random_state=1))
    assert np.mean([auc(bad, risk).value for risk in risks.T]) == pytest.approx(0.79, abs=0.01)


class Cards:
    """Months as columns, customers as rows, of the credit-card records."""

    def __init__(self):
        folder = shared_data("taiwan_card_train")
        tables = ("customers", "bills", "payments", "arrears", "collection_events")
        customers, bills, payments, arrears, events = (pd.read_parquet(folder / f"{name}.parquet") for name in tables)
        self.customers = customers.set_index("customer_id").sort_index()
        self.default = self.customers.index.isin(events["customer_id"]).astype(int)
        self.billed = self._by_month(bills, "billing_month", "amount")
        self.paid = self._by_month(payments, "paid_on", "amount")
        self.days_late = self._by_month(arrears, "as_of", "days_past_due")
        self.overdue = self._by_month(arrears, "as_of", "amount_overdue")
        self.limit = self.customers["contract_capacity_kva"].astype(float)

    def _by_month(self, table, date, value):
        months = pd.to_datetime(table[date]).dt.month
        wide = table.groupby(["customer_id", months])[value].sum().unstack()
        return wide.reindex(self.customers.index).fillna(0.0).astype(float)

    def raw(self):
        """The columns Yeh and Lien had, less sex, marriage and age, which no source table holds.

        Limit, education, six months of repayment status, statements and payments. The status was -2 without a balance,
        -1 where it was paid in full, 0 where it was carried on, else the months of delay; only the delay is stored.
        """
        before = self.billed.shift(axis=1)
        carried = np.where(before <= 0, -2.0, np.where(self.paid >= before, -1.0, 0.0))
        status = (self.days_late / 30).where(self.days_late > 0, carried)
        education = self.customers["region"].map({"graduate": 1.0, "university": 2.0, "high_school": 3.0, "other": 4.0})
        parts = {"status": status, "billed": self.billed, "paid": self.paid}
        wide = [part.add_prefix(name) for name, part in parts.items()]
        return pd.concat([self.limit.rename("limit"), education.rename("education"), *wide], axis=1)

    def indices(self):
        """Nine indices with gaps where there is nothing to say, as they come: no clip, no fill."""
        due, paid = self.billed.iloc[:, :-1].to_numpy(), self.paid.iloc[:, 1:].to_numpy()
        total_due = due.sum(axis=1)
        weights = 0.5 ** (np.arange(5, -1, -1) / 6)
        return pd.DataFrame(
            {
                "on_time_payment_rate": pd.DataFrame(paid >= due).where(due > 0).astype(float).mean(axis=1).to_numpy(),
                "paid_share": paid.sum(axis=1) / np.where(total_due > 0, total_due, np.nan),
                "register_days_past_due": self.days_late.max(axis=1),
                "latest_days_past_due": self.days_late.iloc[:, -1],
                "months_in_arrears": (self.days_late > 0).astype(float) @ weights,
                "register_arrears_ratio": self.overdue.iloc[:, -1] / self.billed.mean(axis=1),
                "log_limit": np.log1p(self.limit),
                "used_share": self.billed.iloc[:, -1] / (1000 * self.limit),
                "bill_trend": self.billed.iloc[:, -3:].sum(axis=1) / self.billed.iloc[:, :3].sum(axis=1) - 1,
            },
            index=self.customers.index,
        ).replace([np.inf, -np.inf], np.nan)


@pytest.fixture(scope="module")
def cards():
    return Cards()


FOLDS = StratifiedKFold(10, shuffle=True, random_state=1)


def test_card_customers_have_yeh_and_liens_area_ratio_on_their_raw_columns(cards):
    found = auc(cards.default, held_out(plain, cards.raw(), cards.default, FOLDS)[:, 0])
    assert 2 * found.value - 1 == pytest.approx(0.43, abs=0.02)


def test_card_customers_transforms_beat_the_plain_discriminant_over_the_same_indices(cards):
    indices = cards.indices()
    assert 0 < indices.isna().mean().mean() < 0.1
    without, with_them, binned = (
        auc(cards.default, held_out(fit, indices, cards.default, FOLDS)[:, 0])
        for fit in (plain, transformed(), transformed(binned=("register_days_past_due", "used_share", "paid_share")))
    )
    assert with_them.value > without.value + 0.01
    assert with_them.low > 0.75
    assert binned.value > without.value + 0.01


def heavy_tails(seed, rows=8000):
    """Four indices of one risk: two of them heavy-tailed, one holding the codes 96 and 98, a third of all missing."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=rows)
    default = (rng.logistic(size=rows) < 1.2 * risk - 2).astype(int)
    late = np.maximum(0, 20 * (risk + rng.normal(size=rows)))
    frame = pd.DataFrame(
        {
            "arrears": np.exp(2 * risk + 2.4 * rng.normal(size=rows)),
            "days_late": late * (1 + rng.pareto(1.2, rows)),
            "times_late": rng.poisson(np.exp(risk / 2)).astype(float),
            "trend": 2 * rng.normal(size=rows) - risk,
        }
    )
    coded = rng.random(rows)
    frame.loc[coded < 0.05, "times_late"] = 98
    frame.loc[coded < 0.03, "times_late"] = 96
    return frame.mask(rng.random(frame.shape) < 1 / 3), default


@pytest.mark.parametrize("seed", [1, 2])
def test_transforms_beat_the_plain_discriminant_where_tails_are_heavy_and_codes_are_numbers(seed):
    frame, default = heavy_tails(seed)
    assert frame.isna().mean().mean() == pytest.approx(1 / 3, abs=0.01)
    codes = {"times_late": (96, 98)}
    found = [
        auc(default[5000:], fit(frame[:5000], default[:5000])(frame[5000:])).value
        for fit in (plain, transformed(sentinels=codes), transformed(sentinels=codes, binned=tuple(frame)))
    ]
    assert found[1] > found[0] + 0.03
    assert found[2] > found[0] + 0.07
