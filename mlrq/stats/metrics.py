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


def from_summary(summary: Summary, weights: NDArray[np.float64], intercept: NDArray[np.float64]) -> Metrics:
    """The errors of a linear model on summarized rows; absolute errors are not to be had.

    Args:
        summary: Of the rows.
        weights: (targets, features) float64.
        intercept: (targets,) float64.
    """
    width, count = summary.features, summary.mass
    triangle, mean = summary.triangle, summary.mean
    apart = triangle[:, width:] - product(triangle[:, :width], weights.T)
    bias = mean[width:] - product(weights, mean[:width]) - intercept
    residual = summed(np.square(apart)) + count * np.square(bias)
    variation = summed(np.square(triangle[:, width:]))
    return Metrics(_r2(residual, variation), _mean(residual) / count, None, None)


def _r2(residual: NDArray[np.float64], variation: NDArray[np.float64]) -> float:
    """R2 of (targets,) sums of squared errors and sums of squares about the mean, the mean over targets.

    A target without variation scores 1 where it is met exactly and 0 elsewhere, as in
    `sklearn.metrics.r2_score`.
    """
    varies = variation > 0
    explained = 1.0 - residual / np.where(varies, variation, 1.0)
    return _mean(np.where(varies, explained, residual == 0))


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
    """Good, acceptable or poor: what a largest difference of so many standard deviations is.

    The reference system's rule is below 0.1 good, below 1.0 acceptable, else poor, for a target whose
    standard deviation is 1.16, over the first five test rows. Here the limits are multiples of the target's
    own standard deviation, so that they mean the same in any unit, and all test rows are judged.
    """
    return "good" if largest < 0.1 else "acceptable" if largest < 1.0 else "poor"


@dataclass(frozen=True)
class Tally:
    """What `Metrics` of any number of rows need, mergeable: the rows need not be in memory together.

    The total sum of squares is kept about the mean and merged by the formula of Chan, Golub and LeVeque
    (Updating formulae and a pairwise algorithm for computing sample variances, 1979), so that nothing is
    lost where the mean is large. How the rows are cut into batches shows in the last bits of the metrics, and
    nothing else does as long as tallies are merged in the rows' order.

    Attributes:
        count: Number of rows.
        mean: (targets,) of the truth.
        total: (targets,) sum of squares of the truth about its mean.
        residual: (targets,) sum of squared errors.
        absolute: Sum of absolute errors.
        largest: Largest absolute error.
        low: (targets,) smallest predictions.
        high: (targets,) largest predictions.
        weight: Sum of the rows' weights, by which all means and sums are weighted; None where they count 1.
    """

    count: int
    mean: NDArray[np.float64]
    total: NDArray[np.float64]
    residual: NDArray[np.float64]
    absolute: float
    largest: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weight: float | None = None

    @property
    def mass(self) -> float:
        """What all rows count together."""
        return self.count if self.weight is None else self.weight

    def metrics(self) -> Metrics:
        """The measures of all rows.

        Raises:
            ValueError: If there are none.
        """
        if not self.count:
            raise ValueError("There are no rows to measure.")
        cells = self.mass * len(self.mean)
        r2 = _r2(self.residual, self.total) if self.count > 1 else None
        return Metrics(r2, float(summed(self.residual)) / cells, self.absolute / cells, self.largest)


def tally(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> Tally:
    """The tally of one batch; without rows it changes nothing when merged.

    Args:
        actual: (rows, targets) float64.
        predicted: (rows, targets) float64.
        weight: (rows,) float64, positive: what each row counts; None for 1.

    Raises:
        ValueError: If their shapes differ.
    """
    if actual.shape != predicted.shape:
        raise ValueError(f"shapes do not fit: {actual.shape}, {predicted.shape}")
    count, targets = actual.shape
    if weight is not None and count:
        return _weighted(actual, predicted, weight)
    found = [kernel.tally(actual[:, target], predicted[:, target]) for target in range(targets)]
    mean, total, residual, absolute, largest, low, high = np.array(found).T
    return Tally(
        count, mean, total, residual, float(summed(absolute)), float(largest.max(initial=0.0)), low, high
    )


def _weighted(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], weight: NDArray[np.float64]
) -> Tally:
    """`tally` of rows that count differently."""
    mass, each = float(summed(weight)), weight[:, None]
    mean = summed(actual * each) / mass
    error = actual - predicted
    size = np.abs(error)
    return Tally(
        len(weight),
        mean,
        summed(np.square(actual - mean) * each),
        summed(np.square(error) * each),
        float(summed(summed(size * each))),
        float(size.max(initial=0.0)),
        predicted.min(axis=0) + 0.0,
        predicted.max(axis=0) + 0.0,
        mass,
    )


def merge(first: Tally, second: Tally) -> Tally:
    """Merge the tallies of two sets of rows. The order matters in the last bits only."""
    if not first.count or not second.count:
        return first if first.count else second
    count = first.count + second.count
    shift, part = second.mean - first.mean, second.mass / (first.mass + second.mass)
    return Tally(
        count,
        first.mean + shift * part,
        first.total + second.total + np.square(shift) * (first.mass * part),
        first.residual + second.residual,
        first.absolute + second.absolute,
        max(first.largest, second.largest),
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        None if first.weight is None else first.mass + second.mass,
    )
