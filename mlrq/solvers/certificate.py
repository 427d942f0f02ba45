"""Certificates: a tree of boxes that holds all codes, and of each box what shows that none in it are better.

`mlrq.solvers.verify` has the argument, and checks. Here the tree of the search is written down: where a cone
closed a box, the vector is y less its projection, found from the constraints that were met with equality, at
a scale a little larger, so that there is room to round it to integers. What rows alone closed is left to the
search of the checker.
"""

import copy
from dataclasses import dataclass
from fractions import Fraction
from math import frexp, ldexp
from typing import Any

import numpy as np

from mlrq.kernel import search
from mlrq.kernel.branch import Search
from mlrq.kernel.tree import Tree, Walk, start, widened
from mlrq.solvers.exact import rounding_slack
from mlrq.solvers.ordering import ordered, prepare
from mlrq.solvers.problem import FloatArray, Problem
from mlrq.solvers.solve import power_of_two
from mlrq.solvers.verify import Answer, centred, dot, stacked
from mlrq.solvers.verify import Problem as Claim
from mlrq.stats.linear_algebra import least_squares, lengths, product

# Bounds of a tree that is written down; codes that a search of the checker may try where none is.
RECORDED, TRIED = 50_000, 500_000
CODES = 128  # at most
BITS = (
    6,
    8,
    10,
    12,
    14,
    17,
    20,
    24,
    28,
    32,
    36,
    40,
    48,
    56,
    64,
    72,
    84,
    96,
)  # of a vector's numbers, tried in turn
ROOM = (2, 5, 8, 11, 15)  # by how many bits less is the fraction by which its scale is larger


@dataclass(frozen=True)
class Cone:
    """How a vector was closed: the codes from level `q` on, the scale, and the constraints that were met."""

    level: int
    codes: tuple[int, ...]
    scale: float
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Projection:
    """Undecided columns of one cone.

    Attributes:
        inverse: (q, q) of their triangle, transposed.
        normals: (constraints, q).
        through: (q, constraints) inverse Gram matrix times normals'.
        gram: (constraints, constraints) normals times that.
    """

    inverse: FloatArray
    normals: FloatArray
    through: FloatArray
    gram: FloatArray

    def weights(self, excess: FloatArray) -> FloatArray:
        """(constraints,) multipliers that undo what exceeds them."""
        return np.asarray(least_squares(self.gram, excess[None])[0])


# First and last value of a code, and what is below: boxes, a cone, or None where rows close it.
Part = tuple[int, int, "list[Part] | Cone | None"]


class _Recorder(Search):
    """A search that writes its tree down."""

    def __init__(self, tree: Tree, walk: Walk):
        super().__init__(tree, walk)
        self.parts: list[list[Part]] = [[] for _ in range(self.size)]
        self.root = self.parts[-1]

    def descend(self, q: int, box: tuple[int, int]) -> None:
        code = self.integers[0][q + 1]
        if self.lengths[q + 1] > 0.0:
            self.parts[q] = []
            self.parts[q + 1].append((code, code, self.parts[q]))
        else:
            self.parts[q] = self.parts[q + 1]
        super().descend(q, box)

    def leaf(self, m: float, s: float, total: float) -> None:
        code = self.integers[0][0]
        self.parts[0].append((code, code, None))
        super().leaf(m, s, total)

    def close(
        self, q: int, upwards: bool, downwards: bool, scale: float, pairs: list[tuple[int, int]]
    ) -> None:
        codes, up, down, first, last = (row[q] for row in self.integers[:5])
        low, high = codes, codes
        cone = Cone(q, tuple(self.integers[0][q:]), scale, tuple(pairs)) if pairs else None
        if upwards and up == codes + 1:
            high = last
        elif upwards and up <= last:
            self.parts[q].append((up, last, cone))
        if downwards and down == codes - 1:
            low = first
        elif downwards and down >= first:
            self.parts[q].append((first, down, cone))
        self.parts[q].append((low, high, cone))
        super().close(q, upwards, downwards, scale, pairs)


@dataclass(frozen=True)
class _Writer:
    """Turns a tree of floats into one of integers, each vector as short as the checker lets it be."""

    claim: Claim
    tree: Tree
    places: list[int]
    exponents: list[int]
    units: list[int]
    unit: float

    def write(self, parts: list[Part]) -> list[Any] | None:
        """The node of `parts`."""
        found: list[tuple[int, Any]] = []
        for first, last, below in sorted(parts, key=lambda part: part[0]):
            self.claim.box.append((first, last))
            cone = isinstance(below, Cone)
            node = self._vector(below) if cone else self.write(below) if below else None  # type: ignore[arg-type]
            self.claim.box.pop()
            if found and node is None and found[-1][1] is None:
                found.pop()
            found.append((last, node))
        if all(node is None for _, node in found):
            return None
        written = [item for last, node in found for item in (node, last)]
        return written[:-1]

    def _vector(self, cone: Cone) -> list[int] | None:
        """The shortest vector that the checker takes; None if there is none."""
        normals, limits = self._normals(cone)
        inverse = self.tree.inverse[: cone.level, : cone.level]
        through = product(inverse.T, product(inverse, normals.T))
        project = _Projection(inverse, normals, through, product(normals, through))
        for bits in BITS:
            for room in [room for room in ROOM if room < bits]:
                floats = self._projected(cone, limits, project, ldexp(1.0, room - bits))
                pairs = zip(floats, self.exponents, strict=True)
                numbers = [1 << bits, *(round(ldexp(one, bits - exponent)) for one, exponent in pairs)]
                for _ in range(bits // 32):
                    numbers = self._refined(numbers, project)
                try:
                    self.claim.vector([n << unit for n, unit in zip(numbers, self.units, strict=True)])
                except Answer:
                    continue
                return numbers
        return None

    def _normals(self, cone: Cone) -> tuple[FloatArray, FloatArray]:
        """(constraints, undecided) normals of the constraints, and what each is at most, over the scale."""
        low, high = self.claim.outer
        if self.claim.sliding:
            low, high = max(0, *cone.codes) - self.claim.width, min(0, *cone.codes) + self.claim.width
        pairs = [pair for pair in cone.pairs if pair != (-1, -1)]
        normals, limits = np.zeros((len(pairs), cone.level)), np.zeros(len(pairs))
        for row, (over, under) in enumerate(pairs):
            if over >= 0:
                normals[row, over] = 1.0
            if under >= 0:
                normals[row, under] = -1.0
            limits[row] = self.claim.width if over >= 0 and under >= 0 else high if over >= 0 else -low
        return normals, limits

    def _projected(self, cone: Cone, limits: FloatArray, project: "_Projection", room: float) -> list[float]:
        """Codes times scale whose prediction is nearest to the target, at a scale larger by a fraction."""
        tree, q, codes = self.tree, cone.level, np.array(cone.codes, dtype=np.float64)
        scale = max(cone.scale, 0.0) * (1.0 + room)
        asked = product(project.inverse.T, product(tree.columns[q:, :q].T, codes))
        place = tree.alone[q, :q] - scale * asked
        weights = project.weights(product(project.normals, place) - limits * scale)
        levels = np.concatenate([place - product(project.through, weights), scale * codes])
        return [float(one) * self.unit for one in levels[self.places]]

    def _refined(self, numbers: list[int], project: "_Projection") -> list[int]:
        """Numbers for which the undecided codes' slopes are nearer to what the constraints make of them."""
        factor, *rest = [number << unit for number, unit in zip(numbers, self.units, strict=True)]
        exact = [factor * c - dot(row, rest) for c, row in zip(self.claim.pull, self.claim.gram, strict=True)]
        q, first = len(project.inverse), self.places[0]
        slopes = np.zeros(self.claim.size)
        slopes[self.places] = [float(slope) for slope in exact]
        left = slopes[:q]
        asked = product(project.inverse.T, product(project.inverse, left))
        left = left - product(project.normals.T, project.weights(product(project.normals, asked)))
        moved = np.zeros(self.claim.size)
        moved[:q] = product(project.inverse.T, product(project.inverse, left))
        moved *= self.tree.lengths[first] ** 2 / float(self.claim.gram[0][0])
        steps = [
            round(ldexp(float(one), -unit))
            for one, unit in zip(moved[self.places], self.units[1:], strict=True)
        ]
        return [numbers[0], *(number + step for number, step in zip(numbers[1:], steps, strict=True))]


def certify(
    problem: Problem,
    threshold: float,
    sums: tuple[list[list[int]], list[int], int],
    codes: list[int],
    unit: float,
    claimed: Fraction | None = None,
) -> dict[str, Any] | None:
    """Certificate that no codes leave less than the given ones do, or than what is claimed instead.

    Args:
        problem: n codes.
        threshold: excess of the codes, or lower bound of it, in the units of the problem.
        sums: exact sums, see `mlrq.solvers.verify.Problem`.
        codes: (n,) less their zero point.
        unit: scales of the sums over those of the problem, a power of two.
        claimed: lower bound in the units of the sums; None for what the codes leave.

    Returns:
        `order`, `units` and `tree` for the checker, which has checked them; None where a tree is too large.

    Raises:
        Answer: If there are better codes, by a difference that floating point does not tell.
    """
    size = problem.size
    order, inner, rank = ordered(problem)
    tree = prepare(inner, rank)
    slack = rounding_slack(tree, threshold)
    low, high = inner.outer if tree.lengths[-1] else (0, 0)
    walk = start(tree, threshold, widened(threshold, slack), slack, low, high)
    recorder = _Recorder(tree, copy.deepcopy(walk))
    search(tree, walk, RECORDED, False)  # for how long it will take
    if recorded := walk.level == size:
        recorder.run(RECORDED, False)
    # Columns of zeros, whose codes change nothing, come last.
    levels = sorted(range(size - 1, -1, -1), key=lambda level: not tree.lengths[level])
    length = float(lengths(problem.target[:, None])[0])
    own = [tree.lengths[level] for level in levels]
    exponents = [frexp(length / one * unit)[1] if one else 0 for one in own]
    units = [exponent - min(0, *exponents) for exponent in [0, *exponents]]
    box = problem.low, problem.high, problem.sliding
    names = [int(order[level]) for level in levels]
    claim = Claim(sums, codes, box, names, claimed)
    node = None
    if recorded:
        node = _Writer(claim, tree, levels, exponents, units, unit).write(recorder.root)
    claim.searched = TRIED
    try:
        claim.prove(node, units)
    except Answer as why:
        if len(why.args) > 2:
            raise
        return None
    return {"order": names, "tree": node, "units": units}


def document(
    model: dict[str, Any],
    goal: dict[str, Any] | None,
    sums: tuple[int, list[int], list[list[int]], int],
    triangle: FloatArray,
    targets: FloatArray,
) -> dict[str, Any] | None:
    """The body of `certificate.json`; None where one of its trees would be too large.

    Args:
        model: `quantized.json`.
        goal: `coefficients` and `intercept` of the float model that the codes follow; None for the targets.
        sums: number of training rows and `mlrq.solvers.verify.exact` of what is seen of them.
        triangle: (n, n) of the features that are seen, as for `solve`.
        targets: (t, n), as for `solve`.

    Raises:
        Answer: If there are better codes.
    """
    count, half = len(targets), 1 << (model["bits"] - 1)
    shared = model["settings"]["granularity"] != "per_channel"
    groups = [list(range(count))] if shared else [[target] for target in range(count)]
    matrix, width = centred(*sums[:3]), len(triangle)
    problems = []
    for group in groups:
        size = len(group)
        r = np.asarray(np.kron(np.eye(size), triangle), dtype=np.float64)
        y = targets[group].ravel()
        unit_r, unit_y = power_of_two(r), power_of_two(y)
        problem = Problem(r / unit_r, y / unit_y, -half, half - 1, model["settings"]["scheme"] == "affine")
        codes = [code - model["zero_point"][target] for target in group for code in model["codes"][target]]
        excess = float(problem.fit(np.array(codes, dtype=np.float64)[:, None])[0][0])
        found = certify(problem, excess, stacked(matrix, width, group), codes, unit_y / unit_r)
        if found is None:
            return None
        problems.append({"bound": None, **found})
    return {"goal": goal, "problems": problems, "quantized": model["sha256"]}
