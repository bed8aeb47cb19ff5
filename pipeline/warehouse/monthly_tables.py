"""The monthly tables of schema rating: what a revision of a month is made of.

One more takes a migration that creates it, partitioned by rating_month, and its declaration here: publishing loads,
hashes, audits and swaps whatever is declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_NUMBERS = ("double", "integer", "bigint", "decimal")


@dataclass(frozen=True)
class MonthlyTable:
    """A table of schema rating and the partition of the lake it is loaded from.

    ``columns``: type by column, in the engine's words; all but rating_month and publication_id. ``key``: unique within
    a month, and the order the rows are read in. ``has_indices``: value and band of every index of the policy, and the
    codes of those that were missing, are columns too.
    """

    name: str
    partition: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ("customer_id",)
    has_indices: bool = False

    def loaded(self, indices: list[str]) -> dict[str, str]:
        """Type by column, with those of these indices where the table has indices."""
        kinds = {"": "double", "_band": "varchar"} if self.has_indices else {}
        return {**self.columns, **{f"{name}{part}": kind for name in indices for part, kind in kinds.items()}}


def is_number(kind: str) -> bool:
    """Whether the values of a column add up."""
    return kind.startswith(_NUMBERS)


_DECLARED = (
    MonthlyTable(
        "credit_grades",
        partition="grades",
        columns={
            "customer_id": "varchar",
            "segment": "varchar",
            "region": "varchar",
            "score": "double",
            "default_probability": "double",
            "model_grade": "varchar",
            "grade": "varchar",
            "previous_grade": "varchar",
            "notch_change": "integer",
            "rating_basis": "varchar",
            "grade_rule": "varchar",
            "reason_1": "varchar",
            "reason_2": "varchar",
            "reason_3": "varchar",
            "reason_4": "varchar",
            "model_version": "varchar",
        },
    ),
    MonthlyTable(
        "credit_indices",
        partition="indices",
        columns={"customer_id": "varchar", "is_thin_file": "boolean"},
        has_indices=True,
    ),
    MonthlyTable(
        "customer_groups",
        partition="groups",
        columns={
            "customer_id": "varchar",
            "segment": "varchar",
            "value_group": "varchar",
            "demand_group": "varchar",
            "behaviour_group": "varchar",
            "group_name": "varchar",
            "life_cycle_stage": "varchar",
            "service_sensitivity": "double",
            "outage_sensitivity": "double",
            "revenue": "decimal(18, 2)",
        },
    ),
    MonthlyTable(
        "group_profiles",
        partition="group_profiles",
        columns={
            "aspect": "varchar",
            "group_name": "varchar",
            "customers": "bigint",
            "revenue": "decimal(38, 2)",
            "profile": "varchar",
            "means": "varchar",
            "centroid": "varchar",
            "scale": "varchar",
        },
        key=("aspect", "group_name"),
    ),
    MonthlyTable(
        "risk_sensitivity",
        partition="sensitivity",
        columns={
            "segment": "varchar",
            "risk_factor": "varchar",
            "shock": "double",
            "is_ranking_shock": "boolean",
            "customers": "bigint",
            "evaluation_value": "double",
            "score_after_change": "double",
            "absolute_change": "double",
            "relative_change": "double",
            "elasticity": "double",
            "grade_changes": "bigint",
            "upgrades": "bigint",
            "downgrades": "bigint",
            "mean_credit_score": "double",
            "mean_credit_score_after": "double",
            "expected_defaults": "double",
            "expected_defaults_after": "double",
        },
        key=("segment", "risk_factor", "shock"),
    ),
)

TABLES: Mapping[str, MonthlyTable] = {table.name: table for table in _DECLARED}
