"""What became of the customers of a cohort within the policy's horizon."""

import hashlib
import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from pipeline.customers.accounts import FACTS, Accounts, facts_kept
from pipeline.customers.index_values import Computed, kept_indices
from pipeline.customers.parameters import label_parameters, parameters
from pipeline.engine import Engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy

PARTS = ("default_status", "cohort", "outcomes")
_LOG = logging.getLogger(__name__)


def cohort_snapshot(
    engine: Engine, lake: Lake, policy: Policy, cohort: RatingMonth, known_in: RatingMonth
) -> RatingMonth:
    """The month whose snapshot says who was a customer at a cohort's cut-off: the cohort's own.

    That of ``known_in`` where the lake lacks it, or where it does not know the customers who were billed then, up to
    validation.quarantine_limit: a billing system that keeps no former rows of its customers cannot give it.
    """
    if not lake.is_validated("customers", cohort):
        return known_in
    for table in ("customers", "bills"):
        engine.bind_facts(table, {"customer_id": "VARCHAR"}, lake.fact_files(table, [cohort]))
    [found] = engine.fetch(queries.compose("select * from customers_unknown")).to_pylist()
    is_empty = not lake.manifest("customers", snapshot_month=cohort)["rows"]
    if is_empty or found["unknown"] > policy.validation.limit("customers") * found["billed"]:
        _LOG.warning(
            "cohort %s: the customers snapshot of %s lacks %d of %d customers who were billed; that of %s is read",
            *(cohort, cohort, found["unknown"], found["billed"], known_in),
        )
        return known_in
    return cohort


def write_outcomes(
    engine: Engine,
    lake: Lake,
    policy: Policy,
    cohort: RatingMonth,
    folder: Path,
    *,
    known_in: RatingMonth,
    customers_of: RatingMonth,
    only: str | None = None,
    beside: Collection[str] = (),
) -> Computed:
    """What became of every customer of a cohort, as known in a later month: the columns of
    sql/lake/labels/default_label.sql by customer_id, in numbered files. Who was a customer, of which segment and in
    default or not, is as known at the cohort's own cut-off. ``customers_of``: see ``cohort_snapshot``. ``only``: see
    ``KnownRecords.bind``. ``beside``: those of FACTS that are left in the folder as they were at the cut-off; with them
    ``default_status``; see ``facts_beside``. Where the cohort was rated as known then, who was a customer is read from
    its indices, and nothing is left beside."""
    labelled = queries.compose("select * from default_label order by customer_id", FACTS)
    members = queries.compose("select * from cohort_members", [*FACTS, "default_status"])
    window = cohort + policy.label.horizon_months
    then = KnownRecords(lake, policy, cohort, customers_of=customers_of)
    later = KnownRecords(lake, policy, window, known_in=known_in, customers_of=customers_of)
    rated = kept_indices(then)
    is_known = window < known_in and lake.is_validated("customers", window)
    closings = lake.fact_files("customers", [window if is_known else known_in])
    engine.bind_facts("closed_customers", {"customer_id": "VARCHAR", "closed_on": "DATE"}, closings)
    files, rows, sha256 = [], 0, ""
    for number, within in enumerate(later.ranges(engine) if only is None else [(None, None)]):
        part = {name: folder / f"{name}-{number:04d}.parquet" for name in (*PARTS, *beside)}
        read = [then.inputs.sha256]
        if rated is not None:
            engine.bind_files("rated", rated, within=within)
            engine.write(_rated_members(only), {}, part["cohort"])
        else:
            bound = parameters(policy, cohort)
            then.bind(engine, only=only, within=within)
            with facts_kept(engine, bound):
                for name in ("default_status", *beside):
                    engine.write(queries.compose(f"select * from {name}", FACTS), bound, part[name])
                engine.bind_files("default_status", [str(part["default_status"])])
                engine.write(members, bound, part["cohort"])
        engine.bind_files("cohort", [str(part["cohort"])])
        read.append(later.bind(engine, only=only, within=within))
        bound = label_parameters(policy, cohort)
        with facts_kept(engine, bound):
            rows += engine.write(labelled, bound, part["outcomes"])
        files.append(part["outcomes"])
        sha256 = " ".join(read)
    return Computed(files, rows, hashlib.sha256(sha256.encode()).hexdigest())


def _rated_members(only: str | None) -> queries.Query:
    """``cohort_members`` of a month's indices, bound as ``rated``."""
    columns = ", ".join(queries.columns("cohort_members"))
    where = f" where customer_id in (select customer_id from {only})" if only else ""
    return queries.compose(f"select {columns} from rated{where}")


def facts_beside(folder: Path, names: Iterable[str]) -> Accounts:
    """What ``write_outcomes`` left of these in its folder."""
    return Accounts({name: [str(file) for file in sorted(folder.glob(f"{name}-*.parquet"))] for name in names})
