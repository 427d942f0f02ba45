"""Certificates: a tree of boxes that holds all codes, and of each box what shows that none in it are better.

`mlrq.solvers.verify` has the argument, and checks. `mlrq.solvers.writer` writes the tree of the search down.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import frexp
from typing import Any

import numpy as np

from mlrq.kernel.tree import Tree
from mlrq.solvers import verify
from mlrq.solvers.merging import Merged, merged
from mlrq.solvers.ordering import ordered
from mlrq.solvers.problem import IntArray, Problem
from mlrq.solvers.recorder import Searches
from mlrq.solvers.writer import Writer
from mlrq.stats.linear_algebra import lengths


@dataclass(frozen=True)
class Effort:
    """What making a certificate may cost.

    Attributes:
        codes: That one scale may have.
        bounds: That its tree may take, times the number of codes.
        vectors: That its tree may have.
        tried: Codes that the checker may try where the tree leaves it to search.
        halvings: Of the interval in which a bound is sought, where the codes cannot be shown to be the best.
    """

    codes: int
    bounds: int
    vectors: int
    tried: int
    halvings: int


def certify(
    problem: Problem, about: tuple[Any, list[int], Any], units: tuple[float, float, Fraction], effort: Effort
) -> dict[str, Any] | None:
    """Certificate that no codes leave less than the given ones do, or than a bound where that takes too much.

    Args:
        problem: n codes.
        about: Matrix, codes and box of `mlrq.solvers.verify.Problem`.
        units: Of the triangle and of the target in the problem, powers of two; and of the sums.
        effort: What it may cost.

    Returns:
        `bound`, `order`, `tree` and `units` for the checker, which has checked them, and `sums` where there
        are any; None where it takes too much.
    """
    order, inner, rank = ordered(problem)

    def is_sum(column: int, sign: int, some: list[int]) -> bool:
        others = order[some].tolist()
        return all(row[order[column]] == sign * sum(row[i] for i in others) for row in about[0])

    merge = merged(inner, rank, is_sum)
    names, tree = _named(merge, order), merge.tree
    levels = _levels(tree)
    unit, own = units[1] / units[0], [tree.lengths[level] for level in levels]
    length = float(lengths(problem.target[:, None])[0])
    exponents = [frexp(length / one * unit)[1] if one else 0 for one in own]
    writer = Writer(verify.Problem(about, *names, None), names[1], tree, levels, exponents, unit)
    excess = float(problem.fit(np.array(about[1], dtype=np.float64)[:, None])[0][0])
    excess = max(0.0, excess - merge.rest)
    searched = Searches(tree, tree.outer, effort.bounds // problem.size)
    found = searched.recorded(excess) if searched.least(excess) == excess else None
    if found and found.vectors <= effort.vectors:  # long vectors only where they save the checker much
        made = writer.proven(found, effort.tried // 4) or replace(writer, exact=True).proven(
            found, effort.tried
        )
    else:
        made = writer.proven(None, effort.tried)
    if made:
        return made
    if not (effort.halvings and (threshold := searched.largest(excess, effort.halvings))):
        return None
    less = Fraction((excess - threshold) * units[1] ** 2)
    bound = max(0.0, float(writer.claim.left * units[2] - less))
    writer = replace(writer, claim=verify.Problem(about, *names, Fraction(bound) / units[2]), exact=True)
    found = searched.recorded(threshold)
    made = writer.proven(found, effort.tried) if found.vectors <= effort.vectors else None
    return made and {**made, "bound": bound.hex()}


def _levels(tree: Tree) -> list[int]:
    """The levels of a tree in the order of a certificate: columns of zeros come last."""
    return sorted(range(len(tree.target) - 1, -1, -1), key=lambda level: not tree.lengths[level])


def _named(merge: Merged, order: IntArray) -> tuple[list[int], list[list[int]]]:
    """`order` and `sums` of a certificate."""
    names = [int(order[merge.kept[level]]) for level in _levels(merge.tree)]
    sums = []
    for place, column in zip(merge.left, merge.whole.T, strict=True):
        some = np.flatnonzero(column)
        sums.append([int(order[place]), int(column[some[0]]), *sorted(order[merge.kept[some]].tolist())])
    return names, sums
