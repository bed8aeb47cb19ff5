"""Who the customers of the sample are, and the state each is in."""

from dataclasses import dataclass

import numpy as np

from pipeline.sample.customers import behaviour
from pipeline.sample.money.accounts import Accounts, open_accounts
from pipeline.sample.money.open_bills import NEVER, Ledger
from pipeline.sample.rows.calendar import Calendar
from pipeline.sample.rows.columns import Bytes, digits, joined

SEGMENTS = ("residential", "commercial", "industrial", "agricultural", "public")
REGIONS = ("north", "east", "south", "west", "centre")
CHANNELS = ("direct_debit", "bank_transfer", "card", "cash")
NOTICES = ("email", "sms", "post")
CUSTOMERS_PER_FEEDER = 400
ID_DIGITS = 8

AHEAD, ACTIVE, DISCONNECTED, CLOSED = range(4)

_SEGMENT_SHARES = (0.88, 0.08, 0.015, 0.015, 0.01)
_MEDIAN_KWH = np.array([260, 2_400, 38_000, 1_700, 7_500])  # a month
_KWH_SPREAD = np.array([0.5, 0.9, 1.0, 0.8, 0.9])
_KWH_NOISE = np.array([0.12, 0.1, 0.08, 0.3, 0.08])
_NEW_SHARE = 0.15  # of the customers join while the sample runs
_CREDIT = 0x6372_6564  # keeps the hidden stream apart from the others of a seed


@dataclass
class Block:
    """Some neighbouring customers, one array element each. Days and months as in Calendar."""

    first: int
    ids: Bytes
    numbers: Bytes  # the digits of the ids
    segment: np.ndarray
    region: np.ndarray
    feeder: np.ndarray
    creditworthiness: np.ndarray
    hardship: np.ndarray
    median_kwh: np.ndarray  # a month, at the start
    growth: np.ndarray  # of consumption, per year
    noise: np.ndarray
    tan_phi: np.ndarray  # kvarh per kWh
    capacity: np.ndarray  # kVA, in thousandths
    is_compensated: np.ndarray
    has_backup: np.ndarray
    is_life_support: np.ndarray
    is_protected: np.ndarray
    channel: np.ndarray  # how bills are paid
    notice: np.ndarray  # how the customer is notified
    promptness: np.ndarray  # share of the time to pay that is used, 0 ... 1
    issue_day: np.ndarray  # of the month, from 0
    joins: np.ndarray  # month, negative: before the sample
    returns: np.ndarray  # month of coming back
    connected_on: np.ndarray
    closed_on: np.ndarray
    closed_month: np.ndarray
    status: np.ndarray
    unpaid_months: np.ndarray  # of the present spell
    plan_months: np.ndarray  # left of the present payment plan
    disconnected_months: np.ndarray
    is_disputed: np.ndarray
    accounts: Accounts
    ledger: Ledger

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def stress(self) -> np.ndarray:
        return behaviour.stress(self.creditworthiness, self.hardship, self.segment)

    @property
    def is_shielded(self) -> np.ndarray:
        return self.is_life_support | self.is_protected


def creditworthiness(customers: int, seed: int = 7) -> np.ndarray:
    """The hidden variable, one standard normal number a customer in the order of their ids. Never in the source."""
    return np.random.default_rng([_CREDIT, seed]).standard_normal(customers, np.float32)


def settle(first: int, credit: np.ndarray, calendar: Calendar, seed: int) -> Block:
    """The block of customers that starts at index ``first``, in its state before month 0."""
    n = len(credit)
    rng = np.random.default_rng([seed, first])
    segment = rng.choice(len(SEGMENTS), n, p=_SEGMENT_SHARES).astype(np.int8)
    business = segment > 0
    numbers = digits(np.arange(first + 1, first + n + 1), ID_DIGITS)
    feeder = np.arange(first, first + n, dtype=np.int32) // CUSTOMERS_PER_FEEDER
    joins = np.where(rng.random(n) < _NEW_SHARE, rng.integers(0, calendar.months, n), -1)
    tenure = rng.exponential(2_500, n).astype(np.int32) + 200  # days before the sample
    start = calendar.first_days[0]
    joined_on = calendar.first_days[np.maximum(joins, 0)] + rng.integers(0, 28, n)
    median_kwh = _MEDIAN_KWH[segment] * np.exp(_KWH_SPREAD[segment] * rng.standard_normal(n))
    compensated = business & (rng.random(n) < 0.6)
    upkeep = np.exp(-0.15 * credit)  # of the installation: the better the credit, the less reactive energy
    return Block(
        first=first,
        ids=joined(n, b"C", numbers),
        numbers=numbers,
        segment=segment,
        region=(feeder % len(REGIONS)).astype(np.int8),
        feeder=feeder,
        creditworthiness=credit,
        hardship=rng.standard_normal(n, np.float32),
        median_kwh=median_kwh.astype(np.float32),
        growth=rng.normal(0.0, 0.06, n).astype(np.float32),
        noise=_KWH_NOISE[segment].astype(np.float32),
        tan_phi=(upkeep * np.where(compensated, rng.uniform(0.1, 0.4, n), rng.uniform(0.3, 0.9, n))).astype(np.float32),
        capacity=(np.ceil(median_kwh / 720 / 0.25) * 1000).astype(np.int64),
        is_compensated=compensated,
        has_backup=business & (rng.random(n) < 0.25),
        is_life_support=~business & (rng.random(n) < 0.004),
        is_protected=~business & (rng.random(n) < 0.02),
        channel=rng.choice(len(CHANNELS), n, p=(0.45, 0.3, 0.15, 0.1)).astype(np.int8),
        notice=rng.choice(len(NOTICES), n, p=(0.5, 0.3, 0.2)).astype(np.int8),
        promptness=rng.beta(2.0, 1.5, n).astype(np.float32),
        issue_day=rng.integers(1, 9, n),
        joins=joins.astype(np.int32),
        returns=np.full(n, NEVER, np.int32),
        connected_on=np.where(joins < 0, start - tenure, joined_on).astype(np.int64),
        closed_on=np.full(n, NEVER, np.int64),
        closed_month=np.full(n, NEVER, np.int32),
        status=np.where(joins < 0, ACTIVE, AHEAD).astype(np.int8),
        unpaid_months=np.zeros(n, np.int16),
        plan_months=np.zeros(n, np.int16),
        disconnected_months=np.zeros(n, np.int16),
        is_disputed=np.zeros(n, bool),
        accounts=open_accounts(first, ~business, seed),
        ledger=Ledger(),
    )
