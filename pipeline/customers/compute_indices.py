"""Step: one row per rated customer with every credit index of the policy."""

from pipeline.basis import Basis
from pipeline.customers.index_values import computed_from, write_indices
from pipeline.engine import open_engine
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings


def compute_indices(
    month: RatingMonth, settings: Settings, policy: Policy, *, basis: str = Basis.AS_KNOWN_THEN
) -> dict:
    """Write the lake's ``indices`` partition of the month and basis; see ``write_indices`` for its columns."""
    lake = Lake.of(settings)
    known = KnownRecords(lake, policy, month, basis)
    with open_engine(settings) as engine, lake.writing("indices", rating_month=month, basis=basis) as partition:
        computed = write_indices(engine, known, partition.folder, with_rules=True)
        partition.manifest(
            rows=computed.rows,
            input_sha256=computed.input_sha256,
            inputs=known.inputs.hashes(),
            known_in=str(known.known_in),
            policy_sha256=policy.sha256,
            computed_from=computed_from(known),
        )
    return {"month": str(month), "basis": basis, "customers": computed.rows, "indices": len(policy.indices)}
