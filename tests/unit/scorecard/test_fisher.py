import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from pipeline.scorecard import ModelFitError
from pipeline.scorecard.fisher import FisherLDA


def two_clouds(seed, rows=60, columns=3):
    """Overlapping classes with correlated columns."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 3 == 0
    mixing = np.eye(columns) + 0.2 * rng.normal(size=(columns, columns))
    X = rng.normal(size=(rows, columns)) @ mixing + y[:, None] * rng.normal(size=columns)
    return X, y.astype(int)


@parametrize_with_checks([FisherLDA()])
def test_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


# What R prints for lda(default ~ balance + student), and the book's two confusion matrices.


def test_coefficients_are_rs_to_the_printed_digits(islr):
    people, default = islr
    student, balance = FisherLDA().fit(people, default).scaling_
    assert f"{student:.6f}" == "-0.249059"
    assert f"{balance:.9f}" == "0.002244397"


@pytest.mark.parametrize(("threshold", "table"), [(0.5, [9644, 23, 252, 81]), (0.2, [9432, 235, 138, 195])])
def test_confusion_is_the_books(islr, threshold, table):
    people, default = islr
    flagged = FisherLDA().fit(people, default).predict_proba(people)[:, 1] > threshold
    assert pd.crosstab(default, flagged).to_numpy().ravel().tolist() == table


@pytest.mark.parametrize("data", ["islr", "german"])
def test_agrees_with_scikit_learn_on_real_data(request, data):
    X, y = request.getfixturevalue(data)
    ours, theirs = FisherLDA().fit(X, y), LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    # Theirs divides by n, ours by n - 2: the same direction, shorter by that.
    np.testing.assert_allclose(ours.coef_ * len(X) / (len(X) - 2), theirs.coef_, rtol=1e-6)
    assert (ours.predict(X) == theirs.predict(X)).all()


def test_equals_the_formula_in_exact_arithmetic():
    good, bad = [(1, 5), (2, 4), (4, 6), (3, 1)], [(5, 3), (8, 4)]
    n, k = len(good) + len(bad), 2

    def mean(rows):
        return [Fraction(sum(row[i] for row in rows), len(rows)) for i in (0, 1)]

    m0, m1 = mean(good), mean(bad)
    scatter = [
        [sum((r[i] - m[i]) * (r[j] - m[j]) for rows, m in ((good, m0), (bad, m1)) for r in rows) for j in (0, 1)]
        for i in (0, 1)
    ]
    (a, b), (c, d) = [[value / (n - k) for value in row] for row in scatter]
    apart = [m1[i] - m0[i] for i in (0, 1)]
    coef = [(d * apart[0] - b * apart[1]) / (a * d - b * c), (a * apart[1] - c * apart[0]) / (a * d - b * c)]
    middle = sum((m0[i] + m1[i]) * coef[i] for i in (0, 1)) / 2

    model = FisherLDA().fit(np.array(good + bad, dtype=float), [0] * len(good) + [1] * len(bad))
    np.testing.assert_allclose(model.covariance_, np.array([[a, b], [c, d]], dtype=float), rtol=1e-14)
    np.testing.assert_allclose(model.coef_[0], np.array(coef, dtype=float), rtol=1e-12)
    exact = [float(x * coef[0] + z * coef[1] - middle) + np.log(2 / 4) for x, z in good + bad]
    np.testing.assert_allclose(model.decision_function(np.array(good + bad, dtype=float)), exact, rtol=1e-12)


def test_discriminant_has_unit_variance_within_the_classes():
    X, y = two_clouds(1)
    model = FisherLDA().fit(X, y)
    assert model.scaling_ @ model.covariance_ @ model.scaling_ == pytest.approx(1, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scales=st.lists(st.floats(1e-4, 1e4), min_size=3, max_size=3),
    offsets=st.lists(st.floats(-100, 100), min_size=3, max_size=3),
)
def test_discriminant_does_not_depend_on_units_or_mixing(seed, scales, offsets):
    X, y = two_clouds(seed)
    mixing = np.random.default_rng(seed + 1).normal(size=(3, 3))
    assume(np.linalg.cond(mixing) < 100)
    moved = (X @ mixing + offsets) * scales
    expected = FisherLDA().fit(X, y).decision_function(X)
    np.testing.assert_allclose(FisherLDA().fit(moved, y).decision_function(moved), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.floats(0.001, 0.999))
def test_prior_shift_moves_the_intercept_alone(seed, target):
    X, y = two_clouds(seed)
    model = FisherLDA().fit(X, y)
    before = model.intercept_.copy()
    shifted = model.shifted(target)
    assert (shifted.coef_ == model.coef_).all()
    assert shifted.intercept_ - before == pytest.approx(logit(target) - logit(1 / 3), abs=1e-9)
    assert (model.intercept_ == before).all()
    # The same as fitting with those priors from the start, since S does not depend on them.
    refitted = FisherLDA(priors=(1 - target, target)).fit(X, y)
    np.testing.assert_allclose(refitted.decision_function(X), shifted.decision_function(X), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_row_and_a_batch_give_the_same_bits(seed):
    X, y = two_clouds(seed, columns=7)
    model = FisherLDA().fit(X, y)
    alone = np.concatenate([model.decision_function(row[np.newaxis]) for row in X])
    assert (alone == model.decision_function(X)).all()
    assert (model.decision_function(np.asfortranarray(X[::-1]))[::-1] == alone).all()


def test_threads_do_not_change_a_bit():
    X, y = two_clouds(3, rows=20_000, columns=12)
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fits.append(FisherLDA().fit(X, y).to_dict())
    assert fits[0] == fits[1]


def test_a_discriminant_read_back_is_the_same_to_the_bit():
    X, y = two_clouds(7)
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model = FisherLDA().fit(table, y)
    again = FisherLDA.from_dict(json.loads(json.dumps(model.to_dict())))
    assert (again.predict_proba(table) == model.predict_proba(table)).all()
    assert again.to_dict() == model.to_dict()


def nearly_repeating(seed, rows=300, copies=3):
    """Two clouds, and copies of their first column with a little noise."""
    X, y = two_clouds(seed, rows=rows)
    noise = np.random.default_rng(seed).normal(size=(rows, copies))
    return np.column_stack([X, X[:, :1] + 0.01 * noise]), y


@pytest.mark.parametrize("share", [0, 0.3, 1.0])
def test_shrinkage_draws_the_covariance_towards_its_diagonal(share):
    X, y = two_clouds(8)
    plain, shrunk = FisherLDA().fit(X, y), FisherLDA(shrinkage=share).fit(X, y)
    S = plain.covariance_
    np.testing.assert_allclose(shrunk.covariance_, (1 - share) * S + share * np.diag(np.diag(S)), rtol=1e-12)
    np.testing.assert_allclose(shrunk.coef_[0] @ shrunk.covariance_, np.diff(shrunk.means_, axis=0)[0], atol=1e-10)


def test_ledoit_and_wolfs_share_does_not_depend_on_units():
    X, y = two_clouds(9)
    ours = FisherLDA(shrinkage="ledoit_wolf").fit(X, y)
    standardised = (X - ours.means_[y]) / np.sqrt(np.diag(FisherLDA().fit(X, y).covariance_))
    assert ours.shrinkage_ == pytest.approx(ledoit_wolf_shrinkage(standardised, assume_centered=True), rel=1e-12)
    assert 0 < ours.shrinkage_ < 1
    moved = FisherLDA(shrinkage="ledoit_wolf").fit(X * [1e-3, 1, 1e4], y)
    assert moved.shrinkage_ == pytest.approx(ours.shrinkage_, rel=1e-9)


def test_auto_leaves_columns_alone_until_they_nearly_repeat():
    X, y = two_clouds(10)
    assert FisherLDA(shrinkage="auto").fit(X, y).to_dict() == FisherLDA().fit(X, y).to_dict()
    model = FisherLDA(shrinkage="auto").fit(*nearly_repeating(10))
    spread = np.sqrt(np.diag(model.covariance_))
    smallest = np.linalg.eigvalsh(model.covariance_ / np.outer(spread, spread))[0]
    assert model.shrinkage_ > 0
    assert smallest >= 0.01 - 1e-9
    assert FisherLDA.from_dict(json.loads(json.dumps(model.to_dict()))).to_dict() == model.to_dict()


def test_shrinkage_keeps_the_weights_of_copies_together():
    def weights(shrinkage, seed):
        model = FisherLDA(shrinkage=shrinkage).fit(*nearly_repeating(seed))
        spread = np.sqrt(np.diag(model.covariance_))
        return (model.coef_[0] * spread)[[0, 3, 4, 5]]

    for seed in range(5):
        assert np.ptp(weights("auto", seed)) < np.ptp(weights(None, seed)) / 4


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1, "some", float("nan")])
def test_refuses_a_shrinkage_that_is_none(shrinkage):
    with pytest.raises(ModelFitError, match="shrinkage is"):
        FisherLDA(shrinkage=shrinkage).fit(*two_clouds(6))


def test_a_stored_discriminant_without_shrinkage_had_none():
    model = FisherLDA().fit(*two_clouds(6))
    old = {key: value for key, value in model.to_dict().items() if key != "shrinkage"}
    assert FisherLDA.from_dict(old).shrinkage_ == 0


def test_labels_may_be_text():
    X, y = two_clouds(4)
    words = np.array(["bad", "good"])[y]
    model = FisherLDA().fit(X, words)
    assert (model.predict(X) == np.array(["bad", "good"])[FisherLDA().fit(X, y).predict(X)]).all()


def frame(**columns):
    base = pd.DataFrame(two_clouds(5)[0], columns=["late_days", "kwh", "trend"])
    return base.assign(**columns)


LABELS = two_clouds(5)[1]


@pytest.mark.parametrize(
    ("table", "labels", "message"),
    [
        (frame(), np.zeros(60, int), "one class only"),
        (frame(), np.arange(60) % 3, "Only binary classification"),
        (frame(kwh=np.nan), LABELS, "NaN or infinity in kwh:"),
        (frame(trend=np.inf), LABELS, "NaN or infinity in trend:"),
        (frame(kwh=0.1), LABELS, "constant within both classes: kwh;"),
        (frame(leak=LABELS * 7.5), LABELS, "constant within both classes: leak;"),
        (frame(again=lambda t: 5 - 3 * t["kwh"]), LABELS, "within the classes: kwh, again;"),
        (frame(total=lambda t: t["late_days"] + t["kwh"]), LABELS, "within the classes: late_days, kwh, total;"),
        (frame()[20:24], LABELS[20:24], "4 rows cannot fit 3 columns: 5 rows"),
    ],
)
def test_refuses_by_name(table, labels, message):
    with pytest.raises(ModelFitError, match=message):
        FisherLDA().fit(table, labels)


def test_refuses_classes_with_equal_means():
    X = np.array([[1.0], [3.0], [1.0], [3.0]])
    with pytest.raises(ModelFitError, match="same means"):
        FisherLDA().fit(X, [0, 0, 1, 1])


@pytest.mark.parametrize("priors", [(0.5, 0.6), (0, 1), (1,), (0.2, 0.3, 0.5)])
def test_refuses_priors_that_are_none(priors):
    with pytest.raises(ModelFitError, match="priors are"):
        FisherLDA(priors=priors).fit(*two_clouds(6))


@pytest.mark.parametrize("target", [0, 1, -0.1, float("nan")])
def test_refuses_to_shift_to_no_share(target):
    with pytest.raises(ModelFitError, match="p_target"):
        FisherLDA().fit(*two_clouds(6)).shifted(target)


def test_refuses_nan_when_scoring():
    model = FisherLDA().fit(frame(), LABELS)
    with pytest.raises(ModelFitError, match="NaN or infinity in kwh"):
        model.predict(frame(kwh=np.nan))
