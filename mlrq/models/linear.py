"""`LinearModel`: the coefficients and intercept of any fitted linear regressor, on raw features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.kernel import affine
from mlrq.stats.linear_algebra import product


@dataclass(frozen=True)
class LinearModel:
    """A linear model of raw features: prediction = rows @ coefficients.T + intercept.

    Attributes:
        coefficients: (targets, features) float64.
        intercept: (targets,) float64.
        features: Names, in the order of the columns.
        targets: Names, in the order of the predictions.
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    features: tuple[str, ...]
    targets: tuple[str, ...]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 predictions of (n, features) float64 rows."""
        return affine(rows, self.coefficients, self.intercept)


def hold_finite(model: LinearModel, name: str) -> None:
    """Raise MlrqError, with the `name` of what was fitted, unless all numbers of `model` are finite."""
    if not (np.isfinite(model.coefficients).all() and np.isfinite(model.intercept).all()):
        raise MlrqError(
            f"{name} has coefficients that are not finite; if it did not converge, "
            "model.standardize=true may help"
        )


def _gain_and_shift(scaler: Any, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (width,) gain and shift of a fitted transformer z = x * gain + shift.

    Raises:
        MlrqError: Naming a transformer that is not of this kind.
    """
    zeros, ones = np.zeros(width), np.ones(width)
    match type(scaler).__name__:
        case "StandardScaler":
            gain = ones if scaler.scale_ is None else 1 / scaler.scale_
            shift = zeros if not scaler.with_mean else -scaler.mean_ * gain
        case "RobustScaler":
            gain = 1 / scaler.scale_ if scaler.with_scaling else ones
            shift = -scaler.center_ * gain if scaler.with_centering else zeros
        case "MinMaxScaler" if not scaler.clip:
            gain, shift = scaler.scale_, scaler.min_
        case "MaxAbsScaler":
            gain, shift = 1 / scaler.scale_, zeros
        case _:
            raise MlrqError(
                f"{type(scaler).__name__}, a step of the pipeline, cannot be folded into coefficients: "
                "use StandardScaler, RobustScaler, MinMaxScaler or MaxAbsScaler"
            )
    return gain, shift


def fold(
    estimator: Any,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    rows: NDArray[np.float64],
) -> LinearModel:
    """The `LinearModel` of a fitted scikit-learn linear regressor, or of a Pipeline of scalers and one.

    Args:
        estimator: Fitted; anything with `coef_`, `intercept_` and `predict`, alone or last in a
            Pipeline behind StandardScaler, RobustScaler, MinMaxScaler or MaxAbsScaler.
        features: Names of the columns that it was fitted on.
        targets: Names of its outputs.
        rows: (n, features) float64 rows on which the folded model must meet the estimator's own
            predictions within 1e-9 of their magnitude: an estimator with a link function or a kernel
            has `coef_` too.

    Raises:
        MlrqError: Naming the estimator or the step that is not linear.
    """
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    *scalers, last = [step for step in steps if step not in (None, "passthrough")] or [estimator]
    name = type(last).__name__
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_") and hasattr(last, "predict")):
        raise MlrqError(
            f"{name} is not a fitted linear regressor (it has no coef_ and intercept_): "
            "choose one of sklearn.linear_model"
        )
    affines = [_gain_and_shift(scaler, len(features)) for scaler in scalers]
    coefficients = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(last.intercept_, dtype=np.float64), len(coefficients))
    if coefficients.shape != (len(targets), len(features)):
        raise MlrqError(
            f"{name} was fitted on {coefficients.shape[1]} features and {len(coefficients)} targets, "
            f"but the dataset has {len(features)} and {len(targets)}"
        )
    for gain, shift in reversed(affines):
        # coefficients @ (x * gain + shift) + intercept
        coefficients, intercept = coefficients * gain, intercept + product(coefficients, shift)
    model = LinearModel(coefficients, np.array(intercept), features, targets)
    hold_finite(model, name)
    expected = np.asarray(estimator.predict(rows), dtype=np.float64).reshape(len(rows), -1)
    # The sums' terms, not their total, set the size of the rounding errors.
    magnitude = affine(np.abs(rows), np.abs(coefficients), np.abs(intercept))
    if expected.shape != magnitude.shape or (np.abs(model.predict(rows) - expected) > 1e-9 * magnitude).any():
        raise MlrqError(
            f"{name} is not linear: its predictions differ from coef_ and intercept_ "
            "(a link function, a kernel?); choose a linear regressor of sklearn.linear_model"
        )
    return model
