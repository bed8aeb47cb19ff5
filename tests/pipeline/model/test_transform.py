import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from pipeline.model import FisherLDA, IndexTransformer, ModelFitError


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.normal(10, 2, 400), "b": rng.exponential(1, 400), "c": rng.normal(0, 1, 400)})
    frame.loc[::5, "b"] = np.nan
    return frame


def test_clips_fills_flags_and_standardises_by_the_documented_numbers(table):
    features = IndexTransformer().fit_transform(table)
    assert list(features) == ["a", "b", "c", "b_missing"]

    observed = table["b"].dropna()
    clipped = table["b"].clip(*observed.quantile([0.01, 0.99])).fillna(observed.median())
    np.testing.assert_allclose(features["b"], (clipped - clipped.mean()) / clipped.std(ddof=0), atol=1e-12)
    assert features["b_missing"][table["b"].isna()].nunique() == 1
    np.testing.assert_allclose(features.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(features.std(ddof=0), 1, rtol=1e-12)


def test_a_fixed_value_fills_as_it_stands(table):
    transformer = IndexTransformer(fill={"b": 0.0}).fit(table)
    feature = transformer.features_["b"]
    filled = transformer.transform(table)["b"][0]
    assert filled == (0.0 - feature["mean"]) / feature["scale"]


def test_later_values_meet_the_training_limits_not_their_own(table):
    transformer = IndexTransformer().fit(table)
    extreme = table.assign(a=1e9)
    np.testing.assert_array_equal(
        transformer.transform(extreme)["a"],
        transformer.transform(table.assign(a=transformer.indices_["a"]["upper"]))["a"],
    )


def test_gaps_only_in_later_rows_are_filled_and_give_no_flag(table):
    transformer = IndexTransformer().fit(table)
    features = transformer.transform(table.assign(c=None))
    assert "c_missing" not in features
    assert features["c"].notna().all()
    assert features["c"].nunique() == 1


@pytest.mark.parametrize(
    ("change", "dropped", "reason"),
    [
        ({"same": 7.0}, "same", "constant"),
        ({"same": 0.1 + np.arange(400) * 1e-18}, "same", "constant"),
        ({"rare": [1.0] + [0.0] * 399}, "rare", "constant in training after clipping"),
        ({"empty": np.nan}, "empty", "no value"),
        ({"copy": lambda t: t["a"]}, "copy", "moves with a "),
        ({"mirror": lambda t: 3 - 2 * t["a"]}, "mirror", r"moves with a \(r = -1.00000\)"),
        ({"near": lambda t: t["a"] + np.arange(400) * 1e-6}, "near", "moves with a "),
        ({"x": lambda t: t["b"] * 2 + t["c"].abs()}, "x_missing", "moves with b_missing"),
    ],
)
def test_drops_with_a_reason(table, change, dropped, reason):
    transformer = IndexTransformer().fit(table.assign(**change))
    assert dropped not in transformer.features_
    assert pd.Series([transformer.dropped_[dropped]]).str.match(reason).all()
    assert set(transformer.features_) >= {"a", "b", "c", "b_missing"}


def test_drops_a_column_that_others_add_up_to():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.uniform(size=(300, 3)), columns=["a", "b", "c"]).assign(total=lambda t: t.a + t.b)
    transformer = IndexTransformer(lower=0, upper=1).fit(frame)
    assert transformer.dropped_ == {"total": "follows from a, b"}


def test_a_dropped_column_is_not_needed_later(table):
    transformer = IndexTransformer().fit(table.assign(same=7.0))
    pd.testing.assert_frame_equal(transformer.transform(table), transformer.transform(table.assign(same=1.0)))


def test_flag_of_a_column_that_is_otherwise_constant_stays(table):
    transformer = IndexTransformer().fit(table.assign(license=np.where(np.arange(400) % 3, 1.0, np.nan)))
    assert "license" in transformer.dropped_
    assert "license_missing" in transformer.features_


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "object", "boolean"])
def test_reads_any_numeric_dtype(dtype):
    plain = pd.Series([0, 1, 1, 0, 1, np.nan] * 10)
    frame = pd.DataFrame({"a": plain.astype("boolean" if dtype == "boolean" else dtype)})
    expected = IndexTransformer().fit_transform(pd.DataFrame({"a": plain}))
    pd.testing.assert_frame_equal(IndexTransformer().fit_transform(frame), expected)


@pytest.mark.parametrize(
    ("change", "fill", "message"),
    [
        ({"a": np.inf}, {}, "column a holds an infinite value"),
        ({"a": "high"}, {}, "column a is not numeric"),
        ({}, {"z": 0.0}, "fill names z,"),
        ({}, {"a": np.nan}, "fill of a "),
        ({"b_missing": 1.0}, {}, "b_missing is both"),
        ({"a": 1.0, "b": np.nan, "c": 2.0}, {}, "no column of a, c varies"),
    ],
)
def test_refuses_by_name(table, change, fill, message):
    with pytest.raises(ModelFitError, match=message):
        IndexTransformer(fill=fill).fit(table.assign(**change))


@pytest.mark.parametrize("what", [np.ones((3, 2)), pd.DataFrame(), pd.DataFrame(np.ones((3, 2)))])
def test_refuses_what_is_no_table_of_named_columns(what):
    with pytest.raises(ModelFitError):
        IndexTransformer().fit(what)


def test_refuses_a_frame_that_lacks_a_column(table):
    transformer = IndexTransformer().fit(table)
    with pytest.raises(ModelFitError, match="lacks the column b, c "):
        transformer.transform(table[["a"]])


def test_everything_frozen_is_json(table):
    transformer = IndexTransformer(fill={"b": 0}).fit(table.assign(same=1))
    again = IndexTransformer.from_dict(json.loads(json.dumps(transformer.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.transform(table), transformer.transform(table), check_exact=True)


def test_works_in_a_scikit_learn_pipeline(table):
    y = (table["a"] + table["c"] > 11).astype(int)
    pipeline = make_pipeline(IndexTransformer(fill={"b": 0.0}), FisherLDA())
    assert clone(pipeline).fit(table, y).score(table, y) > 0.9
