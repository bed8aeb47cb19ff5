"""The adverse-impact screen: is a group graded favourably much more rarely than another?

Groups come from the customers' snapshot or from a file of the credit office's own. They are read here, for this, and
kept nowhere but as counts.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.engine import Engine, open_engine, queries
from pipeline.errors import ConfigError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import adverse_impact
from pipeline.settings import Settings
from pipeline.source import contract


def screen(
    snapshot: RatingMonth, settings: Settings, policy: Policy, customer_ids: pd.Series, is_favourable
) -> dict[str, list[dict]]:
    """By grouping, one row a group of ``pipeline.scorecard.adverse_impact``; empty where the policy names no groups.

    ConfigError for a column or a file that is not there.
    """
    fairness = policy.fairness
    if not (fairness.columns or fairness.groups_file) or not len(customer_ids):
        return {}
    graded = pa.table({"customer_id": pa.array(customer_ids, pa.string()), "is_favourable": pa.array(is_favourable)})
    found: dict[str, pd.DataFrame] = {}
    with open_engine(settings) as engine:
        engine.bind_table("graded", graded)
        known = {column.name for column in contract()["customers"].lake_columns}
        if unknown := set(fairness.columns) - known:
            raise ConfigError(f"policy fairness.columns: customers has no column {', '.join(sorted(unknown))}")
        engine.bind_files("snapshot", Lake.of(settings).files("customers", snapshot_month=snapshot))
        found |= {column: _counts(engine, "snapshot", column) for column in fairness.columns}
        if fairness.groups_file is not None:
            groups = _read(fairness.groups_file)
            engine.bind_table("groups", groups)
            columns = [column for column in groups.column_names if column != "customer_id"]
            found |= {column: _counts(engine, "groups", column) for column in columns}
    judged = {"threshold": fairness.min_ratio, "min_share": fairness.min_share}
    return {grouping: _records(adverse_impact(counts, **judged)) for grouping, counts in found.items()}


def _counts(engine: Engine, table: str, column: str) -> pd.DataFrame:
    quoted = '"' + column.replace('"', '""') + '"'
    query = queries.query("selected_by_group", table=table, column=quoted)
    return engine.fetch(query).to_pandas().set_index("group")


def _read(path: Path) -> pa.Table:
    from pyarrow import csv, parquet

    try:
        table = parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"policy fairness.groups_file {path} cannot be read: {reason}") from None
    if "customer_id" not in table.column_names or len(table.column_names) < 2:
        raise ConfigError(
            f"policy fairness.groups_file {path}: customer_id and at least one column of groups are needed"
        )
    ids = table["customer_id"]
    if len(ids.unique()) != len(ids):
        raise ConfigError(f"policy fairness.groups_file {path}: a customer_id stands there twice")
    return table


def _records(table: pd.DataFrame) -> list[dict]:
    """JSON-safe: numbers of Python, None for NaN."""
    rows = table.reset_index().astype(object)
    return rows.where(rows.notna(), None).to_dict("records")
