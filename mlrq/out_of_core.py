"""Least squares and ridge regression from a summary: the rows themselves are not needed.

With `T` the triangle of the centred training table (`T'T` = its scatter), split into the features' columns
`A` and the targets' columns `B`, least squares is the `W` that minimises ||A W' - B||, and ridge regression

    || [ A; sqrt(alpha) I ] W' - [ B; 0 ] ||

Centring is what leaves the intercept free of the penalty. Without an intercept the row sqrt(n) mean' joins
the triangle, which undoes the centring. A standardized feature is a column of `A` divided by its standard
deviation. Nothing is squared on the way, so ill-conditioned features cost no more than in scikit-learn.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import training
from mlrq.summary import Summary
from mlrq.triangle import dependent, least_squares, triangularise

NAMES = ("LinearRegression", "Ridge")


def suffices(spec: dict[str, Any]) -> bool:
    """Whether the estimator of `spec` can be fitted from a summary."""
    target = str(spec["_target_"])
    return (
        target.startswith("sklearn.linear_model.")
        and target.rpartition(".")[2] in NAMES
        and not spec.get("positive")
    )


def fit(
    summary: Summary, spec: dict[str, Any], standardize: bool, features: tuple[str, ...]
) -> tuple[bytes, list[str]]:
    """The fitted scikit-learn estimator of `spec`, as a joblib file, and notices.

    Args:
        summary: Of the training rows.
        spec: The estimator's `_target_` and parameters.
        standardize: Whether a StandardScaler comes first.
        features: Names, for the notices.

    Raises:
        MlrqError: If a parameter does not suit the estimator.
    """
    mean, triangle, rest = map(_own, (summary.mean, summary.triangle, summary.mean_rest))
    summary = replace(summary, mean=mean, triangle=triangle, mean_rest=rest)
    width, targets = summary.features, len(summary.mean) - summary.features
    # scikit-learn judges the parameters and fills in its attributes; what it learns here is replaced.
    packed, _ = training.fit(np.eye(width + 2, width), np.eye(width + 2, targets), spec, standardize)
    estimator = training.load(packed)
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    regressor, scale = steps[-1], np.ones(width)
    mean = summary.mean[:width]
    if standardize:
        variance = np.square(summary.feature_triangle).sum(axis=0)
        scale = np.sqrt(variance)
        scaler = steps[0]
        scaler.mean_, scaler.var_, scaler.scale_ = mean.copy(), variance, scale
        scaler.n_samples_seen_ = np.int64(summary.count)
        mean = np.zeros(width)
    centred = regressor.fit_intercept or standardize
    table = summary.triangle
    if not centred:
        table = triangularise(np.concatenate([np.sqrt(summary.count) * summary.mean[None], table]))
    inputs, outputs = table[:, :width] / scale, table[:, width:]
    notices = []
    if type(regressor).__name__ == "Ridge":
        weights = _ridge(inputs, outputs, np.broadcast_to(regressor.alpha, targets))
    else:
        weights = least_squares(inputs, outputs.T)
        square = inputs[:width]
        idle = [features[i] for i in np.flatnonzero(dependent(square))]
        if idle:
            notices.append(f"the other features explain {', '.join(idle)}, which may have weight 0")
        regressor.rank_ = width - len(idle)
        regressor.singular_ = np.linalg.svd(square, compute_uv=False)
    intercept = summary.mean[width:] - (weights * mean).sum(axis=1)
    if not regressor.fit_intercept:
        regressor.intercept_ = 0.0
    else:
        regressor.intercept_ = float(intercept[0]) if targets == 1 else intercept
    regressor.coef_ = weights[0] if targets == 1 else weights
    return training.dump(estimator), notices


def _own(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy whose pickle is the same bytes wherever `array` was made.

    An array from another process has a dtype object of its own, and what is computed from it inherits that.
    """
    copy = np.empty(array.shape)
    copy[...] = array
    return copy


def _ridge(
    inputs: NDArray[np.float64], outputs: NDArray[np.float64], alphas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(targets, features) weights, each target with its own penalty."""
    width = inputs.shape[1]
    weights = []
    for column, alpha in zip(outputs.T, alphas, strict=True):
        stacked = np.concatenate([inputs, np.sqrt(alpha) * np.eye(width)])
        goal = np.concatenate([column, np.zeros(width)])
        weights.append(least_squares(stacked, goal[None])[0])
    return np.array(weights)
