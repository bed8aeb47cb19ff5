"""Service measure: part of repaid arrears comes back as a credit, once per campaign and customer.

Reads the lake as the month's publication knew it; writes ops.arrears_rebates and ops.service_actions.
"""

import uuid
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from pipeline import measure, queries
from pipeline.actions import ledger
from pipeline.actions.ledger import Campaign
from pipeline.engine import Engine, open_engine
from pipeline.errors import MonthError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import bulk_transaction, transaction
from pipeline.warehouse.publications import Publication


def propose_rebates(month: RatingMonth, settings: Settings, policy: Policy) -> dict[str, Any]:
    """Grant the rebates of the campaigns that end with a published month, and take back what its reversals call for.

    Everything is written in one transaction; the same again changes nothing. Returns the campaigns, what the ledger
    and the outbox then hold of the month, and ``changed``, the rows written. MonthError where nothing is published.
    """
    publication = _publication(month, settings)
    known = measure.known_in(lake := Lake(settings.lake_path), month, publication.basis)
    campaigns = ending(month, policy)
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        bulk_transaction(settings) as warehouse,
        warehouse.cursor() as cursor,
    ):
        ledger.lock(cursor)
        measure.bind(engine, lake, policy, month, known_in=known, customers_of=month)
        changed = 0
        for campaign in campaigns:
            rebates = _rebates(engine, policy, campaign, Path(scratch))
            changed += ledger.grant(cursor, publication, campaign, rebates)
        reversals = engine.batches(queries.compose("select * from reversals"), _recorded_in(month, policy))
        for campaign, customers in ledger.reversed_grants(cursor, month, reversals):
            engine.bind_table("affected", pa.table({"customer_id": customers}))
            measure.bind(
                engine, lake, policy, campaign.last_month, known_in=known, customers_of=month, only="affected"
            )
            rebates = _rebates_after_reversals(engine, policy, campaign, month, Path(scratch))
            changed += ledger.claw_back(cursor, publication, campaign, rebates)
        held = ledger.summary(cursor, month)
    return {"month": str(month), "campaigns": [campaign.name for campaign in campaigns], **held, "changed": changed}


def ending(month: RatingMonth, policy: Policy) -> list[Campaign]:
    """The policy's campaigns whose window ends with ``month``; one without a last month is held anew every month."""
    found = []
    for campaign in policy.rebate.campaigns:
        first, last = RatingMonth.parse(campaign.first_month), campaign.last_month
        terms = [Decimal(str(term)) for term in (campaign.share, campaign.rate, campaign.cap)]
        if last is None and first <= month:
            found.append(Campaign(f"{campaign.name}-{month}", month, month, *terms))
        elif last == str(month):
            found.append(Campaign(campaign.name, first, month, *terms))
    return found


def _publication(month: RatingMonth, settings: Settings) -> Publication:
    with transaction(settings) as connection:
        publication = publications.current(connection, month)
    if publication is None:
        raise MonthError(f"{month} is not published, so no rebates follow from it: rate and publish {month} first")
    return publication


def _rebates(engine: Engine, policy: Policy, campaign: Campaign, scratch: Path) -> pa.RecordBatchReader:
    """customer_id, opening_arrears, repaid and rebate of who was in arrears when the campaign began, by customer_id."""
    parameters = measure.parameters(policy, campaign.last_month) | {
        "share": campaign.share,
        "rate": campaign.rate,
        "cap": campaign.cap,
    }
    overdue = scratch / f"{uuid.uuid4()}.parquet"
    # Both looks at the bills go back to the same day, so that one gone out of sight does not pass for a cancelled one.
    engine.write(queries.compose("select * from overdue_bills"), parameters | {"as_of": campaign.first_month.first_day}, overdue)
    engine.bind_files("overdue_at_start", [str(overdue)])
    return engine.batches(queries.compose("select * from rebate order by customer_id"), parameters)


def _rebates_after_reversals(
    engine: Engine, policy: Policy, campaign: Campaign, month: RatingMonth, scratch: Path
) -> pa.RecordBatchReader:
    """customer_id and rebate of the customers of view ``affected``, with what was reversed by the end of ``month``."""
    payments = scratch / f"{uuid.uuid4()}.parquet"
    engine.write(
        queries.compose("select * from payments_of_ended_campaign"),
        {
            "window_start": campaign.first_month.first_day,
            "window_end": (campaign.last_month + 1).first_day,
            "as_of": (month + 1).first_day,
        },
        payments,
    )
    engine.bind_files("payments", [str(payments)])
    recomputed = _rebates(engine, policy, campaign, scratch).read_all()
    engine.bind_table("recomputed", recomputed)
    return engine.batches(
        queries.compose(
            "select a.customer_id, cast(coalesce(r.rebate, 0) as decimal(18, 2)) as rebate "
            "from affected as a left join recomputed as r on r.customer_id = a.customer_id order by a.customer_id"
        )
    )


def _recorded_in(month: RatingMonth, policy: Policy) -> dict[str, Any]:
    return {
        "recorded_from": (month - 1).cutoff(policy.timezone),
        "recorded_before": month.cutoff(policy.timezone),
        "as_of": (month + 1).first_day,
    }
