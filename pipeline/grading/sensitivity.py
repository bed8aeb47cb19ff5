"""Step: what a change of one risk factor at a time does to the month's ratings.

A factor is a set of indices (policy ``sensitivity.factors``). Each is shocked by a share of its own size, and the
customers are scored again: only the linear points of these indices can have changed. What comes out is a row a segment,
factor and shock.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.basis import Basis
from pipeline.customers.index_values import model_columns
from pipeline.engine import Engine, open_engine, queries
from pipeline.lake import Lake
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.grades import Grades
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.scorecard.bands import band, evaluation
from pipeline.scorecard.expert import BANDS
from pipeline.scorecard.shock import Change, ranks, shocked
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from pipeline.warehouse.monthly_tables import TABLES

SCHEMA = TABLES["risk_sensitivity"].schema
# Rules that set a grade hold whatever the score; any other rule is a ceiling.
_SET_BY_RULE = ("default", "override")
# What is summed is rounded to this part of one first, so that sums are exact whatever the batches ...
_FINE = 1e9
# ... and scores are summed in thousands, so that those of a batch stay within what a float counts exactly.
_SCORE_UNIT = 1000


def sensitivity(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    models: dict[str, str],
) -> dict:
    """Write the lake's ``sensitivity`` partition from ``indices`` and ``grades``; columns as rating.risk_sensitivity.

    ``models``: the version of each family that graded the month. A factor that no customer of a segment has a value
    of has no rows there. The summary ranks each segment's factors by relative change at the policy's shock.
    """
    lake = Lake(settings.lake_path)
    scenarios = {
        family: _ShockScenario(fitted(model_registry.model(settings, version)), family, policy)
        for family, version in models.items()
    }
    made_from = {
        table: lake.manifest(table, rating_month=month, basis=basis)["sha256"] for table in ("indices", "grades")
    }
    graded = lake.manifest("grades", rating_month=month, basis=basis)
    totals: dict[tuple, Counter] = defaultdict(Counter)
    with (
        open_engine(settings) as engine,
        lake.writing("sensitivity", rating_month=month, basis=basis) as partition,
    ):
        for table in ("indices", "grades"):
            engine.bind_files(table, lake.files(table, rating_month=month, basis=basis))
        for frame in _customers(engine, scenarios):
            for family, customers in frame.groupby("family", sort=False):
                _add(totals, customers["segment"], scenarios[family].changes(customers))
        rows = _rows(totals, policy)
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partition.folder / "part-0.parquet", compression="zstd")
        partition.manifest(
            rows=len(rows),
            made_from=made_from,
            input_sha256=graded["input_sha256"],
            policy_sha256=policy.sha256,
            model_versions=models,
        )
    return {"month": str(month), "basis": basis, "rows": len(rows), "ranks": _ranks(rows)}


class _ShockScenario:
    """A family's model, and what the policy shakes of it."""

    def __init__(self, model: CreditModel | ExpertScorecard, family: str, policy: Policy):
        self._model = model
        self._grades = policy.grades
        self._indices = policy.indices
        self._shocks = policy.sensitivity.shocks
        named = {factor: policy.factor_indices(factor, family) for factor in policy.sensitivity.factors}
        self._factors = {factor: names for factor, names in named.items() if names}
        self.names = {name for names in named.values() for name in names}
        self.bands = {f"{name}_band" for name in self.names} & set(model.columns)

    def changes(self, frame: pd.DataFrame) -> Iterator[tuple[str, float | None, dict[str, np.ndarray]]]:
        """Factor, shock and, of every customer, what is to be summed: whole numbers of fine units, or yes and no. A
        shock of None is how things are, with how many customers are evaluated."""
        customers = _Rated(frame, self._model, self._grades)
        for factor, names in self._factors.items():
            value, points = self._shocked(frame, names, 0.0)
            counted = {"customers": np.ones(len(frame)), "evaluated": ~np.isnan(value)}
            yield factor, None, counted | customers.measured(value, 0.0)
            for shock in self._shocks:
                value, points_after = self._shocked(frame, names, shock)
                yield factor, shock, customers.measured(value, points_after - points)

    def _shocked(self, frame: pd.DataFrame, names: tuple[str, ...], shock: float) -> tuple[np.ndarray, np.ndarray]:
        """Of every customer: the mean evaluation of the indices that have a value, NaN without any; and the linear
        points."""
        value, known, columns = np.zeros(len(frame)), np.zeros(len(frame)), {}
        for name in names:
            index = self._indices[name]
            after = shocked(frame[name], index.direction, shock)
            position, gap = evaluation(after, index.bands, index.direction), np.isnan(after)
            value += np.where(gap, 0, position)
            known += ~gap
            columns[name] = after
            if f"{name}_band" in self.bands:
                letters = band(after, index.bands, index.direction)  # that of a missing value is as it was
                codes = np.where(gap, frame[f"{name}_band"], letters.codes)
                columns[f"{name}_band"] = pd.Categorical.from_codes(codes, dtype=letters.dtype)
        points = self._model.linear_points(pd.DataFrame(columns), columns).sum(axis=1).to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return value / known, points


class _Rated:
    """Graded customers, and what becomes of their grades when their scores change."""

    def __init__(self, frame: pd.DataFrame, model: CreditModel | ExpertScorecard, grades: Grades):
        self._model, self._cutoffs = model, grades.cutoffs
        self._score = frame["score"].to_numpy()
        self._points = model.points_at(self._score)
        self._in_default = (frame["default_probability"] == 1).to_numpy()
        self._level = pd.Categorical(frame["grade"], categories=list(grades.names)).codes
        by_score = self._by(self._probability(self._score))
        # No ceiling gives a better grade.
        self._is_set = frame["rating_basis"].isin(_SET_BY_RULE).to_numpy() | (self._level < by_score)
        self._ceiling = np.where(self._level > by_score, self._level, 0)
        self._before = np.where(self._is_set, self._level, np.maximum(by_score, self._ceiling))

    def measured(self, value: np.ndarray, points: np.ndarray | float) -> dict[str, np.ndarray]:
        """Of every customer what is to be summed, with an evaluation of ``value`` and so many more linear points."""
        score = np.where(points == 0, self._score, self._model.score_at(self._points + points))
        probability = self._probability(score)
        level = np.where(self._is_set, self._level, np.maximum(self._by(probability), self._ceiling))
        return {
            "value": _fine(np.nan_to_num(value)),
            "score": _fine(score / _SCORE_UNIT),
            "probability": _fine(probability),
            "upgrades": level < self._before,
            "downgrades": level > self._before,
        }

    def _probability(self, score: np.ndarray) -> np.ndarray:
        return np.where(self._in_default, 1.0, self._model.probability_of(score))

    def _by(self, probability: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._cutoffs, probability, side="right")


def _customers(engine: Engine, scenarios: dict[str, _ShockScenario]) -> Iterator[pd.DataFrame]:
    """Grade and indices of the customers, an index null where it is missing, a band as its place in BANDS or -1; in no
    order, as none is needed."""
    names = sorted({name for scenario in scenarios.values() for name in scenario.names})
    bands = sorted({column for scenario in scenarios.values() for column in scenario.bands})
    selected = [
        *("i.segment", "i.family", "g.score", "g.default_probability", "g.grade", "g.rating_basis"),
        *([model_columns(names)] if names else []),
        *(f"coalesce(strpos('{''.join(BANDS)}', i.{column}), 0) - 1 as {column}" for column in bands),
    ]
    query = f"select {', '.join(selected)} from indices as i inner join grades as g on g.customer_id = i.customer_id"
    with closing(engine.batches(queries.compose(query))) as batches:
        for batch in batches:
            yield batch.to_pandas()


def _fine(values: np.ndarray) -> np.ndarray:
    return np.rint(values * _FINE)


def _add(totals: dict[tuple, Counter], segments: pd.Series, changes: Iterator[tuple]) -> None:
    codes, names = pd.factorize(segments)
    for factor, shock, numbers in changes:
        for what, values in numbers.items():
            for segment, total in zip(names, np.bincount(codes, weights=values), strict=True):
                totals[segment, factor, shock][what] += int(total)


def _rows(totals: dict[tuple, Counter], policy: Policy) -> list[dict]:
    analysed = sorted((segment, factor) for segment, factor, shock in totals if shock is None)
    return [
        _row(segment, factor, shock, totals[segment, factor, None], totals[segment, factor, shock])
        | {"is_ranking_shock": shock == policy.sensitivity.shock}
        for segment, factor in analysed
        for shock in policy.sensitivity.shocks
        if totals[segment, factor, None]["evaluated"]
    ]


def _row(segment: str, factor: str, shock: float, before: Counter, after: Counter) -> dict:
    evaluated = _FINE * before["evaluated"]
    change = Change(before["value"] / evaluated, after["value"] / evaluated, shock)
    return {
        "segment": segment,
        "risk_factor": factor,
        "shock": shock,
        "customers": before["customers"],
        "evaluation_value": change.before,
        "score_after_change": change.after,
        "absolute_change": change.absolute,
        "relative_change": change.relative,
        "elasticity": change.elasticity,
        "grade_changes": after["upgrades"] + after["downgrades"],
        "upgrades": after["upgrades"],
        "downgrades": after["downgrades"],
        "mean_credit_score": _SCORE_UNIT * before["score"] / _FINE / before["customers"],
        "mean_credit_score_after": _SCORE_UNIT * after["score"] / _FINE / before["customers"],
        "expected_defaults": before["probability"] / _FINE,
        "expected_defaults_after": after["probability"] / _FINE,
    }


def _ranks(rows: list[dict]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        if row["is_ranking_shock"]:
            sizes[row["segment"]][row["risk_factor"]] = row["relative_change"]
    return {segment: ranks(factors) for segment, factors in sizes.items()}
