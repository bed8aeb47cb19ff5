import doctest
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import pipeline.scorecard
from pipeline.scorecard import (
    CreditModel,
    GradeScale,
    ModelFitError,
    Scorecard,
    auc,
    default_rate_by_grade,
    model_from_dict,
)

number = st.one_of(st.floats(-1e6, 1e6), st.none())
tables = st.lists(st.tuples(number, number, number), min_size=1, max_size=30).map(
    lambda rows: pd.DataFrame(rows, columns=["on_time_rate", "arrears_ratio", "monthly_kwh"], dtype=float)
)
property_of_a_table = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def model(customers):
    frame, default = customers
    fit, later = slice(0, 2000), slice(2000, None)
    return CreditModel().fit(frame[fit], default[fit], calibration=(frame[later], default[later]))


def through_json(model):
    return model_from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))


def test_the_packages_own_example_runs():
    assert doctest.testmod(pipeline.scorecard).failed == 0


def test_orders_customers_and_predicts_their_default_rate(customers, model):
    frame, default = customers
    later, happened = frame[2000:], default[2000:]
    assert auc(happened, model.log_odds(later)).low > 0.75
    assert model.default_probability(later).mean() == pytest.approx(happened.mean(), abs=0.002)
    scale = GradeScale()
    rates = default_rate_by_grade(scale.grade(model.default_probability(frame)), default, scale.names)["default_rate"]
    assert rates["D"] > rates["C"] > rates["B"]


def test_reaches_the_published_auc_on_german_credit(german):
    frame, bad = german
    fit = np.arange(len(frame)) % 2 == 0
    model = CreditModel().fit(frame[fit], bad[fit])
    assert auc(bad[~fit], model.log_odds(frame[~fit])).value > 0.77


@property_of_a_table
@given(table=tables)
def test_contributions_add_up_to_the_score(model, table):
    contributions = model.contributions(table)
    assert list(contributions) == ["on_time_rate", "arrears_ratio", "monthly_kwh"]
    total = model.base_score_ + contributions.sum(axis=1)
    np.testing.assert_allclose(total, model.score(table), atol=1e-9, rtol=0)


@property_of_a_table
@given(table=tables)
def test_json_brings_back_every_bit(model, table):
    again = through_json(model)
    assert again.to_dict() == model.to_dict()
    for name in ("log_odds", "default_probability", "score"):
        assert (getattr(again, name)(table) == getattr(model, name)(table)).all()


@property_of_a_table
@given(table=tables, cut=st.integers(0, 30), seed=st.integers(0, 100))
def test_row_order_and_chunks_change_no_bit(model, table, cut, seed):
    whole = pd.Series(model.score(table), index=table.index)
    shuffled = table.sample(frac=1, random_state=seed)
    chunks = pd.concat([shuffled[:cut], shuffled[cut:]])
    scores = np.concatenate([model.score(shuffled[:cut]), model.score(shuffled[cut:])])
    assert (pd.Series(scores, index=chunks.index)[whole.index] == whole).all()


@property_of_a_table
@given(table=tables)
def test_probability_orders_as_the_discriminant_and_the_score_against_it(model, table):
    order = np.argsort(model.discriminant(table))
    assert (np.diff(model.default_probability(table)[order]) >= 0).all()
    assert (np.diff(model.score(table)[order]) <= 0).all()


def test_composition_is_its_parts_to_the_bit(customers, model):
    features = model.transformer_.transform(customers[0])
    assert (model.discriminant(customers[0]) == model.discriminant_.decision_function(features)).all()
    log_odds = model.calibrator_.log_odds(model.discriminant_.decision_function(features))
    assert (model.score(customers[0]) == Scorecard().score(log_odds)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_fit_depends_on_neither_row_order_nor_threads(customers, model, threads):
    frame, default = customers
    first, second = np.random.default_rng(threads).permutation(2000), 2000 + np.random.default_rng(1).permutation(1000)
    with threadpool_limits(threads):
        again = CreditModel().fit(frame.iloc[first], default[first], calibration=(frame.iloc[second], default[second]))
    assert again.to_dict() == model.to_dict()


def test_a_fixed_fill_and_another_scorecard_are_kept(customers):
    frame, default = customers
    model = CreditModel(Scorecard(points=500, pdo=40)).fit(frame, default, fill={"arrears_ratio": 0.0})
    assert model.transformer_.indices_["arrears_ratio"]["fill"] == 0
    assert through_json(model).scorecard == Scorecard(points=500, pdo=40)


@pytest.mark.parametrize("binned", [(), ("on_time_rate", "arrears_ratio", "monthly_kwh")])
def test_five_defaults_give_a_finite_cautious_model(customers, binned):
    frame = customers[0][:400]
    default = np.zeros(400, int)
    default[frame["monthly_kwh"].nlargest(5).index] = 1
    model = CreditModel().fit(frame, default, binned=binned)
    probability = model.default_probability(frame)
    assert probability.sum() == pytest.approx(5, abs=1.5)
    assert probability.max() < 1


def test_columns_without_use_are_left_out_and_named(customers):
    frame, default = customers
    odd = frame.assign(region=4.0, arrears_copy=frame["arrears_ratio"], statement=np.nan)
    model = CreditModel().fit(odd, default)
    assert set(model.transformer_.dropped_) >= {"region", "arrears_copy", "arrears_copy_missing", "statement"}
    np.testing.assert_allclose(model.score(frame), CreditModel().fit(frame, default).score(frame), atol=1e-9)


def test_optional_column_may_be_empty_when_scoring_but_not_absent(customers, model):
    frame, _ = customers
    assert np.isfinite(model.score(frame.assign(arrears_ratio=np.nan))).all()
    with pytest.raises(ModelFitError, match="lacks the column arrears_ratio"):
        model.score(frame.drop(columns="arrears_ratio"))


def test_scores_no_rows(customers, model):
    assert model.score(customers[0][:0]).shape == (0,)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_labels_give_an_auc_of_a_half(customers, seed):
    frame, default = customers
    shuffled = np.random.default_rng(seed).permutation(default)
    found = [
        auc(shuffled[test], CreditModel().fit(frame[fit], shuffled[fit], **options).log_odds(frame[test])).value
        for fit, test in ((slice(0, 1500), slice(1500, None)), (slice(1500, None), slice(0, 1500)))
        for options in ({}, {"binned": tuple(frame)})
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


def test_binned_and_coded_indices_keep_every_promise(customers):
    frame, default = customers
    frame = frame.assign(calls=np.where(frame.index % 50 == 0, 96.0, frame.index % 7))
    options = {"binned": ("arrears_ratio",), "sentinels": {"calls": (96,)}, "directions": {"arrears_ratio": "-"}}
    model = CreditModel().fit(frame, default, **options)
    assert model.columns == tuple(frame)
    kinds = model.coefficients()["kind"].to_dict()
    assert kinds == {
        "on_time_rate": "value",
        "arrears_ratio": "woe",
        "monthly_kwh": "value",
        "calls": "value",
        "calls_96": "sentinel",
    }
    contributions = model.contributions(frame)
    assert list(contributions) == list(frame)
    np.testing.assert_allclose(model.base_score_ + contributions.sum(axis=1), model.score(frame), atol=1e-9)
    assert through_json(model).to_dict() == model.to_dict()
    order = np.random.default_rng(1).permutation(len(frame))
    assert CreditModel().fit(frame.iloc[order], default[order], **options).to_dict() == model.to_dict()
    alone = np.concatenate([model.score(frame[at : at + 1]) for at in range(0, 3000, 61)])
    assert (alone == model.score(frame)[::61]).all()


def test_points_are_what_one_standard_deviation_more_is_worth(customers, model):
    frame, _ = customers
    table = model.coefficients()
    step = model.transformer_.features_["on_time_rate"]["scale"]
    middle = frame.assign(on_time_rate=0.8)
    moved = model.linear_points(middle.assign(on_time_rate=0.8 + step / 10)) - model.linear_points(middle)
    np.testing.assert_allclose(moved["on_time_rate"], table.loc["on_time_rate", "points"] / 10, rtol=1e-9)
    assert (moved.drop(columns="on_time_rate") == 0).all(axis=None)
    assert table["direction"].to_dict() == {
        "on_time_rate": "+",
        "arrears_ratio": "-",
        "monthly_kwh": table.loc["monthly_kwh", "direction"],
        "arrears_ratio_missing": None,
    }


def test_a_score_is_its_linear_points_bent(customers, model):
    """And from the average good customer to the average default it changes by as much as they do."""
    frame, _ = customers
    assert model.calibrator_.knots_
    linear = model.linear_points(frame).sum(axis=1).to_numpy()
    np.testing.assert_allclose(model.score_at(linear), model.score(frame), atol=1e-9, rtol=0)
    np.testing.assert_allclose(model.points_at(model.score(frame)), linear, atol=1e-7, rtol=0)
    lda = model.discriminant_
    between = model.scorecard.score(model.calibrator_.log_odds(lda.intercept_[0] + lda.means_ @ lda.coef_[0]))
    np.testing.assert_allclose(np.diff(model.points_at(between)), np.diff(between), rtol=1e-9)


def test_contributions_stretch_the_linear_points_and_turn_none(customers, model):
    frame, _ = customers
    linear, points = model.linear_points(frame), model.contributions(frame)
    assert (np.sign(points) == np.sign(linear)).all(axis=None)
    share = linear.div(linear.abs().sum(axis=1), axis=0)
    np.testing.assert_allclose(points.div(points.abs().sum(axis=1), axis=0), share, atol=1e-9)


@property_of_a_table
@given(table=tables)
def test_only_what_is_worse_than_average_or_missing_is_a_reason(model, table):
    points = model.reason_points(table)
    for column, direction in model.coefficients()["direction"].dropna().items():
        limits, mean = model.transformer_.indices_[column], model.transformer_.features_[column]["mean"]
        above = table[column].clip(limits["lower"], limits["upper"]) - mean
        worse = above < 0 if direction == "+" else above > 0
        known = table[column].notna()
        assert (worse | ~known)[points[column] < 0].all()
    linear = model.linear_points(table)
    assert ((points == linear) | (points == linear.clip(lower=0))).all(axis=None)


def test_to_be_known_is_no_reason(customers):
    """Where nobody defaulted of whom nothing was known, everybody else pays for it, and hears nothing of it."""
    frame, default = customers
    unknown = frame["arrears_ratio"].isna()
    model = CreditModel().fit(frame, np.where(unknown, 0, default))
    mean = model.transformer_.features_["arrears_ratio"]["mean"]
    better, worse = (frame[~unknown].assign(arrears_ratio=mean + step) for step in (-0.01, 0.01))
    assert (model.linear_points(better)["arrears_ratio"] < 0).all()
    assert (model.reason_points(better)["arrears_ratio"] == 0).all()
    assert (model.reason_points(worse)["arrears_ratio"] < 0).all()


def test_a_customer_whose_points_cancel_out_has_the_base_score(model):
    """More arrears than the average, and consumption that makes up for them."""
    features = model.transformer_.features_
    average = {name: features[name]["mean"] for name in model.columns}
    worth = {name: model.coefficients().loc[name, "points"] / features[name]["scale"] for name in model.columns}
    more = average | {"arrears_ratio": average["arrears_ratio"] + 0.1}
    short = model.linear_points(pd.DataFrame([more])).sum(axis=1)[0]
    cancelling = pd.DataFrame([more | {"monthly_kwh": average["monthly_kwh"] - short / worth["monthly_kwh"]}])
    points = model.contributions(cancelling)
    assert (points.abs() > 0.1).sum(axis=1)[0] == 2
    assert points.sum(axis=1)[0] == pytest.approx(0, abs=1e-9)
    assert model.score(cancelling)[0] == pytest.approx(model.base_score_, abs=1e-9)


def test_recalibrating_moves_probabilities_and_nobodys_place(customers, model):
    frame, default = customers
    before = model.to_dict()
    harder = np.maximum(default, np.random.default_rng(5).random(3000) < 0.1).astype(int)
    again = model.recalibrated(frame, harder)
    assert model.to_dict() == before
    assert again.to_dict() | {key: before[key] for key in ("calibration", "monitoring")} == before
    assert again.default_probability(frame).sum() == pytest.approx(harder.sum(), abs=1)
    assert (np.argsort(again.score(frame)) == np.argsort(model.score(frame))).all()
    assert again.count(frame) == model.count(frame)
    assert through_json(again).to_dict() == again.to_dict()


def test_columns_that_nearly_repeat_are_shrunk_by_rule(customers):
    frame, default = customers
    late = frame["on_time_rate"] + 0.002 * np.random.default_rng(2).normal(size=3000)
    nearly = frame.assign(on_time_rate_by_count=late)
    assert CreditModel().fit(frame, default).discriminant_.shrinkage_ == 0
    model = CreditModel().fit(nearly, default)
    assert 0 < model.discriminant_.shrinkage_ < 0.02
    points = model.coefficients()["points"]
    assert points["on_time_rate"] == pytest.approx(points["on_time_rate_by_count"], rel=0.35)
    assert auc(default, model.log_odds(nearly)).value == pytest.approx(
        auc(default, CreditModel().fit(frame, default).log_odds(frame)).value, abs=0.003
    )
    assert CreditModel(shrinkage=None).fit(nearly, default).discriminant_.shrinkage_ == 0


def test_reads_a_model_of_format_1(model, customers):
    old = model.to_dict() | {"format": 1}
    del old["monitoring"], old["discriminant"]["shrinkage"], old["calibration"]["knots"], old["calibration"]["bends"]
    again = model_from_dict(old)
    straight = old["calibration"]["intercept"] + old["calibration"]["slope"] * model.discriminant(customers[0])
    assert (again.score(customers[0]) == model.scorecard.score(straight)).all()
    points = again.base_score_ + again.contributions(customers[0]).sum(axis=1)
    np.testing.assert_allclose(points, again.score(customers[0]), atol=1e-9)
    assert again.monitoring is None
    assert again.to_dict()["monitoring"] is None


def test_refuses_a_column_called_as_the_score_is(customers):
    with pytest.raises(ModelFitError, match="called score"):
        CreditModel().fit(customers[0].assign(score=1.0), customers[1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda y: y[:-1], "one label a row"),
        (lambda y: y * 2, "1 for default and 0 otherwise"),
        (lambda y: np.where(y, np.nan, 0), "without gaps"),
        (lambda y: y * 0, "one class only"),
    ],
)
def test_refuses_labels(customers, labels, message):
    with pytest.raises(ModelFitError, match=message):
        CreditModel().fit(customers[0], labels(customers[1]))


def test_refuses_a_column_that_gives_the_label_away(customers):
    frame, default = customers
    with pytest.raises(ModelFitError, match="constant within both classes: written_off"):
        CreditModel().fit(frame.assign(written_off=default), default)


def changed(*path, **values):
    """A change of a part deep in a document."""

    def change(document):
        document = json.loads(json.dumps(document))
        part = document
        for key in path:
            part = part[key]
        part.update(values)
        return document

    return change


def without(key):
    return lambda d: {k: v for k, v in d.items() if k != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"format": 4}, "format 1 to 3 is expected, not 4"),
        (without("format"), "format 1 to 3 is expected, not None"),
        (lambda d: "a text", "format 1 to 3 is expected, not 'str'"),
        (lambda d: d | {"kind": "forest"}, "kind 'forest'"),
        (without("calibration"), "lacks 'calibration'"),
        (lambda d: d | {"calibration": d["calibration"] | {"slope": -1.0}}, "must be positive"),
        (lambda d: d | {"calibration": d["calibration"] | {"knots": [0.0], "bends": [-9.0]}}, "must be positive"),
        (lambda d: d | {"calibration": d["calibration"] | {"knots": [0.0]}}, "a bend for each of its knots"),
        (lambda d: d | {"calibration": d["calibration"] | {"knots": [1.0, 0.0]}}, "knots that rise"),
        (lambda d: d | {"calibration": d["calibration"] | {"intercept": float("nan")}}, "cannot be read"),
        (lambda d: d | {"discriminant": d["discriminant"] | {"features": ["x"]}}, "different features"),
        (lambda d: d | {"transform": 3}, "cannot be read"),
        (changed("transform", "indices", "arrears_ratio", lower="low"), "cannot be read"),
        (changed("transform", "indices", "arrears_ratio", lower=None), "cannot be read"),
        (changed("transform", "features", "monthly_kwh", kind="spline"), "kind 'spline', which this version lacks"),
        (changed("transform", "features", "monthly_kwh", scale=0.0), "gives no score"),
        (changed("discriminant", coefficients=[1.0]), "cannot be read"),
        (changed("monitoring", "score", counts=None), "cannot be read"),
    ],
)
def test_refuses_a_stored_model_it_cannot_trust(model, change, message):
    with pytest.raises(ModelFitError, match=message):
        model_from_dict(change(model.to_dict()))
