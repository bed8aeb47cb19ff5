"""The cohorts a model learns from: what became of the customers of earlier months, and which of their rows it is shown.

Outcomes are looked up first, of all customers or, where they are too many, of a plain sample of them; indices are
computed for those rows alone that are drawn from these. A row is one customer in one cohort, and it has a role:

    fit           early cohorts, customers who are not held out
    calibration   late cohorts (out of time), customers who are not held out
    test          late cohorts, customers held out of everything else

Without cohorts to spare for that, all three are of the same cohorts and of different customers. Past the policy's size
the rows to fit on are a stratified sample: defaults first, which are what is rare. Those to calibrate with and to judge
by are drawn whatever became of them, so that shares among them stay true.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pandas as pd
import pyarrow as pa

from pipeline.basis import Basis
from pipeline.customers.index_values import kept_indices, model_columns, write_indices
from pipeline.customers.outcomes import cohort_snapshot, facts_beside, write_outcomes
from pipeline.engine import Engine, open_engine, queries
from pipeline.engine.sampled_facts import SampledFacts
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

OUTCOMES = ("good", "bad", "indeterminate", "closed_owing", "too_few_bills", "in_default")
ROLES = ("fit", "calibration", "test")
OnPart = Callable[[str, float], None]


def mature(lake: Lake, month: RatingMonth, policy: Policy) -> list[RatingMonth]:
    """The cohorts that a model trained in that month learns from, in chronological order; none from before the lake."""
    known = lake.facts("bills")
    return [cohort for cohort in policy.cohorts(month) if known and cohort >= known[0]]


def outcomes(month: RatingMonth, settings: Settings, policy: Policy, *, basis: str = Basis.AS_KNOWN_THEN) -> list[dict]:
    """Customers by cohort, family and outcome, as a model trained in that month sees them: one dict per cohort and
    family, oldest first, with ``cohort``, ``family`` and a count for each of OUTCOMES."""
    with _looked_up(month, settings, policy, basis) as rows:
        counts = rows.counts
    keys = ["cohort", "family", "outcome"]
    table = counts.groupby(keys)["customers"].sum().unstack("outcome", fill_value=0).reindex(columns=list(OUTCOMES))
    return table.fillna(0).astype(int).reset_index().to_dict("records")


class Rows:
    """The labelled rows of a month's mature cohorts.

    Attributes
    ----------
    cohorts : oldest first; counts : DataFrame of cohort, family, role, outcome, customers; input_sha256
    """

    def __init__(self, engine: Engine, lake: Lake, policy: Policy, known: RatingMonth, scratch: Path):
        self.cohorts: list[RatingMonth] = []
        self.counts = pd.DataFrame(columns=["cohort", "family", "role", "outcome", "customers"])
        self._engine, self._lake, self._policy, self._known, self._scratch = engine, lake, policy, known, scratch
        self._seed = f"pool {policy.training.seed} "
        self._digest = hashlib.sha256()
        self._snapshots: dict[RatingMonth, RatingMonth] = {}

    @property
    def input_sha256(self) -> str:
        """Of all the partitions that were read so far."""
        return self._digest.hexdigest()

    def look_up(self, cohorts: list[RatingMonth], most: int | None, on_part: OnPart) -> None:
        """What became of everybody, or in ``most`` rows of a plain sample of the customers, and who has which role."""
        self._share = 1.0
        if most is not None and cohorts:
            customers = self._lake.manifest("customers", snapshot_month=self._known)["rows"]
            self._share = most / max(1, customers * len(cohorts))
            months = {*cohorts, self._known}
            snapshots = {month for month in months if self._lake.has("customers", snapshot_month=month)}
            if bind_sample(self._engine, self._lake, snapshots, self._share, self._seed, "sampled_ever"):
                self._engine = cast(Engine, SampledFacts(self._engine, "sampled_ever", self._scratch))
        apart = self._policy.training.out_of_time_cohorts
        late = set(cohorts[-apart:]) if 0 < apart < len(cohorts) else set()
        counts = []
        for number, cohort in enumerate(cohorts):
            on_part(f"outcomes of {cohort}", number / len(cohorts) / 2)
            counts.append(self._look_up(cohort, _role(cohort in late, bool(late))))
        self.cohorts = cohorts
        if counts:
            self.counts = pd.concat(counts, ignore_index=True)

    def compute_indices(self, roles: Collection[str], on_part: OnPart) -> None:
        """The indices of the rows of these roles that are drawn, as known at each cohort's own cut-off."""
        wanted = self.counts[self.counts["role"].isin(roles)]
        shares = pa.Table.from_pylist(_shares(wanted, self._policy), SHARES)
        for number, cohort in enumerate(self.cohorts):
            on_part(f"indices of {cohort}", (1 + number / len(self.cohorts)) / 2)
            if str(cohort) in set(wanted["cohort"]):
                self._compute_indices(cohort, shares)

    def of(self, family: str) -> pd.DataFrame:
        """Rows to fit on, calibrate with and judge by: cohort, customer_id, role, is_default, is_plain (whether the row
        would be there too if defaults were not preferred), every index (NaN where missing) and its band."""
        files = sorted(str(file) for file in self._scratch.glob("*/rows.parquet"))
        if not files:
            return pd.DataFrame(columns=["role", "is_default", "is_plain"])
        self._engine.bind_files("rows", files)
        rows = queries.compose(
            "select * exclude (family) from rows where family = :family order by cohort, customer_id"
        )
        return self._engine.fetch(rows, {"family": family}).to_pandas(types_mapper=_ARROW_TEXT)

    def default_share(self, family: str) -> float:
        """Of defaults among all that could have been fitted on, drawn or not; 0 where nobody is."""
        fit = self.counts[(self.counts["family"] == family) & (self.counts["role"] == "fit")]
        labelled = fit[fit["outcome"].isin(["good", "bad"])]
        defaults = labelled.loc[labelled["outcome"] == "bad", "customers"].sum()
        return float(defaults / max(1, labelled["customers"].sum()))

    def _look_up(self, cohort: RatingMonth, role: str) -> pd.DataFrame:
        folder = self._scratch / str(cohort)
        folder.mkdir()
        snapshot = cohort_snapshot(self._engine, self._lake, self._policy, cohort, self._known)
        self._snapshots[cohort] = snapshot
        only = bind_sample(self._engine, self._lake, [snapshot], self._share, self._seed)
        found = write_outcomes(
            self._engine,
            self._lake,
            self._policy,
            cohort,
            folder,
            known_in=self._known,
            customers_of=snapshot,
            only=only,
            beside=["bill_status"],
        )
        self._digest.update(f"{found.input_sha256} ".encode())
        self._engine.bind_files("outcomes", [str(file) for file in found.files])
        with_role = queries.query("cohort_roles", role=role)
        training = self._policy.training
        self._engine.write(
            with_role,
            {
                "split": f"split {training.seed} ",
                "sample": f"sample {training.seed} {cohort} ",
                "holdout": _hex(training.holdout_share),
                "calibration": _hex(training.holdout_share + training.calibration_share),
            },
            folder / "roles.parquet",
        )
        self._engine.bind_files("roles", [str(folder / "roles.parquet")])
        counted = queries.compose(
            "select family, role, outcome, count(*) as customers from roles"
            " group by family, role, outcome order by family, role, outcome"
        )
        return self._engine.fetch(counted).to_pandas().assign(cohort=str(cohort))

    def _compute_indices(self, cohort: RatingMonth, shares: pa.Table) -> None:
        folder = self._scratch / str(cohort)
        self._engine.bind_files("roles", [str(folder / "roles.parquet")])
        self._engine.bind_table("shares", shares)
        drawn = queries.query("drawn_rows")
        self._engine.write(drawn, {}, folder / "drawn.parquet")
        self._engine.bind_files("drawn", [str(folder / "drawn.parquet")])
        known = KnownRecords(self._lake, self._policy, cohort, customers_of=self._snapshots[cohort])
        names = self._policy.scored_in_some_family
        computed = kept_indices(known)
        if computed is None:
            accounts = facts_beside(folder, ["bill_status", "default_status"])
            made = write_indices(self._engine, known, folder, only="drawn", names=names, accounts=accounts)
            computed = [str(file) for file in made.files]
        self._digest.update(f"{known.inputs.sha256} ".encode())
        self._engine.bind_files("computed", computed)
        bands = ", ".join(f"i.{name}_band" for name in names)
        rows = queries.query("training_rows", indices=model_columns(names), bands=bands)
        self._engine.write(rows, {"cohort": str(cohort)}, folder / "rows.parquet")


@contextmanager
def labelled(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    basis: str,
    *,
    roles: Collection[str] = ROLES,
    on_part: OnPart = lambda what, share: None,
) -> Iterator[Rows]:
    """The rows that a model trained as of a month may learn from and be judged by, drawn, with their indices.

    ``on_part`` is told what is under way, and the share that is done.
    """
    with _looked_up(month, settings, policy, basis, policy.training.max_looked_up, on_part) as rows:
        rows.compute_indices(roles, on_part)
        yield rows


def bind_sample(
    engine: Engine, lake: Lake, snapshots: Iterable[RatingMonth], share: float, seed: str, name: str = "sampled"
) -> str | None:
    """A view of about this share of the snapshots' customers, the same ones for the same seed; None stands for all."""
    if share >= 1:
        return None
    files = [file for month in sorted(snapshots) for file in lake.files("customers", snapshot_month=month)]
    engine.bind_files("everyone", files)
    drawn = queries.compose("select distinct customer_id from everyone where md5(:seed || customer_id) < :share")
    engine.bind_table(name, engine.fetch(drawn, {"seed": seed, "share": _hex(share)}))
    return name


@contextmanager
def _looked_up(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    basis: str,
    most: int | None = None,
    on_part: OnPart = lambda what, share: None,
) -> Iterator[Rows]:
    lake = Lake.of(settings)
    known = KnownRecords(lake, policy, month, basis).known_in
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as scratch:
        rows = Rows(engine, lake, policy, known, Path(scratch))
        rows.look_up(mature(lake, month, policy), most, on_part)
        yield rows


SHARES = pa.schema(
    [
        ("family", pa.string()),
        ("role", pa.string()),
        ("is_default", pa.int32()),
        ("drawn", pa.string()),
        ("plain", pa.string()),
    ]
)
_ARROW_TEXT = {pa.string(): pd.ArrowDtype(pa.string())}.get


def _role(is_late: bool, some_are_late: bool) -> str:
    """The role of a row of one cohort, as SQL; null where the row serves nothing."""
    place = "md5(:split || customer_id)"
    if is_late:
        return f"case when {place} < :holdout then 'test' else 'calibration' end"
    if some_are_late:
        return f"case when {place} >= :holdout then 'fit' end"
    return f"case when {place} < :holdout then 'test' when {place} < :calibration then 'calibration' else 'fit' end"


def _shares(counts: pd.DataFrame, policy: Policy) -> list[dict]:
    """Which share of each family's rows is drawn, by role and class: as the bound that an md5 has to fall below."""
    labelled_rows = counts[counts["outcome"].isin(["good", "bad"])]
    drawn = []
    for (family, role), rows in labelled_rows.groupby(["family", "role"]):
        bads = int(rows.loc[rows["outcome"] == "bad", "customers"].sum())
        goods = int(rows["customers"].sum()) - bads
        bad_share, good_share = _class_shares(bads, goods, role, policy)
        for is_default, share in ((1, bad_share), (0, good_share)):
            bounds = {"drawn": _hex(share), "plain": _hex(min(good_share, bad_share))}
            drawn.append({"family": family, "role": role, "is_default": is_default, **bounds})
    return drawn


def _class_shares(bads: int, goods: int, role: str, policy: Policy) -> tuple[float, float]:
    """Of the defaults and of the others: ``max_rows`` to fit on, a quarter to calibrate with and to judge by."""
    limit = policy.training.max_rows if role == "fit" else policy.training.max_rows / 4
    plain = min(1.0, limit / (bads + goods))
    if role != "fit" or plain == 1:
        return plain, plain
    kept = min(bads, max(plain * bads, policy.training.sampled_default_share * limit))
    return (kept / bads if bads else plain), min(1.0, (limit - kept) / goods) if goods else plain


def _hex(share: float) -> str:
    """Below which an md5 falls with this probability."""
    return f"{int(share * 16**8):08x}" if share < 1 else "g"
