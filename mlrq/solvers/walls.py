"""A bound that sees the box before the codes reach it.

Let the codes p_k..p_n be decided, and write the rows above as `r = y1 - s R11 p1 - s R12 p2` with
p1 undecided. For row j of the inverse of R11, `v`,

    <v, r> = <v, y1> - s p_j - s <v R12, p2>,       so, as p_j <= high and s >= 0,
    |r| |v| >= <v, y1> - s (high + <v R12, p2>),

and the same with the sign turned for `low`. If that is positive, the j-th code would have to leave
the box to fit, and its square over |v|^2 is added to the parabola of the decided rows. It has the
form of one more row of the residual, counted only where it is positive. Least squares moves the
scale towards making it zero but never past that, so the update of `mlrq.solvers.partial`
applies as it stands. Large weights on small features make this bound strong; it is what makes
narrow codes on raw features fast.
"""

from dataclasses import dataclass, replace

import numpy as np

from mlrq.solvers.partial import Partial, inner
from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import dependent, least_squares, product, summed

# Walls tried for each partial vector: all of them up to 22 columns, then fewer.
WORK = 512


@dataclass(frozen=True)
class Walls:
    """The walls of one level, w of them.

    Attributes:
        offset: (w,) float64, <v, y1> / |v|.
        slope: (w, d) float64, v R12 / |v|.
        unit: (w,) float64, 1 / |v|.
    """

    offset: FloatArray
    slope: FloatArray
    unit: FloatArray


def build_walls(problem: Problem) -> list[Walls]:
    """Walls for each number of undecided codes, 0..n.

    The inverse of a leading block of a triangle is the leading block of its inverse. Columns from
    the first dependent one on have no walls. Where there are too many columns the ones with the
    largest weights are kept, since they hit the box first.
    """
    size, triangle = problem.size, problem.triangle
    lacking = np.flatnonzero(dependent(triangle))
    usable = int(lacking[0]) if lacking.size else size
    inverse = np.zeros((size, size))
    if usable:
        inverse[:usable, :usable] = least_squares(triangle[:usable, :usable], np.eye(usable)).T
    count = max(1, WORK // size)
    none = Walls(np.zeros(0), np.zeros((0, size)), np.zeros(0))
    walls = [none]
    for undecided in range(1, size + 1):
        if undecided > usable:
            walls.append(none)
            continue
        weights = product(inverse[:undecided, :undecided], problem.target[:undecided])
        chosen = np.argsort(-np.abs(weights), kind="stable")[:count]
        rows = inverse[chosen, :undecided]
        unit = 1 / np.sqrt(summed(rows**2, axis=1))
        slope = product(rows, triangle[:undecided, undecided:])
        walls.append(Walls(weights[chosen] * unit, slope * unit[:, None], unit))
    return walls


def raise_bounds(problem: Problem, walls: list[Walls], partial: Partial) -> Partial:
    """The same vectors with the highest bound that one wall gives."""
    wall = walls[problem.size - len(partial.codes)]
    low, high = problem.room(partial.codes)
    m, s, c = partial.least, partial.scale, partial.curvature
    bound = partial.bound
    for offset, slope, unit in zip(wall.offset, wall.slope, wall.unit, strict=True):
        decided = inner(slope, partial.codes)
        for edge, sign in ((high, 1.0), (low, -1.0)):
            x = decided + unit * edge
            error = np.maximum(sign * (offset - s * x), 0.0)
            total = c + x * x
            bound = np.maximum(bound, m + error * error * c / np.where(total > 0, total, 1.0))
    return replace(partial, bound=bound)
