"""Putting a model version in force by a person's word, from the command line or the console."""

from pipeline.errors import ModelError
from pipeline.models import gates, model_card
from pipeline.models.in_force import lacking
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.model_registry import Model


def promote(
    settings: Settings,
    policy: Policy,
    version: str,
    by: str,
    *,
    since: RatingMonth | None = None,
    reason: str = "",
) -> Model:
    """Put a version in force from ``since`` on (None: the first month that is not published) and write its card.

    ModelError when the policy lacks an index it needs, or when it did not pass its gates and no reason overrules them.
    """
    model = model_registry.model(settings, version)
    if missing := lacking(model, policy):
        raise ModelError(f"model {version} needs {', '.join(missing)}, which the policy's indices do not give")
    if not model.has_passed and model.origin != "expert" and not reason:
        found = "was held against no gates here" if model.gates is None else gates.describe(gates.failed(model.gates))
        raise ModelError(f"model {version} has not passed its gates ({found}): to overrule them give a --reason")
    promoted = model_registry.promote(settings, version, by, from_month=since, reason=reason)
    model_card.write(settings, policy, promoted)
    return promoted


def published_since(settings: Settings, month: RatingMonth) -> list[RatingMonth]:
    """The published months from this one on: a promotion from ``month`` leaves them as they are until re-rated."""
    with transaction(settings) as connection:
        return [one.rating_month for one in publications.published(connection) if one.rating_month >= month]
