"""Customers as the indices of a month have them, and the policy's scorecard to grade them by."""

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.customers.index_values import rule_facts
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import ExpertScorecard
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from tests.support.records.groups import member, write_groups
from tests.support.records.sensitivity import write_sensitivity

OCTOBER = RatingMonth(2026, 10)
BASIS = {"basis": "as_known_then"}
MODELS = {"residential": "homes", "non_residential": "firms"}


def customer(number: int, policy: Policy, *, segment: str = "residential", band: str = "A", **changed) -> dict:
    """One of the same band throughout."""
    return {
        "customer_id": f"C{number:05}",
        "segment": segment,
        "family": policy.family_of(segment),
        "region": "north",
        "is_in_default": False,
        "is_thin_file": False,
        **dict.fromkeys((*rule_facts(), "is_default_by_register"), False),
        "rules_in_force": None,
        "quarantined_records": 0,
        **{name: 0.5 for name in policy.indices},
        **{f"{name}_missing": False for name in policy.indices},
        **{f"{name}_band": band for name in policy.indices},
    } | changed


def write_indices(settings: Settings, rows: pa.Table, month: RatingMonth = OCTOBER) -> None:
    """The month's ``indices``, and groups and sensitivity with it, so that it can be graded and published."""
    lake = Lake(settings.lake_path)
    with lake.writing("indices", rating_month=month, **BASIS) as partition:
        pq.write_table(rows, partition.folder / "part-0.parquet")
        partition.manifest(rows=len(rows), input_sha256="i" * 64, inputs={}, known_in=str(month))
    members = [member(row["customer_id"], row["segment"]) for row in rows.to_pylist()]
    write_groups(lake, members, month)
    write_sensitivity(lake, month)


def expert(policy: Policy, family: str = "residential") -> ExpertScorecard:
    weights = {f"{name}_band": weight for name, weight in policy.expert_weights(family).items()}
    return ExpertScorecard(policy.expert.intercept, weights, policy.expert.missing_band)


def register(settings: Settings, family: str, version: str, model) -> None:
    model_registry.register(
        settings,
        version=version,
        family=family,
        effective_from=OCTOBER,
        parameters=model.to_dict(),
        metrics={},
        input_sha256="i" * 64,
        policy_sha256="p" * 64,
    )
