"""Step ``propose_rebates``: part of repaid arrears becomes a credit, once per campaign and customer.

Reads the lake as the month's publication knew it; writes ops.arrears_rebates and ops.service_actions.
"""

import uuid
from collections.abc import Collection, Iterable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.actions.outbox import propose
from pipeline.actions.rebates import ledger
from pipeline.actions.rebates.ledger import Campaign
from pipeline.customers.accounts import Accounts
from pipeline.customers.parameters import parameters
from pipeline.engine import Engine, Range, open_engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.actions import Campaign as CampaignTerms
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction

LOOKED_AT = "looked_at"
OVERDUE = "overdue_at_start"
STANDING = "standing"
AFFECTED = "affected"
_ANY_SUM = Decimal("9999999999999999.99")


def propose_rebates(month: RatingMonth, settings: Settings, policy: Policy) -> dict[str, Any]:
    """Grant the rebates of the campaigns that end with a published month, and take back what its reversals call for.

    Everything is written in one transaction; the same again changes nothing. Returns the publication it follows from,
    the campaigns, what the ledger and the outbox then hold of the month, and ``changed``, the rows written. MonthError
    where nothing is published.
    """
    publication = propose.published(month, settings)
    campaigns = ending(month, policy)
    lake = Lake.of(settings)
    with (
        open_engine(settings) as engine,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        bulk_transaction(settings) as warehouse,
        warehouse.cursor() as cursor,
    ):
        known = KnownRecords(lake, policy, month, publication.basis)
        computing = Computing(engine, policy, Path(scratch))
        ledger.lock(cursor)
        accounts = Accounts.of(engine, known) if campaigns else Accounts({})
        known.bind(engine)
        learnt = engine.batches(queries.compose("select * from learnt_later"), computing.recorded(month, month))
        ended = list(ledger.affected_grants(cursor, month, learnt))
        ranges = known.ranges(engine, [computing.narrow(campaigns, accounts, [customers for _, customers in ended])])
        changed = 0
        for campaign in campaigns:
            engine.bind_table(STANDING, ledger.standing(cursor, campaign))
            computing.look_at_start(campaign, (computing.bind_narrowed(known, LOOKED_AT, within) for within in ranges))
            computing.bind_narrowed(known, OVERDUE)
            changed += ledger.grant(cursor, publication, campaign, computing.grants(campaign, accounts))
        for campaign, customers in ended:
            engine.bind_table(AFFECTED, pa.table({"customer_id": customers}))
            then = KnownRecords(lake, policy, campaign.last_month, known_in=known.known_in)
            computing.bind_narrowed(then, AFFECTED)
            computing.apply_reversals(campaign, month)
            computing.look_at_start(campaign, [None])
            changed += ledger.settle(cursor, publication, campaign, computing.rebates_of_affected(campaign))
        held = ledger.summary(cursor, month)
    return {
        "month": str(month),
        "publication_id": str(publication.publication_id),
        "campaigns": [campaign.name for campaign in campaigns],
        **held,
        "changed": changed,
    }


def ending(month: RatingMonth, policy: Policy) -> list[Campaign]:
    """The policy's campaigns whose window ends with ``month``; one without a last month is held anew every month."""
    found = []
    for campaign in policy.rebate.campaigns:
        first, last = RatingMonth.parse(campaign.first_month), campaign.last_month
        if last is None and first <= month:
            found.append(Campaign(f"{campaign.name}-{month}", month, month, **exact_terms(campaign)))
        elif last == str(month):
            found.append(Campaign(campaign.name, first, month, **exact_terms(campaign)))
    return found


def exact_terms(terms: CampaignTerms) -> dict[str, Any]:
    """The numbers exactly as the policy writes them."""
    numbers = {name: getattr(terms, name) for name in ("share", "rate", "cap", "budget")}
    return {name: None if value is None else Decimal(str(value)) for name, value in numbers.items()}


class Computing:
    """Runs the queries of sql/lake/rebates over the bound views; intermediate results lie in a scratch folder."""

    def __init__(self, engine: Engine, policy: Policy, scratch: Path):
        self._engine, self._policy, self._scratch = engine, policy, scratch
        self._copies: dict[str, str] = {}

    def narrow(self, campaigns: Iterable[Campaign], accounts: Accounts, affected: Iterable[pa.Array]) -> str:
        """Bind the customers who may have had bills overdue when one of the campaigns began, and the ``affected``; the
        file that lists them.

        They are few. Queries read their bills and payments again and again, and would look for them among all each
        time: so these are copied for ``bind_narrowed``. All records are bound.
        """
        accounts.bind(self._engine)
        lists = [
            self.written("select * from perhaps_overdue_at_start", self.parameters(campaign), accounts.files)
            for campaign in campaigns
        ]
        lists.append(str(self._scratch / "affected.parquet"))
        pq.write_table(pa.table({"customer_id": pa.chunked_array(list(affected), pa.string())}), lists[-1])
        self._engine.bind_files(LOOKED_AT, lists)
        looked_at = self.written(f"select distinct customer_id from {LOOKED_AT}", {})
        self._engine.bind_files(LOOKED_AT, [looked_at])
        self._copies = {
            name: self.written(f"select * from {name} where customer_id in (select customer_id from {LOOKED_AT})", {})
            for name in ("bills", "payments")
        }
        return looked_at

    def bind_narrowed(self, known: KnownRecords, only: str, within: Range | None = None) -> str:
        """Bind the records of those customers of ``narrow`` who are in the view ``only``; see ``KnownRecords.bind``."""
        sha256 = known.bind(self._engine, only=only, within=within)
        for name, copy in self._copies.items():
            self._engine.bind_files(name, [copy], only=only, within=within)
        return sha256

    def look_at_start(self, campaign: Campaign, bound: Iterable) -> None:
        """Bind the bills overdue when the campaign began, from one range of customers ``bound`` after the other.

        The look at the campaign's end goes back as far, so that an old bill is not mistaken for a cancelled one.
        """
        parameters = self.parameters(campaign) | {"as_of": campaign.first_month.first_day}
        parts = [self.written("select * from overdue_bills", parameters) for _ in bound]
        self._engine.bind_files(OVERDUE, parts)

    def grants(self, campaign: Campaign, accounts: Accounts) -> pa.RecordBatchReader:
        """customer_id, opening_arrears, received, repaid, earned and rebate of all who were in arrears when the
        campaign began, but for those whose grant is in the view ``standing``. ``accounts``: of the campaign's end."""
        accounts.bind(self._engine)
        query = queries.compose("select * from rebates_granted order by customer_id", accounts.files)
        return self._engine.batches(query, self.parameters(campaign))

    def recorded(self, first: RatingMonth, last: RatingMonth) -> dict[str, Any]:
        """What the query learnt_later binds for what became known from one month to another."""
        return {
            "recorded_from": (first - 1).cutoff(self._policy.timezone),
            "recorded_before": last.cutoff(self._policy.timezone),
            "month_start": first.first_day,
            "as_of": (last + 1).first_day,
        }

    def apply_reversals(self, campaign: Campaign, month: RatingMonth) -> None:
        """Bind the payments as they count for a campaign that ended before, by what was reversed up to ``month``."""
        window = {"window_start": campaign.first_month.first_day, "window_end": (campaign.last_month + 1).first_day}
        parameters = window | {"as_of": (month + 1).first_day}
        self._engine.bind_files("payments", [self.written("select * from payments_of_ended_campaign", parameters)])

    def rebates_of_affected(self, campaign: Campaign) -> pa.RecordBatchReader:
        """customer_id, opening_arrears, repaid and rebate of every customer of the view ``affected``; 0 for one no
        longer in arrears."""
        query = queries.compose("select * from rebates_of_affected order by customer_id")
        return self._engine.batches(query, self.parameters(campaign))

    def parameters(self, campaign: Campaign) -> dict[str, Any]:
        """What the queries of a campaign bind."""
        terms = {"share": campaign.share, "rate": campaign.rate, "cap": campaign.cap}
        terms["budget"] = _ANY_SUM if campaign.budget is None else campaign.budget
        window = {"window_start": campaign.first_month.first_day}
        return parameters(self._policy, campaign.last_month) | window | terms

    def written(self, text: str, parameters: dict[str, Any], given: Collection[str] = ()) -> str:
        """The result of a query as a file that lasts as long as the scratch folder; ``given``: see ``compose``."""
        path = self._scratch / f"{uuid.uuid4()}.parquet"
        self._engine.write(queries.compose(text, given), parameters, path)
        return str(path)
