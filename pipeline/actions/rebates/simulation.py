"""Simulates what a rebate campaign would have cost in past months. Reads the lake; changes nothing.

Customers are assumed to pay as they did without a campaign. So the cost is for money that came anyway, and the
recovery is the baseline that a campaign has to improve on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.actions.rebates.ledger import Campaign
from pipeline.actions.rebates.propose import AFFECTED, OVERDUE, STANDING, Computing, exact_terms
from pipeline.engine import Engine, open_engine, queries
from pipeline.errors import ConfigError, MonthError, first_fault
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.actions import Campaign as CampaignTerms
from pipeline.settings import Settings

_NOTHING_STANDS = pa.table({"customer_id": pa.array([], pa.string()), "rebate": pa.array([], pa.decimal128(18, 2))})
_GRANTED = "granted_then"
_COUNTED = ("customers_in_arrears", "customers_rewarded")
_SUMMED = ("opening_arrears", "received", "repaid", "earned", "rebate", "clawback")


@dataclass(frozen=True)
class Plan:
    """A campaign to try: its exact terms, over so many months at a time."""

    name: str
    months: int
    share: Decimal
    rate: Decimal
    cap: Decimal
    budget: Decimal | None = None

    @classmethod
    def of(cls, policy: Policy, name: str | None, months: int | None = None, **changed: float | None) -> "Plan":
        """The policy's campaign of that name with what is ``changed``; without a name share, rate and cap are needed.

        ConfigError for an unknown name, for terms that are missing, and for terms no campaign may have.
        """
        changed = {term: value for term, value in changed.items() if value is not None}
        held = next((each for each in policy.rebate.campaigns if each.name == name), None)
        if name is not None and held is None:
            names = ", ".join(each.name for each in policy.rebate.campaigns) or "none"
            raise ConfigError(f"the policy has no campaign {name}; it has: {names}")
        if absent := [] if held else [term for term in ("share", "rate", "cap") if term not in changed]:
            raise ConfigError(f"a campaign without a name needs --{' and --'.join(absent)}")
        document = held.model_dump() if held else {"name": "trial", "first_month": "2000-01"}
        terms = _valid(document | changed)
        return cls(terms.name, months or _length(terms), **exact_terms(terms))


def simulate(
    plan: Plan,
    first: RatingMonth,
    last: RatingMonth,
    settings: Settings,
    policy: Policy,
    advance: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[dict[str, Any]]:
    """The plan held again and again from ``first`` on, as long as it ends by ``last``; one JSON-safe row each time.

    A row has first_month, last_month, customers_in_arrears, customers_rewarded, and as exact money opening_arrears,
    received (what these customers paid, less what was taken back), repaid (of that on the arrears), elsewhere (the
    rest), earned, rebate (within the budget), clawback (taken back by reversals known today) and cost (rebate less
    clawback); recovery_rate is repaid / opening_arrears. MonthError where the lake does not reach, or nothing fits.
    """
    lake = Lake.of(settings)
    latest = _latest(lake, first, last)
    starts = range(0, last - first + 2 - plan.months, plan.months)
    if not starts:
        raise MonthError(f"a campaign of {plan.months} months does not fit between {first} and {last}")
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as scratch:
        trial = _Trial(engine, lake, policy, latest, Path(scratch))
        rows = []
        for done, offset in enumerate(starts):
            begins = first + offset
            advance(done, len(starts), str(begins))
            terms: dict[str, Any] = {"share": plan.share, "rate": plan.rate, "cap": plan.cap, "budget": plan.budget}
            rows.append(trial.hold(Campaign(plan.name, begins, begins + (plan.months - 1), **terms)))
    return rows


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All rows of a simulation together; a customer counts as often as a campaign met him."""
    counts = {name: sum(row[name] for row in rows) for name in _COUNTED}
    sums = {name: sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in _SUMMED}
    first, last = (RatingMonth.parse(text) for text in (rows[0]["first_month"], rows[-1]["last_month"]))
    return _row(first, last, counts, sums)


class _Trial:
    def __init__(self, engine: Engine, lake: Lake, policy: Policy, latest: RatingMonth, scratch: Path):
        self._engine, self._lake, self._policy, self._latest = engine, lake, policy, latest
        self._computing = Computing(engine, policy, scratch)
        self._snapshot = lake.facts("customers")[-1]

    def hold(self, campaign: Campaign) -> dict[str, Any]:
        """One campaign: what it would have granted when it ended, and what has been taken back since."""
        ends = campaign.last_month
        self._engine.bind_table(STANDING, _NOTHING_STANDS)
        ranges = self._known(ends, ends).ranges(self._engine)
        self._computing.look_at_start(campaign, (self._bind(ends, ends, within=within) for within in ranges))
        self._bind(ends, ends, only=OVERDUE)
        granted = self._computing.written("select * from rebates_granted", self._computing.parameters(campaign))
        self._engine.bind_files(_GRANTED, [granted])
        [found] = self._engine.fetch(queries.compose("select * from campaign_cost")).to_pylist()
        counts = {name: found[name] for name in _COUNTED}
        sums = {name: Decimal(found.get(name, 0)) for name in _SUMMED}
        if ends < self._latest:
            sums["clawback"] = self._clawback(campaign)
        return _row(campaign.first_month, ends, counts, sums)

    def _clawback(self, campaign: Campaign) -> Decimal:
        """What the reversals that became known after the campaign take back of it."""
        self._bind(self._latest, self._latest)
        window = {"window_start": campaign.first_month.first_day, "window_end": (campaign.last_month + 1).first_day}
        recorded = self._computing.recorded(campaign.last_month + 1, self._latest)
        affected = self._computing.written("select * from customers_reversed", window | recorded)
        if not pq.read_metadata(affected).num_rows:
            return Decimal(0)
        self._engine.bind_files(AFFECTED, [affected])
        self._bind(campaign.last_month, self._latest, only=AFFECTED)
        self._computing.apply_reversals(campaign, self._latest)
        self._computing.look_at_start(campaign, [None])
        query = queries.compose("select * from campaign_clawback")
        found = self._engine.fetch(query, self._computing.parameters(campaign))
        return found["clawback"][0].as_py()

    def _bind(self, month: RatingMonth, known_in: RatingMonth, **more: Any) -> str:
        return self._known(month, known_in).bind(self._engine, **more)

    def _known(self, month: RatingMonth, known_in: RatingMonth) -> KnownRecords:
        return KnownRecords(self._lake, self._policy, month, known_in=known_in, customers_of=self._snapshot)


def _row(first: RatingMonth, last: RatingMonth, counts: dict[str, int], sums: dict[str, Decimal]) -> dict[str, Any]:
    derived = {"elsewhere": sums["received"] - sums["repaid"], "cost": sums["rebate"] - sums["clawback"]}
    money = {name: f"{value:.2f}" for name, value in (sums | derived).items()}
    recovered = float(sums["repaid"] / sums["opening_arrears"]) if sums["opening_arrears"] else None
    return {"first_month": str(first), "last_month": str(last), **counts, **money, "recovery_rate": recovered}


def _latest(lake: Lake, first: RatingMonth, last: RatingMonth) -> RatingMonth:
    """The last month of bills in the lake; MonthError unless it reaches over both months."""
    held = lake.facts("bills") if lake.facts("customers") else []
    if not held or first < held[0] or last > held[-1]:
        reach = f"reaches from {held[0]} to {held[-1]}" if held else "is empty"
        raise MonthError(f"{first} to {last} cannot be simulated: the lake {reach}; rate a month to fill it")
    return held[-1]


def _valid(document: dict[str, Any]) -> CampaignTerms:
    try:
        return CampaignTerms(**document)
    except ValidationError as error:
        where, what = first_fault(error)
        raise ConfigError(f"{where}: {what}") from None


def _length(campaign: CampaignTerms) -> int:
    """How many months it runs; one that is held anew every month: one."""
    if campaign.last_month is None:
        return 1
    return RatingMonth.parse(campaign.last_month) - RatingMonth.parse(campaign.first_month) + 1
