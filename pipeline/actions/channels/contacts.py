"""Customers' addresses. They are looked up in the lake when something is sent, and stored nowhere else."""

import re
from collections.abc import Mapping
from email.headerregistry import Address
from typing import Self

from pipeline.engine import Engine, open_engine
from pipeline.engine.queries import compose
from pipeline.lake import QUARANTINE, Lake
from pipeline.month import RatingMonth
from pipeline.settings import Settings

_COLUMNS = {"customer_id": "VARCHAR", "preferred_channel": "VARCHAR", "contact": "VARCHAR"}
_MAIL = "email"
_ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")


class Contacts:
    """The latest customers of the lake; the lake is opened at the first look-up."""

    def __init__(self, settings: Settings):
        self._settings, self._lake = settings, Lake(settings.lake_path)
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.__exit__(None, None, None)

    def missing(self) -> str | None:
        """Why addresses cannot be looked up; None where they can."""
        if _snapshots(self._lake):
            return None
        return f"{self._lake.root} holds no customers to look addresses up from: check GRIDGRADE_LAKE"

    def mail_address(self, customer_id: str) -> str | None:
        """The customer's mail address; None where there is none, or the customer prefers another channel."""
        engine = self._open()
        query = compose("select preferred_channel, contact from customers where customer_id = :customer_id")
        [found] = engine.fetch(query, {"customer_id": customer_id}).to_pylist()[:1] or [None]
        if found is None or (found["preferred_channel"] or _MAIL).strip().lower() != _MAIL:
            return None
        contact = (found["contact"] or "").strip()
        return contact if _ADDRESS.fullmatch(contact) and _is_address(contact) else None

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = open_engine(self._settings)
            bind_latest_customers(self._engine, self._lake, _COLUMNS)
        return self._engine


def bind_latest_customers(engine: Engine, lake: Lake, columns: Mapping[str, str]) -> None:
    """Bind the view ``customers`` of these columns: the latest validated snapshot, empty where there is none."""
    engine.bind_facts("customers", columns, lake.fact_files("customers", _snapshots(lake)[-1:]))


def _snapshots(lake: Lake) -> list[RatingMonth]:
    """The months whose snapshot of customers is validated."""
    months = lake.facts("customers")
    return [month for month in months if lake.has(QUARANTINE + "customers", snapshot_month=month)]


def _is_address(text: str) -> bool:
    try:
        return bool(Address(addr_spec=text).domain)
    except (ValueError, IndexError):
        return False
