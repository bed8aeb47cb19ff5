"""The monthly tables of schema rating: what a revision of a month is made of.

Their columns are declared here and nowhere else: the steps write them to the lake in these types, and publishing loads,
hashes, audits and swaps them. One more table takes a migration that creates it, partitioned by rating_month, and its
declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

REASONS = 4  # a customer's grade has at most so many

_KINDS: Mapping[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
}


@dataclass(frozen=True)
class MonthlyTable:
    """A table of schema rating and the partition of the lake it is loaded from.

    ``schema``: all columns but rating_month and publication_id. ``key``: unique within a month, and the order the rows
    are read in. ``has_indices``: value and band of every index of the policy, and the codes of those that were missing,
    are columns too.
    """

    name: str
    partition: str
    schema: pa.Schema
    key: tuple[str, ...] = ("customer_id",)
    has_indices: bool = False

    def columns(self, indices: list[str]) -> dict[str, pa.DataType]:
        """Type by column, with those of these indices where the table has indices."""
        kinds = {"": pa.float64(), "_band": pa.string()} if self.has_indices else {}
        own = dict(zip(self.schema.names, self.schema.types, strict=True))
        return own | {f"{name}{part}": kind for name in indices for part, kind in kinds.items()}


def sql_type(kind: pa.DataType) -> str:
    """A column's type in the engine's words."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return _KINDS[kind]


def is_number(kind: pa.DataType) -> bool:
    """Whether the values of a column add up."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


_DECLARED = (
    MonthlyTable(
        "credit_grades",
        partition="grades",
        schema=pa.schema(
            [
                ("customer_id", pa.string()),
                ("segment", pa.string()),
                ("region", pa.string()),
                ("score", pa.float64()),
                ("default_probability", pa.float64()),
                ("model_grade", pa.string()),
                ("grade", pa.string()),
                ("previous_grade", pa.string()),
                ("notch_change", pa.int32()),
                ("rating_basis", pa.string()),
                ("grade_rule", pa.string()),
                *((f"reason_{position}", pa.string()) for position in range(1, REASONS + 1)),
                ("rules_in_force", pa.string()),
                ("quarantined_records", pa.int64()),
                ("model_version", pa.string()),
            ]
        ),
    ),
    MonthlyTable(
        "credit_indices",
        partition="indices",
        schema=pa.schema(
            [
                ("customer_id", pa.string()),
                ("is_thin_file", pa.bool_()),
            ]
        ),
        has_indices=True,
    ),
    MonthlyTable(
        "customer_groups",
        partition="groups",
        schema=pa.schema(
            [
                ("customer_id", pa.string()),
                ("segment", pa.string()),
                ("value_group", pa.string()),
                ("demand_group", pa.string()),
                ("behaviour_group", pa.string()),
                ("group_name", pa.string()),
                ("life_cycle_stage", pa.string()),
                ("service_sensitivity", pa.float64()),
                ("outage_sensitivity", pa.float64()),
                ("revenue", pa.decimal128(18, 2)),
            ]
        ),
    ),
    MonthlyTable(
        "group_profiles",
        partition="group_profiles",
        schema=pa.schema(
            [
                ("aspect", pa.string()),
                ("group_name", pa.string()),
                ("customers", pa.int64()),
                ("revenue", pa.decimal128(38, 2)),
                ("profile", pa.string()),
                ("means", pa.string()),
                ("centroid", pa.string()),
                ("scale", pa.string()),
            ]
        ),
        key=("aspect", "group_name"),
    ),
    MonthlyTable(
        "risk_sensitivity",
        partition="sensitivity",
        schema=pa.schema(
            [
                ("segment", pa.string()),
                ("risk_factor", pa.string()),
                ("shock", pa.float64()),
                ("is_ranking_shock", pa.bool_()),
                ("customers", pa.int64()),
                ("evaluation_value", pa.float64()),
                ("score_after_change", pa.float64()),
                ("absolute_change", pa.float64()),
                ("relative_change", pa.float64()),
                ("elasticity", pa.float64()),
                ("grade_changes", pa.int64()),
                ("upgrades", pa.int64()),
                ("downgrades", pa.int64()),
                ("mean_credit_score", pa.float64()),
                ("mean_credit_score_after", pa.float64()),
                ("expected_defaults", pa.float64()),
                ("expected_defaults_after", pa.float64()),
            ]
        ),
        key=("segment", "risk_factor", "shock"),
    ),
)

TABLES: Mapping[str, MonthlyTable] = {table.name: table for table in _DECLARED}
