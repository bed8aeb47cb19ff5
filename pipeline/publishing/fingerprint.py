"""All that the published content of a month follows from. Equal again, and the month need not be rated again."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from pipeline import version
from pipeline.errors import LakeError, ModelError
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models.in_force import model_in_force
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, model_registry, overrides, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication


@dataclass(frozen=True)
class Recipe:
    """Hashes of the records (and of what is left out of them), the policy, the models, what people decided, the queries
    and the code, and what is taken over from the months before."""

    basis: str
    input_sha256: str
    policy_sha256: str
    model_sha256: str
    overrides_sha256: str
    code_sha256: str
    taken_over: Mapping[str, str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def recipe_now(
    month: RatingMonth, settings: Settings, policy: Policy, *, basis: str, models: Collection[str]
) -> Recipe:
    """What a rating of the month by these model versions would follow from now, with the lake as it is.

    LakeError where the lake lacks the month's customers, or records were never validated.
    """
    known = KnownRecords(Lake(settings.lake_path), policy, month, basis)
    decided = overrides.in_force(settings, month, known.known_before)
    with transaction(settings) as connection:
        return Recipe(
            basis=basis,
            input_sha256=known.inputs.sha256,
            policy_sha256=policy.sha256,
            model_sha256=model_registry.models_sha256(connection, models),
            overrides_sha256=overrides.sha256(decided),
            code_sha256=version.sha256(),
            taken_over=carry_over.taken_over(connection, month),
        )


def standing(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str,
    mode: str = "auto",
    model_version: str | None = None,
) -> Publication | None:
    """What is published of the month, if rating it again could only find the same, and everything that follows from it
    was decided; None where a run has something to do, or where that cannot be told."""
    models = None if mode == "retrain" else _models_in_force(month, settings, policy, model_version)
    if models is None:
        return None
    with transaction(settings) as connection:
        published = publications.current(connection, month)
    if published is None or published.basis != basis or published.followed_up_at is None or published.stale_since:
        return None
    try:
        recipe = recipe_now(month, settings, policy, basis=basis, models=models)
    except LakeError:
        return None
    return published if published.recipe_sha256 == recipe.sha256 else None


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
