"""The second way to grade: a frame of customers through a model and the rules in Python."""

import numpy as np
import pandas as pd

from pipeline.grading import rules
from pipeline.grading.reasons import reasons_against
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.warehouse.monthly_tables import REASONS


class Grader:
    """A family's model and the policy's scale, applied to a frame of customers at a time."""

    def __init__(self, model_version: str, model: CreditModel | ExpertScorecard, policy: Policy):
        self.version = model_version
        self._model = model
        self._policy = policy
        self._basis = "expert" if isinstance(model, ExpertScorecard) else "model"
        self._codes = {name: index.code for name, index in policy.indices.items()}

    def grade(self, frame: pd.DataFrame) -> pd.DataFrame:
        probability = self._model.default_probability(frame)
        thin = frame["is_thin_file"].to_numpy(dtype=bool)
        by_model = frame.assign(
            default_probability=probability, rating_basis=np.where(thin, "thin_file", self._basis).astype(object)
        )
        ruled = rules.apply(by_model, self._policy.grade_rules, self._policy.grades)
        graded = frame[["customer_id", "segment", "region", "previous_grade"]].assign(
            score=self._model.score(frame),
            default_probability=np.where(frame["is_in_default"].to_numpy(dtype=bool), 1.0, probability),
            model_version=self.version,
            notch_change=self._notches(frame["previous_grade"], ruled["grade"]),
        )
        published = frame[["rules_in_force", "quarantined_records"]]
        return graded.join(ruled).join(self._reasons(frame)).join(published)

    def _notches(self, previous: pd.Series, grades: pd.Series) -> pd.Series:
        place = {name: at for at, name in enumerate(self._policy.grades.names)}
        before, now = (names.map(place).fillna(-1).to_numpy(dtype=np.int64) for names in (previous, grades))
        return pd.Series(before - now, previous.index, dtype="Int32").where(before >= 0)

    def _reasons(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Codes of the indices that cost the most points, the costliest first; none that cost nothing, none of band A,
        and none of which nothing is known.

        By ``reason_points``, as the calibration stretches all points of a customer alike.
        """
        points = reasons_against(self._model, frame)
        codes = np.array([self._codes[column.removesuffix("_band")] for column in points], dtype=object)
        costliest = np.argsort(points.to_numpy(), axis=1, kind="stable")[:, :REASONS]
        costs = np.take_along_axis(points.to_numpy(), costliest, axis=1) < 0
        reasons = np.where(costs, codes[costliest], np.array(None, dtype=object))
        return pd.DataFrame({f"reason_{at + 1}": reasons[:, at] for at in range(reasons.shape[1])}, index=frame.index)
