"""Least squares and ridge regression from a summary: neither the rows nor scikit-learn are needed.

With `T` the triangle of the centred training table (`T'T` = its scatter), split into the features' columns
`A` and the targets' columns `B`, least squares is the `W` that minimises ||A W' - B||, and ridge regression

    || [ A; sqrt(alpha) I ] W' - [ B; 0 ] ||

Centring is what leaves the intercept free of the penalty. Without an intercept the row sqrt(n) mean' joins
the triangle, which undoes the centring. A standardized feature is a column of `A` divided by its standard
deviation, and so is its weight in the end, for the model is one of raw features. The triangle is not
squared, so ill-conditioned features cost no more than in scikit-learn.

Importing scikit-learn takes longer than all else before the first row of a stream. So parameters that are
beyond doubt are judged here, and only others are shown to scikit-learn, which objects in its own words.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.kernel import stack
from mlrq.models import estimators
from mlrq.models.estimators import Fitted
from mlrq.models.linear import LinearModel, require_finite
from mlrq.stats.linear_algebra import independent, least_squares, lengths, product, triangularise
from mlrq.stats.summary import Summary

NEGLIGIBLE = 1e-9  # of a feature that others explain
MOST_NAMES = 5  # of those that explain it
PACKAGE = "sklearn.linear_model."
LARGEST, MOST_SEED = float(np.finfo(np.float64).max), 2**32 - 1


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, int) and not _flag(value) and low <= value <= high


def _size(value: Any) -> bool:
    """Whether it is a finite number, 0 or more."""
    return (_whole(value) or isinstance(value, float)) and 0 <= value <= LARGEST


# What each parameter may be to need no second opinion. Beside these, penalties and `fit_intercept`, a
# parameter only says how scikit-learn gets to the solution, which is the same.
LEAST_SQUARES: dict[str, Callable[[Any], bool]] = {
    "fit_intercept": _flag,
    "positive": lambda value: value is False,
    "copy_X": _flag,
    "n_jobs": lambda value: value is None or _whole(value),
    "tol": _size,
}
RIDGE: dict[str, Callable[[Any], bool]] = {
    "alpha": lambda value: all(map(_size, value if isinstance(value, list) else [value])),
    "fit_intercept": _flag,
    "positive": lambda value: value is False,
    "copy_X": _flag,
    "max_iter": lambda value: value is None or _whole(value, 1),
    "tol": _size,
    "solver": lambda value: value in ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga"),
    "random_state": lambda value: value is None or _whole(value, 0, MOST_SEED),
}
ESTIMATORS = {"LinearRegression": LEAST_SQUARES, "Ridge": RIDGE}


def _name(spec: dict[str, Any]) -> str:
    """The estimator's, without the modules that it is in."""
    return str(spec["_target_"]).rpartition(".")[2]


def suffices(spec: dict[str, Any]) -> bool:
    """Whether the estimator of `spec` can be fitted from a summary."""
    ours = str(spec["_target_"]).startswith(PACKAGE) and _name(spec) in ESTIMATORS
    return ours and not spec.get("positive")


def fit(
    summary: Summary,
    spec: dict[str, Any],
    standardize: bool,
    features: tuple[str, ...],
    targets: tuple[str, ...],
) -> Fitted:
    """The model that scikit-learn would fit to the summarized rows.

    Args:
        summary: Of the training rows.
        spec: The estimator's `_target_` and parameters; one that `suffices`.
        standardize: Whether a StandardScaler comes first.
        features: Names.
        targets: Names.

    Raises:
        MlrqError: If a parameter does not suit the estimator, or a coefficient is not finite.
    """
    width, name = summary.features, _name(spec)
    fit_intercept, alpha = _parameters(spec, standardize, width, len(targets))
    scale = summary.spread[:width] if standardize else np.ones(width)
    table = summary.triangle / np.concatenate([scale, np.ones(len(targets))])
    if not (fit_intercept or standardize):  # a scaler centres the features, with an intercept or without
        table = stack(table, np.sqrt(summary.mass) * summary.mean[None])
    if name == "Ridge":
        weights, notices = _ridge(table, _penalties(alpha, len(targets))), []
    else:
        weights = least_squares(table[:, :width], table[:, width:].T)
        notices = _dependencies(table[:, :width], features)
    coefficients = weights / scale
    if fit_intercept:
        intercept = summary.intercept(coefficients)
    else:
        intercept = -product(coefficients, summary.mean[:width]) if standardize else np.zeros(len(targets))
    model = LinearModel(coefficients, intercept, features, targets)
    require_finite(model, name)
    return Fitted(model, notices)


def _dependencies(inputs: NDArray[np.float64], features: tuple[str, ...]) -> list[str]:
    """A line for each feature that those before it explain, with which they are."""
    own = lengths(inputs)
    _, kept = independent(triangularise(inputs), len(features))
    notices = []
    for idle in sorted({*range(len(features))} - {*kept}):
        others = [i for i in kept if i < idle]
        weights = least_squares(inputs[:, others], inputs[None, :, idle])[0]
        effects = np.abs(weights) * own[others]
        by = [features[others[i]] for i in np.flatnonzero(effects > NEGLIGIBLE * own[idle])]
        told = f"{', '.join(by[:MOST_NAMES])}{f' and {len(by) - MOST_NAMES} more' * (len(by) > MOST_NAMES)}"
        notices.append(
            f"{features[idle]} has weight 0: it is a linear function of {told}"
            if by
            else f"{features[idle]} has weight 0: it is constant"
        )
    return notices


def _parameters(spec: dict[str, Any], standardize: bool, width: int, targets: int) -> tuple[bool, Any]:
    """Whether there is an intercept, and the penalty of ridge regression: one number, or one a target.

    Raises:
        MlrqError: If scikit-learn objects to any parameter.
    """
    known = ESTIMATORS[_name(spec)]
    plain = all(key in known and known[key](value) for key, value in spec.items() if key != "_target_")
    alpha = spec.get("alpha", 1.0)
    counted = not isinstance(alpha, list) or len(alpha) == targets
    if plain and counted and spec["_target_"] == PACKAGE + _name(spec):
        return spec.get("fit_intercept", True), alpha
    # The smallest table that it takes; what it learns there is not asked for.
    rows, values = np.eye(width + 2, width), np.eye(width + 2, targets)
    estimator, _ = estimators.estimate(rows, values, spec, standardize)
    regressor = estimator[-1] if standardize else estimator
    return regressor.fit_intercept, getattr(regressor, "alpha", None)


def _penalties(alpha: float | list[float], targets: int) -> NDArray[np.float64]:
    """(targets,) float64.

    Raises:
        MlrqError: If one is negative: scikit-learn looks at one penalty, not at those of a list.
    """
    alphas = np.broadcast_to(np.asarray(alpha, dtype=np.float64), targets)
    if not (alphas >= 0).all():
        raise MlrqError(f"model.estimator.alpha={alpha}: every penalty must be 0 or more")
    return alphas


def _ridge(table: NDArray[np.float64], alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(targets, features) weights of a triangle of features and targets, each target with its own penalty."""
    width = len(table) - len(alphas)
    weights = []
    for target, alpha in enumerate(alphas, width):
        stacked = stack(table, np.sqrt(alpha) * np.eye(width, len(table)))
        weights.append(least_squares(stacked[:, :width], stacked[None, :, target])[0])
    return np.array(weights)
