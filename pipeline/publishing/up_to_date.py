"""Whether a published month is up to date: rating it again could only give what is published, and that is there."""

from pipeline.errors import LakeError, ModelError
from pipeline.models.in_force import model_in_force
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.fingerprint import fingerprint_now
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.audit import damage
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication


def up_to_date(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str,
    mode: str = "auto",
    model_version: str | None = None,
) -> Publication | None:
    """What is published of the month, if it is up to date and everything that follows from it was decided; None where
    a run has something to do, or where that is not known."""
    models = None if mode == "retrain" else _models_in_force(month, settings, policy, model_version)
    if models is None:
        return None
    with transaction(settings) as connection:
        published = publications.current(connection, month)
    if published is None or published.basis != basis or published.followed_up_at is None or published.stale_since:
        return None
    try:
        now = fingerprint_now(month, settings, policy, basis=basis, models=models)
    except LakeError:
        return None
    if published.recipe_sha256 != now.sha256:
        return None
    with transaction(settings) as connection:
        return None if damage(connection, published) else published


def _models_in_force(
    month: RatingMonth, settings: Settings, policy: Policy, model_version: str | None
) -> list[str] | None:
    """The version of each family that a published month is rated by again; None where a family has none."""
    try:
        named = model_version and model_registry.model(settings, model_version)
        return [
            named.version
            if named and named.family == family
            else model_in_force(month, settings, policy, family).version
            for family in policy.families
        ]
    except ModelError:
        return None
