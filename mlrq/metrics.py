"""Error measures of a regression, in NumPy alone, so that evaluating needs no scikit-learn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Metrics:
    """How far predictions are from the truth, over all rows and targets.

    Attributes:
        r2: Coefficient of determination, the mean over targets; 1 is perfect.
        mse: Mean squared error.
        mean_absolute_error: Mean absolute error.
        max_error: Largest absolute error.
    """

    r2: float
    mse: float
    mean_absolute_error: float
    max_error: float


def measure(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Metrics:
    """Compare predictions with the truth, both (rows, targets) float64.

    R2 is 1 - (residual sum of squares) / (total sum of squares about the mean), averaged evenly over
    targets; a target without variance scores 1 where it is met exactly and 0 elsewhere, as in
    `sklearn.metrics.r2_score`.

    Raises:
        ValueError: If the shapes differ or there is no row.
    """
    if actual.shape != predicted.shape or actual.ndim != 2 or not len(actual):
        raise ValueError(
            f"actual and predicted must be equal, non-empty (rows, targets) shapes, "
            f"but are {actual.shape} and {predicted.shape}."
        )
    error = actual - predicted
    residual = np.square(error).sum(axis=0)
    total = np.square(actual - actual.mean(axis=0)).sum(axis=0)
    varies = total > 0
    r2 = np.where(residual == 0, 1.0, 0.0)
    r2[varies] = 1.0 - residual[varies] / total[varies]
    return Metrics(
        r2=float(r2.mean()),
        mse=float(np.square(error).mean()),
        mean_absolute_error=float(np.abs(error).mean()),
        max_error=float(np.abs(error).max()),
    )


def verdict(differences: NDArray[np.float64], spread: NDArray[np.float64]) -> str:
    """Good, acceptable or poor, by the largest absolute difference between two models' predictions.

    The reference system's rule is below 0.1 good, below 1.0 acceptable, else poor, over the first five
    test rows, for a target whose standard deviation is 1.16. Here the limits are those multiples of the
    target's own standard deviation, so that they mean the same for a target in any unit.

    Args:
        differences: (rows, targets) float64.
        spread: (targets,) float64, positive: standard deviations of the training targets.
    """
    largest = float(np.abs(differences / spread).max())
    return "good" if largest < 0.1 else "acceptable" if largest < 1.0 else "poor"
