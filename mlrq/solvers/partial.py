"""Partial vectors of codes, and what they leave at the best scale.

With the last codes p_k..p_n chosen, the rows k..n of the residual are known up to the scale, and
their squared length is a parabola in it:

    Q(s) = sum_{i >= k} (y_i - s x_i)^2 = m + c (s - s*)^2,      x = R p,  c = sum_{i >= k} x_i^2.

The rows above only add squares, so m bounds every completion from below. A partial vector carries
the three numbers (m, s*, c), and the scale is never discretised. Deciding the next code adds the
row (y, x) by one step of recursive least squares,

    e = y - s* x,   m' = m + e^2 c / (c + x^2),   s*' = (c s* + x y) / (c + x^2),   c' = c + x^2,

in which nothing is subtracted from m or s*, so small residuals keep their digits. While all codes
are 0, c = 0 and the scale is free: m is the sum of y^2, and the first non-zero x sets s*' = y / x.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import summed

# Room for rounding at the ends of the interval of the next code, relative to their size.
EDGE = 1e-9


@dataclass(frozen=True)
class Partial:
    """N partial vectors of d codes each.

    Attributes:
        codes: (d, N), the last d codes, in the smallest integer type that holds them.
        least: (N,) float64, m.
        scale: (N,) float64, s*; 0 while c is 0.
        curvature: (N,) float64, c.
        bound: (N,) float64, >= m: no completion leaves less.
    """

    codes: npt.NDArray[np.signedinteger]
    least: FloatArray
    scale: FloatArray
    curvature: FloatArray
    bound: FloatArray

    def __len__(self) -> int:
        return self.least.size

    def take(self, chosen: npt.NDArray[np.intp] | slice) -> "Partial":
        """The chosen vectors."""
        return Partial(
            self.codes[:, chosen],
            self.least[chosen],
            self.scale[chosen],
            self.curvature[chosen],
            self.bound[chosen],
        )


def nothing_decided(problem: Problem) -> Partial:
    """The one vector of no codes."""
    zero = np.zeros(1)
    low, high = problem.outer
    dtype = np.min_scalar_type(min(low, -high - 1))
    return Partial(np.zeros((0, 1), dtype=dtype), zero, zero, zero, zero)


def code_ranges(problem: Problem, partial: Partial, reach: float) -> tuple[FloatArray, FloatArray]:
    """First and last value of the next code that can keep m' within reach, for each vector.

    With d = reach - m, the condition m' <= reach reads, multiplied out,

        (s*^2 c - d) x^2 - 2 c y s* x + c (y^2 - d) <= 0.

    Where s*^2 c > d (the scale 0 is out of reach) this is an interval of x. Otherwise the scales in
    reach, |s - s*| <= sqrt(d / c) and s > 0, give one through |y - s x| <= sqrt(d).

    Args:
        problem: the codes' problem, with a non-negative diagonal.
        partial: N vectors with bound <= reach.
        reach: the excess that completions must not exceed.

    Returns:
        Two (N,) float64 arrays of integers; first > last where there is none.
    """
    row = problem.size - len(partial.codes) - 1
    if not problem.triangle[:, row].any():
        # The code of a column of zeros changes nothing: 0 is as good as any.
        return np.zeros(len(partial)), np.zeros(len(partial))
    y, diagonal = problem.target[row], problem.triangle[row, row]
    c, s = partial.curvature, partial.scale
    d = np.maximum(reach - partial.least, 0.0)
    # Divisions by zero mean "no limit" here; 0/0 means "nothing known" and becomes no limit below.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        radius, spread = np.sqrt(d), np.sqrt(d / c)
        s_low = np.where(c > 0, np.maximum(s - spread, 0.0), 0.0)
        s_high = np.where(c > 0, s + spread, np.inf)
        top, bottom = y + radius, y - radius
        most = np.where(top >= 0, top / s_low, top / s_high)
        least = np.where(bottom >= 0, bottom / s_high, bottom / s_low)
        lead = s * s * c - d
        root = np.sqrt(np.maximum(c * d * (s * s * c + y * y - d), 0.0))
        definite = lead > EDGE * d
        most = np.where(definite, np.fmin(most, (c * y * s + root) / lead), most)
        least = np.where(definite, np.fmax(least, (c * y * s - root) / lead), least)
        before = inner(problem.triangle[row, row + 1 :], partial.codes)
        first = np.ceil((least - before) / diagonal - EDGE * (1 + np.abs(least) / diagonal))
        last = np.floor((most - before) / diagonal + EDGE * (1 + np.abs(most) / diagonal))
    room_low, room_high = problem.room(partial.codes)
    return np.fmax(first, room_low), np.fmin(last, room_high)


def decide(problem: Problem, partial: Partial, first: FloatArray, count: npt.NDArray[np.int64]) -> Partial:
    """All children: vector i with the codes first_i, first_i + 1, ... (count_i of them) added."""
    row = problem.size - len(partial.codes) - 1
    parent = np.repeat(np.arange(count.size), count)
    offset = np.arange(parent.size) - np.repeat(np.cumsum(count) - count, count)
    code = first[parent] + offset
    before = inner(problem.triangle[row, row + 1 :], partial.codes)
    x = before[parent] + problem.triangle[row, row] * code
    c, s = partial.curvature[parent], partial.scale[parent]
    error = problem.target[row] - s * x
    total = c + x * x
    safe = np.where(total > 0, total, 1.0)
    least = partial.least[parent] + error * error * np.where(total > 0, c / safe, 1.0)
    return Partial(
        np.concatenate([code[None].astype(partial.codes.dtype), partial.codes[:, parent]]),
        least,
        (c * s + x * problem.target[row]) / safe,
        total,
        np.maximum(least, partial.bound[parent]),
    )


def inner(row: FloatArray, codes: npt.NDArray[np.signedinteger]) -> FloatArray:
    """`row @ codes` (N,), added in a fixed order."""
    return summed(row[:, None] * codes)
