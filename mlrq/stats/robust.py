"""Standard errors that hold where residuals differ in variance from row to row: HC0 to HC3.

With `Q` the orthonormal features of the rows (ones among them, where there is an intercept), `h` the squared
lengths of its rows, `e` the residuals and `g` = e, e / sqrt(1 - h) or e / (1 - h), the covariance of the
coefficients is `A Q' diag(g^2) Q A'` (White, A heteroskedasticity-consistent covariance matrix estimator,
1980; MacKinnon and White, 1985). `Q` follows from the rows and the triangle; one pass takes the triangle of
`diag(g) Q`, in which nothing is squared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlrq import kernel
from mlrq.stats.linear_algebra import independent, inverse, lengths, product, stack, summed
from mlrq.stats.regression import Regression
from mlrq.stats.summary import Summary

FloatArray = npt.NDArray[np.float64]

CLASSICAL = "classical"
KINDS = (CLASSICAL, "HC0", "HC1", "HC2", "HC3")


@dataclass(frozen=True, eq=False)
class Basis:
    """What makes rows of orthonormal features from rows, and coefficients from those.

    Attributes:
        centre: (columns,) float64 that is taken from features and targets: means, or zeros.
        centre_rest: (columns,) float64, what rounding took from them.
        kept: The features that were estimated.
        scale: (kept, kept) float64 upper triangular.
        mass: What all rows count together; None without an intercept.
        coefficients: (targets, features) float64.
    """

    centre: FloatArray
    centre_rest: FloatArray
    kept: list[int]
    scale: FloatArray
    mass: float | None
    coefficients: FloatArray

    @property
    def size(self) -> int:
        """Number of coefficients that were estimated."""
        return len(self.kept) + (self.mass is not None)

    def _restored(self) -> FloatArray:
        """(p, size) `A`: coefficients of the kept features, then the intercept, from those of the basis."""
        if self.mass is None:
            return self.scale
        count = len(self.kept)
        made = np.zeros((count + 1, count + 1))
        made[:count, 1:] = self.scale
        made[count, 0] = 1 / np.sqrt(self.mass)
        made[count, 1:] = -product(self.scale.T, self.centre[self.kept])
        return made


def basis(summary: Summary, coefficients: FloatArray, has_intercept: bool) -> Basis:
    """The basis of summarized rows, for `coefficients`, (targets, features), that were fitted to them."""
    width = summary.features
    used = (
        summary.triangle
        if has_intercept
        else stack(summary.triangle, (np.sqrt(summary.mass) * summary.mean)[None])
    )
    table, kept = independent(used, width)
    scale = inverse(table[: len(kept), : len(kept)])
    if not has_intercept:
        nothing = np.zeros(len(summary.mean))
        return Basis(nothing, nothing, kept, scale, None, coefficients)
    return Basis(summary.mean, summary.mean_rest, kept, scale, summary.mass, coefficients)


def triangles(
    known: Basis, kind: str, rows: FloatArray, values: FloatArray, weight: FloatArray | None
) -> list[FloatArray]:
    """The triangle of `diag(g) Q` of some rows, one for each target.

    Args:
        known: The basis.
        kind: Of `KINDS`, not the first.
        rows: (n, features) float64.
        values: (n, targets) float64.
        weight: (n,) float64 what each row counts; None for 1.
    """
    width = rows.shape[1]
    root = np.ones((len(rows), 1)) if weight is None else np.sqrt(weight)[:, None]
    features = (rows - known.centre[:width]) - known.centre_rest[:width]
    targets = (values - known.centre[width:]) - known.centre_rest[width:]
    nothing = np.zeros(len(known.coefficients))
    residuals = (targets - kernel.affine(features, known.coefficients, nothing)) * root
    own = kernel.affine(features[:, known.kept], known.scale.T.copy(), np.zeros(len(known.kept))) * root
    if known.mass is not None:
        own = np.column_stack([root / np.sqrt(known.mass), own])
    if kind in ("HC2", "HC3"):
        left = 1 - summed(np.square(own), axis=1)[:, None]
        residuals = residuals / (np.sqrt(left) if kind == "HC2" else left)
    empty = np.zeros((known.size, known.size))
    return [kernel.stack(empty, own * one[:, None]) for one in residuals.T]


def merged(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> list[FloatArray]:
    """The triangles of the rows of both."""
    return [kernel.stack(one, other) for one, other in zip(first, second, strict=True)]


def with_errors(
    found: Sequence[Regression], known: Basis, kind: str, made: Sequence[FloatArray]
) -> list[Regression]:
    """`found` with standard errors of `kind`, of all rows' `triangles`; tests and intervals follow."""
    restored, regressions = known._restored(), []
    for one, triangle in zip(found, made, strict=True):
        own = lengths(product(triangle, restored.T))
        if kind == "HC1":
            own = own * np.sqrt(one.rows / one.freedom)
        errors = np.full(len(one.errors), np.nan)
        errors[known.kept] = own[: len(known.kept)]
        if known.mass is not None:
            errors[-1] = own[-1]
        regressions.append(replace(one, errors=errors, kind=kind))
    return regressions
