"""Step: a challenger for each family of segments, held against the gates, and who serves the month because of that.

A model learns from cohorts: the customers of an earlier month, their indices as known then, and what became of them in
the policy's horizon (pipeline/models/cohorts.py). Nothing is promoted here: publishing the month does that, together
with the grades, so that a month whose audit fails leaves the champion where it was.
"""

import hashlib
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.basis import Basis
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models import adverse_impact, cohorts, gates, model_card
from pipeline.models.in_force import Serving, fitted, lacking, serving
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import (
    CreditModel,
    ExpertScorecard,
    GradeScale,
    LogOddsModel,
    ModelFitError,
    Scorecard,
    contradicted_signs,
    evaluate,
    refuse_leaks,
)
from pipeline.settings import Settings
from pipeline.warehouse import model_registry

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """One family's labelled customers: rows to fit on, to calibrate with, and to judge by.

    ``default_share`` is that of all rows there were to fit on, where ``fit`` holds more defaults than its share.
    """

    fit: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    default_share: float

    @classmethod
    def of(cls, rows: cohorts.Rows, family: str) -> "Samples":
        frame = rows.of(family)
        parts = (frame[frame["role"] == role].reset_index(drop=True) for role in cohorts.ROLES)
        return cls(*parts, default_share=rows.default_share(family))


def retrain(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    families: Collection[str] | None = None,
    why: str = "",
    basis: str = Basis.AS_KNOWN_THEN,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Fit, register and judge a challenger for each of ``families`` (default: all); the models to rate the month with.

    ``models`` by family; ``promotes``: those of them that take over with the month's publication, with the reason;
    ``awaiting``: those that passed their gates and wait for a person or for their shadow months. A family with too few
    defaults to learn from gets the policy's expert scorecard. ModelError stops the training where an index knows the
    outcome. A dry run's challengers are marked as trials.
    """
    families = [family for family in policy.families if families is None or family in families]
    served, awaiting = {}, []
    with cohorts.labelled(month, settings, policy, basis) as rows:
        for family in families:
            training = _Training(month, settings, policy, basis, family, rows, is_trial=dry_run)
            served[family] = training.challenge()
            awaiting += [training.challenger.version] if training.is_awaiting else []
            training.write_cards()
            _LOG.info("%s %s: %s", month, family, served[family].note)
        learnt_from = [str(cohort) for cohort in rows.cohorts]
    served |= {family: serving(month, settings, policy, family) for family in policy.families if family not in served}
    return {
        "month": str(month),
        "mode": "retrain",
        "cohorts": learnt_from,
        "models": {family: served[family].version for family in policy.families},
        "promotes": {chosen.version: chosen.note for chosen in served.values() if chosen.is_promoted},
        "awaiting": awaiting,
        "decision": "; ".join(["retrained: " + (why or "told to"), *(one.note for one in served.values() if one.note)]),
    }


def recalibrate(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    version: str,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
) -> dict[str, Any]:
    """Register a challenger with the weights of ``version`` and a calibration of today: on the cohorts that are out of
    time as of the month. Nobody's place in the order changes. ModelError for the expert scorecard, which has none."""
    original = model_registry.model(settings, version)
    with cohorts.labelled(month, settings, policy, basis, roles=("calibration", "test")) as rows:
        training = _Training(month, settings, policy, basis, original.family, rows)
        training.recalibrate(original)
        training.write_cards()
    challenger = training.challenger
    return {
        "month": str(month),
        "recalibrated": version,
        "version": challenger.version,
        "has_passed": challenger.has_passed,
        "gates": challenger.gates,
    }


class _Training:
    """One family's challenger as of one month: made, registered, judged."""

    def __init__(
        self,
        month: RatingMonth,
        settings: Settings,
        policy: Policy,
        basis: str,
        family: str,
        rows: cohorts.Rows,
        *,
        is_trial: bool = False,
    ):
        self.challenger: model_registry.Model | None = None
        self._registered: list[str] = []
        self.is_awaiting = False
        self._month, self._settings, self._policy, self._family = month, settings, policy, family
        self._rows, self._is_trial = rows, is_trial
        self._samples = Samples.of(rows, family)
        known = KnownRecords(Lake(settings.lake_path), policy, month, basis)
        self._known = known.known_in
        self._left_out = left_out(policy, family, known.absent)
        champion = model_registry.champion(settings, family, month)
        self._champion = champion if champion is not None and not lacking(champion, policy) else None

    def challenge(self) -> Serving:
        """Who serves the month: the challenger, or who did so far."""
        try:
            model = fit(self._samples, self._policy, self._family, self._left_out)
        except ModelFitError as error:
            raise ModelError(f"{self._month}: the {self._family} model cannot be trained: {error}") from None
        if isinstance(model, ExpertScorecard):
            return self._expert(model, f"{self._family}: too few defaults to learn from")
        self._register(model, "trained")
        if self._champion and self._champion.version == self.challenger.version:
            return Serving(self._champion.version, False, f"{self._champion.version} is in force already")
        self._judge(model)
        return self._decide()

    def recalibrate(self, original: model_registry.Model) -> None:
        model = fitted(original)
        if not isinstance(model, CreditModel):
            raise ModelError(f"model {original.version} is the expert scorecard: it has no calibration to renew")
        rows = self._samples.calibration
        if smallest_class(rows) == 0:
            raise ModelError(f"{self._month}: no defaults, or nothing else, to recalibrate {original.version} with")
        renewed = model.recalibrated(rows, rows["is_default"].to_numpy())
        self._register(renewed, "recalibrated", {"recalibrated": original.version})
        self._judge(renewed)

    def write_cards(self) -> None:
        """Of all that was registered, as it was judged."""
        for version in self._registered:
            model_card.write(self._settings, self._policy, model_registry.model(self._settings, version))

    def _decide(self) -> Serving:
        """One that passed takes over as the policy promotes; without a champion one that fails no hard gate."""
        challenger, champion, promotion = self.challenger, self._champion, self._policy.promotion
        refused = gates.failed(challenger.gates)
        if champion is None:
            if hard := gates.failed(challenger.gates, is_hard=True):
                reason = f"{challenger.version} is refused: {gates.told(hard)}; no model is in force"
                return self._expert(expert_scorecard(self._policy, self._family, self._left_out), reason)
            soft = f", though it fails {gates.told(refused)}" if refused else ""
            return Serving(challenger.version, True, f"{challenger.version} is the first model{soft}")
        if refused:
            note = f"{challenger.version} is refused: {gates.told(refused)}; {champion.version} goes on"
            return Serving(champion.version, False, note)
        if promotion.mode == "automatic" and promotion.shadow_months == 0:
            return Serving(challenger.version, True, f"{challenger.version} passed its gates and takes over")
        self.is_awaiting = True
        waits = f"for {promotion.shadow_months} shadow months" if promotion.mode == "automatic" else "for approval"
        note = f"{challenger.version} passed its gates and waits {waits}; {champion.version} goes on"
        return Serving(champion.version, False, note)

    def _expert(self, model: ExpertScorecard, reason: str) -> Serving:
        """The policy's scorecard serves where no model does, and takes the place of an older one of its kind."""
        champion = self._champion
        if champion is not None and isinstance(fitted(champion), CreditModel):
            return Serving(champion.version, False, f"{reason}; {champion.version} goes on")
        self._register(model, "expert")
        is_new = champion is None or champion.version != self.challenger.version
        return Serving(self.challenger.version, is_new, f"{reason}: the expert scorecard grades")

    def _register(self, model: LogOddsModel, origin: str, provenance: dict[str, Any] | None = None) -> None:
        parameters = model.to_dict()
        made_of = json.dumps([parameters, self._rows.input_sha256, self._policy.sha256], sort_keys=True)
        digest = hashlib.sha256(made_of.encode()).hexdigest()
        name = f"{self._family}-{self._month}" + ("-recalibrated" if origin == "recalibrated" else "")
        version = f"{name}-{digest[:8]}"
        self._registered.append(version)
        self.challenger = model_registry.register(
            self._settings,
            version=version,
            family=self._family,
            effective_from=self._month,
            parameters=parameters,
            metrics=self._measure(model),
            input_sha256=self._rows.input_sha256,
            policy_sha256=self._policy.sha256,
            origin=origin,
            provenance={"cohorts": [str(cohort) for cohort in self._rows.cohorts], **(provenance or {})},
            is_trial=self._is_trial,
        )

    def _measure(self, model: LogOddsModel) -> dict[str, Any]:
        """What the model is worth on customers it has not seen, out of time where cohorts allow."""
        samples = self._samples
        return judged(model, samples.test, self._policy) | {
            "cohorts": sorted(samples.test["cohort"].unique()) if len(samples.test) else [],
            "samples": {
                role: {"customers": len(rows), "defaults": int(rows["is_default"].sum())}
                for role, rows in (
                    ("fit", samples.fit),
                    ("calibration", samples.calibration),
                    ("test", samples.test),
                )
            },
            "default_share": samples.default_share,
            "left_out": self._left_out,
            "fairness": self._screened(model),
        }

    def _screened(self, model: LogOddsModel) -> dict[str, list[dict]]:
        """The adverse-impact screen, on the customers of the newest cohort who were not fitted on."""
        rows = pd.concat([self._samples.calibration, self._samples.test])
        if rows.empty:
            return {}
        rows = rows[rows["cohort"] == rows["cohort"].max()]
        favourable = self._policy.grades.names[: self._policy.fairness.favourable_grades]
        graded = pd.Series(_scale(self._policy).grade(model.default_probability(rows)))
        return adverse_impact.screen(
            self._known, self._settings, self._policy, rows["customer_id"], graded.isin(favourable).to_numpy()
        )

    def _judge(self, model: CreditModel) -> None:
        """Hold the challenger against the gates, and against the champion on the same rows."""
        samples, metrics = self._samples, self.challenger.metrics
        held = gates.held_against(
            self._policy,
            metrics,
            champion=self._champion and judged(fitted(self._champion), samples.test, self._policy),
            score_psi=float(model.monitoring.drift(model.count(samples.test)).loc["score", "psi"]),
            contradicted=contradicted_signs(model, _directions(self._policy)),
            adverse=metrics["fairness"],
        )
        self.challenger = model_registry.judge(self._settings, self.challenger.version, held, not gates.failed(held))


def left_out(policy: Policy, family: str, absent: Collection[str]) -> dict[str, str]:
    """The family's indices that the model has to do without as the source lacks these tables, and why."""
    return {
        name: f"the source has no {', '.join(tables)}"
        for name in policy.scored(family)
        if (tables := [table for table in policy.indices[name].needs if table in absent])
    }


def fit(samples: Samples, policy: Policy, family: str, without: Collection[str] = ()) -> CreditModel | ExpertScorecard:
    """The discriminant of these samples, or the policy's scorecard where they hold too few defaults (or others).

    ModelFitError where an index by itself tells defaults from the rest, or nothing can be fitted.
    """
    training = policy.training
    if min(smallest_class(samples.fit), smallest_class(samples.calibration) * 5) < training.min_defaults:
        expert = expert_scorecard(policy, family, without)
        everybody = pd.concat([samples.fit, samples.calibration, samples.test])
        return expert.watching(everybody) if len(everybody) else expert
    names = list(policy.scored(family))
    refuse_leaks(samples.fit[names], samples.fit["is_default"], training.max_index_auc)
    contradicting = {}
    model = _fitted(samples, names, policy)
    # The last one is for the gates to judge.
    while len(names) > 1 and (worst := _against_its_direction(model, policy)):
        index, points = worst
        contradicting[index] = f"weighed {points:.1f} points per standard deviation against its direction"
        names.remove(index)
        model = _fitted(samples, names, policy)
    model.transformer_.dropped_ |= contradicting
    return model


def _fitted(samples: Samples, names: list[str], policy: Policy) -> CreditModel:
    training = policy.training
    calibration = samples.calibration[names], samples.calibration["is_default"].to_numpy()
    model = CreditModel(_scorecard(policy), None if training.shrinkage == "none" else training.shrinkage).fit(
        samples.fit[names],
        samples.fit["is_default"].to_numpy(),
        calibration=calibration,
        fill={name: fixed for name in names if isinstance(fixed := policy.indices[name].missing, float)},
        binned=[name for name in names if name in training.binned],
        sentinels={name: codes for name, codes in training.sentinels.items() if name in names},
        directions={name: direction for name, direction in _directions(policy).items() if name in names},
    )
    if samples.fit["is_plain"].all():
        return model
    # Defaults are more than their share of the sample: that moves the intercept and the bins to count from, no weight.
    model.discriminant_ = model.discriminant_.shifted(samples.default_share)
    return model.recalibrated(*calibration).watching(samples.fit[samples.fit["is_plain"]])


def _against_its_direction(model: CreditModel, policy: Policy) -> tuple[str, float] | None:
    """The index that weighs most against its direction and more than the gate lets pass, with its points; None where
    there is none, or where the policy keeps such indices."""
    against = contradicted_signs(model, _directions(policy))
    worst = max(against, key=lambda name: abs(against[name]), default=None)
    limit = policy.promotion.gates.max_contradicted_points
    if worst is None or abs(against[worst]) <= limit or policy.training.contradicting_indices == "keep":
        return None
    return worst, abs(against[worst])


def _directions(policy: Policy) -> dict[str, str]:
    return {name: index.direction for name, index in policy.indices.items()}


def expert_scorecard(policy: Policy, family: str, without: Collection[str] = ()) -> ExpertScorecard:
    """What the policy grades by where nothing can be learnt; ``without`` indices that the source does not give."""
    known = {name: weight for name, weight in policy.expert_weights(family).items() if name not in without}
    weights = {f"{name}_band": weight for name, weight in known.items()}
    return ExpertScorecard(policy.expert.intercept, weights, policy.expert.missing_band, _scorecard(policy))


def judged(model: LogOddsModel, rows: pd.DataFrame, policy: Policy) -> dict[str, Any]:
    """``pipeline.scorecard.evaluate`` on labelled rows; the counts alone where there is nobody."""
    if rows.empty:
        return {"customers": 0, "defaults": 0}
    return evaluate(rows["is_default"].to_numpy(), model.default_probability(rows), _scale(policy), model.score(rows))


def smallest_class(rows: pd.DataFrame) -> int:
    """Rows in the smaller of the two classes."""
    return 0 if rows.empty else int(rows["is_default"].value_counts().reindex([0, 1], fill_value=0).min())


def _scale(policy: Policy) -> GradeScale:
    return GradeScale(policy.grades.names, policy.grades.cutoffs)


def _scorecard(policy: Policy) -> Scorecard:
    terms = policy.scorecard
    return Scorecard(points=terms.points, odds=terms.odds, pdo=terms.points_to_double_odds)
