"""Notices of planned outages: one per customer and outage, then amendments.

Written to ops.outage_notices and the outbox through the cursor of one bulk transaction. It holds the temporary tables
``planned`` (outage_id, feeder_id, starts_at, ends_at: every outage that is to take place) and ``affected`` (the same
with customer_id and is_life_support: everybody whom one still to come leaves without power).
"""

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.actions.outbox import propose as outbox
from pipeline.policy.actions import OutageNotices
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

NOTICE = "outage_notice"
AMENDMENT = "outage_notice_amendment"
NEGOTIATION = "outage_negotiation"

# How an action's payload writes an instant, as a format of to_char.
ISO_UTC = """'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'"""
# Actions decided for a moment near now expire as time passes. Those of a moment given for a trial do not.
_IS_NOW = "abs(extract(epoch from now() - cast($1 as timestamptz))) < 86400"


def write_notices(
    cursor: "Cursor", at: datetime, publication: Publication, terms: OutageNotices, run_kind: str
) -> dict[str, int]:
    """Write the notices that are due at that moment. Returns how many notices, amendments and negotiations are new or
    changed, how many notices and amendments are late, and how many actions were withdrawn."""
    month = publication.rating_month.first_day

    def propose(action_type: str, decided: str, parameters: list) -> int:
        return propose_now(cursor, publication, action_type, decided, parameters, run_kind)

    cursor.execute(statement("outages/create_changes", untouched=outbox.untouched("s")), [at])
    void = statement("outages/void")
    withdrawn = outbox.withdraw(
        cursor, f"s.action_id in ({void})", [], "the outage is called off, or as it was announced"
    )
    outbox.written(cursor, f"delete from ops.outage_notices where action_id in ({void}) returning 1")
    when = {"iso_utc": ISO_UTC, "is_now": _IS_NOW}

    heard = [at, month, terms.sensitive_from, terms.look_ahead_days, terms.recipients == "all"]
    propose(NOTICE, statement("outages/notices", untouched=outbox.untouched("s"), **when), heard)
    notices = outbox.written(cursor, statement("outages/enter_notices"), [at, terms.hours_ahead])

    propose(AMENDMENT, statement("outages/amendments", **when), [at])
    amendments = outbox.written(cursor, statement("outages/enter_amendments"), [at, terms.hours_ahead])

    due = statement("outages/negotiations", **when)
    negotiations = propose(NEGOTIATION, due, [at, month, terms.look_ahead_days])
    gone = statement("outages/no_longer_negotiated")
    withdrawn += outbox.withdraw(cursor, gone, [at], "the outage is called off, or at another time")

    cursor.execute("select count(*) from ops.outage_notices where decided_at = $1 and is_late", [at])
    return {
        "notices": notices,
        "amendments": amendments,
        "late": cursor.fetchone()[0],
        "negotiations": negotiations,
        "withdrawn": withdrawn,
    }


def propose_now(
    cursor: "Cursor", publication: Publication, action_type: str, decided: str, parameters: list, run_kind: str
) -> int:
    """Propose actions that follow from the moment and not from a publication; only a backfill suppresses them."""
    fires = run_kind != "backfill"
    changed = outbox.propose(cursor, publication, action_type, decided, parameters, run_kind=run_kind, fires=fires)
    return changed + (outbox.begin_anew(cursor, run_kind) if fires else 0)
