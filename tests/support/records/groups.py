"""Customer groups in the lake as the step group leaves them, for months whose groups do not matter."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.customers.group import PROFILES
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.warehouse.monthly_tables import TABLES

AVERAGE = ("medium value", "quiet", "pays on time")


def member(customer_id: str, segment: str = "residential", **changed) -> dict:
    """A row of ``groups``: a mature customer with nothing out of the ordinary."""
    groups = dict(zip(("value_group", "demand_group", "behaviour_group"), AVERAGE, strict=True))
    return {
        "customer_id": customer_id,
        "segment": segment,
        **groups,
        "group_name": ", ".join(AVERAGE),
        "life_cycle_stage": "mature",
        "service_sensitivity": None,
        "outage_sensitivity": 0.25,
        "revenue": Decimal("1200.50"),
        **changed,
    }


def profile(aspect: str, name: str, customers: int) -> dict:
    return {
        "aspect": aspect,
        "group_name": name,
        "customers": customers,
        "revenue": Decimal("1200.50") * customers,
        "profile": "100% of customers",
        "means": '{"revenue": 1200.5}',
        "centroid": '{"revenue": 7.091326}',
        "scale": '{"revenue": {"mean": 7.0, "deviation": 1.0}}',
    }


def write_groups(
    lake: Lake, members: list[dict], month: RatingMonth, *, basis: str = "as_known_then", **made_of
) -> None:
    profiles = [
        profile(aspect, name, len(members))
        for aspect, name in zip(("value", "demand", "behaviour"), AVERAGE, strict=True)
    ]
    groups = TABLES["customer_groups"].schema
    for name, rows, schema in (("groups", members, groups), ("group_profiles", profiles, PROFILES)):
        with lake.writing(name, rating_month=month, basis=basis) as partition:
            pq.write_table(pa.Table.from_pylist(rows, schema), partition.folder / "part-0.parquet")
            partition.manifest(rows=len(rows), **({"input_sha256": "i" * 64} | made_of))
