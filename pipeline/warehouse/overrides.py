"""Grades that a person set by hand, for a time: ops.rating_overrides. A row may be revoked and is never changed.

A rating as known then goes by what had been entered before its cut-off, and not revoked before it; one as known now, by
what stands today. So a month rated again finds the overrides it found then.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Row, text

from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction

OVERRIDE = "override"
VETO = "veto"


@dataclass(frozen=True)
class Override:
    """A row of ops.rating_overrides; see the comments of its columns."""

    override_id: uuid.UUID
    customer_id: str
    kind: str
    grade: str
    reason: str
    created_by: str
    valid_from: date
    valid_until: date | None
    created_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None


_COLUMNS = ", ".join(Override.__dataclass_fields__)


def add(
    settings: Settings,
    policy: Policy,
    *,
    customer_id: str,
    kind: str,
    grade: str,
    reason: str,
    created_by: str,
    first: RatingMonth,
    last: RatingMonth | None,
) -> Override:
    """Enter an override for the rating months ``first`` to ``last`` (None: until it is revoked), both included.

    ConfigError when the grade is not on the policy's scale, when the months are the wrong way round, or when nobody
    signs for it or says why.
    """
    faults = {
        f"{grade!r} is not a grade: choose {', '.join(policy.grades.names)}": grade not in policy.grades.names,
        f"{first} is after {last}: give the first month it holds, then the last": last is not None and last < first,
        "say why": not reason.strip(),
        "say who decides": not created_by.strip(),
    }
    for fault, is_there in faults.items():
        if is_there:
            raise ConfigError(f"override of {customer_id}: {fault}")
    values = {
        "customer_id": customer_id,
        "kind": kind,
        "grade": grade,
        "reason": reason,
        "created_by": created_by,
        "valid_from": first.first_day,
        "valid_until": last and _last_day(last),
    }
    with transaction(settings) as connection:
        row = connection.execute(
            text(
                f"insert into ops.rating_overrides ({', '.join(values)}) "
                f"values ({', '.join(f':{name}' for name in values)}) returning {_COLUMNS}"
            ),
            values,
        ).one()
    return _override(row)


def end(settings: Settings, override_id: str, revoked_by: str) -> Override:
    """Revoke an override from now on; ConfigError when there is none of that id, or it was revoked before."""
    if not revoked_by.strip():
        raise ConfigError(f"override {override_id}: say who ends it")
    with transaction(settings) as connection:
        row = connection.execute(
            text(
                "update ops.rating_overrides set revoked_by = :by, revoked_at = now() "
                f"where cast(override_id as text) = :id and revoked_at is null returning {_COLUMNS}"
            ),
            {"id": override_id.lower(), "by": revoked_by},
        ).one_or_none()
    if row is None:
        raise ConfigError(f"override {override_id} is not in force: gridgrade override list shows those that are")
    return _override(row)


def listed(settings: Settings) -> list[Override]:
    """Every override, the newest first."""
    with transaction(settings) as connection:
        rows = connection.execute(
            text(f"select {_COLUMNS} from ops.rating_overrides order by created_at desc, override_id")
        )
        return [_override(row) for row in rows]


def in_force(settings: Settings, month: RatingMonth, known_before: datetime | None) -> list[Override]:
    """The overrides of a month, in chronological order: as known before an instant, or (None) as known now."""
    known = "revoked_at is null"
    if known_before is not None:
        known = "created_at < :known_before and (revoked_at is null or revoked_at >= :known_before)"
    with transaction(settings) as connection:
        rows = connection.execute(
            text(
                f"select {_COLUMNS} from ops.rating_overrides where {known} "
                "and valid_from <= :last_day and (valid_until is null or valid_until >= :last_day) "
                "order by created_at, override_id"
            ),
            {"known_before": known_before, "last_day": _last_day(month)},
        )
        return [_override(row) for row in rows]


def by_customer(decided: Sequence[Override], policy: Policy) -> dict[str, dict[str, Override]]:
    """What holds of these, oldest first, by customer and kind: the override entered last, and of all vetoes the one
    that allows least."""
    found: dict[str, dict[str, Override]] = {}
    rank = policy.grades.names.index
    for one in decided:
        chosen = found.setdefault(one.customer_id, {})
        held = chosen.get(one.kind)
        if one.kind == OVERRIDE or held is None or rank(one.grade) > rank(held.grade):
            chosen[one.kind] = one
    return found


def is_unknown(settings: Settings, customer_id: str) -> bool:
    """Whether months are published, and the latest has no such customer."""
    query = text(
        "select not exists (select from rating.credit_grades as g "
        "where g.rating_month = p.rating_month and g.customer_id = :customer_id) "
        "from ops.publications as p where p.superseded_at is null order by p.rating_month desc limit 1"
    )
    with transaction(settings) as connection:
        return bool(connection.execute(query, {"customer_id": customer_id}).scalar())


def sha256(overrides: Sequence[Override]) -> str:
    """One hash of the overrides: customers, kinds and grades."""
    rows = [[o.customer_id, o.kind, o.grade] for o in overrides]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _last_day(month: RatingMonth) -> date:
    return (month + 1).first_day - timedelta(days=1)


def _override(row: Row) -> Override:
    return Override(**row._mapping)
