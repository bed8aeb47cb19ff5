"""What became of the customers of a cohort within the policy's horizon."""

import hashlib
from pathlib import Path

from pipeline.customers.index_values import Computed
from pipeline.customers.parameters import label_parameters, parameters
from pipeline.engine import Engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy


def write_outcomes(
    engine: Engine,
    lake: Lake,
    policy: Policy,
    cohort: RatingMonth,
    folder: Path,
    *,
    known_in: RatingMonth,
    only: str | None = None,
) -> Computed:
    """What became of every customer of a cohort, as known in a later month: the columns of
    sql/lake/labels/default_label.sql by customer_id, in numbered files. Who was a customer, of which segment and in
    default or not, is as known at the cohort's own cut-off. ``only``: see ``KnownRecords.bind``."""
    labelled = queries.compose("select * from default_label order by customer_id")
    then = KnownRecords(lake, policy, cohort, customers_of=known_in)
    later = KnownRecords(lake, policy, cohort + policy.label.horizon_months, known_in=known_in)
    files, rows, sha256 = [], 0, ""
    for number, within in enumerate(later.ranges(engine) if only is None else [(None, None)]):
        members = folder / f"members-{number:04d}.parquet"
        read = [then.bind(engine, only=only, within=within)]
        engine.write(queries.compose("select * from cohort_members"), parameters(policy, cohort), members)
        engine.bind_files("cohort", [str(members)])
        read.append(later.bind(engine, only=only, within=within))
        files.append(folder / f"outcomes-{number:04d}.parquet")
        rows += engine.write(labelled, label_parameters(policy, cohort), files[-1])
        sha256 = " ".join(read)
    return Computed(files, rows, hashlib.sha256(sha256.encode()).hexdigest())
