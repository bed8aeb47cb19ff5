"""A challenger of one segment family: fitted, registered, and held against the gates."""

import hashlib
import json
from typing import Any

import pandas as pd

from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models import adverse_impact, cohorts, gates, model_card
from pipeline.models.drift import monitored
from pipeline.models.fit import (
    Samples,
    directions,
    evaluated,
    expert_scorecard,
    fit,
    grade_scale,
    left_out,
    smallest_class,
)
from pipeline.models.in_force import ModelChoice, fitted, lacking
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, ExpertScorecard, LogOddsModel, ModelFitError, contradicted_signs
from pipeline.settings import Settings
from pipeline.warehouse import model_registry


class Challenger:
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
        self._model: model_registry.Model | None = None
        self._registered: list[str] = []
        self.is_awaiting = False
        self._month, self._settings, self._policy, self._family = month, settings, policy, family
        self._rows, self._is_trial = rows, is_trial
        self._samples = Samples.of(rows, family)
        known = KnownRecords(Lake.of(settings), policy, month, basis)
        self._known = known.known_in
        self._left_out = left_out(policy, family, known.absent)
        champion = model_registry.champion(settings, family, month)
        self._champion = champion if champion is not None and not lacking(champion, policy) else None

    @property
    def model(self) -> model_registry.Model:
        """As it is registered; ModelError before that."""
        if self._model is None:
            raise ModelError(f"{self._month}: there is no {self._family} challenger")
        return self._model

    def train(self) -> ModelChoice:
        """The model to rate the month with: the challenger, or the one in force so far."""
        try:
            model = fit(self._samples, self._policy, self._family, self._left_out)
        except ModelFitError as error:
            raise ModelError(f"{self._month}: the {self._family} model cannot be trained: {error}") from None
        if isinstance(model, ExpertScorecard):
            return self._expert(model, f"{self._family}: too few defaults to learn from")
        self._register(model, "trained")
        if self._champion and self._champion.version == self.model.version:
            return ModelChoice(self._champion.version, False, f"{self._champion.version} is in force already")
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

    def _decide(self) -> ModelChoice:
        """One that passed is promoted as the policy says; without a champion, one that fails no hard gate."""
        challenger, champion, promotion = self.model, self._champion, self._policy.promotion
        refused = gates.failed(challenger.gates or ())
        if champion is None:
            if hard := gates.failed(challenger.gates or (), is_hard=True):
                reason = f"{challenger.version} is refused: {gates.describe(hard)}; no model is in force"
                return self._expert(expert_scorecard(self._policy, self._family, self._left_out), reason)
            soft = f", though it fails {gates.describe(refused)}" if refused else ""
            return ModelChoice(challenger.version, True, f"{challenger.version} is the first model{soft}")
        if refused:
            note = f"{challenger.version} is refused: {gates.describe(refused)}; {champion.version} goes on"
            return ModelChoice(champion.version, False, note)
        if promotion.mode == "automatic" and promotion.shadow_months == 0:
            return ModelChoice(challenger.version, True, f"{challenger.version} passed its gates and is promoted")
        self.is_awaiting = True
        waits = f"for {promotion.shadow_months} shadow months" if promotion.mode == "automatic" else "for approval"
        note = f"{challenger.version} passed its gates and waits {waits}; {champion.version} goes on"
        return ModelChoice(champion.version, False, note)

    def _expert(self, model: ExpertScorecard, reason: str) -> ModelChoice:
        """The policy's scorecard rates where no model can, and replaces an older one of its kind."""
        champion = self._champion
        if champion is not None and isinstance(fitted(champion), CreditModel):
            return ModelChoice(champion.version, False, f"{reason}; {champion.version} goes on")
        self._register(model, "expert")
        is_new = champion is None or champion.version != self.model.version
        return ModelChoice(self.model.version, is_new, f"{reason}: the expert scorecard grades")

    def _register(self, model: LogOddsModel, origin: str, provenance: dict[str, Any] | None = None) -> None:
        parameters = model.to_dict()
        made_of = json.dumps([parameters, self._rows.input_sha256, self._policy.sha256], sort_keys=True)
        digest = hashlib.sha256(made_of.encode()).hexdigest()
        name = f"{self._family}-{self._month}" + ("-recalibrated" if origin == "recalibrated" else "")
        version = f"{name}-{digest[:8]}"
        self._registered.append(version)
        self._model = model_registry.register(
            self._settings,
            version=version,
            family=self._family,
            effective_from=self._month,
            parameters=parameters,
            metrics=self._metrics(model),
            input_sha256=self._rows.input_sha256,
            policy_sha256=self._policy.sha256,
            origin=origin,
            provenance={"cohorts": [str(cohort) for cohort in self._rows.cohorts], **(provenance or {})},
            is_trial=self._is_trial,
        )

    def _metrics(self, model: LogOddsModel) -> dict[str, Any]:
        """What the model is worth on customers it has not seen, out of time where cohorts allow."""
        samples = self._samples
        return evaluated(model, samples.test, self._policy) | {
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
        graded = pd.Series(grade_scale(self._policy).grade(model.default_probability(rows)))
        return adverse_impact.screen(
            self._known, self._settings, self._policy, rows["customer_id"], graded.isin(favourable).to_numpy()
        )

    def _judge(self, model: CreditModel) -> None:
        """Hold the challenger against the gates, and against the champion on the same rows."""
        samples, metrics = self._samples, self.model.metrics
        held = gates.held_against(
            self._policy,
            metrics,
            champion=evaluated(fitted(self._champion), samples.test, self._policy) if self._champion else None,
            score_psi=float(monitored(model).drift(model.count(samples.test)).loc["score", "psi"]),
            contradicted=contradicted_signs(model, directions(self._policy)),
            adverse=metrics["fairness"],
        )
        self._model = model_registry.judge(self._settings, self.model.version, held, not gates.failed(held))
