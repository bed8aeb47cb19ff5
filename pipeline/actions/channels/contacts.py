"""Customers' addresses. They are read in the billing system when letters are sent, and stored nowhere."""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Self

from pipeline.engine import Engine, open_engine
from pipeline.engine.queries import compose
from pipeline.errors import GridgradeError
from pipeline.settings import Settings
from pipeline.source import recent, table
from pipeline.source.read import BEGINNING, BillingSystem

_MAIL = "email"
_ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")
_REACHABLE = f"""
    select customer_id, contact from recorded
    where customer_id is not null
    qualify row_number() over (partition by customer_id order by recorded_at desc, contact) = 1
        and contact is not null and lower(coalesce(preferred_channel, '{_MAIL}')) = '{_MAIL}'
"""


class Contacts:
    """The customers as the billing system knows them now; they are read at the first look-up, once."""

    def __init__(self, settings: Settings, time_zone: str):
        self._settings, self._time_zone = settings, time_zone
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.__exit__(None, None, None)

    def missing(self) -> str | None:
        """Why addresses cannot be looked up; None where they can."""
        try:
            with BillingSystem(self._settings.source, self._time_zone) as source:
                source.query(table("customers"))
        except GridgradeError as error:
            return f"addresses are read in the billing system: {error}"
        return None

    def mail_address(self, customer_id: str) -> str | None:
        """The customer's mail address; None where there is none, or the customer prefers another channel.

        Errors: those of ``BillingSystem``.
        """
        query = compose("select contact from contacts where customer_id = :customer_id")
        found = self._open().fetch(query, {"customer_id": customer_id})["contact"].to_pylist()
        contact = found[0].strip() if found else ""
        return contact if _ADDRESS.fullmatch(contact) and _is_address(contact) else None

    def _open(self) -> Engine:
        if self._engine is None:
            now = datetime.now(UTC)
            found = recent.recorded("customers", BEGINNING, now, self._settings, self._time_zone, selected=_REACHABLE)
            self._engine = open_engine(self._settings)
            self._engine.bind_table("contacts", found)
            # In order of their ids, so that a look-up reads a small part.
            self._engine.keep("contacts", compose("select * from contacts order by customer_id"))
        return self._engine


def _is_address(text: str) -> bool:
    try:
        return bool(Address(addr_spec=text).domain)
    except (ValueError, IndexError):
        return False
