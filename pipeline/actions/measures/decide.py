"""Step ``decide_actions``: writes the service measures of a published month into the outbox.

A service measure is a query of sql/lake/measures/ (see ``measure_queries``), an entry under the policy's ``measures``
and one under ``actions.types``. The same month again decides the same: an action is made once, and withdrawn when it is
no longer due.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.actions.measures import measure_queries
from pipeline.actions.measures.decision_inputs import DecisionInputs
from pipeline.actions.outbox import propose
from pipeline.engine import open_engine
from pipeline.errors import WarehouseUnavailableError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction, ingested
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

# What ops.validation_results calls the check of the arrears register against the bills.
_RECONCILES = "arrears register agrees with bills"

_COUNTED = "select action_type, count(*), count(blocked_by) from decided group by action_type"


def decide_actions(month: RatingMonth, settings: Settings, policy: Policy) -> dict[str, Any]:
    """Propose the measures that follow from a published month, and withdraw those that no longer do.

    Everything is written in one transaction; the same again changes nothing. Writes ops.service_actions,
    ops.account_managers, ops.receivables, ops.service_levels, and how bills and arrears register compare. Returns how
    many actions each measure has (``decided``), how many of them a protection blocks (``blocked``), and ``changed``,
    the actions that were written. MonthError where nothing is published, WarehouseUnavailableError where it was
    published anew meanwhile.
    """
    publication = propose.published(month, settings)
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
    ):
        facts = DecisionInputs(engine, Lake.of(settings), policy, publication, Path(scratch))
        with bulk_transaction(settings) as warehouse, warehouse.cursor() as cursor:
            facts.bind_published(cursor)
            warehouse.commit()  # nothing is held while the records are read
            facts.bind_computed()
            propose.take_lock(cursor)
            _check_current(cursor, publication)
            propose.load(cursor, facts.due())
            cursor.execute(_COUNTED)
            counted = {name: counts for name, *counts in cursor.fetchall()}
            changed = _withdraw(cursor, publication, policy) + propose.write(cursor, publication)
            keep_due = statement("measures/keep_due", untouched=propose.untouched("s"))
            cursor.execute(keep_due, [month.first_day])
            _write_figures(cursor, publication, policy, facts)
    found = {name: counted.get(name, (0, 0)) for name in measure_queries.names(policy)}
    return {
        "month": str(month),
        "decided": {name: decided for name, (decided, _) in found.items()},
        "blocked": {name: blocked for name, (_, blocked) in found.items() if blocked},
        "changed": changed,
    }


def _withdraw(cursor: "Cursor", publication: Publication, policy: Policy) -> int:
    """Withdraw the actions of measures that are not in ``decided`` any more; returns how many.

    The latest month withdraws those of all months, save those of a measure that stays due.
    """
    month, names = publication.rating_month.first_day, measure_queries.names(policy)
    back = {
        name
        for name in names
        if publication.is_latest_month and measure_queries.STAYS_DUE not in measure_queries.properties(name)
    }
    since = [str(RatingMonth(1900, 1).first_day if name in back else month) for name in names]
    reason = f"no longer due in {publication.rating_month}"
    return propose.withdraw(cursor, statement("measures/no_longer_due"), [names, since, month], reason)


def _write_figures(cursor: "Cursor", publication: Publication, policy: Policy, facts: DecisionInputs) -> None:
    """Replace the month's managers, receivables and service levels, which need the lake."""
    month, publication_id = publication.rating_month.first_day, str(publication.publication_id)
    levels = list(policy.measures.service_levels.levels)
    for table, enter, rows, parameters in (
        ("account_managers", "enter_managers", "select * from managers order by customer_id", []),
        (
            "receivables",
            "enter_receivables",
            "select * from receivables_by_segment order by segment, region",
            [publication_id],
        ),
        (
            "service_levels",
            "enter_service_levels",
            "select * from service_levels order by all",
            [publication_id, levels],
        ),
        (
            "arrears_reconciliation",
            "enter_reconciliation",
            "select * from reconciled_by_segment order by segment, outcome",
            [publication_id],
        ),
        (
            "arrears_differences",
            "enter_differences",
            "select * from compared where outcome <> 'agree' order by customer_id",
            [publication_id],
        ),
    ):
        cursor.execute(f"delete from ops.{table} where rating_month = $1", [month])
        with ingested(cursor, "fresh", facts.batches(rows)):
            cursor.execute(statement(f"measures/{enter}"), [month, *parameters])
    cursor.execute(statement("measures/remove_reconciliation_check"), [month, _RECONCILES])
    limit = policy.accounts.max_register_difference
    cursor.execute(statement("measures/enter_reconciliation_check"), [month, publication.basis, _RECONCILES, limit])


def _check_current(cursor: "Cursor", publication: Publication) -> None:
    cursor.execute(
        "select count(*) from ops.publications where publication_id = cast($1 as uuid) and superseded_at is null",
        [str(publication.publication_id)],
    )
    if not cursor.fetchone()[0]:
        raise WarehouseUnavailableError(
            f"{publication.rating_month} was published anew while its measures were worked out: decide them again"
        )
