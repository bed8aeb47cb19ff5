"""The indices of a month's customers, or of a cohort's, as Parquet files."""

from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.customers.accounts import Accounts, bound_by_range, fingerprint
from pipeline.customers.index_query import indices_query
from pipeline.customers.parameters import parameters
from pipeline.engine import Engine, queries
from pipeline.lake.known_records import KnownRecords


class Computed(NamedTuple):
    """Parquet files by customer_id, their rows, and a hash of the partitions that were read for them."""

    files: list[Path]
    rows: int
    input_sha256: str


def write_indices(
    engine: Engine,
    known: KnownRecords,
    folder: Path,
    *,
    only: str | None = None,
    accounts: Accounts | None = None,
    names: Iterable[str] | None = None,
    with_rules: bool = False,
) -> Computed:
    """One row per rated customer, by customer_id, in numbered files: segment, family, region, bills, is_in_default,
    is_thin_file and, for each index of ``names`` (default: all of the policy), its value, whether it was missing
    (``_missing``; the value is then what the policy puts in its place, or null for the median that only a model
    knows) and its band. An index of other families than the customer's, or one whose tables the lake lacks, is
    missing and null. ``with_rules``: also the columns of sql/lake/grading/rule_facts.sql, is_default_by_register and
    quarantined_records. ``only``: the name of a bound view of customer_id, to compute just these, whose ``accounts``
    these are; else those of the month, which the lake is given on the way where it lacks them."""
    policy = known.policy
    names = policy.indices if names is None else names

    def query(given: Collection[str] = ()) -> queries.Query:
        return indices_query(policy, names, known.absent, rule_facts() if with_rules else (), given)

    bound = with_empty_windows(parameters(policy, known.month), query())
    if "segment_slopes" in query().tables:
        known.bind(engine, only=only)
        slopes = engine.fetch(queries.compose("select * from satisfaction_slope_by_segment"), bound)
        engine.bind_table("segment_slopes", slopes)
    files, rows = [], 0
    with closing(accounts.bound_by_range(engine, known, only) if accounts else bound_by_range(engine, known)) as parts:
        for number, given in enumerate(parts):
            files.append(folder / f"part-{number:04d}.parquet")
            rows += engine.write(query(given), bound, files[-1])
    return Computed(files, rows, known.inputs.sha256)


def kept_indices(known: KnownRecords) -> list[str] | None:
    """The files that ``compute_indices`` left of the month; None where it left none, or where these records, queries or
    this policy would give others."""
    lake, keys = known.lake, {"rating_month": known.month, "basis": known.basis}
    if not lake.has("indices", **keys) or lake.manifest("indices", **keys).get("computed_from") != computed_from(known):
        return None
    return lake.files("indices", **keys)


def computed_from(known: KnownRecords) -> str:
    """A hash of all that the indices of a month follow from."""
    query = indices_query(known.policy, known.policy.indices, known.absent, rule_facts())
    slopes = queries.compose("select * from satisfaction_slope_by_segment")
    return fingerprint(known, [query, slopes], with_empty_windows(parameters(known.policy, known.month), query))


def rule_facts() -> list[str]:
    """The columns of sql/lake/grading/rule_facts.sql which the grade rules go by: booleans."""
    return [name for name in queries.columns("rule_facts") if name.startswith(("is_", "has_"))]


def model_columns(names: Iterable[str], alias: str = "i") -> str:
    """A select list of index values for a model: null where the value was missing, whatever stands in its place."""
    return ", ".join(f"case when not {alias}.{name}_missing then {alias}.{name} end as {name}" for name in names)


def with_empty_windows(bound: dict[str, Any], query: queries.Query) -> dict[str, Any]:
    """The queries compute a whole group; of an index that the policy took away they see no fact."""
    windows = (name for name in query.parameters if name.startswith(("since_", "year_after_since_")))
    return {name: bound["as_of"] for name in windows} | bound
