"""Step: score, default probability and grade of every rated customer."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import version
from pipeline.basis import Basis
from pipeline.customers.index_values import model_columns, rule_facts
from pipeline.engine import Engine, open_engine, queries
from pipeline.engine.prefetch import prefetch
from pipeline.errors import ConfigError, ModelError
from pipeline.grading.grader import Grader
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import ModelFitError
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
    lake = Lake(settings.lake_path)
    named = {family: model_registry.model(settings, version) for family, version in models.items()}
    graders = {family: Grader(model.version, fitted(model), policy) for family, model in named.items()}
    measured = lake.manifest("indices", rating_month=month, basis=basis)
    decided = _decided_by_hand(month, settings, policy, basis)
    counts = pd.Series(0, index=list(policy.grades.names))
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        lake.writing("grades", rating_month=month, basis=basis) as partition,
    ):
        engine.bind_files("indices", lake.files("indices", rating_month=month, basis=basis))
        engine.bind_table("decided", _one_a_customer(decided, policy))
        previous = _bind_previous(engine, month, settings, Path(scratch))
        with pq.ParquetWriter(partition.folder / "part-0.parquet", SCHEMA, compression="zstd") as writer:
            for graded in prefetch(
                _graded(frame, graders, month, policy) for frame in prefetch(_customers(engine, policy))
            ):
                counts = counts.add(graded["grade"].value_counts(), fill_value=0)
                writer.write_table(pa.Table.from_pandas(graded, SCHEMA, preserve_index=False))
        partition.manifest(
            rows=int(counts.sum()),
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
        "grades": {name: int(counts[name]) for name in policy.grades.names},
    }


def _customers(engine: Engine, policy: Policy) -> Iterator[pd.DataFrame]:
    """Indices (null where missing), bands and what the grade rules go by, by customer_id, a batch at a time."""
    query = queries.query(
        "customers_to_grade",
        rule_facts=", ".join(f"i.{name}" for name in rule_facts()),
        values=model_columns(policy.scored_in_some_family),
        bands=", ".join(f"i.{name}_band" for name in policy.scored_in_some_family),
    )
    with closing(engine.batches(query)) as batches:
        for batch in batches:
            yield batch.to_pandas()


def _graded(frame: pd.DataFrame, graders: dict[str, Grader], month: RatingMonth, policy: Policy) -> pd.DataFrame:
    families = frame["family"]
    if unknown := sorted(set(frame.loc[~families.isin(graders), "segment"])):
        raise ModelError(
            f"{month}: no model for segment {', '.join(map(str, unknown))}; policy families must name every segment"
        )
    try:
        parts = [
            graders[family].grade(part.drop(columns=_unscored(policy, family)))
            for family, part in frame.groupby("family", sort=False)
        ]
    except ModelFitError as error:
        raise ModelError(f"{month}: {error}; the policy's indices have changed since: rate with mode retrain") from None
    return pd.concat(parts).sort_index().reindex(columns=SCHEMA.names)


def _unscored(policy: Policy, family: str) -> list[str]:
    """The columns of indices that do not enter the family's score: a model that asks for one is refused."""
    names = set(policy.scored_in_some_family) - set(policy.scored(family))
    return [column for name in names for column in (name, f"{name}_band")]


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
    decided = overrides.in_force(
        settings, month, KnownRecords(Lake(settings.lake_path), policy, month, basis).known_before
    )
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
