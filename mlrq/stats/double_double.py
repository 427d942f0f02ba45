"""Twice the precision of float64, as unevaluated sums of two, and the triangle of few rows with it.

Rounding decides which of the last digits of an ill-conditioned fit are right. Where rows are few, the rows
cost next to nothing in twice the precision, and only the triangle itself is rounded.
"""

import numpy as np
import numpy.typing as npt

from mlrq.stats.linear_algebra import product, root

FloatArray = npt.NDArray[np.float64]
Double = tuple[FloatArray, FloatArray]  # high and low: low is less than half a unit in the last place of high

SPLIT = 2.0**27 + 1


def two_sum(a: FloatArray, b: FloatArray) -> Double:
    """a + b, rounded, and what rounding took from it, exactly (Knuth's two-sum)."""
    rounded = a + b
    second = rounded - a
    return rounded, (a - (rounded - second)) + (b - second)


def two_product(a: FloatArray, b: FloatArray) -> Double:
    """a * b, rounded, and what rounding took from it, exactly (Dekker's product, with Veltkamp's split)."""
    rounded = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return rounded, ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low


def add(a: Double, b: Double) -> Double:
    """a + b, to about 105 bits of the larger one."""
    high, error = two_sum(a[0], b[0])
    low, rest = two_sum(a[1], b[1])
    high, error = two_sum(high, error + low)
    return two_sum(high, error + rest)


def multiply(a: Double, b: Double) -> Double:
    """a * b, to about 104 bits."""
    high, error = two_product(a[0], b[0])
    return two_sum(high, error + (a[0] * b[1] + a[1] * b[0]))


def divide(a: Double, b: FloatArray) -> Double:
    """a / b, to about 104 bits."""
    quotient = a[0] / b
    high, error = two_product(quotient, b)
    return two_sum(quotient, ((a[0] - high) - error + a[1]) / b)


def refined(table: Double, triangle: FloatArray) -> FloatArray:
    """Triangular factor of a table, rounded once, from one that float64 arithmetic found.

    One step of Cholesky QR (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, Roundoff error analysis of the
    CholeskyQR2 algorithm, 2015) in twice the precision: with `R` the triangle that is given, the columns of
    `Z = table inv(R)` are orthonormal but for rounding, and the triangle is `chol(Z'Z) R`.

    Args:
        table: (k, n) columns of the table, as rows.
        triangle: (k, k) float64 upper triangular with a positive diagonal.

    Returns:
        (k, k) float64 upper triangular.
    """
    high, low = (part.copy() for part in table)
    size = len(triangle)
    gram = np.zeros((size, size))
    for j in range(size):
        own = divide((high[j], low[j]), triangle[j, j])
        high[j], low[j] = own
        later = triangle[j, j + 1 :, None]
        away = multiply(own, (later, np.zeros_like(later)))
        high[j + 1 :], low[j + 1 :] = add((high[j + 1 :], low[j + 1 :]), (-away[0], -away[1]))
        gram[j, : j + 1] = _summed(multiply(own, (high[: j + 1], low[: j + 1])))
    return product(root(gram), triangle)


def _halves(a: FloatArray) -> Double:
    """Two numbers of 26 bits whose sum is `a`."""
    scaled = SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high


def _summed(values: Double) -> FloatArray:
    """Sums along the last axis, by halves, rounded."""
    high, low = values
    while (count := high.shape[-1]) > 1:
        half = count // 2
        first, last = slice(half), slice(count - half, None)
        sums = add((high[..., first], low[..., first]), (high[..., last], low[..., last]))
        middle = slice(half, count - half)
        high, low = (
            np.concatenate([s, part[..., middle]], axis=-1) for s, part in zip(sums, (high, low), strict=True)
        )
    return high[..., 0] + low[..., 0]
