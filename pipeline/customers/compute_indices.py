"""Step: one row per rated customer with every credit index of the policy."""

from pipeline.engine import open_engine
from pipeline.lake import Lake, known_records
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings


def compute_indices(
    month: RatingMonth, settings: Settings, policy: Policy, *, basis: str = known_records.AS_KNOWN_THEN
) -> dict:
    """Write the lake's ``indices`` partition of the month and basis; see ``measure.write_indices`` for its columns."""
    lake = Lake(settings.lake_path)
    known = known_records.known_in(lake, month, basis)
    with open_engine(settings) as engine, lake.writing("indices", rating_month=month, basis=basis) as partition:
        measured = known_records.write_indices(
            engine, lake, policy, month, partition.folder, known_in=known, with_grade_facts=True
        )
        partition.manifest(
            rows=measured.rows,
            input_sha256=measured.input_sha256,
            inputs=known_records.inputs(lake, policy, month, known_in=known).hashes(),
            known_in=str(known),
            policy_sha256=policy.sha256,
        )
    return {"month": str(month), "basis": basis, "customers": measured.rows, "indices": len(policy.indices)}
