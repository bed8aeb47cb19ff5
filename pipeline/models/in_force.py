"""Which registered model rates a family in a month: the one in force, or a challenger that takes effect in it."""

from typing import NamedTuple

from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, ExpertScorecard, model_from_dict
from pipeline.settings import Settings
from pipeline.warehouse import model_registry


class ModelChoice(NamedTuple):
    """The version to rate with, whether publishing the month promotes it, and what there is to say about that."""

    version: str
    is_promoted: bool = False
    note: str = ""


def model_in_force(month: RatingMonth, settings: Settings, policy: Policy, family: str) -> ModelChoice:
    """The champion whose time covers the month; or, where the policy promotes by itself and the month was never
    published, the youngest challenger that passed its gates and has its shadow months behind it.

    ModelError when there is neither.
    """
    promotion = policy.promotion
    if promotion.mode == "automatic":
        challenger = model_registry.pending(settings, family, month, promotion.shadow_months)
        if challenger is not None and not lacking(challenger, policy):
            return ModelChoice(challenger.version, True, f"{challenger.version} passed its gates and is promoted")
    champion = model_registry.champion(settings, family, month)
    if champion is None:
        raise ModelError(f"{month}: no {family} model is in force for that month; run it with mode retrain")
    return ModelChoice(champion.version)


def lacking(model: model_registry.Model, policy: Policy) -> list[str]:
    """Columns the model rates by and the indices that enter its family's score do not give."""
    given = {column for name in policy.scored(model.family) for column in (name, f"{name}_band")}
    return [column for column in fitted(model).columns if column not in given]


def fitted(model: model_registry.Model) -> CreditModel | ExpertScorecard:
    """The model itself, to score with. ModelError where it is not the one that was registered."""
    model_registry.require_unchanged(model)
    return model_from_dict(model.parameters)
