import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from pipeline.scorecard import IndexTransformer, ModelFitError, WoeBins
from pipeline.scorecard.fisher import FisherLDA


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.normal(10, 2, 400), "b": rng.exponential(1, 400), "c": rng.normal(0, 1, 400)})
    frame.loc[::5, "b"] = np.nan
    return frame


def test_clips_fills_flags_and_standardises_by_the_documented_numbers(table):
    features = IndexTransformer().fit(table).transform(table)
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
    known = pd.DataFrame({"a": plain})
    expected = IndexTransformer().fit(known).transform(known)
    pd.testing.assert_frame_equal(IndexTransformer().fit(frame).transform(frame), expected)


@pytest.fixture
def coded(table):
    """The table with 96 and 98 in place of some of b's values."""
    table.loc[1:60:5, "b"] = 96.0
    table.loc[3:60:5, "b"] = 98.0
    return table


def test_a_sentinel_is_a_gap_with_a_flag_of_its_own(coded):
    transformer = IndexTransformer(sentinels={"b": (96, 98, 99)}).fit(coded)
    features = transformer.transform(coded)
    assert list(features) == ["a", "b", "c", "b_missing", "b_96", "b_98"]
    usual = coded["b"].where(coded["b"] < 90)
    plain = IndexTransformer().fit(coded.assign(b=usual))
    limits = {name: value for name, value in transformer.indices_["b"].items() if name != "sentinels"}
    assert limits == plain.indices_["b"]
    pd.testing.assert_series_equal(features["b"], plain.transform(coded.assign(b=usual))["b"])
    assert (features["b_96"].to_numpy() > 0).tolist() == (coded["b"] == 96).tolist()
    assert features["b_missing"][coded["b"] >= 96].nunique() == 1


def test_a_sentinel_that_training_had_not_is_filled_later(coded):
    transformer = IndexTransformer(sentinels={"b": (96, 98, 99)}).fit(coded)
    like_a_gap = transformer.transform(coded.assign(b=np.nan))["b"]
    np.testing.assert_array_equal(transformer.transform(coded.assign(b=99.0))["b"], like_a_gap)


def test_a_binned_column_is_one_standardised_weight_of_evidence(coded):
    y = ((coded["b"] > 1) & (coded["b"] < 90) | (coded["c"] > 1)).astype(int).to_numpy()
    transformer = IndexTransformer(binned=("b",), sentinels={"b": (96, 98)}, directions={"b": "-"}).fit(coded, y)
    features = transformer.transform(coded)
    assert list(features) == ["a", "b", "c"]
    worth = WoeBins.fit(coded["b"], y, direction="-", sentinels=(96, 98)).transform(coded["b"])
    np.testing.assert_allclose(features["b"], (worth - worth.mean()) / worth.std(), atol=1e-12)
    again = IndexTransformer.from_dict(json.loads(json.dumps(transformer.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.transform(coded), features, check_exact=True)


def test_a_binned_column_without_an_order_is_left_out(table):
    y = (table["a"] > 10).astype(int).to_numpy()
    transformer = IndexTransformer(binned=("a",), directions={"a": "+"}).fit(table, y)
    assert transformer.dropped_ == {"a": "constant in training after binning"}
    assert "a" not in transformer.indices_


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"binned": ("z",)}, "binned names z,"),
        ({"sentinels": {"z": (1,)}}, "sentinels names z,"),
        ({"sentinels": {"a": (np.nan,)}}, "a sentinel of a "),
        ({"directions": {"a": "up"}}, "the direction of a must be"),
        ({"lower": 0.9, "upper": 0.1}, "must be quantiles"),
        ({"binned": ("a",)}, "one label a row"),
    ],
)
def test_refuses_parameters_by_name(table, parameters, message):
    with pytest.raises(ModelFitError, match=message):
        IndexTransformer(**parameters).fit(table)


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
