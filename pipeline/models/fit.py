"""Fit a model of one segment family on its labelled customers: Fisher's discriminant, or the expert scorecard."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.models import cohorts
from pipeline.policy import Policy
from pipeline.scorecard import (
    CreditModel,
    ExpertScorecard,
    GradeScale,
    LogOddsModel,
    Scorecard,
    contradicted_signs,
    evaluate,
    refuse_leaks,
)


@dataclass(frozen=True)
class Samples:
    """One family's labelled customers: rows to fit on, to calibrate with, and to judge by.

    ``default_share`` is that of all rows there were to fit on, where ``fit`` holds more defaults than its share.
    """

    fit: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    default_share: float

    @classmethod
    def of(cls, rows: cohorts.Rows, family: str) -> "Samples":
        frame = rows.of(family)
        fit, calibration, test = (frame[frame["role"] == role].reset_index(drop=True) for role in cohorts.ROLES)
        return cls(fit, calibration, test, rows.default_share(family))


def left_out(policy: Policy, family: str, absent: Collection[str]) -> dict[str, str]:
    """The family's indices that the model has to do without as the source lacks these tables, and why."""
    return {
        name: f"the source has no {', '.join(tables)}"
        for name in policy.scored(family)
        if (tables := [table for table in policy.indices[name].needs if table in absent])
    }


def fit(samples: Samples, policy: Policy, family: str, without: Collection[str] = ()) -> CreditModel | ExpertScorecard:
    """The discriminant of these samples, or the policy's scorecard where they hold too few defaults (or others).

    ModelFitError where an index by itself tells defaults from the rest, or nothing can be fitted.
    """
    training = policy.training
    if min(smallest_class(samples.fit), smallest_class(samples.calibration) * 5) < training.min_defaults:
        expert = expert_scorecard(policy, family, without)
        everybody = pd.concat([samples.fit, samples.calibration, samples.test])
        return expert.watching(everybody) if len(everybody) else expert
    names = list(policy.scored(family))
    refuse_leaks(samples.fit[names], samples.fit["is_default"], training.max_index_auc)
    contradicting = {}
    model = _fitted(samples, names, policy)
    # The last one is for the gates to judge.
    while len(names) > 1 and (worst := _against_its_direction(model, policy)):
        index, points = worst
        contradicting[index] = f"weighed {points:.1f} points per standard deviation against its direction"
        names.remove(index)
        model = _fitted(samples, names, policy)
    model.transformer_.dropped_ |= contradicting
    return model


def _fitted(samples: Samples, names: list[str], policy: Policy) -> CreditModel:
    training = policy.training
    calibration = samples.calibration[names], samples.calibration["is_default"].to_numpy()
    model = CreditModel(_scorecard(policy), None if training.shrinkage == "none" else training.shrinkage).fit(
        samples.fit[names],
        samples.fit["is_default"].to_numpy(),
        calibration=calibration,
        fill={name: fixed for name in names if isinstance(fixed := policy.indices[name].missing, float)},
        binned=[name for name in names if name in training.binned],
        sentinels={name: codes for name, codes in training.sentinels.items() if name in names},
        directions={name: direction for name, direction in directions(policy).items() if name in names},
    )
    if samples.fit["is_plain"].all():
        return model
    # Defaults are more than their share of the sample: that moves the intercept and the bins to count from, no weight.
    model.discriminant_ = model.discriminant_.shifted(samples.default_share)
    return model.recalibrated(*calibration).watching(samples.fit[samples.fit["is_plain"]])


def _against_its_direction(model: CreditModel, policy: Policy) -> tuple[str, float] | None:
    """The index that weighs most against its direction and more than the gate lets pass, with its points; None where
    there is none, or where the policy keeps such indices."""
    against = contradicted_signs(model, directions(policy))
    worst = max(against, key=lambda name: abs(against[name]), default=None)
    limit = policy.promotion.gates.max_contradicted_points
    if worst is None or abs(against[worst]) <= limit or policy.training.contradicting_indices == "keep":
        return None
    return worst, abs(against[worst])


def directions(policy: Policy) -> dict[str, str]:
    return {name: index.direction for name, index in policy.indices.items()}


def expert_scorecard(policy: Policy, family: str, without: Collection[str] = ()) -> ExpertScorecard:
    """What the policy grades by where nothing can be learnt; ``without`` indices that the source does not give."""
    known = {name: weight for name, weight in policy.expert_weights(family).items() if name not in without}
    weights = {f"{name}_band": weight for name, weight in known.items()}
    return ExpertScorecard(policy.expert.intercept, weights, policy.expert.missing_band, _scorecard(policy))


def evaluated(model: LogOddsModel, rows: pd.DataFrame, policy: Policy) -> dict[str, Any]:
    """``pipeline.scorecard.evaluate`` on labelled rows; the counts alone where there is nobody."""
    if rows.empty:
        return {"customers": 0, "defaults": 0}
    return evaluate(
        rows["is_default"].to_numpy(), model.default_probability(rows), grade_scale(policy), model.score(rows)
    )


def smallest_class(rows: pd.DataFrame) -> int:
    """Rows in the smaller of the two classes."""
    return 0 if rows.empty else int(rows["is_default"].value_counts().reindex([0, 1], fill_value=0).min())


def grade_scale(policy: Policy) -> GradeScale:
    return GradeScale(policy.grades.names, policy.grades.cutoffs)


def _scorecard(policy: Policy) -> Scorecard:
    terms = policy.scorecard
    return Scorecard(points=terms.points, odds=terms.odds, pdo=terms.points_to_double_odds)
