"""What least squares can say of its own coefficients, from the triangle of the rows alone.

With `T` the triangle of the centred training table, features first, and `S = inv(T)` for the features, the
coefficients' covariance is `sigma^2 S S'`, and `sigma^2` is what the target's column has below the features'
rows, by the degrees of freedom that are left. Nothing is squared that a subtraction would have to undo, so
ill-conditioned features cost no more digits than in the fit itself.

What is infinite or 0 / 0 here is what IEEE arithmetic makes of it: a target that features explain exactly
has no statistics; see `regressions`.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mlrq.stats.distributions import f_tail, t_quantile, t_tail
from mlrq.stats.linear_algebra import DEPENDENT, independent, inverse, lengths, product, stack, summed
from mlrq.stats.summary import Summary

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regression:
    """Statistics of the least squares fit of one target; the last of p coefficients is the intercept, if any.

    A feature that others explain has coefficient 0, and NaN for its error and for all that follows from it.

    Attributes:
        rows: Number of training rows.
        rank: Number of coefficients that were estimated, the intercept among them.
        has_intercept: Whether there is an intercept. Without one, R2 and F are about 0, not the mean.
        coefficients: (p,) float64 estimates.
        errors: (p,) float64 their standard errors.
        inflation: (features,) float64 variance inflation factors, 1 for a feature that no other resembles;
            about the mean, whether there is an intercept or not.
        residual: Sum of squared residuals.
        explained: Sum of squares that the features explain.
        design: (p, p) float64 upper triangular `R` with `R'R = X'X`, for X
            the table of features, after ones where there is an intercept.
        log_weight: Sum of the logarithms of the rows' weights; 0 where all count 1.
        kind: What the standard errors are; see `mlrq.stats.robust`.
    """

    rows: int
    rank: int
    has_intercept: bool
    coefficients: FloatArray
    errors: FloatArray
    inflation: FloatArray
    residual: float
    explained: float
    design: FloatArray
    log_weight: float = 0.0
    kind: str = "classical"

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the residuals, positive."""
        return self.rows - self.rank

    @property
    def model_freedom(self) -> int:
        """Degrees of freedom of what the features explain."""
        return self.rank - self.has_intercept

    @property
    def variance(self) -> float:
        """Residual variance, without bias."""
        return self.residual / self.freedom

    @property
    def r2(self) -> float:
        """Coefficient of determination."""
        return 1 - self.residual / (self.residual + self.explained)

    @property
    def adjusted_r2(self) -> float:
        """1 less the residual variance by the variance of the target."""
        return 1 - (1 - self.r2) * (self.rows - self.has_intercept) / self.freedom

    @property
    def t(self) -> FloatArray:
        """(p,) coefficients in standard errors."""
        return self.coefficients / self.errors

    @cached_property
    def p(self) -> FloatArray:
        """(p,) probabilities of so large a |t| where the coefficient is 0, for normal errors."""
        return np.array([t_tail(t, self.freedom) for t in self.t.tolist()])

    @property
    def f(self) -> float:
        """The F statistic of all features together; NaN where there are none."""
        return self.explained / self.model_freedom / self.variance if self.model_freedom else math.nan

    @property
    def f_p(self) -> float:
        """Probability of so large an F where all coefficients of features are 0, for normal errors."""
        return f_tail(self.f, self.model_freedom, self.freedom) if self.model_freedom else math.nan

    @property
    def log_likelihood(self) -> float:
        """Of normal errors, with the variance that makes it largest."""
        return (self.log_weight - self.rows * (math.log(2 * math.pi * self.residual / self.rows) + 1)) / 2

    @property
    def aic(self) -> float:
        """Akaike's criterion, in which the variance does not count as a parameter, as in statsmodels."""
        return 2 * self.rank - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """The Bayesian criterion, which counts parameters as `aic` does."""
        return math.log(self.rows) * self.rank - 2 * self.log_likelihood

    @cached_property
    def condition(self) -> float:
        """Largest by smallest singular value of the table of ones and features, in the features' own units.

        The only figure whose last bits are LAPACK's, for it is shown and goes nowhere else.
        """
        values = np.linalg.svd(self.design, compute_uv=False)
        return float(values[0] / values[-1]) if values[-1] else math.inf

    def interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """(p,) lower and upper ends of intervals that hold a coefficient with probability `level`, 0 to 1."""
        reach = t_quantile(1 - level, self.freedom) * self.errors
        return self.coefficients - reach, self.coefficients + reach


def regressions(
    summary: Summary, coefficients: FloatArray, intercept: FloatArray | None
) -> list[Regression] | str:
    """The statistics of a least squares fit, one for each target, or why there are none.

    With weights, the variance of a row's error is taken to be inverse to its weight, as statsmodels' WLS
    does: rows are counted, and the scale of the weights has no effect.

    Args:
        summary: Of the rows that it was fitted to.
        coefficients: (targets, features) float64, as fitted.
        intercept: (targets,) float64; None where it was held at 0.
    """
    count, width, constant = summary.count, summary.features, intercept is not None
    means = np.sqrt(summary.mass) * summary.mean
    used = summary.triangle if constant else stack(summary.triangle, means[None])
    table, kept = independent(used, width)
    size, rank = len(kept), len(kept) + constant
    if count <= rank:
        return f"{count:,} rows leave nothing to tell the errors of {rank:,} coefficients from"
    explained, residual = np.square(table[:size, size:]), np.square(table[size:, size:])
    if (np.sqrt(summed(residual)) <= DEPENDENT * lengths(table[:, size:])).any():
        return "the features explain a target exactly"
    scale, errors, design = inverse(table[:size, :size]), np.full(width, np.nan), used[:width, :width]
    errors[kept] = lengths(scale.T)
    inflation = _inflation(summary.triangle, width)  # about the mean, with an intercept or without
    if intercept is not None:
        coefficients = np.column_stack([coefficients, intercept])
        of_mean = 1 / summary.mass + summed(np.square(product(scale.T, summary.mean[kept])))
        errors = np.append(errors, np.sqrt(of_mean))
        design = np.pad(design, ((1, 0), (1, 0)))
        design[0] = np.sqrt(summary.mass), *means[:width]
    parts = zip(coefficients, summed(residual).tolist(), summed(explained).tolist(), strict=True)
    return [
        Regression(
            count,
            rank,
            constant,
            own,
            math.sqrt(rest / (count - rank)) * errors,
            inflation,
            rest,
            most,
            design,
            summary.log_weight,
        )
        for own, rest, most in parts
    ]


def _inflation(triangle: FloatArray, width: int) -> FloatArray:
    """(width,) variance inflation factors of a triangle's first columns; NaN where others explain one."""
    table, kept = independent(triangle, width)
    own = table[: len(kept), : len(kept)]
    found = np.full(width, np.nan)
    found[kept] = np.square(lengths(inverse(own).T) * lengths(own))
    return found
