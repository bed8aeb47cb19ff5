import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scorecard import Baseline, Bins, ExpertScorecard, ModelFitError, psi

counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


def test_psi_by_hand():
    assert psi([50, 50], [60, 40]) == pytest.approx(0.1 * np.log(1.5), rel=1e-12)
    # An empty bin counts as 0.0001 of the rows.
    assert psi([100, 0], [90, 10]) == pytest.approx(-0.1 * np.log(0.9) + 0.0999 * np.log(1000), rel=1e-12)


@settings(deadline=None)
@given(counts, counts, st.integers(1, 50))
def test_psi_is_symmetric_never_negative_and_knows_shares_only(a, b, times):
    assert psi(a, b) == pytest.approx(psi(b, a), abs=1e-12)
    assert psi(a, b) >= 0
    assert psi(a, np.array(a) * times) == pytest.approx(0, abs=1e-12)
    assert psi(a, np.array(b) / sum(b)) == pytest.approx(psi(a, b), abs=1e-12)


def test_psi_of_nobody_is_nothing():
    assert np.isnan(psi([1, 2], [0, 0]))


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2, 3]), ([1, -1], [1, 1]), ([1, np.nan], [1, 1])])
def test_psi_refuses_what_are_no_counts_of_the_same_bins(a, b):
    with pytest.raises(ModelFitError):
        psi(a, b)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 6).map(float), st.floats(-1e9, 1e9), st.just(np.nan)), max_size=80))
def test_bins_of_numbers_count_every_value_once_and_add_up_over_batches(values):
    bins = Bins.of_numbers(values)
    assert sum(bins.counts) == len(values)
    assert len(bins.counts) == len(bins.labels) == len(bins.edges) + 2
    assert bins.counts[-1] == np.isnan(values).sum()
    assert all(count > 0 for count in bins.counts[:-1]) or not len(bins.edges)
    batches = bins.count(values[:7]) + bins.count(values[7:])
    assert tuple(batches) == bins.counts


def test_a_tenth_of_distinct_values_falls_into_each_bin():
    assert Bins.of_numbers(np.random.default_rng(0).normal(size=1000)).counts == (*[100] * 10, 0)


def test_an_edge_lies_between_values_so_that_rounding_moves_nobody():
    values = np.repeat([0.0, 1.0, 2.0], [700, 200, 100])
    bins = Bins.of_numbers(values)
    assert bins.edges == (0.5, 1.5)
    assert (bins.count(values * (1 + 1e-12) + 1e-12) == bins.counts).all()


def test_a_text_that_training_had_not_is_unseen_and_an_alarm():
    segment = ["residential", None, "public", "residential"]
    baseline = Baseline({"score": Bins.of_numbers([1.0, 2, 3, 4]), "segment": Bins.of_categories(segment)})
    assert baseline.bins["segment"].labels == ("public", "residential", "unseen", "missing")
    assert baseline.bins["segment"].counts == (1, 2, 0, 1)
    later = pd.DataFrame({"segment": ["residential"] * 999 + ["ministry"]})
    drift = baseline.drift(baseline.count(np.ones(1000), later))
    assert drift.loc["segment", ["unseen", "is_alarm"]].tolist() == [1, True]
    assert not baseline.drift(baseline.count([1.0, 2, 3, 4], pd.DataFrame({"segment": segment})))["is_alarm"].any()


@pytest.fixture(scope="module")
def watched(customers):
    from pipeline.scorecard import CreditModel

    return CreditModel().fit(*customers)


def test_a_model_watches_its_training_and_notes_what_moved(customers, watched):
    frame, _ = customers
    same = watched.monitoring.drift(watched.count(frame))
    assert list(same.index) == ["score", "on_time_rate", "arrears_ratio", "monthly_kwh"]
    assert (same["psi"] == 0).all()
    moved = frame.assign(arrears_ratio=frame["arrears_ratio"].mask(frame.index % 2 == 0))
    drift = watched.monitoring.drift(watched.count(moved), limit=0.2)
    assert drift.loc["arrears_ratio", "psi"] > 0.5
    assert drift["is_alarm"].to_dict() == {
        "score": drift.loc["score", "psi"] >= 0.2,
        "on_time_rate": False,
        "arrears_ratio": True,
        "monthly_kwh": False,
    }


def test_a_month_is_compared_with_another_as_well(customers, watched):
    frame, _ = customers
    before, now = watched.count(frame[:1500]), watched.count(frame[1500:])
    drift = watched.monitoring.drift(now, before)
    assert (drift["expected_rows"] == 1500).all()
    assert drift.loc["score", "psi"] == pytest.approx(psi(before["score"], now["score"]))
    assert np.isnan(watched.monitoring.drift({"score": now["score"]}).loc["monthly_kwh", "psi"])


def test_counts_of_batches_add_up_and_a_score_at_hand_is_used(customers, watched):
    frame, _ = customers
    parts = [watched.count(frame[:7]), watched.count(frame[7:], score=watched.score(frame[7:]))]
    whole = watched.count(frame)
    assert {name: np.add(*(part[name] for part in parts)).tolist() for name in whole} == whole


def test_the_database_counts_as_python_does(customers, watched):
    frame, _ = customers
    people = frame.assign(segment=np.where(frame.index % 7, "it's public", None), score=watched.score(frame))
    bins = watched.monitoring.bins | {"segment": Bins.of_categories(["it's public", "x"])}
    for name, part in bins.items():
        query = f"select {part.to_sql(name, 'duckdb')} as bin, count(*) from people group by 1"
        found = dict(duckdb.execute(query).fetchall())
        assert [found.get(place, 0) for place in range(len(part.labels))] == part.count(people[name]).tolist()


def test_the_expert_scorecard_watches_its_bands():
    expert = ExpertScorecard(-5, {"late_band": 0.5})
    with pytest.raises(ModelFitError, match="no bins to monitor by"):
        expert.count(pd.DataFrame({"late_band": ["A"]}))
    watching = expert.watching(pd.DataFrame({"late_band": ["A", "A", "B", None]}))
    assert expert.monitoring is None
    assert watching.monitoring.bins["late_band"].labels == ("A", "B", "C", "D", "unseen", "missing")
    assert watching.count(pd.DataFrame({"late_band": ["D", None]}))["late_band"] == [0, 0, 0, 1, 0, 1]
    assert ExpertScorecard.from_dict(json.loads(json.dumps(watching.to_dict()))) == watching


def test_the_frozen_bins_are_json(watched):
    document = json.loads(json.dumps(watched.monitoring.to_dict(), allow_nan=False))
    assert Baseline.from_dict(document) == watched.monitoring
