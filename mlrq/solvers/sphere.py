"""Sphere decoding over codes and scale at once: every vector that can win is met.

The tree of partial vectors (`mlrq.solvers.partial`) is searched depth first. A branch is left
only if its bound exceeds the threshold, and codes are left out only if they are outside the box or
would raise the bound over it. So when the tree is exhausted no vector of codes, at any scale, beats
the best one that was met. Vectors are handled in blocks, the best first, so that NumPy has long
arrays to work on, memory stays bounded and the threshold drops early.

Rounding: the computed residual of a vector that could win is off by at most `rounding_slack` in
length. The threshold is widened by that much before anything is discarded; what is kept needlessly
is only work; lower bounds are narrowed by as much. It is a first-order bound, not interval
arithmetic.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrq.solvers.partial import Partial, code_ranges, decide, nothing_decided
from mlrq.solvers.problem import FloatArray, Problem
from mlrq.solvers.walls import build_walls, raise_bounds
from mlrq.stats.linear_algebra import least_squares, product, summed

SLACK = 8
# Children made at once, and the numbers that one block of partial vectors may hold.
CHILDREN, BLOCK = 1 << 18, 1 << 23


@dataclass(frozen=True)
class Outcome:
    """What a search established.

    Attributes:
        complete: nothing is left unexplored.
        lower_bound: no vector that the search did not reach leaves less; infinite when complete.
        nodes: partial vectors examined.
    """

    complete: bool
    lower_bound: float
    nodes: int


def search(
    problem: Problem,
    threshold: float,
    leaves: Callable[[FloatArray], float],
    *,
    nodes: int,
    deadline: float,
) -> Outcome:
    """Show `leaves` every vector of codes that leaves at most the threshold.

    Args:
        problem: n codes, triangle with a non-negative diagonal.
        threshold: excess of the best solution known.
        leaves: called with (n, N) float64 codes; returns the new threshold.
        nodes: number of partial vectors after which the search stops.
        deadline: value of `time.monotonic()` at which it stops.

    Returns:
        The outcome.
    """
    slack = rounding_slack(problem, threshold)
    reach = _widened(threshold, slack)
    walls = build_walls(problem)
    chunk = int(np.clip(BLOCK // problem.size**2, 16, 4096))
    stack = [nothing_decided(problem)]
    examined = 0
    while stack:
        block = _within(stack.pop(), reach)
        if not len(block):
            continue
        if examined >= nodes or time.monotonic() >= deadline:
            stack.append(block)
            break
        first, last = code_ranges(problem, block, reach)
        count = np.maximum(last - first + 1, 0).astype(np.int64)
        fitting = max(1, int(np.searchsorted(np.cumsum(count), CHILDREN, side="right")))
        if fitting < count.size:
            stack.append(block.take(slice(fitting, None)))
            block, first, count = block.take(slice(fitting)), first[:fitting], count[:fitting]
        examined += int(count.sum())
        children = _within(decide(problem, block, first, count), reach)
        if len(children.codes) == problem.size:
            if len(children):
                reach = _widened(leaves(children.codes.astype(np.float64)), slack)
            continue
        children = _within(raise_bounds(problem, walls, children), reach)
        children = children.take(np.argsort(children.bound, kind="stable"))
        starts = range(0, len(children), chunk)
        stack += [children.take(slice(start, start + chunk)) for start in reversed(starts)]
    unexplored = [float(block.bound.min()) for block in stack]
    return Outcome(not unexplored, _narrowed(min(unexplored, default=np.inf), slack), examined)


def rounding_slack(problem: Problem, threshold: float) -> float:
    """What rounding may add to the length of the residual of a vector within the threshold.

    A row of the residual is a sum of n + 1 products, so it is off by about `n eps` times the sum
    of their absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1);
    the triangle was made by n reflections, each as accurate. `||y - s R p|| <= sqrt(T)` bounds the
    products: `s |p_j| <= (||y|| + sqrt(T)) ||row j of R^-1||`. There is no such bound for columns
    that depend on others; the largest of the others stands in for them.
    """
    size, triangle = problem.size, problem.triangle
    inverse = least_squares(triangle, np.eye(size)).T
    rows = np.sqrt(summed(inverse**2, axis=1))
    length = float(np.sqrt(summed(problem.target**2)))
    weights = (length + np.sqrt(threshold)) * np.where(rows > 0, rows, rows.max())
    products = np.sqrt(summed(product(np.abs(triangle), weights) ** 2))
    return float(SLACK * size * np.finfo(np.float64).eps * (length + products))


def _widened(threshold: float, slack: float) -> float:
    """The threshold with room for the rounding of a residual."""
    return float((np.sqrt(threshold) + slack) ** 2)


def _narrowed(bound: float, slack: float) -> float:
    """The bound less what rounding may have added to it."""
    return float(max(np.sqrt(bound) - slack, 0.0) ** 2)


def _within(partial: Partial, reach: float) -> Partial:
    """The vectors whose bound is within reach."""
    kept = partial.bound <= reach
    return partial if kept.all() else partial.take(np.flatnonzero(kept))
