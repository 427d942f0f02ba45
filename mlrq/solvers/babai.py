"""Babai's nearest plane, with a search over scales."""

from decimal import Decimal

import numpy as np

from mlrq.solvers.problem import Candidate, FloatArray, Problem, best_candidate
from mlrq.stats.linear_algebra import dependent
from mlrq.stats.linear_algebra import lengths as column_lengths

# Contributions to the prediction below this fraction of the largest do not widen the search.
NEGLIGIBLE = 1e-3
# Work of one pass over the scales, in codes.
SCALES, ROUNDS = 1 << 14, 4


def nearest_plane(problem: Problem, scales: FloatArray) -> FloatArray:
    """Codes by nearest plane, for many scales at once.

    From the last column to the first, each code is the one that makes its row of the residual
    smallest given the codes already chosen (Babai, 1986; on a Hessian's factor this is GPTQ), and
    is clipped to the box. A column that depends on earlier ones has code 0.

    Args:
        problem: n codes.
        scales: (S,) float64, > 0.

    Returns:
        (n, S) float64 holding integers.
    """
    triangle = problem.triangle
    codes = np.zeros((problem.size, len(scales)))
    free = dependent(triangle)
    wanted = problem.target[:, None] / scales
    for row in range(problem.size - 1, -1, -1):
        least, most = problem.room(codes[row + 1 :])
        if not free[row]:
            with np.errstate(over="ignore"):
                codes[row] = np.clip(np.rint(wanted[row] / triangle[row, row]), least, most)
        wanted[:row] -= triangle[:row, row, None] * codes[row]
    return codes


def scale_range(problem: Problem, weights: FloatArray) -> tuple[float, float]:
    """Scales worth trying: from the smallest relevant weight at the edge of the box to past the
    largest weight at code 1."""
    lengths = column_lengths(problem.triangle)
    effect = np.abs(weights) * lengths
    relevant = np.abs(weights[effect > NEGLIGIBLE * effect.max()])
    return float(relevant.min() / (2 * max(problem.outer[1], -problem.outer[0]))), float(2.5 * relevant.max())


def geometric(low: float, high: float, count: int) -> FloatArray:
    """(count,) numbers in a geometric progression from `low` to `high`; count >= 2.

    The ratio comes from decimal arithmetic, which rounds alike everywhere, as no system's logarithm does.
    """
    ratio = float((Decimal(high / low).ln() / (count - 1)).exp())
    return np.multiply.accumulate([low, *[ratio] * (count - 1)])


def search_scales(problem: Problem, weights: FloatArray) -> FloatArray:
    """Nearest-plane codes over a geometric grid of scales, refined around the best.

    Args:
        problem: n codes.
        weights: (n,) float64, the float model; not all zero.

    Returns:
        (n, N) float64, distinct code vectors from the best to the worst.
    """
    smallest, largest = scale_range(problem, weights)
    grid = geometric(smallest, largest, min(max(SCALES // problem.size, 64), 1024))
    ratio = grid[1] / grid[0]
    found = nearest_plane(problem, grid)
    for _ in range(ROUNDS):
        excess, scale = problem.fit(found)
        best = np.argsort(excess, kind="stable")[:16]
        centres = scale[best][scale[best] > 0]
        ratio = np.sqrt(np.sqrt(ratio))
        powers = np.multiply.accumulate([1.0, *[ratio] * 4])
        steps = np.concatenate([1.0 / powers[:0:-1], powers])
        around = (centres[:, None] * steps).ravel()
        found = np.column_stack([found[:, best], nearest_plane(problem, around)])
        found = _different(found)
    excess, _ = problem.fit(found)
    return found[:, np.argsort(excess, kind="stable")]


def _different(codes: FloatArray) -> FloatArray:
    """The (n, m) columns that differ, sorted; `np.unique` would import masked arrays for it."""
    ordered = codes[:, np.lexsort(codes[::-1])]
    new = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return np.asarray(ordered[:, np.append(True, new)])


def babai(problem: Problem, weights: FloatArray, rounded: FloatArray) -> Candidate:
    """Best of the nearest-plane codes over all scales tried and the nearest-rounding codes.

    Args:
        problem: n codes.
        weights: (n,) float64, the float model.
        rounded: (n,) float64, the codes of nearest rounding, so that the result is never worse.
    """
    codes = rounded[:, None]
    if weights.any():
        codes = np.column_stack([codes, search_scales(problem, weights)])
    return best_candidate(problem, codes)
