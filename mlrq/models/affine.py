"""Any fitted regressor whose predictions are affine in its features, folded into a `LinearModel`.

Where an estimator has `coef_` and `intercept_`, these are tried first. Any other, such as a pipeline with a
PCA in it, a grid search or a regressor of several outputs, is probed: each coefficient of an affine function
is a difference of two of its values. Either way the folded model must then meet the estimator's own
predictions on the rows. So a link function, a kernel or a tree is refused, and nothing that is affine is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.kernel import affine
from mlrq.models.linear import LinearModel, require_finite
from mlrq.stats.linear_algebra import product

Predict = Callable[[NDArray[np.float64]], NDArray[np.float64]]

TOLERANCE = 1e-9  # of the size of the terms that are added up to a prediction
# Spreads that a feature is moved by when it is probed: far enough for its own term to outweigh the others, so
# that their difference keeps its digits; a power of two, lest the move itself be rounded.
FAR = 2.0**20


def fold(
    estimator: Any, features: tuple[str, ...], targets: tuple[str, ...], rows: NDArray[np.float64]
) -> LinearModel:
    """The `LinearModel` of a fitted regressor.

    Args:
        estimator: Fitted; anything with `predict`.
        features: Names of the columns that it was fitted on.
        targets: Names of its outputs.
        rows: (n, features) float64 rows on which the folded model must meet the estimator's own predictions
            within `TOLERANCE`.

    Raises:
        MlrqError: One line, if it is not fitted, was fitted on another number of features or targets, or is
            not affine: then with the largest deviation, and the row where it was seen.
    """
    name = named(estimator)
    predict = predicting(estimator, features, len(targets))
    expected = predict(rows)
    told = _as_told(estimator, features, targets)
    if told is not None:
        require_finite(told, name)
        if (_deviation(told, rows, expected) <= 1).all():
            return told
    model = _probed(predict, features, targets, rows, FAR)
    if not (np.isfinite(model.coefficients).all() and np.isfinite(model.intercept).all()):
        model = _probed(predict, features, targets, rows, 1.0)  # a link function overflows far away
    require_met(model, rows, expected, name)
    return model


def require_met(
    model: LinearModel,
    rows: NDArray[np.float64],
    expected: NDArray[np.float64],
    name: str,
    hint: str = "is there a link function, a kernel?",
) -> None:
    """Raise MlrqError unless a folded model predicts what its estimator does, within `TOLERANCE`.

    Args:
        model: Folded.
        rows: (n, features) float64.
        expected: (n, targets) predictions of the estimator.
        name: Of the estimator.
        hint: What the reason may be.
    """
    if not np.isfinite(expected).all():
        raise MlrqError(
            f"{name} has predictions that are not finite; if it did not converge, scale its features"
        )
    deviation = np.nan_to_num(_deviation(model, rows, expected), nan=np.inf)
    if (deviation > 1).any():
        row, target = np.unravel_index(int(deviation.argmax()), deviation.shape)
        with np.errstate(all="ignore"):  # a link function sends the probed rows to infinity
            apart = np.nan_to_num(abs(model.predict(rows[row : row + 1]) - expected[row]), nan=np.inf)[0]
        raise MlrqError(
            f"{name} is not linear: for row {row + 1} it predicts {expected[row, target]:.6g}, "
            f"{apart[target]:.3g} away from the nearest affine function ({hint})"
        )


def _deviation(
    model: LinearModel, rows: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, targets) differences from the `expected` predictions, in units of what is tolerated."""
    # The sums' terms, not their total, set the size of the rounding errors.
    with np.errstate(all="ignore"):
        size = affine(np.abs(rows), np.abs(model.coefficients), np.abs(model.intercept))
        apart = np.abs(model.predict(rows) - expected)
        return np.where(apart == 0, 0.0, apart / (TOLERANCE * np.where(size > 0, size, 1.0)))


def named(estimator: Any) -> str:
    """Its class, and those of its steps."""
    steps = [type(step).__name__ for _, step in getattr(estimator, "steps", []) if not isinstance(step, str)]
    return type(estimator).__name__ + (f" ({', '.join(steps)})" if steps else "")


def predicting(estimator: Any, features: tuple[str, ...], targets: int) -> Predict:
    """The estimator's `predict`, from (n, features) to (n, targets), both float64.

    Raises:
        MlrqError: If it was fitted on another number of features; when called, if it cannot predict, or
            predicts another number of targets.
    """
    name = named(estimator)
    count = getattr(estimator, "n_features_in_", len(features))
    if count != len(features):
        raise MlrqError(f"{name} was fitted on {count} features, but the dataset has {len(features)}")
    by_name = hasattr(estimator, "feature_names_in_") or getattr(estimator, "formula", False)

    def predict(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        table = _named(rows, features) if by_name else rows
        predicted = predictions(estimator, table, name)
        if predicted.shape[1] != targets:
            raise MlrqError(
                f"{name} was fitted on {predicted.shape[1]} targets, but the dataset has {targets}"
            )
        return predicted

    return predict


def predictions(estimator: Any, table: Any, name: str, hint: str = "") -> NDArray[np.float64]:
    """(n, targets) float64 predictions of an estimator for a table of n rows.

    Raises:
        MlrqError: Naming it, with the hint, if it cannot predict.
    """
    try:
        return np.asarray(estimator.predict(table), dtype=np.float64).reshape(len(table), -1)
    except Exception as error:  # of a class or a version that we know nothing of
        reason = str(error).strip().partition("\n")[0]
        raise MlrqError(f"{name} cannot predict: {type(error).__name__}: {reason}{hint}") from error


def _named(rows: NDArray[np.float64], features: tuple[str, ...]) -> Any:
    """A DataFrame where pandas is installed; the rows serve all but what selects columns by name."""
    try:
        import pandas
    except ImportError:
        return rows
    return pandas.DataFrame(rows, columns=list(features))


def _as_told(estimator: Any, features: tuple[str, ...], targets: tuple[str, ...]) -> LinearModel | None:
    """The model that `coef_` and `intercept_` say; None where they are not there, or of another shape."""
    try:
        coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
        intercept = np.asarray(estimator.intercept_, dtype=np.float64)
        shape = (len(targets), len(features))
        if coefficients.shape != shape or intercept.size not in (1, len(targets)):
            return None
    except (AttributeError, TypeError, ValueError):  # a pipeline, a sparse matrix, a kernel's
        return None
    return LinearModel(coefficients, np.resize(intercept, len(targets)), features, targets)


def _probed(
    predict: Predict,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    rows: NDArray[np.float64],
    far: float,
) -> LinearModel:
    """The affine function through the middle row and that row with each feature moved by `far` its range."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    size = np.maximum(high - low, np.spacing(np.maximum(np.abs(low), np.abs(high))))
    step = far * np.ldexp(1.0, np.frexp(size)[1])
    middle = rows[len(rows) // 2]
    moved = np.tile(middle, (2 * len(features), 1))
    moved[: len(features)] += np.diag(step)
    moved[len(features) :] -= np.diag(step)
    with np.errstate(all="ignore"):
        above, below = np.split(predict(moved), 2)
        # Moving rounds the feature itself, so the distance is what came of it.
        distance = np.diag(moved[: len(features)]) - np.diag(moved[len(features) :])
        coefficients = ((above - below) / distance[:, None]).T
        intercept = predict(middle[None])[0] - product(coefficients, middle)
    return LinearModel(np.ascontiguousarray(coefficients), intercept, features, targets)
