"""Step: score, default probability and grade of every rated customer."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import version
from pipeline.basis import Basis
from pipeline.engine import Engine, open_engine, queries
from pipeline.errors import ConfigError, ModelError
from pipeline.grading.grade_query import Models, grade_query
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard.sql import text
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, model_registry, overrides, publications
from pipeline.warehouse.audit import require_carried_over
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.monthly_tables import TABLES
from pipeline.warehouse.overrides import Override

SCHEMA = TABLES["credit_grades"].schema


def grade(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    models: dict[str, str],
    promotes: Mapping[str, str] | None = None,
    decision: str = "",
) -> dict:
    """Write the lake's ``grades`` partition: one row per row of ``indices``, graded by its family's model version.

    Columns as rating.credit_grades. A customer in default has probability 1; the score stays the model's. What
    may change the grade is in ``grade_rules``. notch_change counts grades up (+) or down (-) from the last month
    published before, where there is one. ``promotes`` (of ``models``, those that its publication promotes, and why) and
    ``decision`` (why these) go with the grades to their publication.
    """
    lake = Lake.of(settings)
    named = {family: model_registry.model(settings, version) for family, version in models.items()}
    graded_by = {family: (model.version, fitted(model)) for family, model in named.items()}
    query = grade_query(month, graded_by, policy)
    measured = lake.manifest("indices", rating_month=month, basis=basis)
    decided = _decided_by_hand(month, settings, policy, basis)
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        lake.writing("grades", rating_month=month, basis=basis) as partition,
    ):
        engine.bind_files("indices", lake.files("indices", rating_month=month, basis=basis))
        engine.bind_table("decided", _one_a_customer(decided, policy))
        previous = _bind_previous(engine, month, settings, Path(scratch))
        _require_models(engine, month, graded_by)
        file = partition.folder / "part-0.parquet"
        rows = engine.write(query, None, file)
        engine.bind_files("grades", [str(file)])
        counted = engine.fetch(queries.compose("select grade, count(*) as customers from grades group by grade"))
        counts = dict(zip(counted["grade"].to_pylist(), counted["customers"].to_pylist(), strict=True))
        partition.manifest(
            rows=rows,
            population=measured["rows"],
            made_from={"indices": measured["sha256"]},
            input_sha256=measured["input_sha256"],
            policy_sha256=policy.sha256,
            rating_policy_sha256=policy.rating_sha256,
            code_sha256=version.sha256(),
            overrides_sha256=overrides.sha256(decided),
            model_versions=models,
            **previous,
            promotes=promotes or {},
            model_decision=decision,
        )
    return {
        "month": str(month),
        "basis": basis,
        "models": models,
        "grades": {name: counts.get(name, 0) for name in policy.grades.names},
    }


def _require_models(engine: Engine, month: RatingMonth, models: Models) -> None:
    families = ", ".join(text(family) for family in models)
    query = f"select distinct segment from indices where family is null or family not in ({families}) order by segment"
    if unknown := engine.fetch(queries.compose(query))["segment"].to_pylist():
        raise ModelError(
            f"{month}: no model for segment {', '.join(map(str, unknown))}; policy families must name every segment"
        )


def _bind_previous(engine: Engine, month: RatingMonth, settings: Settings, scratch: Path) -> dict:
    """Bind view ``previous`` (customer_id, grade) to what is published of the last month before; what the manifest says
    of it."""
    path = scratch / "previous.parquet"
    with transaction(settings) as connection:
        require_carried_over(connection, month, "credit_grades")
    with (
        publications.carried(settings, month) as carried,
        pq.ParquetWriter(path, pa.schema([("customer_id", pa.string()), ("grade", pa.string())])) as writer,
    ):
        for batch in carried.grades:
            writer.write_batch(batch.cast(writer.schema))
    engine.bind_files("previous", [str(path)])
    return {"previous_publication_id": carried.publication_id, "carried_over": {carry_over.GRADES: carried.sha256}}


def _decided_by_hand(month: RatingMonth, settings: Settings, policy: Policy, basis: str) -> list[Override]:
    """The overrides that the month may know; ConfigError where one names a grade that the policy does not have."""
    decided = overrides.in_force(settings, month, KnownRecords(Lake.of(settings), policy, month, basis).known_before)
    for override in decided:
        if override.grade not in policy.grades.names:
            raise ConfigError(
                f"{month}: override {override.override_id} names grade {override.grade!r}, which the policy does not "
                f"have: gridgrade override end {override.override_id}"
            )
    return decided


def _one_a_customer(decided: list[Override], policy: Policy) -> pa.Table:
    """One row per customer: the override entered last, and of all vetoes the one that allows least."""
    names = ("customer_id", "override_grade", "veto_grade")
    rows = [
        {"customer_id": customer} | {f"{kind}_grade": chosen.grade for kind, chosen in by_kind.items()}
        for customer, by_kind in overrides.by_customer(decided, policy).items()
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in names]))
