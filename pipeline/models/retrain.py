"""Step: a challenger for each segment family, held against the gates, and the models that rate the month.

A model learns from cohorts: the customers of an earlier month, their indices as known then, and what became of them in
the policy's horizon (pipeline/models/cohorts.py). Nothing is promoted here: publishing the month does that, together
with the grades, so that a month whose audit fails leaves the champion where it was.
"""

import logging
from collections.abc import Collection
from typing import Any

from pipeline.basis import Basis
from pipeline.models import cohorts
from pipeline.models.challenger import Challenger
from pipeline.models.in_force import model_in_force
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import model_registry

_LOG = logging.getLogger(__name__)


def retrain(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    families: Collection[str] | None = None,
    why: str = "",
    basis: str = Basis.AS_KNOWN_THEN,
    dry_run: bool = False,
    on_part: cohorts.OnPart = lambda what, share: None,
) -> dict[str, Any]:
    """Fit, register and judge a challenger for each of ``families`` (default: all); the models to rate the month with.

    ``models`` by family; ``promotes``: those of them that the month's publication promotes, with the reason;
    ``awaiting``: those that passed their gates and wait for a person or for their shadow months. A family with too few
    defaults to learn from gets the policy's expert scorecard. ModelError stops the training where an index knows the
    outcome. A dry run's challengers are marked as trials. ``on_part`` is told what is under way, and the share of the
    work that is done.
    """
    families = [family for family in policy.families if families is None or family in families]
    chosen_models, awaiting = {}, []
    with cohorts.labelled(month, settings, policy, basis, on_part=on_part) as rows:
        for family in families:
            challenger = Challenger(month, settings, policy, basis, family, rows, is_trial=dry_run)
            chosen_models[family] = challenger.train()
            awaiting += [challenger.model.version] if challenger.is_awaiting else []
            challenger.write_cards()
            _LOG.info("%s %s: %s", month, family, chosen_models[family].note)
        learnt_from = [str(cohort) for cohort in rows.cohorts]
    chosen_models |= {
        family: model_in_force(month, settings, policy, family)
        for family in policy.families
        if family not in chosen_models
    }
    return {
        "month": str(month),
        "mode": "retrain",
        "cohorts": learnt_from,
        "models": {family: chosen_models[family].version for family in policy.families},
        "promotes": {chosen.version: chosen.note for chosen in chosen_models.values() if chosen.is_promoted},
        "awaiting": awaiting,
        "decision": "; ".join(
            ["retrained: " + (why or "asked to"), *(one.note for one in chosen_models.values() if one.note)]
        ),
    }


def recalibrate(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    version: str,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    on_part: cohorts.OnPart = lambda what, share: None,
) -> dict[str, Any]:
    """Register a challenger with the weights of ``version`` and a calibration of today: on the cohorts that are out of
    time as of the month. Nobody's place in the order changes. ModelError for the expert scorecard, which has none."""
    original = model_registry.model(settings, version)
    roles = ("calibration", "test")
    with cohorts.labelled(month, settings, policy, basis, roles=roles, on_part=on_part) as rows:
        challenger = Challenger(month, settings, policy, basis, original.family, rows)
        challenger.recalibrate(original)
        challenger.write_cards()
    model = challenger.model
    return {
        "month": str(month),
        "recalibrated": version,
        "version": model.version,
        "has_passed": model.has_passed,
        "gates": model.gates,
    }
