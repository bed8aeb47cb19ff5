"""Step: what a change of one risk factor at a time does to the month's ratings.

A factor is a set of indices (policy ``sensitivity.factors``). Each is shocked by a share of its own size, and the
customers are scored again: only the linear points of these indices can have changed. What comes out is a row a segment,
factor and shock.
"""

from collections import defaultdict

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.basis import Basis
from pipeline.engine import open_engine
from pipeline.grading.sensitivity_query import FINE, SCORE_UNIT, sensitivity_query
from pipeline.lake import Lake
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard.shock import Change, ranks
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from pipeline.warehouse.monthly_tables import TABLES

SCHEMA = TABLES["risk_sensitivity"].schema
Totals = dict[tuple[str, str, float | None], dict[str, int]]
"""By segment, factor and shock; None: how things are."""


def sensitivity(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    models: dict[str, str],
) -> dict:
    """Write the lake's ``sensitivity`` partition from ``indices`` and ``grades``; columns as rating.risk_sensitivity.

    ``models``: the version of each family that graded the month. A factor that no customer of a segment has a value
    of has no rows there. The summary ranks each segment's factors by relative change at the policy's shock.
    """
    lake = Lake.of(settings)
    made_from = {
        table: lake.manifest(table, rating_month=month, basis=basis)["sha256"] for table in ("indices", "grades")
    }
    graded = lake.manifest("grades", rating_month=month, basis=basis)
    totals: Totals = {}
    with (
        open_engine(settings) as engine,
        lake.writing("sensitivity", rating_month=month, basis=basis) as partition,
    ):
        for table in ("indices", "grades"):
            engine.bind_files(table, lake.files(table, rating_month=month, basis=basis))
        engine.bind_table("shocks", pa.table({"shock": pa.array([None, *policy.sensitivity.shocks], pa.float64())}))
        for family, version in models.items():
            model = fitted(model_registry.model(settings, version))
            for factor in policy.sensitivity.factors:
                if names := policy.factor_indices(factor, family):
                    for row in engine.fetch(sensitivity_query(factor, names, family, model, policy)).to_pylist():
                        totals[row["segment"], factor, row["shock"]] = row
        rows = _rows(totals, policy)
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partition.folder / "part-0.parquet", compression="zstd")
        partition.manifest(
            rows=len(rows),
            made_from=made_from,
            input_sha256=graded["input_sha256"],
            policy_sha256=policy.sha256,
            model_versions=models,
        )
    return {"month": str(month), "basis": basis, "rows": len(rows), "ranks": _ranks(rows)}


def _rows(totals: Totals, policy: Policy) -> list[dict]:
    analysed = sorted((segment, factor) for segment, factor, shock in totals if shock is None)
    return [
        _row(segment, factor, shock, totals[segment, factor, None], totals[segment, factor, shock])
        | {"is_ranking_shock": shock == policy.sensitivity.shock}
        for segment, factor in analysed
        for shock in policy.sensitivity.shocks
        if totals[segment, factor, None]["evaluated"]
    ]


def _row(segment: str, factor: str, shock: float, before: dict[str, int], after: dict[str, int]) -> dict:
    evaluated = FINE * before["evaluated"]
    change = Change(before["value"] / evaluated, after["value"] / evaluated, shock)
    return {
        "segment": segment,
        "risk_factor": factor,
        "shock": shock,
        "customers": before["customers"],
        "evaluation_value": change.before,
        "score_after_change": change.after,
        "absolute_change": change.absolute,
        "relative_change": change.relative,
        "elasticity": change.elasticity,
        "grade_changes": after["upgrades"] + after["downgrades"],
        "upgrades": after["upgrades"],
        "downgrades": after["downgrades"],
        "mean_credit_score": SCORE_UNIT * before["score"] / FINE / before["customers"],
        "mean_credit_score_after": SCORE_UNIT * after["score"] / FINE / before["customers"],
        "expected_defaults": before["probability"] / FINE,
        "expected_defaults_after": after["probability"] / FINE,
    }


def _ranks(rows: list[dict]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        if row["is_ranking_shock"]:
            sizes[row["segment"]][row["risk_factor"]] = row["relative_change"]
    return {segment: ranks(factors) for segment, factors in sizes.items()}
