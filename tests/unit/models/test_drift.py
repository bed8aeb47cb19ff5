"""Drift: what the engine counts is what the model counts, and a season is no drift."""

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.engine import open_engine
from pipeline.models import drift, fit
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from tests.support.records.indices import BASIS, expert, write_indices
from tests.support.records.labelled import changed, labelled, month_of

MONTH = RatingMonth(2026, 10)


@pytest.fixture(scope="module")
def model(policy):
    frame = labelled(policy, 2000)
    parts = [frame[frame["role"] == role] for role in ("fit", "calibration", "test")]
    return fit.fit(fit.Samples(*parts, default_share=0.1), policy, "residential")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", threads=2)


def put(settings, frame, month=MONTH):
    write_indices(settings, pa.Table.from_pandas(frame, preserve_index=False), month)


def measured(settings, policy, **models):
    found = drift.compare(MONTH, settings, policy, models, **BASIS)
    return {(one.name, one.compared_with): one for one in found}, drift.passed_limit(found, policy)


def test_the_engine_counts_as_the_model_does(settings, policy, model):
    frame = month_of(policy, 800, 3)
    gaps = frame.index % 5 == 0
    for name in ("arrears_ratio", "on_time_payment_rate"):
        frame[f"{name}_missing"] = gaps
    scored = frame.copy()
    scored.loc[gaps, ["arrears_ratio", "on_time_payment_rate"]] = None
    left_out = pd.concat(
        [
            frame.head(5).assign(customer_id=[f"D{n}" for n in range(5)], is_in_default=True),
            frame.head(5).assign(customer_id=[f"B{n}" for n in range(5)], bills=policy.label.min_bills - 1),
            frame.head(5).assign(customer_id=[f"F{n}" for n in range(5)], family="non_residential"),
        ]
    )
    card = expert(policy).watching(frame)
    with open_engine(settings) as engine:
        engine.bind_table("indices", pa.Table.from_pandas(pd.concat([frame, left_out]), preserve_index=False))
        assert drift.counted(engine, policy, "residential", model) == model.count(scored)
        assert drift.counted(engine, policy, "residential", card) == card.count(frame)
        engine.bind_table("indices", pa.Table.from_pandas(frame.drop(columns=model.columns[0])))
        assert drift.counted(engine, policy, "residential", model) is None


def test_the_same_customers_have_not_drifted_and_riskier_ones_have(settings, policy, model):
    put(settings, month_of(policy, 3000, 3))
    found, over = measured(settings, policy, residential=model)
    assert over == []
    assert found["score", "training"].psi < 0.1
    assert {name for name, _ in found} == {"score", *model.columns}
    put(settings, month_of(policy, 3000, 3, shift=1.5))
    found, over = measured(settings, policy, residential=model)
    assert found["score", "training"].psi > 0.25
    assert "score" in {one.name for one in over}
    assert found["score", "training"].customers == sum(model.monitoring.bins["score"].counts)


def test_a_year_ago_as_now_is_a_season_and_no_drift(settings, policy, model):
    put(settings, month_of(policy, 3000, 3, shift=1.5))
    put(settings, month_of(policy, 3000, 4, shift=1.5), MONTH - 12)
    found, over = measured(settings, policy, residential=model)
    assert found["score", "training"].psi > 0.25 > found["score", "year_before"].psi
    assert found["score", "year_before"].compared_month == MONTH - 12
    assert over == []
    put(settings, month_of(policy, 3000, 4), MONTH - 12)
    assert {one.name for one in measured(settings, policy, residential=model)[1]} >= {"score"}


def test_a_missing_share_that_was_unknown_in_training_counts(settings, policy, model):
    frame = month_of(policy, 1000, 3)
    frame["arrears_ratio_missing"] = frame.index % 4 == 0
    put(settings, frame)
    assert {one.name for one in measured(settings, policy, residential=model)[1]} == {"arrears_ratio"}


def test_few_customers_and_a_model_without_bins_are_not_judged(settings, policy, model):
    put(settings, month_of(policy, 400, 3, shift=1.5))
    assert measured(settings, policy, residential=model)[1] == []
    assert measured(settings, changed(policy, "monitoring", min_customers=300), residential=model)[1]
    assert measured(settings, policy, residential=expert(policy)) == ({}, [])
