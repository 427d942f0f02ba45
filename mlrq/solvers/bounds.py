"""Proven lower bounds that do not need a search."""

import math

import numpy as np

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import least_squares, summed

# Above this many steps of all codes together the separable bound is not worth its memory.
STEPS = 1 << 22


def separable_bound(problem: Problem) -> float:
    """Lower bound of the excess from a diagonal below the covariance.

    If `R'R - D` is positive semi-definite for a diagonal `D >= 0`, and `y = R w`, then

        excess(p, s) >= sum_i D_i (w_i - s p_i)^2,

    and the right-hand side is minimised exactly: at a given `s` every code is the nearest one, and
    the codes change only at `s = |w_i| / (k - 1/2)`. Going down in `s`, each such step adds 1 to
    one |p_i|; the least excess of the codes after each step is closed form, from running sums.
    `D` is `lambda * diag(d)` with `lambda` the smallest eigenvalue of `R'R` scaled by `d`, for the
    two usual choices of `d`.

    Returns:
        A bound >= 0, rounded down to six digits so that it does not depend on the last bits of an
        eigenvalue; 0 when `R` is singular or when there are too many steps.
    """
    triangle = problem.triangle
    if np.diag(triangle).min(initial=np.inf) <= 1e-9 * np.abs(triangle).max(initial=0.0):
        return 0.0
    if problem.size * problem.width > STEPS:
        return 0.0
    weights = least_squares(triangle, problem.target[None])[0]
    inverse = least_squares(triangle, np.eye(problem.size)).T
    bound = 0.0
    for diagonal in (summed(triangle**2), 1 / summed(inverse**2, axis=1)):
        smallest = np.linalg.svd(triangle / np.sqrt(diagonal), compute_uv=False)[-1] ** 2
        bound = max(bound, smallest * _separable_minimum(problem, weights, diagonal))
    return round_down(bound * (1 - 1e-9))


def round_down(value: float) -> float:
    """The largest number of six significant decimal digits that is not above `value` >= 0."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 5)
    rounded = float(f"{math.floor(value / unit) * unit:.5e}")
    return rounded if rounded <= value else float(f"{rounded - unit:.5e}")


def _separable_minimum(problem: Problem, weights: FloatArray, diagonal: FloatArray) -> float:
    """Minimum over codes in the outer box and scales of sum_i diagonal_i (w_i - s p_i)^2."""
    low, high = problem.outer
    magnitude = np.abs(weights)
    limits = np.where(weights > 0, high, np.where(weights < 0, -low, 0))
    owner = np.repeat(np.arange(problem.size), limits)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(limits) - limits, limits) + 1.0
    order = np.argsort(-magnitude[owner] / (step - 0.5), kind="stable")
    owner, step = owner[order], step[order]
    along = np.cumsum(diagonal[owner] * magnitude[owner])
    length = np.cumsum(diagonal[owner] * (2 * step - 1))
    whole = float(summed(diagonal * weights**2))
    if not len(owner):
        return whole
    slack = 1e-13 * whole
    return max(0.0, float((whole - along**2 / length).min()) - slack)
