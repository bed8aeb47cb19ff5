"""Writes actions to the outbox ops.service_actions. An action is not changed once somebody has acted on it.

A service measure is a query (who gets what, and why) and an entry under the policy's ``actions.types`` (approval,
channels, expiry). ``propose`` writes its actions, ``withdraw`` suppresses those no longer due. approval.py (people) and
dispatch.py (channels) do the rest.
"""

import json
import uuid
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from pipeline.engine.queries import Query, query
from pipeline.errors import ConfigError, MonthError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import ingested, transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "gridgrade:service-actions")
# What the query of ``identified`` binds.
NAMESPACE = {"namespace": _NAMESPACE.hex}

# The key of the outbox's advisory lock. Any number would do that nothing else uses.
TAKE_LOCK = "select pg_advisory_xact_lock(7269466)"


_STAYS_PROPOSED = "s.status = 'proposed' and d.suppressed_by = 'publication'"


def untouched(alias: str) -> str:
    """A condition, as SQL: nobody has acted on the action, so it may still be decided anew."""
    return statement("outbox/untouched", alias=alias)


def action_id(action_type: str, *reference: str) -> str:
    """The id of an action, a UUIDv5 of type and reference, so that deciding twice makes one action."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([action_type, *reference], ensure_ascii=False)))


def published(month: RatingMonth, settings: Settings) -> Publication:
    """The publication that a month's actions follow from; MonthError where there is none."""
    with transaction(settings) as connection:
        publication = publications.current(connection, month)
    if publication is None:
        raise MonthError(f"{month} is not published, so no actions follow from it: rate and publish {month} first")
    return publication


def may_fire(publication: Publication, run_kind: str) -> bool:
    """Whether actions are proposed: only those of the latest month and not of a backfill. Others are suppressed."""
    return run_kind != "backfill" and bool(publication.is_latest_month)


def propose(
    cursor: "Cursor",
    publication: Publication,
    action_type: str,
    decided: str,
    parameters: Sequence = (),
    *,
    run_kind: str | None = None,
    fires: bool | None = None,
) -> int:
    """Write the actions of a type that the query ``decided`` returns; the rows that changed are counted.

    It returns ``reference`` (text[], what the action is for: with the type it makes the id), ``customer_id``,
    ``reason`` and ``payload`` (jsonb), and may return ``blocked_by`` (the protection that blocks it), ``follows`` (uuid
    of the action it takes back or amends), ``expires_at``, and in place of the policy's ``priority`` and ``due_at``.

    An action that was proposed stays so; one that was suppressed by its publication, withdrawn or blocked is judged
    anew where it, or the publication it follows from, has changed. ``run_kind`` is that of the run which decides, where
    it is another than the publication's own: only what a scheduled one decides may go out without a person. The
    temporary table ``decided`` holds what was written, action_id included, until the next call or the end. ``fires``
    (default: ``may_fire``): whether it is proposed at all.
    """
    _begin(cursor)
    columns = ", ".join(_columns(cursor, decided, parameters))
    fragments = {"decided": decided, "columns": columns, "action_type": f"${len(parameters) + 1}"}
    cursor.execute(statement("outbox/fill_decided", **fragments), [*parameters, action_type])
    with ingested(cursor, "identified", _identified(cursor)):
        cursor.execute(statement("outbox/identify"))
    _index(cursor)
    return write(cursor, publication, run_kind, fires)


def load(cursor: "Cursor", decided: pa.RecordBatchReader) -> None:
    """Fill the table ``decided`` with actions of any types that have their ids already; ``write`` comes next.

    ``decided``: action_type, action_id (16 bytes), customer_id, reason, payload (JSON), blocked_by. ConfigError where
    an id comes twice.
    """
    _begin(cursor)
    cursor.adbc_ingest("decided", decided, mode="append", temporary=True)
    cursor.execute(statement("outbox/twice"))
    for action_type, customer_id in cursor.fetchall():
        raise ConfigError(
            f"sql/lake/measures/{action_type}.sql returns customer {customer_id} twice with one subject: "
            "an action is made once for a customer and a subject"
        )
    _index(cursor)


def write(cursor: "Cursor", publication: Publication, run_kind: str | None = None, fires: bool | None = None) -> int:
    """Write what is in ``decided`` to the outbox, as ``propose`` does; returns how many rows changed."""
    run_kind = run_kind or publication.run_kind
    fires = may_fire(publication, run_kind) if fires is None else fires
    judged = statement("outbox/judged")
    anew = statement("outbox/decide_anew", judged=judged, untouched=untouched("s"), stays_proposed=_STAYS_PROPOSED)
    parameters = [fires, run_kind, str(publication.publication_id)]
    changed = written(cursor, anew, parameters)
    month = publication.rating_month.first_day
    return changed + written(cursor, statement("outbox/propose", judged=judged), [*parameters, month])


def begin_anew(cursor: "Cursor", run_kind: str) -> int:
    """Propose what is in ``decided`` and was suppressed with its publication, as decided by a run of this kind.

    For what does not follow from a publication: there a later run's word counts, whatever an earlier one was. A
    scheduled run also adopts what was proposed by hand, so that it goes out without a person.
    """
    return written(cursor, statement("outbox/propose_suppressed"), [run_kind])


def withdraw(cursor: "Cursor", which: str, parameters: list, reason: str) -> int:
    """Suppress the actions that ``which``, a condition on s, holds of and nobody has acted on, for a reason."""
    take_lock(cursor)
    acts_as(cursor, "decision")
    fragments = {"which": which, "reason": f"${len(parameters) + 1}", "untouched": untouched("s")}
    return written(cursor, statement("outbox/withdraw", **fragments), [*parameters, reason])


def take_lock(cursor: "Cursor") -> None:
    """Take the outbox's lock until the transaction ends: one writer of many actions at a time.

    Two such writers would lock rows in different orders and deadlock. A dispatcher that claims one action at a time
    does not need the lock.
    """
    cursor.execute(TAKE_LOCK)
    cursor.fetchone()


def written(cursor: "Cursor", statement: str, parameters: list | None = None) -> int:
    """Run a statement that ends in ``returning 1``; returns how many rows it wrote."""
    cursor.execute(f"with written as ({statement}) select count(*) from written", parameters)
    return cursor.fetchone()[0]


def acts_as(cursor: "Cursor", actor: str) -> None:
    """Record changes of status as made by ``actor`` until the transaction ends."""
    cursor.execute("select set_config('gridgrade.actor', $1, true)", [actor])
    cursor.fetchone()


def identified(names: str) -> Query:
    """The query of actions with their ids; ``names``, a table or a query, has the ``name`` of each."""
    return query("action_ids", names=names)


def _begin(cursor: "Cursor") -> None:
    """An empty table ``decided``, and nobody else who writes many actions."""
    take_lock(cursor)
    acts_as(cursor, "decision")
    cursor.execute(statement("outbox/create_decided"))
    cursor.execute("truncate decided")


def _columns(cursor: "Cursor", query: str, parameters: Sequence) -> list[str]:
    """The names of the columns that a query returns."""
    cursor.execute(f"select * from ({query}) as q limit 0", list(parameters) or None)
    return [column[0] for column in cursor.description]


def _index(cursor: "Cursor") -> None:
    """What keeps PostgreSQL from comparing every action of ``decided`` with every one of the outbox."""
    cursor.execute("create unique index if not exists decided_ids on decided (action_id)")
    cursor.execute("analyze decided")


@cache
def _hashing() -> duckdb.DuckDBPyConnection:
    """A database in memory, which takes longer to open than most hashing takes."""
    return duckdb.connect()


def _identified(cursor: "Cursor") -> pa.RecordBatchReader:
    """place and action_id of the rows of ``decided``."""
    cursor.execute(statement("outbox/action_names"))
    with _hashing().cursor() as database:
        database.register("names", cursor.fetch_arrow_table())
        return database.sql(identified("names").sql(), params=NAMESPACE).to_arrow_table().to_reader()
