"""One pass over the training data to the small triangle that everything else works on.

What is kept of any rows is the triangle of their QR factorisation. With a column of ones in front,

    QR of [1, X - pivot] = [ sqrt(n)   sqrt(n) (mean - pivot) ]
                           [ 0         triangle               ]

so the centring is itself the first step of the factorisation, and `triangle' triangle` is the centred
scatter matrix. X'X itself is not formed, so an offset of 1e6 or two nearly equal columns cost no more digits
than the data itself has lost: `mlrq.stats.summarize` squares rows only in a basis where that costs nothing.
The pivot, the mean of the first rows, is subtracted because the columns are then of the size of their spread.
Two triangles with the same pivot are merged by the QR of one above the other, which is the same formula again
(TSQR; Demmel, Grigori, Hoemmen and Langou, 2012).

The rows are cut by row index alone (`mlrq.stats.summarize`) and merged from first to last. The result is
therefore the same to the last bit for any number of threads, and `combine` makes it the same for any number
of parts that are summarised at once.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlrq import kernel
from mlrq.stats.double_double import refined, two_product, two_sum
from mlrq.stats.linear_algebra import dependent, least_squares, lengths, product, summed

FloatArray = npt.NDArray[np.float64]

FEW, NARROW = 256, 64  # rows that are kept, and columns up to which twice the precision is worth its time


@dataclass(frozen=True, eq=False)
class Summary:
    """Row count, means and triangle of k columns, features first, then targets.

    Attributes:
        count: number of rows, >= 0.
        mean: (k,) float64.
        triangle: (k, k) float64, upper triangular with a diagonal >= 0;
            `triangle' @ triangle = sum over rows of (row - mean)(row - mean)'`.
        features: number of features, at most k.
        mean_rest: (k,) float64: what rounding took from the mean. Means far from zero keep few digits
            behind the point, too few to tell how far apart two batches are; mean + mean_rest keeps them.
        rows: (k, count) float64, the rows themselves where they are few; None where not.
        weight: Sum of the rows' weights, which are in means and triangle: a row is there times the root of
            its weight. None where all count 1.
        log_weight: Sum of the weights' logarithms.
    """

    count: int
    mean: FloatArray
    triangle: FloatArray
    features: int
    mean_rest: FloatArray
    rows: FloatArray | None = None
    weight: float | None = None
    log_weight: float = 0.0

    @property
    def mass(self) -> float:
        """What all rows count together: their number, or the sum of their weights."""
        return self.count if self.weight is None else self.weight

    @property
    def covariance_triangle(self) -> FloatArray:
        """(k, k) upper triangular `R` with `R'R` = population covariance; zeros without rows."""
        return np.asarray(self.triangle / np.sqrt(self.mass or 1))

    @property
    def spread(self) -> FloatArray:
        """(k,) standard deviation of each column."""
        return lengths(self.covariance_triangle)

    @property
    def feature_triangle(self) -> FloatArray:
        """(f, f) upper triangular `R` of the features alone: `R'R` = their covariance."""
        return self.covariance_triangle[: self.features, : self.features]

    @property
    def target_columns(self) -> FloatArray:
        """(t, f): each target's column of the triangle, as far as features can explain it.

        `||target_columns[j] - R w||^2` is the mean squared error of weights `w` on target j, less
        what no weights can remove. Rows of dependent features explain nothing, so there the column
        is replaced by `R` times the least squares weights.
        """
        columns = self.covariance_triangle[: self.features, self.features :].T
        triangle = self.feature_triangle
        if not dependent(triangle).any():
            return columns
        weights = least_squares(triangle, columns)
        return product(weights, triangle.T)

    def intercept(self, coefficients: FloatArray) -> FloatArray:
        """(t,) float64: mean of the targets less that of linear predictions without intercept, rounded once.

        Args:
            coefficients: (t, f) float64.
        """
        f = self.features
        high, low = two_product(coefficients, self.mean[:f])
        parts = np.column_stack([high, low, coefficients * self.mean_rest[:f]])
        targets = zip(self.mean[f:], self.mean_rest[f:], parts.tolist(), strict=True)
        return np.array([math.fsum([mean, rest, *(-part for part in row)]) for mean, rest, row in targets])

    @property
    def residual_variance(self) -> FloatArray:
        """(t,) float64: mean squared error of least squares on each target."""
        columns = self.covariance_triangle[:, self.features :]
        unexplained = columns[: self.features].T - self.target_columns
        rest = columns[self.features :]
        return summed(np.square(unexplained), axis=1) + summed(np.square(rest))

    def divided(self, factor: FloatArray) -> "Summary":
        """Of the same rows with each feature divided by its factor, (f,) float64, positive."""
        scale = np.ones(len(self.mean))
        scale[: self.features] = factor
        mean, rest = self.mean / scale, self.mean_rest / scale
        return replace(self, mean=mean, triangle=self.triangle / scale, mean_rest=rest, rows=None)

    def following(self, coefficients: FloatArray, intercept: FloatArray) -> "Summary":
        """Of the same rows with a linear model's predictions for targets.

        Args:
            coefficients: (t, f) float64.
            intercept: (t,) float64.
        """
        f = self.features
        mean = np.concatenate([self.mean[:f], product(coefficients, self.mean[:f]) + intercept])
        rest = np.concatenate([self.mean_rest[:f], product(coefficients, self.mean_rest[:f])])
        triangle = np.zeros((len(mean), len(mean)))
        triangle[:f, :f] = self.triangle[:f, :f]
        triangle[:f, f:] = product(self.triangle[:f, :f], coefficients.T)
        return replace(self, mean=mean, triangle=triangle, mean_rest=rest, rows=None)


def from_triangle(count: int, pivot: FloatArray, triangle: FloatArray, features: int) -> Summary:
    """The summary of rows that were triangularised with a pivot.

    Args:
        count: Number of rows, at least 1.
        pivot: (k,) float64.
        triangle: (k + 1, k + 1) float64 triangle of [1, rows - pivot].
        features: How many of the columns are features.
    """
    mean, rest = two_sum(pivot, triangle[0, 1:] / triangle[0, 0])
    return Summary(count, mean, triangle[1:, 1:].copy(), features, rest)


def of_few(rows: FloatArray, features: int) -> Summary:
    """The summary of few rows, (k, n) float64 with columns as rows, in twice the precision; it keeps them."""
    columns, count = rows.shape
    if not count:
        return empty(features, columns - features)
    pivot = summed(rows, axis=1) / count
    triangle = kernel.centred(np.zeros((columns + 1, columns + 1)), rows, pivot)
    if columns <= NARROW and not dependent(triangle).any():
        ones, far = np.ones((1, count)), two_sum(rows, -pivot[:, None])
        table = np.concatenate([ones, far[0]]), np.concatenate([0 * ones, far[1]])
        triangle = refined(table, triangle)
    return replace(from_triangle(count, pivot, triangle, features), rows=rows)


def empty(features: int, targets: int) -> Summary:
    """The summary of no rows, which changes nothing when merged."""
    k = features + targets
    return Summary(0, np.zeros(k), np.zeros((k, k)), features, np.zeros(k), np.empty((k, 0)))


def merge(first: Summary, second: Summary) -> Summary:
    """Summary of the rows of both.

    The rows of `second` come after those of `first`; the order matters in the last bits only.

    Raises:
        ValueError: if they are not of the same columns.
    """
    if (first.features, len(first.mean)) != (second.features, len(second.mean)):
        raise ValueError(
            f"Only summaries of the same columns can be merged, but one has {first.features} "
            f"features of {len(first.mean)} columns and the other {second.features} of "
            f"{len(second.mean)}."
        )
    if not first.count or not second.count:
        return first if first.count else second
    count = first.count + second.count
    if first.rows is not None and second.rows is not None and count <= FEW:
        return of_few(np.concatenate([first.rows, second.rows], axis=1), first.features)
    shift = (second.mean - first.mean) + (second.mean_rest - first.mean_rest)
    part = second.mass / (first.mass + second.mass)
    # Between the two groups: n1 n2 / n times the square of the distance of their means.
    between = np.sqrt(first.mass * part) * shift
    triangle = kernel.stack(first.triangle, np.concatenate([second.triangle, between[None]]))
    mean, rest = two_sum(first.mean, first.mean_rest + shift * part)
    weight = None if first.weight is None else first.mass + second.mass
    log_weight = first.log_weight + second.log_weight
    return Summary(count, mean, triangle, first.features, rest, None, weight, log_weight)


def combine(summaries: Iterable[Summary]) -> Summary:
    """Merge from first to last. The order is part of the result, so give batches in data order.

    Raises:
        ValueError: if there are none, or they are not of the same columns.
    """
    total = None
    for summary in summaries:
        total = summary if total is None else merge(total, summary)
    if total is None:
        raise ValueError("There is nothing to combine: no summary was given.")
    return total


def fit_least_squares(summary: Summary) -> tuple[FloatArray, FloatArray]:
    """Ordinary least squares with an intercept; features that others explain get weight 0.

    Returns:
        coefficients (t, f) float64 and intercepts (t,) float64.
    """
    coefficients = least_squares(summary.feature_triangle, summary.target_columns)
    return coefficients, summary.intercept(coefficients)
