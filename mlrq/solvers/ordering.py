"""The order in which codes are decided, and the triangle that goes with it."""

from dataclasses import replace

import numpy as np

from mlrq.kernel.tree import Tree
from mlrq.solvers.problem import FloatArray, IntArray, Problem
from mlrq.stats.linear_algebra import dependent, inverse, product, triangularise
from mlrq.stats.linear_algebra import lengths as column_lengths

# Added to the unit diagonal of the correlation matrix before it is inverted, so that dependent
# columns have an order too. The order never affects the proof, only its length.
RIDGE = 1e-10


def decision_order(triangle: FloatArray) -> IntArray:
    """Columns in an order that lets the search close partial vectors early (V-BLAST ordering).

    The search decides the last column first and pays `r_nn^2` for each unit of error there, so
    that column should be the one with the longest part orthogonal to all others; then the same
    among the rest (Wolniansky et al., 1998; Foschini's optimality of the greedy choice). That
    length is 1/sqrt(P_jj) with `P` the inverse of `R'R` over the columns that are left, and
    removing a column from `R'R` is one elimination step in `P`.

    Args:
        triangle: (n, n) float64.

    Returns:
        (n,) int64, the columns from the one decided last to the one decided first.
    """
    size = triangle.shape[1]
    lengths = column_lengths(triangle)
    unit = triangle / np.where(lengths > 0, lengths, 1.0)
    precision = _inverse(product(unit.T, unit) + RIDGE * np.eye(size))
    weight = np.where(lengths > 0, 1.0 / np.where(lengths > 0, lengths, 1.0), np.inf)
    left = np.ones(size, dtype=bool)
    order = np.empty(size, dtype=np.int64)
    for place in range(size - 1, -1, -1):
        shortness = np.sqrt(np.maximum(np.diag(precision), np.finfo(float).tiny)) * weight
        chosen = int(np.argmin(np.where(left, shortness, np.inf)))
        if not left[chosen]:
            chosen = int(left.argmax())
        order[place] = chosen
        left[chosen] = False
        pivot = precision[chosen, chosen]
        if pivot > 0:
            precision = precision - precision[:, chosen, None] * (precision[chosen] / pivot)
    return order


def ordered(problem: Problem) -> tuple[IntArray, Problem, int]:
    """The order of decisions, the problem with its columns in that order, and its rank.

    Columns that depend on others are decided first, for their rows bound nothing: from row `rank` on the
    triangle is zero. What is left of the target in those rows is a constant.
    """
    order = decision_order(problem.triangle)
    rank = problem.size
    while (lacking := dependent(triangularise(problem.triangle[:, order[:rank]]))).any():
        rank -= 1  # the first that lacks a part of its own, for what comes after it may share in the lack
        order = np.append(np.delete(order, lacking.argmax()), order[lacking.argmax()])
    result = _reordered(problem, order)
    result.triangle[rank:] = 0.0
    return order, result, rank


def prepare(
    problem: Problem, rank: int, mixing: IntArray | None = None, free: IntArray | None = None
) -> Tree:
    """What the search needs to know of an ordered problem; every sum is taken in the order of its terms."""
    size, triangle = problem.size, problem.triangle
    none = np.zeros((size, 0), dtype=np.int64), np.zeros((2, 0), dtype=np.int64)
    leading = np.zeros((size, size))  # the inverse, transposed
    leading[:rank, :rank] = inverse(triangle[:rank, :rank]).T
    alone, spread = np.zeros((size + 1, size)), np.zeros((size + 1, size))
    np.cumsum(leading * problem.target[:, None], axis=0, out=alone[1:])
    np.cumsum(np.square(leading), axis=0, out=spread[1:])
    drag = np.zeros((size, size))
    for column in range(1, size):
        drag[column] = product(leading[:column].T, triangle[:column, column])
    return Tree(
        columns=np.ascontiguousarray(triangle.T),
        target=np.ascontiguousarray(problem.target),
        inverse=leading,
        alone=alone,
        drag=drag,
        spread=spread,
        lengths=column_lengths(triangle),
        box=(rank, problem.low, problem.high, int(problem.sliding)),
        mixing=none[0] if mixing is None else np.ascontiguousarray(mixing),
        free=none[1] if free is None else free,
        groups=_groups(mixing) if mixing is not None else np.full(size, 0 if problem.sliding else -1),
    )


def _groups(mixing: IntArray) -> IntArray:
    """Which merged codes have the same free integers, for `Tree`."""
    kinds, index, counts = np.unique(mixing, axis=0, return_inverse=True, return_counts=True)
    several = (counts > 1) & kinds.any(axis=1)
    return np.asarray(np.where(several, np.cumsum(several) - 1, -1)[index.ravel()], dtype=np.int64)


def _reordered(problem: Problem, order: IntArray) -> Problem:
    """The same problem with its columns permuted and made triangular again.

    What is left of the target below the triangle is a constant and rounds to zero: the triangle is
    square, so its rows span the target's space.
    """
    joined = triangularise(np.column_stack([problem.triangle[:, order], problem.target]))
    size = problem.size
    return replace(problem, triangle=joined[:size, :size], target=joined[:size, size])


def _inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a positive definite (n, n) matrix by Gauss-Jordan sweeps, additions in order."""
    work = matrix.copy()
    for pivot in range(len(work)):
        scale = work[pivot, pivot]
        row = work[pivot] / scale
        column = work[:, pivot].copy()
        work -= column[:, None] * row
        work[:, pivot] = -column / scale
        work[pivot] = row
        work[pivot, pivot] = 1.0 / scale
    return work
