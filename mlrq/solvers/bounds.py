"""Proven lower bounds that do not need a search."""

from math import sqrt

import numpy as np

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import inverse, least_squares, lengths, product, summed

# Above this many steps of all codes together the separable bound is not worth its memory.
STEPS = 1 << 22
# Of inverse iteration.
TURNS = 100


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
        A bound >= 0; 0 when `R` is singular or when there are too many steps.
    """
    triangle = problem.triangle
    if np.diag(triangle).min(initial=np.inf) <= 1e-9 * np.abs(triangle).max(initial=0.0):
        return 0.0
    if problem.size * problem.width > STEPS:
        return 0.0
    weights = least_squares(triangle, problem.target[None])[0]
    bound = 0.0
    for diagonal in (summed(np.square(triangle)), 1 / summed(np.square(inverse(triangle).T))):
        smallest = smallest_eigenvalue(triangle / np.sqrt(diagonal))
        bound = max(bound, smallest * _separable_minimum(problem, weights, diagonal))
    return bound * (1 - 1e-9)


def smallest_eigenvalue(triangle: FloatArray) -> float:
    """Lower bound of the smallest eigenvalue of `R'R` for a regular upper triangle `R`.

    Inverse iteration finds it nearly; elimination without a negative pivot, of `R'R` less the bound on its
    diagonal, shows that the eigenvalue is not below the bound, up to rounding.
    """
    size = len(triangle)
    inverted, gram = inverse(triangle), product(triangle.T, triangle)
    vector, estimate = np.full(size, 1 / sqrt(size)), 0.0
    for _ in range(TURNS):
        vector = product(inverted, product(inverted.T, vector))
        length = float(lengths(vector[:, None])[0])
        estimate, vector = 1 / length, vector / length
    rounding = 4 * size * np.finfo(np.float64).eps * float(summed(np.diag(gram)))
    for part in (0.999, 0.99, 0.95, 0.9, 0.5):
        if _positive(gram - estimate * part * np.eye(size)):
            return max(0.0, estimate * part - rounding)
    return 0.0


def _positive(matrix: FloatArray) -> bool:
    """Whether elimination of a symmetric matrix meets positive pivots only."""
    while len(matrix):
        if not matrix[0, 0] > 0:
            return False
        matrix = matrix[1:, 1:] - matrix[1:, 0, None] * (matrix[0, 1:] / matrix[0, 0])
    return True


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
    total = float(summed(diagonal * np.square(weights)))
    if not len(owner):
        return total
    slack = 1e-13 * total
    return max(0.0, float((total - along**2 / length).min()) - slack)
