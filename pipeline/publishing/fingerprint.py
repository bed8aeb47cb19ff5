"""All that the published content of a month follows from, as hashes. Equal: the month need not be rated again."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from pipeline import version
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, model_registry, overrides
from pipeline.warehouse.connection import transaction


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of the records (and of those left out), the policy as far as it rates, the models, the overrides, the
    queries and code that rate, and what is carried over from the months before."""

    basis: str
    input_sha256: str
    rating_policy_sha256: str
    model_sha256: str
    overrides_sha256: str
    code_sha256: str
    carried_over: Mapping[str, str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def fingerprint_now(
    month: RatingMonth, settings: Settings, policy: Policy, *, basis: str, models: Collection[str]
) -> Fingerprint:
    """That of a rating of the month by these model versions, with the lake as it is now.

    LakeError where the lake lacks the month's customers, or records were never validated.
    """
    known = KnownRecords(Lake.of(settings), policy, month, basis)
    decided = overrides.in_force(settings, month, known.known_before)
    with transaction(settings) as connection:
        return Fingerprint(
            basis=basis,
            input_sha256=known.inputs.sha256,
            rating_policy_sha256=policy.rating_sha256,
            model_sha256=model_registry.models_sha256(connection, models),
            overrides_sha256=overrides.sha256(decided),
            code_sha256=version.sha256(),
            carried_over=carry_over.carried_over(connection, month),
        )
