"""Nearest plane with several vectors kept at each step."""

import numpy as np

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import summed


def beam(problem: Problem, scales: FloatArray, kept: int) -> FloatArray:
    """Codes by a beam (K-best) search at each of several scales.

    Like `nearest_plane`, but each vector is continued with the three codes nearest to what its row
    asks for, and the `kept` vectors with the smallest residual so far go on, for each scale.

    Args:
        problem: n codes.
        scales: (S,) float64, > 0.
        kept: vectors kept per scale, >= 1.

    Returns:
        (n, S * kept) float64 holding integers (fewer columns when there are fewer vectors).
    """
    triangle, size = problem.triangle, problem.size
    codes = np.zeros((size, len(scales), 1))
    cost = np.zeros((len(scales), 1))
    for row in range(size - 1, -1, -1):
        decided = codes[row + 1 :]
        before = summed(triangle[row, row + 1 :, None, None] * decided)
        wanted = problem.target[row] / scales[:, None] - before
        diagonal = triangle[row, row]
        middle = np.rint(wanted / diagonal) if diagonal > 0 else np.zeros_like(wanted)
        least, most = problem.room(decided)
        middle = np.clip(middle, least, most)
        options = np.concatenate([middle, middle + 1, middle - 1], axis=1)
        outside = np.concatenate([middle < least, middle + 1 > most, middle - 1 < least], axis=1)
        wanted, cost = np.tile(wanted, 3), np.tile(cost, 3)
        cost = np.where(outside, np.inf, cost + (diagonal * options - wanted) ** 2)
        best = np.argsort(cost, axis=1, kind="stable")[:, :kept]
        cost = np.take_along_axis(cost, best, axis=1)
        parents = best % middle.shape[1]
        codes = np.take_along_axis(codes, parents[None], axis=2)
        codes[row] = np.take_along_axis(options, best, axis=1)
    finite = np.isfinite(cost)
    return codes[:, finite]
