"""The sensitivity of a month in the lake as its step leaves it, for months in which it does not matter."""

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.grading.sensitivity import SCHEMA
from pipeline.lake import Lake
from pipeline.month import RatingMonth

SHAKEN = {
    **{"segment": "residential", "risk_factor": "management", "shock": -0.1, "is_ranking_shock": True},
    **{"customers": 20, "evaluation_value": 0.8, "score_after_change": 0.72, "absolute_change": -0.08},
    **{"relative_change": -0.1, "elasticity": 1.0, "grade_changes": 3, "upgrades": 0, "downgrades": 3},
    **{"mean_credit_score": 600.0, "mean_credit_score_after": 590.0},
    **{"expected_defaults": 0.4, "expected_defaults_after": 0.6},
}


def write_sensitivity(lake: Lake, month: RatingMonth, *, basis: str = "as_known_then", rows=(SHAKEN,)) -> None:
    with lake.writing("sensitivity", rating_month=month, basis=basis) as partition:
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), partition.folder / "part-0.parquet")
        partition.manifest(rows=len(rows), input_sha256="i" * 64)
