"""Step: which model rates the month. Retrain or apply, and the models that are applied."""

import logging
from typing import Any

from pipeline.basis import Basis
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.models import drift
from pipeline.models.in_force import ModelChoice, fitted, lacking, model_in_force
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction

MODES = ("auto", "retrain", "apply")
_LOG = logging.getLogger(__name__)


def choose(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    mode: str = "auto",
    model_version: str | None = None,
    basis: str = Basis.AS_KNOWN_THEN,
) -> dict[str, Any]:
    """``{"mode": "retrain" or "apply", "families": those to retrain, "why": the reason in words}``.

    As asked; in mode auto as policy ``retraining`` says: a family is retrained that has no model for the month, or none
    that can rate with today's indices, when the calendar says so, or when the month has drifted. A month that is
    published keeps its models.
    """
    if mode not in MODES:
        raise ModelError(f"mode {mode!r} is unknown: choose {', '.join(MODES)}")
    if model_version is not None and mode == "retrain":
        raise ModelError("a model version can be applied, not retrained: leave out one of mode and model_version")
    if model_version is not None:
        decision = _decision("apply", [], f"asked to apply {model_version}")
    elif mode == "auto":
        decision = _decide(month, settings, policy, basis)
    else:
        decision = _decision(mode, list(policy.families) if mode == "retrain" else [], f"asked to {mode}")
    _LOG.info("%s %s: %s", month, decision["mode"], decision["why"])
    return decision


def apply(
    month: RatingMonth, settings: Settings, policy: Policy, *, model_version: str | None = None, why: str = ""
) -> dict[str, Any]:
    """The model that serves each family in that month, with ``model_version`` in place of its own family's.

    ``models`` by family; ``promotes``: those of them that the month's publication promotes, with the reason.
    """
    chosen_models = {}
    if model_version is not None:
        named = model_registry.model(settings, model_version)
        chosen_models[named.family] = ModelChoice(named.version)
    for family in policy.families:
        if family not in chosen_models:
            chosen_models[family] = model_in_force(month, settings, policy, family)
    return {
        "month": str(month),
        "mode": "apply",
        "models": {family: chosen.version for family, chosen in chosen_models.items()},
        "promotes": {chosen.version: chosen.note for chosen in chosen_models.values() if chosen.is_promoted},
        "decision": "; ".join(["applied: " + (why or "asked to"), *(s.note for s in chosen_models.values() if s.note)]),
    }


def _decision(mode: str, families: list[str], why: str) -> dict[str, Any]:
    return {"mode": mode, "families": families, "why": why}


def _decide(month: RatingMonth, settings: Settings, policy: Policy, basis: str) -> dict[str, Any]:
    champions = {family: model_registry.champion(settings, family, month) for family in policy.families}
    with transaction(settings) as connection:
        is_published = publications.current(connection, month) is not None
    reasons = {family: reason for family, champion in champions.items() if (reason := _unfit(champion, policy))}
    if not reasons and is_published:
        return _decision("apply", [], "the month is published, its models stay")
    fit = {family: champion for family, champion in champions.items() if champion and family not in reasons}
    if not is_published:
        trained = {family: _last_trained(settings, champion, month) for family, champion in fit.items()}
        due = {
            family: why for family, champion in fit.items() if (why := _due(champion, trained[family], month, policy))
        }
        others = {family: champion for family, champion in fit.items() if family not in due}
        reasons |= due | _drifted(others, trained, month, settings, policy, basis)
    if not reasons:
        return _decision("apply", [], "nothing speaks for retraining")
    return _decision("retrain", list(reasons), "; ".join(f"{family}: {reason}" for family, reason in reasons.items()))


def _unfit(champion: model_registry.Model | None, policy: Policy) -> str | None:
    """Why a family has nothing to be rated with."""
    if champion is None:
        return "no model is in force"
    if missing := lacking(champion, policy):
        return f"{champion.version} needs {', '.join(missing)}, which the policy's indices no longer have"
    return None


def _last_trained(settings: Settings, champion: model_registry.Model, month: RatingMonth) -> RatingMonth:
    """As of when the family was last trained before this month, whether that model was promoted or refused. Dry runs do
    not count, nor does training for this very month: a run that broke off trains again, and makes the same."""
    if champion.trained_month == month:
        return month
    earlier = [
        model.trained_month
        for model in model_registry.models(settings)
        if model.family == champion.family
        and model.trained_month < month
        and not model.is_trial
        and model.origin != "recalibrated"
    ]
    return max(earlier, default=champion.trained_month)


def _due(champion: model_registry.Model, trained: RatingMonth, month: RatingMonth, policy: Policy) -> str | None:
    """What the calendar says."""
    calendar = policy.retraining
    age = month - trained
    every = calendar.expert_every_months if champion.parameters.get("kind") == "expert" else calendar.every_months
    if every and age >= every:
        return f"calendar: {age} months since the training of {trained}, policy every {every}"
    if month.month in calendar.in_months and age > 0:
        return f"calendar: {month.first_day:%B} is a month of policy retraining.in_months"
    return None


def _drifted(
    champions: dict[str, model_registry.Model],
    trained: dict[str, RatingMonth],
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    basis: str,
) -> dict[str, str]:
    """What has drifted, by family; nothing of one that was trained too recently."""
    rested = {
        family: fitted(champion)
        for family, champion in champions.items()
        if month - trained[family] >= max(1, policy.retraining.drift_rest_months)
    }
    has_indices = Lake.of(settings).has("indices", rating_month=month, basis=basis)
    if not policy.retraining.on_drift or not rested or not has_indices:
        return {}
    found = drift.compare(month, settings, policy, rested, basis=basis)
    reasons = {}
    for family in rested:
        over = drift.passed_limit([one for one in found if one.family == family], policy)
        if over:
            limit = policy.monitoring.max_psi
            reasons[family] = f"drift: {', '.join(f'{one.name} {one.psi:.2f}' for one in over)} (limit {limit:g})"
    return reasons
