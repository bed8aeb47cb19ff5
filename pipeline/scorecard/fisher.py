"""Fisher's linear discriminant for two classes, with the pooled covariance R's MASS::lda uses."""

import copy

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.discriminant import LinearDiscriminant
from pipeline.scorecard.errors import ModelFitError

# Below this share of a column's own size its spread is rounding, and below this eigenvalue of the within-class
# correlation matrix (1 on average) the columns determine each other.
_CONSTANT = 1e-12
_SINGULAR = 1e-10
# Below this one, shrinkage "auto" acts: along such a direction columns hold a hundredth of the usual variance.
_NEARLY_SINGULAR = 0.01


class FisherLDA(ClassifierMixin, BaseEstimator, LinearDiscriminant):
    """Separate class 1 from class 0, where class 1 is the later of the two sorted labels.

    ::

        D(x) = x' S^-1 (m1 - m0) - 1/2 (m1 + m0)' S^-1 (m1 - m0) + ln(p1 / p0)

    S is the pooled within-class covariance divided by n - 2. scikit-learn's LinearDiscriminantAnalysis divides by n,
    and weights the classes by the priors it is given, so S is computed here; the directions agree.

    Parameters
    ----------
    priors : (p0, p1), or None for the shares of the training rows. They add up to one.
    shrinkage : how far S is drawn towards its own diagonal, for columns that nearly repeat each other: a share from 0
        to 1; "ledoit_wolf", the share that Ledoit and Wolf (2004) estimate from the rows; "auto", nothing while the
        smallest eigenvalue of the within-class correlation is 0.01 or more, otherwise theirs or what lifts it to 0.01,
        whichever is larger; None, nothing.

    Attributes: see LinearDiscriminant.
    """

    def __init__(self, priors: Numbers = None, shrinkage: Numbers = None) -> None:
        self.priors = priors
        self.shrinkage = shrinkage

    def fit(self, X: Numbers, y: Numbers) -> Numbers:
        """X (n_rows, n_features) finite numbers, y (n_rows,) two labels.

        Raises ModelFitError, which names the columns, for one class only, NaN or infinity, a column that is constant
        within both classes, columns that determine each other, and too few rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", ensure_all_finite=False, ensure_min_samples=2)
        self.classes_, codes = self._classes(y)
        _check_finite(X, self._names())
        rows, columns = X.shape
        if rows - 2 < columns:
            raise ModelFitError(f"{rows} rows cannot fit {columns} columns: {columns + 2} rows at least are needed")
        self.priors_ = self._checked_priors(np.bincount(codes) / rows)
        # BLAS adds in an order that depends on its threads; one thread makes the fit the same to the bit everywhere.
        with threadpool_limits(1):
            self.means_ = np.stack([X[codes == k].mean(axis=0) for k in (0, 1)])
            centred = X - self.means_[codes]
            self.covariance_ = centred.T @ centred / (rows - 2)
            self._solve(centred, size=np.abs(X).max(axis=0))
        return self

    def decision_function(self, X: Numbers) -> Numbers:
        """D(x), (n_rows,): the log-odds of class 1 if both classes are normal with covariance S."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite=False)
        _check_finite(X, self._names())
        return self.of_features(X.T, len(X))

    def predict_proba(self, X: Numbers) -> Numbers:
        """Shares of class 0 and class 1, (n_rows, 2)."""
        discriminant = self.decision_function(X)
        return np.column_stack([expit(-discriminant), expit(discriminant)])

    def predict(self, X: Numbers) -> Numbers:
        """The likelier label, (n_rows,)."""
        discriminant = self.decision_function(X)
        return self.classes_[(discriminant > 0).astype(int)]

    def shifted(self, p_target: float) -> "FisherLDA":
        """A copy for a population where class 1 has the share ``p_target``; only the intercept and the priors move."""
        check_is_fitted(self)
        if not 0 < p_target < 1:
            raise ModelFitError(f"p_target is {p_target}: it must lie between 0 and 1")
        other = copy.deepcopy(self)
        other.priors = other.priors_ = np.array([1 - p_target, p_target])
        other.intercept_ = self.intercept_ + (logit(p_target) - logit(self.priors_[1]))
        return other

    def _solve(self, centred: Numbers, size: Numbers) -> None:
        names = np.array(self._names())
        spread = np.sqrt(np.diag(self.covariance_))
        constant = spread <= _CONSTANT * size
        if constant.any():
            raise ModelFitError(f"constant within both classes: {_listed(names[constant])}; leave it out")
        # Solved on the correlation scale, where columns in kWh and columns in shares weigh the same.
        correlation = self.covariance_ / np.outer(spread, spread)
        eigenvalues, eigenvectors = np.linalg.eigh(correlation)
        self.shrinkage_ = self._share(centred / spread, float(eigenvalues[0]))
        if self.shrinkage_:
            correlation = (1 - self.shrinkage_) * correlation + self.shrinkage_ * np.eye(len(correlation))
            self.covariance_ = correlation * np.outer(spread, spread)
            eigenvalues = (1 - self.shrinkage_) * eigenvalues + self.shrinkage_
        null = np.abs(eigenvectors[:, eigenvalues < _SINGULAR])
        if null.size:
            bound = names[null.max(axis=1) > 1e-3]
            raise ModelFitError(f"columns determine each other within the classes: {_listed(bound)}; leave one out")
        apart = (self.means_[1] - self.means_[0]) / spread
        direction = cho_solve(cho_factor(correlation), apart)
        distance_squared = direction @ apart
        if distance_squared <= 0:
            raise ModelFitError("both classes have the same means in every column: nothing tells them apart")
        self.coef_ = (direction / spread)[np.newaxis]
        self.scaling_ = self.coef_[0] / np.sqrt(distance_squared)
        middle = self.means_.sum(axis=0) @ self.coef_[0] / 2
        self.intercept_ = np.array([np.log(self.priors_[1] / self.priors_[0]) - middle])

    def _share(self, standardised: Numbers, smallest: float) -> float:
        """What ``shrinkage`` asks for, given the rows and the smallest eigenvalue of their correlation."""
        match self.shrinkage:
            case None:
                return 0.0
            case "ledoit_wolf":
                return _ledoit_wolf(standardised)
            case "auto":
                if smallest >= _NEARLY_SINGULAR:
                    return 0.0
                return max(_ledoit_wolf(standardised), (_NEARLY_SINGULAR - smallest) / (1 - smallest))
            case float() | int() if 0 <= self.shrinkage <= 1:
                return float(self.shrinkage)
        raise ModelFitError(f"shrinkage is {self.shrinkage!r}: None, auto, ledoit_wolf or a share from 0 to 1")

    def _classes(self, y: Numbers) -> Numbers:
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) == 1:
            raise ModelFitError(f"the label has one class only ({classes[0]!r}): a discriminant needs two")
        if len(classes) > 2:
            # The wording is what scikit-learn's own binary classifiers say, and its checks look for.
            kind = type_of_target(y)
            raise ModelFitError(f"Only binary classification is supported. The type of the target is {kind}.")
        return classes, codes

    def _checked_priors(self, shares: Numbers) -> Numbers:
        if self.priors is None:
            return shares
        priors = np.asarray(self.priors, dtype=float)
        if priors.shape != (2,) or not (priors > 0).all() or not np.isclose(priors.sum(), 1):
            raise ModelFitError(f"priors are {self.priors}: two positive shares that add up to one are needed")
        return priors

    def __sklearn_tags__(self) -> Numbers:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _ledoit_wolf(standardised: Numbers) -> float:
    """The share by which Ledoit and Wolf (2004) draw the covariance of these rows towards the unit matrix."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # takes half a second to load, and few models shrink

    return float(ledoit_wolf_shrinkage(standardised, assume_centered=True))


def _check_finite(X: Numbers, names: Numbers) -> None:
    finite = np.isfinite(X).all(axis=0)
    if not finite.all():
        raise ModelFitError(f"NaN or infinity in {_listed(np.array(names)[~finite])}: fill or drop it first")


def _listed(names: Numbers) -> str:
    return ", ".join(map(str, names))
