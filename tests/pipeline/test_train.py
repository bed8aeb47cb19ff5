"""Training: what a model may learn from, what it is judged by, and when the policy's scorecard takes its place."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from lake_records import fill_lake, tables

from pipeline import train
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.model import CreditModel, ExpertScorecard, metrics
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.sample import LAST
from pipeline.settings import Settings
from pipeline.warehouse import registry

MONTH = LAST - 1
HOMES = "residential"


@pytest.fixture(scope="session")
def brief(policy) -> Policy:
    """The default policy with four cohorts, the last of them out of time."""
    training = policy.training.model_copy(update={"cohorts": 4, "out_of_time_cohorts": 1})
    return policy.model_copy(update={"training": training})


@pytest.fixture
def at_sample(settings, sample_lake):
    return settings.model_copy(update={"lake": sample_lake})


@pytest.fixture(scope="module")
def cohorts(sample_lake, brief):
    return train.mature_cohorts(Lake(sample_lake), MONTH, brief)


@pytest.fixture(scope="module")
def frame(sample_lake, tmp_path_factory, brief, cohorts) -> pd.DataFrame:
    """The labelled customers of four cohorts, both families."""
    settings = Settings(home=tmp_path_factory.mktemp("cohorts"), lake=sample_lake, threads=2)
    return train._cohort_frame(cohorts, MONTH, settings, brief, "as_known_then")[0]


@pytest.fixture(scope="module")
def households(frame, cohorts, brief) -> train.Samples:
    return train._samples(frame[frame["family"] == "residential"], cohorts, brief)


def changed(policy, section, **values):
    return policy.model_copy(update={section: getattr(policy, section).model_copy(update=values)})


@pytest.mark.parametrize(("horizon", "embargo"), [(6, 0), (6, 2), (1, 0)])
def test_a_cohort_takes_part_once_its_label_window_and_the_embargo_are_over(sample_lake, policy, horizon, embargo):
    policy = changed(policy, "label", horizon_months=horizon, embargo_months=embargo)
    cohorts = train.mature_cohorts(Lake(sample_lake), MONTH, policy)
    assert cohorts[-1] + horizon + embargo == MONTH
    assert len(cohorts) == policy.training.cohorts
    assert cohorts == list(RatingMonth.span(cohorts[0], cohorts[-1]))


def test_no_cohort_is_older_than_the_records(tmp_path, policy):
    lake = Lake(tmp_path / "lake")
    assert train.mature_cohorts(lake, MONTH, policy) == []
    with lake.writing("bills", recorded_month=MONTH - 7) as partition:
        partition.manifest(rows=0)
    assert train.mature_cohorts(lake, MONTH, policy) == [MONTH - 7, MONTH - 6]


def test_labelled_customers_are_of_the_cohorts_and_have_one_row_in_each(frame, cohorts, policy):
    assert set(frame["cohort"]) == {str(cohort) for cohort in cohorts}
    assert not frame.duplicated(["cohort", "customer_id"]).any()
    assert set(frame["is_default"]) == {0, 1}
    assert 0.01 < frame["is_default"].mean() < 0.2
    assert frame["family"].isin(policy.families).all()


def test_a_customer_is_in_the_same_split_in_every_cohort(frame, policy):
    assert (frame.groupby("customer_id")["split"].nunique() == 1).all()
    share = frame.drop_duplicates("customer_id")["split"].value_counts(normalize=True)
    assert share["holdout"] == pytest.approx(policy.training.holdout_share, abs=0.05)


def test_the_test_sample_is_of_other_customers_and_a_later_time_than_the_fit(households, cohorts):
    fit, calibration, test = households.fit, households.calibration, households.test
    assert min(map(len, households.__dict__.values())) > 50
    for seen in (fit, calibration):
        assert not set(seen["customer_id"]) & set(test["customer_id"])
    assert set(test["cohort"]) == set(calibration["cohort"]) == {str(cohorts[-1])}
    assert max(fit["cohort"]) < min(test["cohort"])


def test_without_cohorts_to_spare_the_samples_are_of_different_customers(frame, cohorts, brief):
    samples = train._samples(frame, cohorts[-1:], brief)
    assert len(samples.fit) + len(samples.calibration) + len(samples.test) == len(frame)
    ids = [set(part["customer_id"]) for part in (samples.fit, samples.calibration, samples.test)]
    assert sum(map(len, ids)) == len(set.union(*ids))


def test_the_model_finds_defaults_and_with_shuffled_labels_finds_nothing(households, brief):
    rng = np.random.default_rng(3)

    def auc(samples):
        model = train._fit(samples, brief, HOMES)
        assert isinstance(model, CreditModel)
        return metrics.auc(households.test["is_default"].to_numpy(), model.default_probability(households.test)).value

    def shuffled(rows):
        return rows.assign(is_default=rng.permutation(rows["is_default"].to_numpy()))

    assert auc(households) > 0.65
    by_chance = [
        auc(train.Samples(shuffled(households.fit), shuffled(households.calibration), households.test))
        for _ in range(20)
    ]
    # A model of shuffled labels may rank the true ones well or badly, but not on average.
    assert np.mean(by_chance) == pytest.approx(0.5, abs=0.15)


def test_with_too_few_defaults_the_policys_scorecard_grades(households, brief):
    defaults = int(households.fit["is_default"].sum())
    enough, too_few = (changed(brief, "training", min_defaults=max(5, n)) for n in (5, defaults + 1))
    assert isinstance(train._fit(households, enough, HOMES), CreditModel)
    expert = train._fit(households, too_few, HOMES)
    assert isinstance(expert, ExpertScorecard)
    assert expert.weights == {f"{name}_band": weight for name, weight in brief.expert_weights(HOMES).items()}
    nobody = households.fit.iloc[:0]
    assert isinstance(train._fit(train.Samples(nobody, nobody, nobody), brief, HOMES), ExpertScorecard)


def test_a_family_is_fitted_on_what_enters_its_score(households, brief):
    model = train._fit(households, brief, HOMES)
    assert {*model.transformer_.indices_, *model.transformer_.dropped_} >= set(brief.scored(HOMES))
    assert not set(model.transformer_.indices_) - set(brief.scored(HOMES))
    assert {"violation_severity", "social_credit_rating"} <= set(brief.scored(HOMES))


def test_a_model_does_without_what_the_source_does_not_have_and_says_so(households, brief):
    left_out = train._left_out(brief, HOMES, frozenset({"violations", "calibrations", "outages"}))
    assert left_out == {"violation_severity": "the source has no violations"}
    nothing = {"violation_severity": np.nan, "violation_severity_band": None}
    samples = train.Samples(*(part.assign(**nothing) for part in households.__dict__.values()))
    model = train._fit(samples, brief, HOMES, left_out)
    assert model.to_dict()["transform"]["dropped"]["violation_severity"] == "no value in training"
    assert "violation_severity" not in model.transformer_.indices_
    scorecard = train._fit(samples, changed(brief, "training", min_defaults=10**6), HOMES, left_out)
    assert "violation_severity_band" not in scorecard.weights
    assert len(scorecard.weights) == len(brief.expert_weights(HOMES)) - 1


def test_a_model_is_judged_on_the_test_sample_alone(households, brief):
    judged = train._judge(train._fit(households, brief, HOMES), households, brief)
    assert judged["test"] == {"customers": len(households.test), "defaults": int(households.test["is_default"].sum())}
    assert judged["cohorts"] == sorted(set(households.test["cohort"]))
    assert sum(grade["customers"] for grade in judged["by_grade"].values()) == len(households.test)
    assert list(judged["by_grade"]) == list(brief.grades.names)
    assert 0 <= judged["auc"]["low"] <= judged["auc"]["value"] <= judged["auc"]["high"] <= 1
    good = households.test[households.test["is_default"] == 0]
    only_counted = train._judge(
        train._fit(households, brief, HOMES), train.Samples(households.fit, households.calibration, good), brief
    )
    assert set(only_counted) == {"fit", "calibration", "test"}


def test_a_sample_is_drawn_where_there_are_more_rows_than_the_policy_takes(
    sample_lake, tmp_path, brief, cohorts, frame
):
    settings = Settings(home=tmp_path / "home", lake=sample_lake, threads=2)
    fewer = changed(brief, "training", max_rows=1000)
    drawn, _ = train._cohort_frame(cohorts[-2:], MONTH, settings, fewer, "as_known_then")
    assert 500 < len(drawn) < 1200
    whole = frame[frame["cohort"].isin(drawn["cohort"])].merge(drawn[["customer_id"]].drop_duplicates())
    columns = ["cohort", "customer_id", "is_default", "split"]
    assert sorted(whole[columns].itertuples(index=False)) == sorted(drawn[columns].itertuples(index=False))


def test_the_same_month_again_gives_the_same_version_and_a_dry_run_puts_none_in_force(at_sample, brief):
    tried = train.retrain(MONTH, at_sample, brief, dry_run=True)
    assert {registry.model(at_sample, version).status for version in tried["models"].values()} == {"challenger"}
    assert registry.champion(at_sample, "residential", MONTH) is None
    done = train.retrain(MONTH, at_sample, brief)
    assert done == tried
    assert len(registry.models(at_sample)) == 2
    for family, version in done["models"].items():
        model = registry.champion(at_sample, family, MONTH)
        assert (model.version, model.effective_from, model.approved_by) == (version, MONTH, "policy")
        assert registry.champion(at_sample, family, MONTH - 1) is None
    assert registry.model(at_sample, done["models"]["residential"]).parameters["kind"] == "fisher_lda"
    assert registry.model(at_sample, done["models"]["non_residential"]).parameters["kind"] == "expert"


def test_records_of_after_the_run_teach_nothing(settings, sample, at_sample, brief):
    brief = changed(brief, "training", cohorts=2)

    def taught(by):
        models = [registry.model(by, version) for version in train.retrain(MONTH - 1, by, brief)["models"].values()]
        return [(model.family, model.parameters, model.metrics) for model in models]

    whole = taught(at_sample)
    facts = {name: rows for name, rows in sample.items() if "recorded_at" in rows.column_names}
    cutoff = pa.scalar((MONTH - 1).cutoff("UTC"), pa.timestamp("us", "UTC"))
    fill_lake(
        Lake(settings.lake_path),
        {name: rows.filter(pc.less(rows["recorded_at"], cutoff)) for name, rows in facts.items()},
        MONTH - 1,
    )
    assert taught(settings) == whole


def test_a_month_without_a_mature_cohort_is_graded_by_the_scorecard(settings, brief):
    fill_lake(Lake(settings.lake_path), tables(), MONTH)
    done = train.retrain(MONTH, settings, brief)
    assert done["cohorts"] == []
    for family, version in done["models"].items():
        model = registry.model(settings, version)
        assert (model.family, model.parameters["kind"]) == (family, "expert")
        assert model.metrics["fit"] == {"customers": 0, "defaults": 0}
        assert model.metrics["left_out"]["violation_severity"] == "the source has no violations"
        assert "violation_severity_band" not in model.parameters["weights"]


def put_in_force(settings, family, version, month=MONTH):
    registry.register(
        settings,
        version=version,
        family=family,
        effective_from=month,
        parameters={"kind": "expert"},
        metrics={},
        input_sha256="i" * 64,
        policy_sha256="p" * 64,
    )
    registry.promote(settings, version, approved_by="test")


def test_auto_retrains_until_every_family_has_a_model_in_force(settings, policy):
    assert train.choose(MONTH, settings, policy) == "retrain"
    put_in_force(settings, "residential", "r1")
    assert train.choose(MONTH, settings, policy) == "retrain"
    put_in_force(settings, "non_residential", "n1")
    assert train.choose(MONTH, settings, policy) == "apply"
    assert train.choose(MONTH + 5, settings, policy) == "apply"
    assert train.choose(MONTH - 1, settings, policy) == "retrain"
    assert train.choose(MONTH, settings, policy, mode="retrain") == "retrain"
    assert train.choose(MONTH - 1, settings, policy, mode="apply") == "apply"
    assert train.choose(MONTH - 1, settings, policy, model_version="r1") == "apply"


def test_apply_takes_the_model_in_force_or_the_one_that_is_named(settings, policy):
    put_in_force(settings, "residential", "r1")
    with pytest.raises(ModelError, match=r"no non_residential model is in force for that month; run it with mode"):
        train.apply(MONTH, settings, policy)
    put_in_force(settings, "non_residential", "n1")
    put_in_force(settings, "residential", "r2", MONTH + 1)
    assert train.apply(MONTH, settings, policy)["models"] == {"residential": "r1", "non_residential": "n1"}
    assert train.apply(MONTH + 1, settings, policy)["models"]["residential"] == "r2"
    named = train.apply(MONTH, settings, policy, model_version="r2")["models"]
    assert named == {"residential": "r2", "non_residential": "n1"}


def test_a_call_that_makes_no_sense_is_refused(settings, policy):
    with pytest.raises(ModelError, match="mode 'guess' is unknown: choose auto, retrain, apply"):
        train.choose(MONTH, settings, policy, mode="guess")
    with pytest.raises(ModelError, match="a model version can be applied, not retrained"):
        train.choose(MONTH, settings, policy, mode="retrain", model_version="r1")
    with pytest.raises(ModelError, match="model nobody is not registered"):
        train.apply(MONTH, settings, policy, model_version="nobody")
