"""Columns that are whole combinations of others, whose codes are merged into those of the others.

Where X_d = sum t_i X_i with integers t, as with one column for each value of a category or a sum beside its
terms, X p depends on w_i = p_i + t_i p_d alone. So the search decides w, with p_d free in its box, and not
p_d first, with nothing to bound it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mlrq.kernel.tree import Tree
from mlrq.solvers.ordering import prepare
from mlrq.solvers.problem import FloatArray, IntArray, Problem
from mlrq.stats.linear_algebra import inverse, lengths, product, summed

# What a combination may be off, as a fraction of the column's length, and the largest coefficient.
ROUNDING, LARGEST = 2.0**-46, 64


# Whether a column is 1 or -1 times the sum of others.
IsSum = Callable[[int, int, list[int]], bool]


@dataclass(frozen=True, eq=False)
class Merged:
    """An ordered problem as the search takes it, and the way back.

    Attributes:
        tree: Of the columns that are kept.
        kept: (k,) where they are in the ordered problem.
        left: (m,) where the others are.
        whole: (k, m) their coefficients.
        rest: What the target leaves whatever the codes, that the tree does not have.
        sliding: Whether the last free integer is what the box slides by.
    """

    tree: Tree
    kept: IntArray
    left: IntArray
    whole: IntArray
    rest: float
    sliding: bool

    def restored(self, found: IntArray) -> IntArray:
        """Codes (n,) in the order of decisions, of what the search has found."""
        size = len(self.kept)
        codes, free = np.zeros(size + len(self.left), dtype=np.int64), found[size:]
        others = free[:-1] + free[-1] if self.sliding else free
        codes[self.left] = others
        codes[self.kept] = found[:size] - (self.whole * others).sum(axis=1)
        return codes


def merged(problem: Problem, rank: int, is_sum: IsSum | None = None) -> Merged:
    """An ordered problem of some rank, without columns that are whole combinations of others.

    Args:
        problem: The ordered problem.
        rank: Of its triangle.
        is_sum: Where only sums may be left out, as `mlrq.solvers.verify` takes them: tells in integers
            whether a column is one.
    """
    size, triangle = problem.size, problem.triangle
    found, exact = _combinations(triangle[:rank, :rank], triangle[:rank, rank:])
    if is_sum:
        exact &= _sums(found, exact, problem.sliding, is_sum)
    left = np.arange(rank, size)[exact]
    if not len(left):
        return Merged(
            prepare(problem, rank), np.arange(size), left, np.zeros((size, 0), np.int64), 0.0, False
        )
    kept = np.delete(np.arange(size), left)
    whole, count = np.zeros((len(kept), len(left)), dtype=np.int64), len(kept)
    whole[:rank] = found[:, exact]
    rest = float(summed(np.square(problem.target[count:])[:, None])[0])
    inner = replace(problem, triangle=triangle[:count, kept], target=problem.target[:count])
    mixing, free = whole, np.repeat([[problem.low], [problem.high]], len(left), axis=1)
    if problem.sliding:  # codes less t are in 0..width, those of the columns that are left out, too
        inner = replace(inner, low=0, high=problem.width, sliding=False)
        mixing = np.column_stack([whole, 1 + whole.sum(axis=1)])
        free = np.column_stack([np.repeat([[0], [problem.width]], len(left), axis=1), [-problem.width, 0]])
    tree = prepare(inner, rank, mixing, np.ascontiguousarray(free, dtype=np.int64))
    return Merged(tree, kept, left, whole, rest, problem.sliding)


def _combinations(base: FloatArray, others: FloatArray) -> tuple[IntArray, np.ndarray]:
    """Integers (r, m) that make of the base's columns the others (r, m), and of which they do."""
    found = product(inverse(base), others)
    near = np.rint(np.clip(found, -LARGEST - 1, LARGEST + 1))
    off = lengths(product(base, near) - others)
    whole = (
        (off <= ROUNDING * lengths(others))
        & near.any(axis=0)
        & (np.abs(near).max(axis=0, initial=0.0) <= LARGEST)
    )
    return near.astype(np.int64), np.asarray(whole)


def _sums(whole: IntArray, exact: np.ndarray, sliding: bool, is_sum: IsSum) -> np.ndarray:
    """Which combinations (r, m) are sums, or less sums, of others, each column being in one of them at most.

    Where the box slides, a code that is added to others would slide them once more: less sums alone do not.

    Args:
        whole: (r, m) integers.
        exact: (m,) which of them are combinations, as far as floating point can tell.
        sliding: Whether the box slides.
        is_sum: Of a column, 1 or -1, and others.
    """
    taken, found = np.zeros(len(whole), dtype=bool), np.zeros(len(exact), dtype=bool)
    for place in np.flatnonzero(exact):
        some = whole[:, place] != 0
        signs = np.unique(whole[some, place]).tolist()
        if signs in ([[-1]] if sliding else [[-1], [1]]) and not (taken & some).any():
            found[place] = is_sum(len(whole) + int(place), signs[0], np.flatnonzero(some).tolist())
            taken |= some & found[place]
    return found
