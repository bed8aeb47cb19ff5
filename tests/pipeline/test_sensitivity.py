"""Sensitivity: what a shock is said to do is what grading shocked customers does."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from indices_records import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices

from pipeline.engine import duckdb as engine
from pipeline.grade import grade
from pipeline.lake import Lake
from pipeline.model import CreditModel
from pipeline.sensitivity import sensitivity

CUSTOMERS = 3000
LEARNT = MODELS | {"residential": "learnt"}


def letter(value, index):
    if value is None:
        return None
    sign = 1 if index.direction == "+" else -1
    return next((band for band, bound in zip("ABC", index.bands, strict=True) if sign * (value - bound) >= 0), "D")


def measured(number, policy, values, **changed):
    """A customer with these values as the indices of a month have them; None is missing."""
    row = customer(number, policy, **changed)
    for name, value in values.items():
        index = policy.indices[name]
        filled = index.missing if value is None and index.missing != "median" else value
        row |= {name: filled, f"{name}_missing": value is None, f"{name}_band": letter(filled, index)}
    return row


@pytest.fixture(scope="module")
def people(policy):
    """Values by index of each customer: zeros, negative trends and gaps among them."""
    rng = np.random.default_rng(3)
    size = CUSTOMERS
    late = np.where(rng.random(size) < 0.5, 0, rng.exponential(10, size))
    frame = pd.DataFrame(
        {
            "on_time_payment_rate": rng.beta(8, 1, size),
            "amount_weighted_days_late": late,
            "max_days_past_due": np.round(3 * late),
            "arrears_ratio": np.where(rng.random(size) < 0.7, 0, rng.exponential(1, size)),
            "arrears_recovery_rate": rng.beta(4, 1, size),
            "decayed_delinquency": np.where(rng.random(size) < 0.7, 0, rng.exponential(2, size)),
            "avg_monthly_kwh": rng.normal(5, 1, size),
            "consumption_trend": rng.normal(0, 0.4, size).clip(-1, 3),
            "consumption_volatility": rng.lognormal(-1, 0.6, size),
        }
    ).astype(object)
    assert list(frame) == list(policy.indices)
    frame[rng.random(frame.shape) < 0.05] = None
    return frame.to_dict("records")


@pytest.fixture(scope="module")
def learnt(policy, people):
    frame = pd.DataFrame(people).astype(float)
    rng = np.random.default_rng(4)
    risk = 0.1 * frame["max_days_past_due"].fillna(0) - 4 * frame["on_time_payment_rate"].fillna(0.9)
    risk -= 2 * frame["consumption_trend"].fillna(0)
    return CreditModel().fit(frame, (risk + rng.logistic(size=len(frame)) > 0).astype(int))


def rows_of(people, policy):
    segments = ["residential", "residential", "commercial", "public"]
    return [
        measured(n, policy, values, segment=segments[n % 4], is_in_default=n % 37 == 0, is_thin_file=n % 41 == 0)
        for n, values in enumerate(people)
    ]


@pytest.fixture(scope="module")
def lake(databases, policy, people, learnt, tmp_path_factory):
    """A month graded by a fitted model and by the expert scorecard."""
    with databases(tmp_path_factory.mktemp("shaken")) as settings:
        register(settings, "residential", "learnt", learnt)
        register(settings, "residential", "homes", expert(policy))
        register(settings, "non_residential", "firms", expert(policy))
        write_indices(settings, pa.Table.from_pylist(rows_of(people, policy)))
        grade(OCTOBER, settings, policy, **BASIS, models=LEARNT)
        yield settings


@pytest.fixture(scope="module")
def other(lake, tmp_path_factory):
    """The same warehouse with an empty lake."""
    return lake.model_copy(update={"lake": tmp_path_factory.mktemp("other")})


def run(settings, policy, models=LEARNT):
    summary = sensitivity(OCTOBER, settings, policy, **BASIS, models=models)
    [file] = Lake(settings.lake_path).files("sensitivity", rating_month=OCTOBER, **BASIS)
    found = pq.read_table(file).to_pylist()
    return summary, {(row["segment"], row["risk_factor"], row["shock"]): row for row in found}


@pytest.fixture(scope="module")
def shaken(lake, policy):
    return run(lake, policy)


def read_grades(settings):
    [file] = Lake(settings.lake_path).files("grades", rating_month=OCTOBER, **BASIS)
    return pd.DataFrame(pq.read_table(file).to_pylist()).set_index("customer_id")


@pytest.mark.parametrize(("factor", "shock"), [("management", -0.1), ("production", 0.3)])
def test_a_shock_does_what_grading_shocked_customers_does(lake, other, shaken, policy, people, learnt, factor, shock):
    letters = {"management": "P", "production": "C"}[factor]

    def after(name, value):
        index = policy.indices[name]
        if value is None or not index.code.startswith(letters):
            return value
        return value + abs(value) * (shock if index.direction == "+" else -shock)

    moved = [{name: after(name, value) for name, value in values.items()} for values in people]
    before = read_grades(lake)
    write_indices(other, pa.Table.from_pylist(rows_of(moved, policy)))
    grade(OCTOBER, other, policy, **BASIS, models=LEARNT)
    regraded = read_grades(other)
    place = {name: at for at, name in enumerate(policy.grades.names)}
    for segment in ("residential", "commercial", "public"):
        was, now = before[before["segment"] == segment], regraded[before["segment"] == segment]
        moves = now["grade"].map(place) - was["grade"].map(place)
        row = shaken[1][segment, factor, shock]
        assert row["customers"] == len(was)
        assert (row["upgrades"], row["downgrades"]) == ((moves < 0).sum(), (moves > 0).sum())
        assert row["grade_changes"] == (moves != 0).sum() > 0
        assert row["mean_credit_score"] == pytest.approx(was["score"].mean(), abs=1e-5)
        assert row["mean_credit_score_after"] == pytest.approx(now["score"].mean(), abs=1e-5)
        assert row["expected_defaults"] == pytest.approx(was["default_probability"].sum(), abs=1e-6)
        assert row["expected_defaults_after"] == pytest.approx(now["default_probability"].sum(), abs=1e-6)


def test_the_curve_never_falls_along_the_shocks(shaken, policy):
    _, rows = shaken
    shocks = policy.sensitivity.shocks
    assert len(rows) == 3 * 2 * len(shocks)
    for segment in ("residential", "commercial", "public"):
        for factor in ("production", "management"):
            curve = [rows[segment, factor, shock] for shock in shocks]
            values = [row["score_after_change"] for row in curve]
            assert values == sorted(values)
            assert values[0] < rows[segment, factor, 0.0]["score_after_change"] < values[-1]
            assert {row["evaluation_value"] for row in curve} == {rows[segment, factor, 0.0]["score_after_change"]}


def test_change_and_elasticity_follow_from_the_values(shaken):
    summary, rows = shaken
    for (_, _, shock), row in rows.items():
        assert row["absolute_change"] == row["score_after_change"] - row["evaluation_value"]
        assert row["relative_change"] == row["absolute_change"] / row["evaluation_value"]
        assert row["elasticity"] == (row["relative_change"] / shock if shock else None)
        assert row["is_ranking_shock"] == (shock == -0.1)
    for segment, ranks in summary["ranks"].items():
        sizes = {factor: abs(rows[segment, factor, -0.1]["relative_change"]) for factor in ranks}
        assert sorted(sizes, key=ranks.get) == sorted(sizes, key=sizes.get, reverse=True)


def test_the_size_of_batches_changes_no_bit(lake, shaken, policy, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_ROWS", 2048)
    assert run(lake.model_copy(update={"threads": 1}), policy) == shaken


@pytest.fixture
def shake(other, policy):
    """Grade these customers by the expert scorecard and shake them: rows by segment, factor and shock."""

    def of(rows, policy=policy):
        write_indices(other, pa.Table.from_pylist(rows))
        grade(OCTOBER, other, policy, **BASIS, models=MODELS)
        return run(other, policy, MODELS)[1]

    return of


def test_by_hand(shake, policy):
    """P1 0.96 falls by a tenth to 0.864, from band B (0.9 + 0.06) to C; P2 of 10 days, at the bound of C, to 11."""
    values = {name: None for name in policy.indices}
    rows = shake(
        [
            measured(1, policy, values | {"on_time_payment_rate": 0.96}),
            measured(2, policy, values | {"on_time_payment_rate": 0.96, "amount_weighted_days_late": 10.0}),
            measured(3, policy, values),
        ]
    )
    assert {factor for _, factor, _ in rows} == {"management"}
    on_time = 2 / 3 + 0.06 / 0.08 / 3, 1 / 3 + (0.864 - 0.75) / 0.15 / 3
    days = 1 / 3, 1 / 3 * (1 - 1 / 7)
    row = rows["residential", "management", -0.1]
    assert row["evaluation_value"] == pytest.approx((on_time[0] + (on_time[0] + days[0]) / 2) / 2, abs=1e-9)
    assert row["score_after_change"] == pytest.approx((on_time[1] + (on_time[1] + days[1]) / 2) / 2, abs=1e-9)
    assert row["customers"] == 3


def test_a_rule_that_set_the_grade_holds_under_any_shock(shake, policy):
    values = dict.fromkeys(policy.indices, 0.9)
    one = [measured(1, policy, values)]
    assert shake(one)["residential", "management", -0.3]["grade_changes"] == 1
    row = shake([one[0] | {"is_in_default": True}])["residential", "management", -0.3]
    assert (row["grade_changes"], row["expected_defaults"], row["expected_defaults_after"]) == (0, 1, 1)
    assert row["mean_credit_score_after"] < row["mean_credit_score"]


def test_what_never_enters_the_score_is_not_shaken(shake, policy):
    volatile = policy.indices["consumption_volatility"]
    apart = {
        "consumption_trend": policy.indices["consumption_trend"].model_copy(update={"enters_score": False}),
        "consumption_volatility": volatile.model_copy(update={"families": ("non_residential",)}),
    }
    narrower = policy.model_copy(update={"indices": policy.indices | apart})
    assert narrower.factor_indices("production", "residential") == ("avg_monthly_kwh",)
    values = {name: None for name in policy.indices} | {"consumption_trend": -0.1, "consumption_volatility": 0.3}
    people = [measured(1, policy, values), measured(2, policy, values, segment="commercial")]
    assert {(segment, factor) for segment, factor, _ in shake(people, narrower)} == {("commercial", "production")}
