"""Backtest: the outcomes of an earlier month's customers against the probabilities published then.

Joined and counted by the engine: ratios are formed last, from exact sums.
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.customers.outcomes import cohort_snapshot, write_outcomes
from pipeline.engine import open_engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models import gates
from pipeline.models.cohorts import bind_sample
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import calibration_by_grade
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction

_RATED = {
    "customer_id": pa.string(),
    "model_version": pa.string(),
    "score": pa.float64(),
    "default_probability": pa.float64(),
}
_NORMAL_95 = 1.959963984540054

Check = dict[str, Any]


def checks(
    month: RatingMonth, cohort: RatingMonth, settings: Settings, policy: Policy, *, basis: str
) -> list[dict[str, Any]]:
    """Rows of rating.model_monitoring: AUC, KS, Brier score and calibration by grade of each model that rated the
    cohort, by its outcomes as known in ``month`` on this basis. Empty where the cohort was not published."""
    with transaction(settings) as connection:
        then = publications.current(connection, cohort)
    if then is None:
        return []
    lake = Lake.of(settings)
    known = KnownRecords(lake, policy, month, basis).known_in
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as scratch:
        folder = Path(scratch)
        _write_rated(settings, cohort, folder / "rated.parquet")
        share = policy.monitoring.max_customers / max(1, lake.manifest("customers", snapshot_month=known)["rows"])
        snapshot = cohort_snapshot(engine, lake, policy, cohort, known)
        only = bind_sample(engine, lake, [snapshot], share, f"matured {cohort} ")
        outcomes = write_outcomes(
            engine, lake, policy, cohort, folder, known_in=known, customers_of=snapshot, only=only
        )
        engine.bind_files("rated", [str(folder / "rated.parquet")])
        engine.bind_files("outcomes", [str(file) for file in outcomes.files])
        engine.write(queries.query("joined_outcomes"), {}, folder / "rated_outcomes.parquet")
        engine.bind_files("rated_outcomes", [str(folder / "rated_outcomes.parquet")])
        engine.bind_table("grade_bounds", _bounds(policy))
        discrimination = engine.fetch(queries.compose("select * from discrimination")).to_pylist()
        by_grade = engine.fetch(queries.compose("select * from calibration")).to_pandas()
    found = []
    for row in discrimination:
        model = model_registry.model(settings, row["model_version"])
        of_it = by_grade[by_grade["model_version"] == model.version].set_index("grade").drop(columns="model_version")
        common: dict[str, Any] = {"segment": model.family, "version": model.version, "compared_with": "outcomes"}
        common |= {"compared_month": cohort.first_day}
        measured = [*_discrimination_checks(row, model, policy), *_calibration_checks(of_it.astype(float), policy)]
        found += [common | check for check in measured]
    return found


def _write_rated(settings: Settings, cohort: RatingMonth, path: Path) -> None:
    schema = pa.schema(_RATED)
    with (
        publications.published_grades(settings, cohort, tuple(_RATED)) as batches,
        pq.ParquetWriter(path, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch.cast(schema))


def _bounds(policy: Policy) -> pa.Table:
    """Which grade a default probability belongs to; the last one holds 1."""
    bounds = [0.0, *policy.grades.cutoffs, 2.0]
    columns = {"grade": policy.grades.names, "from_probability": bounds[:-1], "below_probability": bounds[1:]}
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _discrimination_checks(row: dict[str, Any], model: model_registry.Model, policy: Policy) -> list[dict[str, Any]]:
    """AUC with DeLong's interval, KS and Brier score, from exact sums."""
    defaults, others = int(row["defaults"]), int(row["others"])
    counted = {"subject": "all", "customers": defaults + others, "defaults": defaults}
    if not defaults or not others:
        return []
    limits = policy.monitoring
    auc = int(row["concordant"]) / (2 * defaults * others)
    reach = _NORMAL_95 * math.sqrt(
        _variance(int(row["squares_of_defaults"]), int(row["concordant"]), defaults, others)
        + _variance(int(row["squares_of_others"]), int(row["concordant"]), others, defaults)
    )
    expected = model.metrics.get("auc", {}).get("value")
    limit = None if expected is None else expected - limits.max_auc_loss
    if limit is None or defaults < limits.min_defaults:
        status = "not_judged"
    else:
        status = "fail" if auc + reach < limit else "warn" if auc < limit else "pass"
    interval = {"low": max(0.0, auc - reach), "high": min(1.0, auc + reach)}
    ks = int(row["distance"]) / (defaults * others)
    brier = float(row["squared_error"]) / (defaults + others)
    return [
        counted
        | {"measure": "auc", "value": auc, "expected": expected, "limit_value": limit, "status": status}
        | interval,
        counted | {"measure": "ks", "value": ks, "expected": model.metrics.get("ks"), "status": "not_judged"},
        counted | {"measure": "brier", "value": brier, "expected": model.metrics.get("brier"), "status": "not_judged"},
    ]


def _variance(squares: int, concordant: int, rows: int, against: int) -> float:
    """Variance of the mean over ``rows`` of the share of ``against`` that each beats: exact up to the last division."""
    if rows < 2:
        return 0.25
    return (squares * rows - concordant * concordant) / (rows * (rows - 1)) / (2 * against) ** 2 / rows


def _calibration_checks(by_grade: pd.DataFrame, policy: Policy) -> list[dict[str, Any]]:
    """Defaults against those that were expected, by grade and in all."""
    limits = policy.monitoring
    whole = by_grade.sum().to_frame("all").T
    is_judged = bool(whole.at["all", "defaults"] >= limits.min_defaults)
    found = []
    for table in (calibration_by_grade(by_grade), calibration_by_grade(whole)):
        for grade, row in table.to_dict("index").items():
            error, _ = gates.off_calibration({grade: row}, limits.min_calibration_p)
            found.append(
                {
                    "measure": "calibration",
                    "subject": str(grade),
                    "value": row["default_rate"],
                    "low": row["low"],
                    "high": row["high"],
                    "expected": row["expected_rate"],
                    "customers": int(row["customers"]),
                    "defaults": int(row["defaults"]),
                    "status": _status(is_judged, error > limits.max_calibration_error),
                    "detail": f"p {row['p_adjusted']:.2g}",
                }
            )
    return found


def _status(is_judged: bool, is_over: bool) -> str:
    return "not_judged" if not is_judged else "fail" if is_over else "pass"
