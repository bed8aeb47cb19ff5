"""Training: what is fitted, what stops it, and which model is in force after it."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ModelError
from pipeline.ingest import extract, validate
from pipeline.models import cohorts, fit, gates, retrain
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.sample import LAST, generate
from pipeline.scorecard import CreditModel, ExpertScorecard, ModelFitError, metrics
from pipeline.settings import Settings
from pipeline.source.write import replace_tables
from pipeline.warehouse import model_registry
from tests.support.records.labelled import LabelledRows, changed, labelled

MONTH = RatingMonth(2026, 6)
HOMES = "residential"


def samples(frame: pd.DataFrame, default_share: float | None = None) -> fit.Samples:
    parts = [frame[frame["role"] == role].reset_index(drop=True) for role in cohorts.ROLES]
    share = frame.loc[frame["role"] == "fit", "is_default"].mean() if default_share is None else default_share
    return fit.Samples(*parts, default_share=float(share))


@pytest.fixture(scope="module")
def learnt(policy):
    return samples(labelled(policy))


@pytest.fixture
def learns(settings, policy, monkeypatch):
    """``learns(frame)``: what training finds of residential customers; nothing of the others."""

    def of(frame):
        monkeypatch.setattr(cohorts, "labelled", LabelledRows({"residential": frame}))
        return frame

    of(labelled(policy))
    return of


def test_a_model_of_the_samples_records_finds_defaults(sample_lake, policy, tmp_path):
    brief = changed(policy, "training", cohorts=2, out_of_time_cohorts=1, min_defaults=20)
    settings = Settings(home=tmp_path / "home", lake=sample_lake, threads=2)
    with cohorts.labelled(LAST - 1, settings, brief, "as_known_then") as rows:
        households = fit.Samples.of(rows, HOMES)
    model = fit.fit(households, brief, HOMES)
    assert isinstance(model, CreditModel)
    seen = pd.concat([households.calibration, households.test])
    assert metrics.auc(seen["is_default"].to_numpy(), model.default_probability(seen)).value > 0.65


def test_shuffled_labels_give_an_auc_of_one_half(policy):
    frame = labelled(policy, customers=12_000, seed=5)
    rng = np.random.default_rng(8)
    by_chance = []
    for _ in range(5):
        parts = samples(frame.assign(is_default=rng.permutation(frame["is_default"].to_numpy())))
        model = fit.fit(parts, policy, HOMES)
        by_chance.append(metrics.auc(parts.test["is_default"], model.default_probability(parts.test)).value)
    assert np.mean(by_chance) == pytest.approx(0.5, abs=0.03)
    assert (
        metrics.auc(frame["is_default"], fit.fit(samples(frame), policy, HOMES).default_probability(frame)).value > 0.75
    )


def test_with_too_few_defaults_the_policys_scorecard_grades(learnt, policy):
    defaults = int(learnt.fit["is_default"].sum())
    enough, too_few = (changed(policy, "training", min_defaults=n) for n in (defaults, defaults + 1))
    assert isinstance(fit.fit(learnt, enough, HOMES), CreditModel)
    expert = fit.fit(learnt, too_few, HOMES)
    assert isinstance(expert, ExpertScorecard)
    assert expert.weights == {f"{name}_band": weight for name, weight in policy.expert_weights(HOMES).items()}
    assert expert.monitoring is not None
    nobody = learnt.fit.iloc[:0]
    assert isinstance(fit.fit(fit.Samples(nobody, nobody, nobody, 0.0), policy, HOMES), ExpertScorecard)


def test_five_defaults_are_enough_for_a_policy_that_says_so(learnt, policy):
    defaults = learnt.fit[learnt.fit["is_default"] == 1].head(5)
    few = fit.Samples(
        pd.concat([learnt.fit[learnt.fit["is_default"] == 0], defaults]), learnt.calibration, learnt.test, 0.002
    )
    lenient = changed(policy, "training", min_defaults=5, max_index_auc=1.0)
    assert isinstance(fit.fit(few, lenient, HOMES), CreditModel)
    assert isinstance(fit.fit(few, policy, HOMES), ExpertScorecard)


@pytest.mark.parametrize("where", ["value", "gap"])
def test_an_index_that_knows_the_outcome_stops_the_training_with_its_name(settings, policy, learns, where):
    frame = labelled(policy)
    known = frame["is_default"] + 0.1 * np.random.default_rng(2).random(len(frame))
    leak = known if where == "value" else known.where(frame["is_default"] == 1)
    learns(frame.assign(arrears_ratio=leak))
    with pytest.raises(ModelError) as raised:
        retrain.retrain(MONTH, settings, policy)
    line = str(raised.value)
    assert line.startswith(f"{MONTH}: the residential model cannot be trained: ")
    assert "arrears_ratio" in line
    assert "max_days_past_due" not in line
    assert model_registry.models(settings) == []
    learns(frame)
    assert retrain.retrain(MONTH, settings, policy)["models"]
    with pytest.raises(ModelError, match=r"AUC 0\.6 or more"):
        retrain.retrain(MONTH, settings, changed(policy, "training", max_index_auc=0.6))


def test_a_column_that_is_constant_or_repeats_another_is_left_out_with_the_reason(learnt, policy):
    frames = [
        part.assign(consumption_trend=0.3, arrears_ratio=part["max_days_past_due"] * 2)
        for part in (learnt.fit, learnt.calibration, learnt.test)
    ]
    dropped = fit.fit(fit.Samples(*frames, learnt.default_share), policy, HOMES).to_dict()["transform"]["dropped"]
    assert "constant" in dropped["consumption_trend"]
    assert "max_days_past_due" in dropped["arrears_ratio"]


def test_an_index_that_would_weigh_against_its_direction_is_left_out(policy):
    frame = labelled(policy, seed=4)
    backwards = samples(frame.assign(avg_monthly_kwh=-3 * frame["avg_monthly_kwh"]))
    model = fit.fit(backwards, policy, HOMES)
    assert "avg_monthly_kwh" not in model.columns
    assert "against its direction" in model.to_dict()["transform"]["dropped"]["avg_monthly_kwh"]
    kept = fit.fit(backwards, changed(policy, "training", contradicting_indices="keep"), HOMES)
    assert "avg_monthly_kwh" in kept.columns


@pytest.mark.parametrize("binned", [[], ["max_days_past_due", "arrears_ratio"]])
def test_no_better_value_of_an_index_lowers_a_score(policy, binned):
    """So that what is given as a reason is worse than average, and repaying never costs points."""
    parts = samples(labelled(policy, seed=4))
    model = fit.fit(parts, changed(policy, "training", binned=binned), HOMES)
    assert len(model.columns) > 3
    somebody = parts.test[list(model.columns)].dropna().head(20)
    for name in model.columns:
        values = np.linspace(*parts.fit[name].quantile([0, 1]), 40)
        better = values if policy.indices[name].direction == "+" else values[::-1]
        scores = np.stack([model.score(somebody.assign(**{name: value})) for value in better])
        assert (np.diff(scores, axis=0) >= -1e-9).all(), name


def test_the_last_index_is_left_to_the_gates(learnt, policy):
    """All weigh the wrong way round where the labels do."""
    reversed_ = [part.assign(is_default=1 - part["is_default"]) for part in (learnt.fit, learnt.calibration)]
    model = fit.fit(fit.Samples(*reversed_, learnt.test, 1 - learnt.default_share), policy, HOMES)
    assert len(model.columns) == 1
    assert fit.evaluated(model, learnt.test, policy)["auc"]["value"] < 0.5


def test_bins_sentinels_and_shrinkage_are_the_policys(learnt, policy):
    def features(**training):
        model = fit.fit(learnt, changed(policy, "training", **training), HOMES)
        return {feature["kind"] for feature in model.to_dict()["transform"]["features"].values()}, model

    assert features()[0] == {"value"}
    kinds, model = features(binned=("arrears_ratio", "max_days_past_due"))
    assert kinds == {"value", "woe"}
    assert set(model.coefficients().query("kind == 'woe'")["column"]) == {"arrears_ratio", "max_days_past_due"}
    coded = [part.copy() for part in (learnt.fit, learnt.calibration, learnt.test)]
    for part in coded:
        part.loc[::7, "arrears_ratio"] = 96.0
    model = fit.fit(
        fit.Samples(*coded, learnt.default_share),
        changed(policy, "training", sentinels={"arrears_ratio": (96.0,)}),
        HOMES,
    )
    assert "arrears_ratio_96" in model.coefficients().index
    drawn = fit.fit(learnt, changed(policy, "training", shrinkage=0.5), HOMES).discriminant_
    assert drawn.to_dict() != fit.fit(learnt, policy, HOMES).discriminant_.to_dict()


def test_a_sample_with_more_defaults_than_there_are_gives_the_probabilities_of_all(policy):
    frame = labelled(policy, customers=12_000, seed=6)
    is_fit, is_bad = frame["role"] == "fit", frame["is_default"] == 1
    kept = np.random.default_rng(1).random(len(frame)) < 0.3
    sampled = frame[~is_fit | is_bad | kept].assign(is_plain=lambda rows: kept[rows.index] | (rows["role"] != "fit"))
    whole, part = samples(frame), samples(sampled, frame.loc[is_fit, "is_default"].mean())
    assert part.fit["is_default"].mean() > 2 * whole.fit["is_default"].mean()
    full, stratified = fit.fit(whole, policy, HOMES), fit.fit(part, policy, HOMES)
    expected = full.default_probability(whole.test)
    assert stratified.default_probability(whole.test).mean() == pytest.approx(expected.mean(), rel=0.05)
    assert np.corrcoef(expected, stratified.default_probability(whole.test))[0, 1] > 0.99
    # The discriminant itself says what it would of everybody, not of the sample.
    assert stratified.discriminant(whole.test).mean() == pytest.approx(full.discriminant(whole.test).mean(), abs=0.15)
    drift = stratified.monitoring.drift(stratified.count(whole.test))
    assert drift.loc["score", "psi"] < 0.05


def test_the_same_month_again_gives_the_same_version_and_nothing_is_promoted_before_publication(
    settings, policy, learns
):
    done = retrain.retrain(MONTH, settings, policy)
    assert retrain.retrain(MONTH, settings, policy) == done
    assert [model.status for model in model_registry.models(settings)] == ["challenger"] * 2
    assert model_registry.champion(settings, "residential", MONTH) is None
    assert set(done["promotes"]) == set(done["models"].values())
    other = retrain.retrain(MONTH, settings, changed(policy, "label", embargo_months=1))
    assert other["models"] != done["models"]  # another policy, another version


def test_a_first_model_serves_unless_it_fails_a_hard_gate(settings, policy, learns):
    first = retrain.retrain(MONTH, settings, policy)
    residential = model_registry.model(settings, first["models"]["residential"])
    assert (residential.origin, residential.has_passed) == ("trained", True)
    assert (settings.model_cards_path / f"{residential.version}.html").read_text().startswith("<!")
    others = model_registry.model(settings, first["models"]["non_residential"])
    assert (others.origin, others.gates) == ("expert", None)
    assert "too few defaults" in first["promotes"][others.version]

    strict = changed(policy, "promotion", gates=policy.promotion.gates.model_dump() | {"min_auc": 0.99})
    refused = retrain.retrain(MONTH, settings, strict)
    serving = model_registry.model(settings, refused["models"]["residential"])
    assert serving.origin == "expert"
    reason = refused["promotes"][serving.version]
    assert "is refused: auc 0." in reason
    assert "limit 0.99" in reason
    [failed] = [m for m in model_registry.models(settings) if m.gates and not m.has_passed]
    assert [gate["gate"] for gate in gates.failed(failed.gates)] == ["auc"]

    soft = changed(policy, "promotion", gates=policy.promotion.gates.model_dump() | {"max_score_psi": 0.0})
    serving = retrain.retrain(MONTH, settings, soft)
    assert model_registry.model(settings, serving["models"]["residential"]).origin == "trained"
    assert "though it fails stability" in serving["promotes"][serving["models"]["residential"]]


def put_in_force(settings, version, month=MONTH):
    return model_registry.promote(settings, version, "test", from_month=month)


@pytest.fixture
def champion(settings, policy, learns):
    """A model of a year ago that is in force."""
    made = retrain.retrain(MONTH - 12, settings, policy)
    for version in made["models"].values():
        put_in_force(settings, version, MONTH - 12)
    return model_registry.model(settings, made["models"]["residential"])


def test_a_worse_challenger_is_refused_and_the_champion_goes_on(settings, policy, learns, champion):
    frame = labelled(policy, seed=9)
    rng = np.random.default_rng(1)
    is_fit = frame["role"] != "test"
    noisy = frame["is_default"].mask(is_fit & (rng.random(len(frame)) < 0.5), rng.integers(0, 2, len(frame)))
    learns(frame.assign(is_default=noisy.astype("int32")))
    done = retrain.retrain(MONTH, settings, policy)
    assert done["models"]["residential"] == champion.version
    assert champion.version not in done["promotes"]
    [challenger] = [
        m for m in model_registry.models(settings) if m.trained_month == MONTH and m.family == "residential"
    ]
    assert (challenger.status, challenger.has_passed) == ("challenger", False)
    assert {gate["gate"] for gate in gates.failed(challenger.gates)} & {"auc_loss", "ks_loss", "brier_gain"}
    assert f"{challenger.version} is refused" in done["decision"]
    assert f"{champion.version} goes on" in done["decision"]


def test_one_that_passes_takes_over_or_waits_as_the_policy_promotes(settings, policy, learns, champion):
    learns(labelled(policy, seed=9))
    done = retrain.retrain(MONTH, settings, policy)
    assert done["models"]["residential"] != champion.version
    assert done["models"]["residential"] in done["promotes"]
    for waits in ({"mode": "manual"}, {"shadow_months": 2}):
        waiting = retrain.retrain(MONTH, settings, changed(policy, "promotion", **waits))
        assert waiting["models"]["residential"] == champion.version
        assert len(waiting["awaiting"]) == 1
        assert champion.version not in waiting["promotes"]


def test_only_the_families_that_are_named_are_trained(settings, policy, learns, champion):
    learns(labelled(policy, seed=9))
    done = retrain.retrain(MONTH, settings, policy, families=["non_residential"], why="because")
    assert done["models"]["residential"] == champion.version
    assert {m.family for m in model_registry.models(settings) if m.trained_month == MONTH} == {"non_residential"}
    assert done["decision"].startswith("retrained: because; ")


def test_too_few_defaults_do_not_put_the_scorecard_in_a_models_place(settings, policy, learns, champion):
    done = retrain.retrain(MONTH, settings, changed(policy, "training", min_defaults=100_000))
    assert done["models"]["residential"] == champion.version
    assert "too few defaults to learn from; " in done["decision"]


def test_a_champion_whose_indices_are_gone_is_no_champion(settings, policy, learns, champion):
    fewer = policy.model_copy(
        update={
            "indices": {name: index for name, index in policy.indices.items() if name != champion_index(champion)},
            "expert": policy.expert.model_copy(update={"weights": {"on_time_payment_rate": 1.0}}),
        }
    )
    done = retrain.retrain(MONTH, settings, fewer)
    assert "is the first model" in done["promotes"][done["models"]["residential"]]


def champion_index(champion):
    return next(name for name in champion.parameters["transform"]["indices"] if name != "on_time_payment_rate")


def test_a_model_is_judged_on_the_test_rows_alone(settings, policy, learns):
    frame = learns(labelled(policy))
    model = model_registry.model(settings, retrain.retrain(MONTH, settings, policy)["models"]["residential"])
    test = frame[frame["role"] == "test"]
    assert model.metrics["customers"] == len(test)
    assert model.metrics["defaults"] == test["is_default"].sum()
    assert model.metrics["samples"]["fit"]["customers"] == (frame["role"] == "fit").sum()
    assert sum(row["customers"] for row in model.metrics["by_grade"].values()) == len(test)
    assert list(model.metrics["by_grade"]) == list(policy.grades.names)


def test_a_verdict_needs_defaults_and_others(settings, policy, learns):
    frame = labelled(policy)
    learns(frame.assign(is_default=frame["is_default"].mask(frame["role"] == "test", 0)))
    done = retrain.retrain(MONTH, settings, policy)
    assert model_registry.model(settings, done["models"]["residential"]).origin == "expert"
    assert "tell nothing" in done["decision"]


def test_recalibration_keeps_the_weights_and_meets_the_defaults_of_today(settings, policy, learns, champion):
    frame = labelled(policy, customers=6000, seed=12)
    rng = np.random.default_rng(3)
    more = frame["is_default"] | (rng.random(len(frame)) < 0.15)
    frame = learns(frame.assign(is_default=more.astype("int32")))
    done = retrain.recalibrate(MONTH, settings, policy, champion.version)
    renewed = model_registry.model(settings, done["version"])
    assert renewed.status == "challenger"
    assert renewed.origin == "recalibrated"
    assert renewed.provenance["recalibrated"] == champion.version
    assert renewed.parameters["discriminant"] == champion.parameters["discriminant"]
    assert renewed.parameters["calibration"] != champion.parameters["calibration"]
    test = frame[frame["role"] == "test"]
    of_today, of_old = (fitted(m).default_probability(test).mean() for m in (renewed, champion))
    observed = test["is_default"].mean()
    assert abs(of_today - observed) < 0.03 < observed - of_old
    assert {gate["gate"] for gate in done["gates"]} >= {"auc", "auc_loss", "calibration"}
    expert = next(m.version for m in model_registry.models(settings) if m.origin == "expert")
    with pytest.raises(ModelError, match="is the expert scorecard: it has no calibration to renew"):
        retrain.recalibrate(MONTH, settings, policy, expert)


def test_what_cannot_be_fitted_names_the_column(learnt, policy):
    broken = [part.assign(arrears_ratio=np.inf) for part in (learnt.fit, learnt.calibration, learnt.test)]
    with pytest.raises(ModelFitError, match="arrears_ratio"):
        fit.fit(fit.Samples(*broken, learnt.default_share), policy, HOMES)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_year_on_customers_of_every_grade_default_as_often_as_expected(settings, policy):
    """Of 20,000: a model as of one October, and what became of households by the next."""
    replace_tables(settings.source, generate(20_000, 48))
    found = {}
    for month in (LAST - 12, LAST):
        extract.extract(month, settings, policy)
        validate.validate(month, settings, policy)
        with cohorts.labelled(month, settings, policy, "as_known_then") as rows:
            found[month] = fit.Samples.of(rows, HOMES)
    model = fit.fit(found[LAST - 12], policy, HOMES)
    late = pd.concat([found[LAST].calibration, found[LAST].test])
    assert late["cohort"].min() > found[LAST - 12].test["cohort"].max()
    by_grade = fit.evaluated(model, late, policy)["by_grade"]
    assert min(row["defaults"] for row in by_grade.values()) > 0
    limits = policy.promotion.gates
    off_by, grades = gates.off_calibration(by_grade, limits.min_calibration_p)
    assert off_by <= limits.max_calibration_error, grades
