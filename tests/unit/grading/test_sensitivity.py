"""Sensitivity: what a shock is said to do is what grading shocked customers does."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engine import duckdb as engine
from pipeline.grading.grade import grade
from pipeline.grading.sensitivity import sensitivity
from pipeline.lake import Lake
from pipeline.scorecard.shock import Change
from tests.support.records.explained_customers import LEARNT, measured, table
from tests.support.records.indices import BASIS, MODELS, OCTOBER, write_indices


@pytest.fixture(scope="module")
def other(explained, tmp_path_factory):
    """The same warehouse with an empty lake."""
    return explained.model_copy(update={"lake": tmp_path_factory.mktemp("other")})


def run(settings, policy, models=LEARNT):
    summary = sensitivity(OCTOBER, settings, policy, **BASIS, models=models)
    [file] = Lake(settings.lake_path).files("sensitivity", rating_month=OCTOBER, **BASIS)
    found = pq.read_table(file).to_pylist()
    return summary, {(row["segment"], row["risk_factor"], row["shock"]): row for row in found}


@pytest.fixture(scope="module")
def shocked(explained, policy):
    return run(explained, policy)


def read_grades(settings):
    [file] = Lake(settings.lake_path).files("grades", rating_month=OCTOBER, **BASIS)
    return pd.DataFrame(pq.read_table(file).to_pylist()).set_index("customer_id")


@pytest.mark.parametrize(("factor", "shock"), [("management", -0.1), ("production", 0.3)])
def test_a_shock_does_what_grading_shocked_customers_does(explained, other, shocked, policy, people, factor, shock):
    shocked_indices = policy.factor_indices(factor, "non_residential")

    def after(name, value):
        index = policy.indices[name]
        if value is None or name not in shocked_indices:
            return value
        return value + abs(value) * (shock if index.direction == "+" else -shock)

    moved = [{name: after(name, value) for name, value in values.items()} for values in people]
    before = read_grades(explained)
    write_indices(other, table(moved, policy))
    grade(OCTOBER, other, policy, **BASIS, models=LEARNT)
    regraded = read_grades(other)
    place = {name: at for at, name in enumerate(policy.grades.names)}
    for segment in ("residential", "commercial", "public"):
        was, now = before[before["segment"] == segment], regraded[before["segment"] == segment]
        moves = now["grade"].map(place) - was["grade"].map(place)
        row = shocked[1][segment, factor, shock]
        assert row["customers"] == len(was)
        assert (row["upgrades"], row["downgrades"]) == ((moves < 0).sum(), (moves > 0).sum())
        assert row["grade_changes"] == (moves != 0).sum() > 0
        assert row["mean_credit_score"] == pytest.approx(was["score"].mean(), abs=1e-5)
        assert row["mean_credit_score_after"] == pytest.approx(now["score"].mean(), abs=1e-5)
        assert row["expected_defaults"] == pytest.approx(was["default_probability"].sum(), abs=1e-6)
        assert row["expected_defaults_after"] == pytest.approx(now["default_probability"].sum(), abs=1e-6)


def test_the_curve_never_falls_along_the_shocks(shocked, policy):
    _, rows = shocked
    shocks = policy.sensitivity.shocks
    analysed = [
        (segment, factor)
        for segment in ("residential", "commercial", "public")
        for factor in policy.sensitivity.factors
        if policy.factor_indices(factor, policy.family_of(segment))
    ]
    assert set(rows) == {(segment, factor, shock) for segment, factor in analysed for shock in shocks}
    for segment, factor in analysed:
        curve = [rows[segment, factor, shock] for shock in shocks]
        values = [row["score_after_change"] for row in curve]
        assert values == sorted(values)
        assert values[0] < rows[segment, factor, 0.0]["score_after_change"] < values[-1]
        assert {row["evaluation_value"] for row in curve} == {rows[segment, factor, 0.0]["score_after_change"]}


def test_change_and_elasticity_follow_from_the_values(shocked):
    summary, rows = shocked
    for (_, _, shock), row in rows.items():
        assert row["absolute_change"] == row["score_after_change"] - row["evaluation_value"]
        assert row["relative_change"] == row["absolute_change"] / row["evaluation_value"]
        assert row["elasticity"] == (row["relative_change"] / shock if shock else None)
        assert row["is_ranking_shock"] == (shock == -0.1)
    for segment, ranks in summary["ranks"].items():
        sizes = {factor: abs(rows[segment, factor, -0.1]["relative_change"]) for factor in ranks}
        assert sorted(sizes, key=ranks.get) == sorted(sizes, key=sizes.get, reverse=True)


def test_the_size_of_batches_changes_no_bit(explained, shocked, policy, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_ROWS", 2048)
    assert run(explained.model_copy(update={"threads": 1}), policy) == shocked


@pytest.fixture
def shake(other, policy):
    """Grade these customers by the expert scorecard and shock them: rows by segment, factor and shock."""

    def of(rows, shocked_by=policy):
        write_indices(other, pa.Table.from_pylist(rows))
        grade(OCTOBER, other, policy, **BASIS, models=MODELS)
        return run(other, shocked_by, MODELS)[1]

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
    values = dict.fromkeys(policy.indices, None) | {"on_time_payment_rate": 1.0, "amount_weighted_days_late": 8.0}
    one = [measured(1, policy, values)]
    assert shake(one)["residential", "management", -0.3]["grade_changes"] == 1
    row = shake([one[0] | {"is_in_default": True}])["residential", "management", -0.3]
    assert (row["grade_changes"], row["expected_defaults"], row["expected_defaults_after"]) == (0, 1, 1)
    assert row["mean_credit_score_after"] < row["mean_credit_score"]


def test_what_never_enters_the_score_is_not_shocked(shake, policy):
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


# Table 1 of Ma, Qiu and Wang (2020): evaluation value, score after change.
TABLE_1 = {
    "production": (0.784, 0.714),
    "management": (0.555, 0.982),
    "technical": (0.743, 0.833),
    "market": (0.612, 0.672),
}


def test_the_report_reads_as_table_1(sql):
    sql(
        "create table rating.table_1 partition of rating.risk_sensitivity "
        "for values from ('2026-10-01') to ('2026-11-01')"
    )
    for factor, (before, after) in TABLE_1.items():
        change = Change(before, after, 0.1)
        sql(
            "insert into rating.risk_sensitivity (rating_month, segment, risk_factor, shock, evaluation_value, "
            "score_after_change, absolute_change, relative_change, elasticity, grade_changes, publication_id) "
            "values ('2026-10-01', 'residential', %s, 0.1, %s, %s, %s, %s, %s, 0, gen_random_uuid())",
            *(factor, before, after, change.absolute, change.relative, change.elasticity),
        )
    found = sql(
        "select risk_factor, round(100 * relative_change::numeric, 2), rank_by_absolute_change, "
        "rank_by_relative_change from report.risk_sensitivity order by rank_by_relative_change"
    )
    assert [(factor, float(change), *ranks) for factor, change, *ranks in found] == [
        ("management", 76.94, 1, 1),
        ("technical", 12.11, 2, 2),
        ("market", 9.80, 4, 3),
        ("production", -8.93, 3, 4),
        ("mean", 18.82, None, None),
    ]


def test_a_ceiling_holds_a_grade_down_and_does_not_hold_it_up(other, policy):
    """All three are B by their score, C at a shock of -0.1 and D at -0.3; a veto holds the second at C at first."""
    values = dict.fromkeys(policy.indices, None) | {"on_time_payment_rate": 1.0, "amount_weighted_days_late": 8.0}
    values |= {"max_days_past_due": 1000.0}  # the worst band, whatever the shock
    write_indices(other, pa.Table.from_pylist([measured(n, policy, values) for n in range(3)]))
    grade(OCTOBER, other, policy, **BASIS, models=MODELS)
    lake = Lake(other.lake_path)
    [file] = lake.files("grades", rating_month=OCTOBER, **BASIS)
    graded = pq.read_table(file)
    assert set(graded["grade"].to_pylist()) == {"B"}
    ruled = {"grade": ["B", "C", "A"], "rating_basis": ["expert", "veto", "override"]}
    with lake.writing("grades", rating_month=OCTOBER, **BASIS) as partition:
        for name, column in ruled.items():
            graded = graded.set_column(graded.schema.get_field_index(name), name, pa.array(column))
        pq.write_table(graded, partition.folder / "part-0.parquet")
        partition.manifest(rows=3, input_sha256="i" * 64)
    rows = run(other, policy, MODELS)[1]
    downgrades = {shock: rows["residential", "management", shock]["downgrades"] for shock in (-0.3, -0.1, 0.3)}
    assert downgrades == {-0.3: 2, -0.1: 1, 0.3: 0}
