"""How far the customers of a month are from those a model learnt from, and from those of the same month a year before.

Everything is counted by the engine, over the bins that were frozen in training; the score is the model's own SQL.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.basis import Basis
from pipeline.customers.index_values import model_columns
from pipeline.engine import Engine, open_engine, queries
from pipeline.errors import ModelError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import LogOddsModel
from pipeline.scorecard.stability import Baseline
from pipeline.settings import Settings

TRAINING, YEAR_BEFORE = "training", "year_before"

Counts = dict[str, list[int]]


class Drift(NamedTuple):
    """One comparison of one quantity. ``name``: "score", or an index; ``psi`` None where one side is empty; ``unseen``
    customers with a value of a kind that training had not; ``customers``: the fewer of both sides."""

    family: str
    name: str
    compared_with: str
    compared_month: RatingMonth | None
    psi: float | None
    unseen: int
    customers: int


def compare(
    month: RatingMonth, settings: Settings, policy: Policy, models: Mapping[str, LogOddsModel], *, basis: str
) -> list[Drift]:
    """The month's ``indices`` in the lake against training and, where they are in the lake too, against those of the
    same month a year before, by family; nothing for a model without frozen bins."""
    lake = Lake.of(settings)
    before = next((b for b in (basis, *Basis) if lake.has("indices", rating_month=month - 12, basis=b)), None)
    found = []
    with open_engine(settings) as engine:
        for family, model in models.items():
            if model.monitoring is None:
                continue
            engine.bind_files("indices", lake.files("indices", rating_month=month, basis=basis))
            now = counted(engine, policy, family, model)
            found += _compared(family, model, now, None, TRAINING, None)
            if before is not None:
                engine.bind_files("indices", lake.files("indices", rating_month=month - 12, basis=before))
                if then := counted(engine, policy, family, model):
                    found += _compared(family, model, now, then, YEAR_BEFORE, month - 12)
    return found


def counted(engine: Engine, policy: Policy, family: str, model: LogOddsModel) -> Counts | None:
    """Customers of view ``indices`` by the model's bins: those of the family whom a model could learn from, with bills
    enough and not in default. None where the view lacks a column of the model."""
    held = set(engine.fetch(queries.compose("select * from indices limit 0")).column_names)
    if not set(model.columns) <= held:
        return None
    bins = monitored(model).bins
    branches = [
        f"select '{name}' as name, {part.to_sql(name, queries.DIALECT)} as bin from scored"
        for name, part in bins.items()
    ]
    query = queries.query(
        "customers_by_bin",
        input=model_input(model),
        score=model.to_sql(queries.DIALECT, "score"),
        bins=" union all ".join(branches),
    )
    counts = {name: [0] * len(part.counts) for name, part in bins.items()}
    for row in engine.fetch(query, {"family": family, "min_bills": policy.label.min_bills}).to_pylist():
        counts[row["name"]][row["bin"]] = row["customers"]
    return counts


def model_input(model: LogOddsModel, alias: str = "i") -> str:
    """A select list of a model's columns from the lake's indices: values null where missing, bands as they are."""
    bands = [column for column in model.columns if column.endswith("_band")]
    values = [column for column in model.columns if column not in bands]
    listed = [model_columns(values, alias)] if values else []
    return ", ".join([*listed, *(f"{alias}.{column}" for column in bands)])


def passed_limit(found: list[Drift], policy: Policy) -> list[Drift]:
    """What differs from training by more than the policy's limit and, where that is known, from the same month a year
    before as well: a season is no drift. Judged on customers enough only."""
    limits = policy.monitoring
    over = {
        (drift.name, drift.compared_with): drift.psi >= limits.max_psi
        for drift in found
        if drift.psi is not None and drift.customers >= limits.min_customers
    }
    return [
        drift
        for drift in found
        if drift.compared_with == TRAINING
        and over.get((drift.name, TRAINING))
        and over.get((drift.name, YEAR_BEFORE), True)
    ]


def _compared(
    family: str,
    model: LogOddsModel,
    now: Counts | None,
    then: Counts | None,
    compared_with: str,
    compared_month: RatingMonth | None,
) -> list[Drift]:
    if now is None:
        return []
    table = monitored(model).drift(now, then)
    return [
        Drift(
            family,
            str(row.Index),
            compared_with,
            compared_month,
            None if row.psi != row.psi else float(row.psi),
            int(row.unseen) if compared_with == TRAINING else 0,
            int(min(row.expected_rows, row.observed_rows)),
        )
        for row in table.itertuples()
    ]


def monitored(model: LogOddsModel) -> Baseline:
    """The frozen bins of a model that has some; ModelError where it has none."""
    if model.monitoring is None:
        raise ModelError("the model holds no bins to count drift by: it was made by an older version; retrain it")
    return model.monitoring
