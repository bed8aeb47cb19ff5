"""A fitted discriminant: what scoring needs of it, without scikit-learn, which takes a second to load."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np


class LinearDiscriminant:
    """D(x) = x' coef_ + intercept_, and what it was fitted from; see ``fisher.FisherLDA``.

    Attributes
    ----------
    classes_ : (2,) labels; priors_ : (2,); means_ : (2, n_features); covariance_ : (n_features, n_features)
    shrinkage_ : the share by which the covariance was drawn towards its diagonal
    coef_ : (1, n_features) S^-1 (m1 - m0); intercept_ : (1,), as in scikit-learn's linear classifiers
    scaling_ : (n_features,) coef_ scaled so that the discriminant's within-class variance is one: what R prints
    """

    feature_names_in_: np.ndarray
    n_features_in_: int
    classes_: np.ndarray
    priors_: np.ndarray
    means_: np.ndarray
    covariance_: np.ndarray
    shrinkage_: float
    coef_: np.ndarray
    scaling_: np.ndarray
    intercept_: np.ndarray

    def of_features(self, features: Iterable[np.ndarray], rows: int) -> np.ndarray:
        """D, (rows,), of the features one by one, each (rows,)."""
        return weighted_sum(features, self.coef_[0], np.full(rows, self.intercept_[0]))

    def to_dict(self) -> dict[str, Any]:
        """Everything fitted, as plain JSON."""
        return {
            "features": self._names(),
            "classes": self.classes_.tolist(),
            "priors": self.priors_.tolist(),
            "means": self.means_.tolist(),
            "covariance": self.covariance_.tolist(),
            "shrinkage": float(self.shrinkage_),
            "coefficients": self.coef_[0].tolist(),
            "scaling": self.scaling_.tolist(),
            "intercept": float(self.intercept_[0]),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        model = cls()
        model.feature_names_in_ = np.array(document["features"], dtype=object)
        model.n_features_in_ = len(document["features"])
        model.classes_ = np.array(document["classes"])
        model.priors_ = np.array(document["priors"], dtype=float)
        model.means_ = np.array(document["means"], dtype=float)
        model.covariance_ = np.array(document["covariance"], dtype=float)
        model.shrinkage_ = document.get("shrinkage", 0.0)
        model.coef_ = np.array([document["coefficients"]], dtype=float)
        model.scaling_ = np.array(document["scaling"], dtype=float)
        model.intercept_ = np.array([document["intercept"]], dtype=float)
        return model

    def _names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if names is None else list(names)


def weighted_sum(columns: Iterable[np.ndarray], weights: Iterable[float], start: np.ndarray) -> np.ndarray:
    """``start`` plus each column times its weight, added left to right in place.

    Elementwise, never BLAS: a row has the same sum to the bit alone and in any batch.
    """
    for column, weight in zip(columns, weights, strict=True):
        start += column * weight
    return start
