"""Error measures of a regression, in NumPy alone, so that evaluating needs no scikit-learn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.stats.linear_algebra import product, summed
from mlrq.stats.summary import Summary


@dataclass(frozen=True)
class Metrics:
    """How far predictions are from the truth, over all rows and targets.

    Attributes:
        r2: Coefficient of determination, the mean over targets; 1 is perfect. None of a single row.
        mse: Mean squared error.
        mean_absolute_error: Mean absolute error; None where only a summary of the rows was at hand.
        max_error: Largest absolute error; None likewise.
    """

    r2: float | None
    mse: float
    mean_absolute_error: float | None
    max_error: float | None


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


def from_summary(summary: Summary, weights: NDArray[np.float64], intercept: NDArray[np.float64]) -> Metrics:
    """The errors of a linear model on summarized rows; absolute errors are not to be had.

    Args:
        summary: Of the rows.
        weights: (targets, features) float64.
        intercept: (targets,) float64.
    """
    width, count = summary.features, summary.count
    triangle, mean = summary.triangle, summary.mean
    apart = triangle[:, width:] - product(triangle[:, :width], weights.T)
    bias = mean[width:] - product(weights, mean[:width]) - intercept
    residual = summed(np.square(apart)) + count * np.square(bias)
    variation = summed(np.square(triangle[:, width:]))
    r2, mse = _mean(1.0 - residual / variation), _mean(residual) / count
    return Metrics(r2, mse, None, None)


def _mean(values: NDArray[np.float64]) -> float:
    return float(summed(values)) / len(values)


def deviations(differences: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """The largest absolute difference between two models' predictions, in standard deviations of its target.

    Args:
        differences: (rows, targets) or (targets,) float64.
        spread: (targets,) float64, positive: standard deviations of the training targets.
    """
    return float(np.abs(differences / spread).max())


def verdict(largest: float) -> str:
    """Good, acceptable or poor: what a largest difference of so many standard deviations of the target is.

    The reference system's rule is below 0.1 good, below 1.0 acceptable, else poor, for a target whose standard
    deviation is 1.16, over the first five test rows. Here the limits are multiples of the target's own standard
    deviation, so that they mean the same for a target in any unit, and all test rows are judged.
    """
    return "good" if largest < 0.1 else "acceptable" if largest < 1.0 else "poor"


@dataclass(frozen=True)
class Tally:
    """What `Metrics` of any number of rows need, mergeable: the rows need not be in memory together.

    The total sum of squares is kept about the mean and merged by the formula of Chan, Golub and LeVeque
    (Updating formulae and a pairwise algorithm for computing sample variances, 1979), so that nothing is
    lost where the mean is large. The metrics agree with those of `measure` to rounding; they depend on how
    the rows were cut, and on nothing else as long as tallies are merged in the rows' order.

    Attributes:
        count: Number of rows.
        mean: (targets,) of the truth.
        total: (targets,) sum of squares of the truth about its mean.
        residual: (targets,) sum of squared errors.
        absolute: Sum of absolute errors.
        largest: Largest absolute error.
        low: (targets,) smallest predictions.
        high: (targets,) largest predictions.
    """

    count: int
    mean: NDArray[np.float64]
    total: NDArray[np.float64]
    residual: NDArray[np.float64]
    absolute: float
    largest: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def metrics(self) -> Metrics:
        """The measures of all rows. Raises ValueError if there are none."""
        if not self.count:
            raise ValueError("There are no rows to measure.")
        varies = self.total > 0
        r2 = np.where(self.residual == 0, 1.0, 0.0)
        r2[varies] = 1.0 - self.residual[varies] / self.total[varies]
        cells = self.count * len(self.mean)
        mean = _mean(r2) if self.count > 1 else None
        return Metrics(mean, float(summed(self.residual)) / cells, self.absolute / cells, self.largest)


def tally(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Tally:
    """The tally of one batch, both (rows, targets) float64; without rows it changes nothing when merged."""
    count, targets = actual.shape
    found = [kernel.tally(actual[:, target], predicted[:, target]) for target in range(targets)]
    mean, total, residual, absolute, largest, low, high = np.array(found).T
    return Tally(
        count, mean, total, residual, float(summed(absolute)), float(largest.max(initial=0.0)), low, high
    )


def merge(first: Tally, second: Tally) -> Tally:
    """The tally of the rows of both. The order matters in the last bits only."""
    if not first.count or not second.count:
        return first if first.count else second
    count = first.count + second.count
    shift = second.mean - first.mean
    return Tally(
        count,
        first.mean + shift * (second.count / count),
        first.total + second.total + np.square(shift) * (first.count * (second.count / count)),
        first.residual + second.residual,
        first.absolute + second.absolute,
        max(first.largest, second.largest),
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
    )
