"""Fisher's linear discriminant as a credit rating, for any table of numbers with gaps.

>>> import numpy as np, pandas as pd
>>> from pipeline.scorecard import CreditModel, GradeScale, auc, model_from_dict
>>> rng = np.random.default_rng(1)
>>> indices = pd.DataFrame({"on_time_rate": rng.beta(8, 2, 4000), "arrears_ratio": rng.exponential(1, 4000)})
>>> risk = indices["arrears_ratio"] - 4 * indices["on_time_rate"]
>>> default = (rng.logistic(size=4000) < risk).astype(int)
>>> fit, later = slice(0, 3000), slice(3000, 4000)
>>> model = CreditModel().fit(indices[fit], default[fit], calibration=(indices[later], default[later]))
>>> float(np.round(auc(default[later], model.log_odds(indices[later])).value, 2))
0.82
>>> GradeScale().grade(model.default_probability(indices[:3])).tolist()
['B', 'C', 'C']
>>> bool((model_from_dict(model.to_dict()).score(indices) == model.score(indices)).all())
True

The parts (IndexTransformer, WoeBins, ``fisher.FisherLDA``, SplineCalibrator, Scorecard) work alone as well. Around
them: ``evaluate`` gives a verdict; ``refuse_leaks``, ``contradicted_signs`` and ``adverse_impact`` say what a model
must not be; ``psi`` and a model's frozen ``monitoring`` bins measure drift; ``to_sql`` scores in a database. Whatever
cannot be fitted, scored or read is a ModelFitError that names the column.

``pipeline.scorecard.fisher`` and ``pipeline.scorecard.named_kmeans`` are not imported here: only who fits a model or
groups customers needs scikit-learn, which takes a second to load.
"""

from pipeline.scorecard.base import LogOddsModel
from pipeline.scorecard.calibration import SplineCalibrator
from pipeline.scorecard.credit_model import CreditModel, model_from_dict
from pipeline.scorecard.discriminant import LinearDiscriminant
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.evaluation import calibration_by_grade, calibration_metrics, evaluate
from pipeline.scorecard.expert import ExpertScorecard
from pipeline.scorecard.grade_scale import GradeScale
from pipeline.scorecard.metrics import Interval, auc, brier, default_rate_by_grade, ks
from pipeline.scorecard.scaling import Scorecard
from pipeline.scorecard.screens import (
    adverse_impact,
    contradicted_signs,
    refuse_leaks,
    selection_counts,
    single_index_auc,
)
from pipeline.scorecard.stability import Baseline, Bins, psi
from pipeline.scorecard.terms import Term
from pipeline.scorecard.transform import IndexTransformer
from pipeline.scorecard.weight_of_evidence import WoeBins

__all__ = [
    "Baseline",
    "Bins",
    "CreditModel",
    "ExpertScorecard",
    "GradeScale",
    "IndexTransformer",
    "Interval",
    "LinearDiscriminant",
    "LogOddsModel",
    "ModelFitError",
    "Scorecard",
    "SplineCalibrator",
    "Term",
    "WoeBins",
    "adverse_impact",
    "auc",
    "brier",
    "calibration_by_grade",
    "calibration_metrics",
    "contradicted_signs",
    "default_rate_by_grade",
    "evaluate",
    "ks",
    "model_from_dict",
    "psi",
    "refuse_leaks",
    "selection_counts",
    "single_index_auc",
]
