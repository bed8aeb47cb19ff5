"""Step: the customer groups by value, demand and behaviour, and where each customer is in its life as one.

Each aspect has a k-means of its own. It learns from a sample of customers and starts from the centroids of the last
month published before, so that a customer who stays as he was stays in his group.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.basis import Basis
from pipeline.customers.parameters import group_parameters
from pipeline.engine import Engine, open_engine, queries
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import ModelFitError
from pipeline.scorecard.named_kmeans import NamedKMeans
from pipeline.settings import Settings
from pipeline.warehouse import carry_over
from pipeline.warehouse.audit import require_carried_over
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.monthly_tables import TABLES
from pipeline.warehouse.tables import group_centroids

ASPECTS = ("value", "demand", "behaviour")
GROUPS = TABLES["customer_groups"].schema
PROFILES = TABLES["group_profiles"].schema
_SENSITIVITIES = {"service_sensitivity": "service_quality_sensitivity", "outage_sensitivity": "outage_sensitivity"}
_MADE_FROM = {"outages": ("outages", "outage_minutes"), "service_contacts": ("voltage_complaints", "contacts")}
_STANDS_OUT = 0.5  # standard deviations from the mean


def group(month: RatingMonth, settings: Settings, policy: Policy, *, basis: str = Basis.AS_KNOWN_THEN) -> dict:
    """Write the lake's ``groups`` and ``group_profiles`` of the month and basis; its ``indices`` must be there.

    ``groups``: one row per rated customer and one per customer who is gone since the month before, with the columns of
    rating.customer_groups; stage and group of the gone are ``closed``. ``group_profiles``: one row per aspect and
    group, with those of rating.group_profiles. ``without`` names the source tables of which there are no records: an
    aspect is grouped by the measures that remain, and one that has none has no groups.
    """
    lake, keys = Lake.of(settings), {"rating_month": month, "basis": basis}
    known = KnownRecords(lake, policy, month, basis)
    without = [table for table in _MADE_FROM if not any(recorded <= known.known_in for recorded in lake.facts(table))]
    measured = lake.manifest("indices", **keys)
    with transaction(settings) as connection:
        require_carried_over(connection, month, "group_profiles")
        before = group_centroids.centroids_before(connection, month)
    made_of = {
        "made_from": {"indices": measured["sha256"]},
        "input_sha256": measured["input_sha256"],
        "policy_sha256": policy.sha256,
        "carried_over": {carry_over.CENTROIDS: group_centroids.sha256(before)},
    }
    parameters = group_parameters(policy, month, known.basis)
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        lake.writing("groups", **keys) as groups,
        lake.writing("group_profiles", **keys) as profiles,
    ):
        engine.bind_files("indices", lake.files("indices", **keys))
        measures = _measures(engine, policy, without)
        query = _members_query(engine, measures)
        for number, within in enumerate(known.ranges(engine)):
            known.bind(engine, within=within)
            engine.write(query, parameters, Path(scratch, f"part-{number:04d}.parquet"))
        engine.bind_files("members", sorted(map(str, Path(scratch).iterdir())))
        try:
            fitted = _fit(engine, policy, measures, before)
            rows = _write_groups(engine, fitted, parameters, groups.folder / "part-0.parquet")
        except ModelFitError as error:
            raise ModelError(f"{month}: the customers cannot be grouped: {error}") from None
        groups.manifest(rows=rows, **made_of)
        engine.bind_files("grouped", [str(groups.folder / "part-0.parquet")])
        found = {aspect: list(_profiles(engine, aspect, means, without)) for aspect, means in fitted.items()}
        table = pa.Table.from_pylist([profile for aspect in found.values() for profile in aspect], PROFILES)
        pq.write_table(table, profiles.folder / "part-0.parquet")
        profiles.manifest(rows=len(table), **made_of)
        stages = queries.compose("select life_cycle_stage as stage, count(*) as customers from grouped group by stage")
        counted = sorted(engine.fetch(stages).to_pylist(), key=lambda row: row["stage"])
    return {
        "month": str(month),
        "basis": basis,
        "groups": {
            aspect: {row["group_name"]: row["customers"] for row in profiles} for aspect, profiles in found.items()
        },
        "life_cycle": {row["stage"]: row["customers"] for row in counted},
        "without": without,
    }


def _measures(engine: Engine, policy: Policy, without: list[str]) -> dict[str, list[str]]:
    """What each aspect is grouped by in this month; an aspect that has nothing is left out."""
    known = {*queries.columns("group_features"), *_index_columns(engine)}
    known -= {name for table in without for name in _MADE_FROM[table]}
    found = {aspect: [name for name in names if name in known] for aspect, names in policy.group_features.items()}
    return {aspect: names for aspect, names in found.items() if names}


def _members_query(engine: Engine, measures: dict[str, list[str]]) -> queries.Query:
    """Who is grouped, by customer_id, with everything the groups are made from; null for an index nobody computed."""
    needed = {name for names in measures.values() for name in names} - {*queries.columns("group_features")}
    needed |= {"consumption_trend", *_SENSITIVITIES.values()}
    known = _index_columns(engine)
    columns = (f"i.{name}" if name in known else f"cast(null as double) as {name}" for name in sorted(needed))
    return queries.query("group_members", indices=", ".join(columns))


def _index_columns(engine: Engine) -> list[str]:
    return engine.fetch(queries.compose("select * from indices limit 0")).column_names


def _fit(
    engine: Engine, policy: Policy, measures: dict[str, list[str]], before: dict[str, group_centroids.Centroids]
) -> dict[str, NamedKMeans]:
    """A k-means per aspect, learnt from the same customers from month to month; none where nobody is rated."""
    drawn = queries.query("sampled_members", levels=", ".join(_levels(measures)))
    bound = {"seed": f"groups {policy.groups.seed} ", "rows": policy.groups.sample_rows}
    frame = engine.fetch(drawn, bound).to_pandas()
    fitted = {}
    for aspect, names in measures.items() if len(frame) else ():
        telling = [name for name in names if frame[name].nunique() > 1] or names
        means = NamedKMeans(_archetypes(policy, aspect, telling), names, policy.groups.seed)
        fitted[aspect] = means.fit(frame, before.get(aspect))
    return fitted


def _archetypes(policy: Policy, aspect: str, measures: list[str]) -> dict[str, dict[str, float]]:
    """Where the policy expects its groups; one that none of these measures can tell from the others is left out."""
    signs, found = policy.group_features[aspect], {}
    for name, level in getattr(policy.groups, aspect).items():
        if not isinstance(level, dict):
            found[name] = {column: level * signs[column] for column in measures}
        elif level.keys() & set(measures):
            found[name] = {column: level[column] for column in measures if column in level}
    return found


def _levels(measures: dict[str, list[str]]) -> list[str]:
    """The measures as k-means sees them: they are skewed, hence their logarithm. C1 is one."""
    names = dict.fromkeys(name for names in measures.values() for name in names)
    log = "sign({0}) * ln(1 + abs(cast({0} as double))) as {0}"
    return [name if name == "avg_monthly_kwh" else log.format(name) for name in names]


def _write_groups(engine: Engine, fitted: dict[str, NamedKMeans], parameters: dict, path: Path) -> int:
    levels = _levels({aspect: means.columns for aspect, means in fitted.items()})
    query = queries.query(
        "members_to_group",
        sensitivities=", ".join(f"{index} as {name}" for name, index in _SENSITIVITIES.items()),
        levels=", ".join(["revenue as billed", *levels]),
    )
    rows = 0
    with (
        closing(engine.batches(query, parameters)) as batches,
        pq.ParquetWriter(path, GROUPS, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_table(_grouped(batch, fitted))
            rows += len(batch)
    return rows


def _grouped(batch: pa.RecordBatch, fitted: dict[str, NamedKMeans]) -> pa.Table:
    names = {
        aspect: pa.array(means.predict(batch.select(means.columns).to_pandas()), pa.string())
        for aspect, means in fitted.items()
    }
    nobody = pa.nulls(len(batch), pa.string())
    joined = pc.binary_join_element_wise(*names.values(), ", ") if names else nobody
    groups = {
        f"{aspect}_group": pc.if_else(batch["is_closed"], nobody, names.get(aspect, nobody)) for aspect in ASPECTS
    }
    groups["group_name"] = pc.if_else(batch["is_closed"], "closed", joined)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | groups | {"revenue": batch["billed"]}
    return pa.table([columns[name] for name in GROUPS.names], GROUPS.names).cast(GROUPS)


def _profiles(engine: Engine, aspect: str, means: NamedKMeans, without: list[str]) -> Iterator[dict]:
    """Of each group of an aspect: how many, how much they were billed, where they lie, and all that in words."""
    means_of_columns = ", ".join(
        f"cast(sum(cast(m.{name} as decimal(38, 9))) as double) / nullif(count(m.{name}), 0) as {name}"
        for name in means.columns
    )
    query = queries.query("group_totals", aspect=aspect, means=means_of_columns)
    rows = engine.fetch(query).to_pylist()
    found = {row["group_name"]: row for row in rows}
    of_all = {total: sum(row[total] for row in rows) for total in ("customers", "billed")}
    for name, centroid in means.centroids_.items():
        row = found.get(name) or {"customers": 0, "billed": 0, **dict.fromkeys(means.columns)}
        yield {
            "aspect": aspect,
            "group_name": name,
            "customers": row["customers"],
            "revenue": row["billed"],
            "profile": _in_words(row, of_all, means.standing(name), [t for t in without if aspect == "demand"]),
            "means": json.dumps({column: row[column] for column in means.columns}),
            "centroid": json.dumps(centroid),
            "scale": json.dumps(means.scale_),
        }


def _in_words(row: dict, of_all: dict, standing: dict[str, float], without: list[str]) -> str:
    shares = [f"{row[of] / of_all[of] if of_all[of] else 0:.0%}" for of in ("customers", "billed")]
    words = [f"{shares[0]} of customers, {shares[1]} of revenue"]
    for side, sign in (("above", 1), ("below", -1)):
        far = sorted((level * -sign, name) for name, level in standing.items() if level * sign >= _STANDS_OUT)
        if far:
            words.append(f"{side} the mean: {', '.join(name.replace('_', ' ') for _, name in far)}")
    words += [f"there are no records of {table.replace('_', ' ')}" for table in without]
    return "; ".join(words)
