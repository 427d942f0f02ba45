"""The best codes and the best scale, with the proof."""

import sys
import time
from dataclasses import replace

import numpy as np

from mlrq.kernel import scrambled, search
from mlrq.kernel.tree import Tree, Walk, start, widened
from mlrq.solvers.bounds import separable_bound
from mlrq.solvers.merging import merged
from mlrq.solvers.ordering import ordered, prepare
from mlrq.solvers.problem import Candidate, Certificate, FloatArray, IntArray, Problem, candidate
from mlrq.stats.linear_algebra import dependent, lengths, summed, triangularise

SLACK = 8
# Bounds between two looks at the clock.
SLICE = 1 << 16
# Codes up to which a bound counts once; the time of one grows with the square of their number.
USUAL = 64
# Codes of a neighbourhood, bounds that one may cost, and for how many times all codes nothing may get better.
FREE, EACH, PATIENCE = 40, 30_000, 5


class _Spent(Exception):
    """Raised when the budget is spent."""


class _Budget:
    """Bounds that may still be computed, and until when."""

    def __init__(self, nodes: int, deadline: float):
        self.left, self.deadline, self.used = nodes, deadline, 0

    def run(self, tree: Tree, walk: Walk, most: int = sys.maxsize, single: bool = False) -> None:
        """Search until it ends, or for `most` bounds.

        Raises:
            _Spent: If the budget ends first.
        """
        size, begun, best = len(tree.target), walk.nodes, walk.best
        price = max(1, size * size // USUAL**2)
        while walk.level < size and walk.nodes - begun < most and not (single and walk.best < best):
            left = min(self.left // price, most - (walk.nodes - begun), SLICE)
            if left <= 0 or time.monotonic() >= self.deadline:
                raise _Spent
            before = walk.nodes
            search(tree, walk, before + left, single)
            self.used += walk.nodes - before
            self.left -= (walk.nodes - before) * price


class _Exact:
    """An ordered problem, the best codes so far, and what is proven."""

    def __init__(self, problem: Problem, best: Candidate, budget: _Budget):
        self.problem, self.best, self.budget = problem, best, budget
        self.order, self.inner, rank = ordered(problem)
        self.merged = merged(self.inner, rank)
        self.proven = 0.0

    def offer(self, codes: FloatArray | IntArray) -> None:
        """Keep codes in the order of decisions if they are better."""
        restored = np.empty(self.problem.size)
        restored[self.order] = codes
        found = candidate(self.problem, restored)
        self.best = found if found.beats(self.best) else self.best

    def dive(self) -> None:
        """One vector from each of many scales, each code the nearest to where its bound is least."""
        tree, rest = self.merged.tree, self.merged.rest
        for code in _sizes(tree):
            best = max(0.0, self.best.excess - rest)
            walk = _start(tree, best, best, code, code)
            self.budget.run(tree, walk, 4 * self.problem.size, single=True)
            self.offer(self.merged.restored(walk.found))

    def improve(self) -> None:
        """Best codes of `FREE` columns at a time, the others' being what they are, until none gets better.

        Large neighbourhood search (Shaw, 1998): a neighbourhood is a problem of one more column, the
        prediction of the codes that stay, whose code is 1.
        """
        size, stale, turn = self.problem.size, 0, 0
        while size > FREE and stale < PATIENCE * size // FREE:
            numbers = scrambled(np.arange(turn * size, (turn + 1) * size, dtype=np.uint64))
            before = self.best.excess
            self._neighbourhood(np.sort(np.argsort(numbers, kind="stable")[:FREE]))
            stale = 0 if self.best.excess < before else stale + 1
            turn += 1

    def _neighbourhood(self, chosen: IntArray) -> None:
        codes = self.best.codes[self.order].astype(np.float64)
        rest = codes.copy()
        rest[chosen] = 0.0
        columns = self.inner.triangle[:, chosen], self.inner.predictions(rest[:, None]), self.inner.target
        whole = triangularise(np.column_stack(columns))
        part = replace(self.inner, triangle=whole[:-1, :-1], target=whole[:-1, -1])
        best = self.best.excess - whole[-1, -1] ** 2
        if best <= 0 or dependent(part.triangle).any():
            return
        tree = prepare(part, part.size)
        walk = _start(tree, best, best, 1, 1)
        walk.integers[5:, -1] = rest.min(initial=0.0), rest.max(initial=0.0)
        self.budget.run(tree, walk, EACH)
        if walk.found.any():
            codes[chosen] = walk.found[:-1]
            self.offer(codes)

    def rise(self) -> None:
        """Search within thresholds that rise, until one has been reached."""
        threshold, tree, rest = self.best.excess / 4, self.merged.tree, self.merged.rest
        if len(self.merged.left):  # the start may be far from the best
            threshold /= 1024
        while self.proven < self.best.excess:
            walk = _start(tree, max(0.0, self.best.excess - rest), max(0.0, threshold - rest), *tree.outer)
            try:
                self.budget.run(tree, walk)
            finally:
                self.offer(self.merged.restored(walk.found))
            self.proven = threshold
            step = 1 + 8 / self.problem.size if threshold >= self.best.excess / 4 else 4
            threshold = min(threshold * step, self.best.excess)


def exact(
    problem: Problem, first: Candidate, *, nodes: int, deadline: float
) -> tuple[Candidate, Certificate]:
    """Codes and scale of least excess, or the best found and how far from the best they may be.

    The search (`mlrq.kernel.branch`) is run for a threshold that rises until some codes are within it: then
    these, or better ones found after them, are the best. Few vectors are within a threshold below the least
    excess, so what comes before costs little; where the budget ends, the last threshold is a lower bound.

    Args:
        problem: n codes.
        first: any candidate; the result is never worse.
        nodes: lower bounds that may be computed; one of n > 64 codes counts as n^2 / 64^2.
        deadline: value of `time.monotonic()` at which to stop.

    Returns:
        The candidate and its certificate. With the same input and no deadline in sight, always the
        same.
    """
    zero = candidate(problem, np.zeros(problem.size))
    if not problem.triangle.any() or not problem.target.any():
        return zero, Certificate(True, zero.excess, 0.0, 0)
    refitted = candidate(problem, first.codes.astype(np.float64))
    best = min(zero, refitted, first, key=lambda one: one.excess)
    budget = _Budget(nodes, deadline)
    state = _Exact(problem, best, budget)
    try:
        state.dive()
        state.improve()
        state.rise()
    except _Spent:
        bound = min(max(state.proven, separable_bound(problem)), state.best.excess)
        return state.best, Certificate(False, bound, state.best.excess - bound, budget.used)
    return state.best, Certificate(True, state.best.excess, 0.0, budget.used)


def _start(tree: Tree, best: float, threshold: float, first: int, last: int) -> Walk:
    slack = rounding_slack(tree, threshold)
    return start(tree, best, widened(threshold, slack), slack, first, last)


def _sizes(tree: Tree) -> list[int]:
    """Values of the first decided code that try scales from large to small."""
    rank, (low, high) = tree.box[0], tree.outer
    if rank < len(tree.target):
        return [0]
    rises = tree.alone[rank, rank - 1] >= 0
    most = high if rises else -low
    sizes, size = [0], 1
    while size <= most:
        sizes.append(size)
        size += max(1, size // 4)
    return sizes if rises else [-size for size in sizes]


def rounding_slack(tree: Tree, threshold: float) -> float:
    """What rounding may add to the length of the residual of a vector within the threshold.

    A row of the residual is a sum of n + 1 products, so it is off by about `n eps` times the sum
    of their absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1);
    the triangle was made by n reflections, each as accurate. `||y - s R p|| <= sqrt(T)` bounds the
    products: `s |p_j| <= (||y|| + sqrt(T)) ||row j of R^-1||`. There is no such bound for columns
    that depend on others; the largest of the others stands in for them.
    """
    size = len(tree.target)
    rows = lengths(tree.inverse)
    length = float(lengths(tree.target[:, None])[0])
    weights = (length + np.sqrt(threshold)) * np.where(rows > 0, rows, rows.max())
    products = float(lengths(summed(np.abs(tree.columns) * weights[:, None])[:, None])[0])
    return float(SLACK * size * np.finfo(np.float64).eps * (length + products))
