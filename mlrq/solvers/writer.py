"""Writing the tree of a search down as integers, each vector as short as the checker lets it be.

Where a cone closed a box, the vector is y less its projection, found from the constraints that were met with
equality, at a scale a little larger, so that there is room to round it to integers. What rows alone closed is
left to the search of the checker, `mlrq.solvers.verify`.
"""

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm, ldexp
from typing import Any

import numpy as np

from mlrq.kernel.tree import Tree
from mlrq.solvers import verify
from mlrq.solvers.problem import FloatArray
from mlrq.solvers.recorder import Cone, Part, Recorder
from mlrq.stats.linear_algebra import least_squares, product

BITS = (8, 14, 20, 28, 40, 62, 96)  # of a vector's numbers, tried in turn
ROOM = (4, 8, 13, 20, 30)  # by how many bits less is the fraction by which its scale is larger


@dataclass(frozen=True, eq=False)
class _Projection:
    """What is nearest to the target in one cone, at any scale.

    Attributes:
        places: (n, 2) codes times scale: those at scale 0, and what each unit of scale adds.
        inverse: (q, q) of the undecided columns' triangle, transposed.
        normals: (constraints, q) of those that were met.
        gram: (constraints, constraints) of the normals in the inverse Gram matrix of these columns.
    """

    places: FloatArray
    inverse: FloatArray
    normals: FloatArray
    gram: FloatArray

    def at(self, scale: float) -> FloatArray:
        """(n,) codes times scale."""
        return self.places[:, 0] + scale * self.places[:, 1]

    def weights(self, excess: FloatArray) -> FloatArray:
        """Multipliers that undo what exceeds the constraints, of the same shape."""
        return least_squares(self.gram, excess.reshape(len(self.gram), -1).T).T.reshape(excess.shape)


@dataclass(frozen=True)
class Writer:
    """Turns a tree of floats into one of integers, each vector as short as the checker lets it be.

    Attributes:
        claim: What is to be shown.
        sums: What is merged, as the checker takes it.
        tree: Of the search.
        levels: (n,) of the tree, in the order of the certificate.
        exponents: (n,) of the size of each number of a vector, in the order of the certificate.
        unit: Codes times scale of the claim over those of the tree, a power of two.
        exact: Whether vectors may be long, where no short one is taken.
    """

    claim: verify.Problem
    sums: list[list[int]]
    tree: Tree
    levels: list[int]
    exponents: list[int]
    unit: float
    exact: bool = False

    @property
    def units(self) -> list[int]:
        """(n + 1,) powers of two that a certificate's numbers are in."""
        return [exponent - min(0, *self.exponents) for exponent in (0, *self.exponents)]

    @cached_property
    def groups(self) -> list[tuple[int, int, int]]:
        """(n,) of each level the group of codes that it slides with, and the range of its code."""
        places = sorted(range(self.claim.size), key=self.levels.__getitem__)
        return [self.claim.groups[place] for place in places]

    def proven(self, found: Recorder | None, tried: int) -> dict[str, Any] | None:
        """What a certificate has of a scale, of a tree or else of a search; None if it takes too much."""
        self.claim.tried, self.claim.allowed = 0, tried
        node = self.write(found.root) if found else None
        with suppress(verify.Answer):
            self.claim.prove(node, self.units)
            made = {"bound": None, "order": self.claim.order, "tree": node, "units": self.units}
            return made | ({"sums": self.sums} if self.sums else {})
        return None

    def write(self, parts: list[Part], *decided: tuple[int, int]) -> list[Any] | None:
        """The node of `parts`, after the ranges that are decided."""
        found: list[tuple[int, Any]] = []
        for first, last, below in sorted(parts, key=lambda part: part[0]):
            box = (*decided, (first, last))
            node = self._vector(below, box) if isinstance(below, Cone) else below and self.write(below, *box)
            if found and node is None and found[-1][1] is None:
                found.pop()
            found.append((last, node))
        if all(node is None for _, node in found):
            return None
        return [item for last, node in found for item in (node, last)][:-1]

    def _vector(self, cone: Cone, box: Any) -> list[int] | None:
        """The shortest vector that the checker takes for the box; None if there is none."""
        project = self._projection(cone)
        for bits in BITS:
            for room in [room for room in ROOM if room < bits]:
                numbers = self._rounded(cone, project, bits, room)
                for _ in range(bits // 32):
                    numbers = self._refined(numbers, project)
                if self._accepted(numbers, box):
                    return numbers
        if not self.exact:
            return None
        rounded = self._rounded(cone, project, 40, 13)
        found = (self._exact(cone, rounded, more) for more in (0, 1))
        return next((numbers for numbers in found if self._accepted(numbers, box)), None)

    def _accepted(self, numbers: list[int], box: Any) -> bool:
        with suppress(verify.Answer):
            self.claim.prove(numbers, self.units, *box)
            return True
        return False

    def _rounded(self, cone: Cone, project: _Projection, bits: int, room: int) -> list[int]:
        """The projection's numbers in so many bits, at a scale that is larger by 2^(room - bits)."""
        scale = max(cone.scale, 0.0) * (1.0 + ldexp(1.0, room - bits))
        pairs = zip(project.at(scale)[self.levels].tolist(), self.exponents, strict=True)
        return [1 << bits, *(round(ldexp(one * self.unit, bits - by)) for one, by in pairs)]

    def _exact(self, cone: Cone, numbers: list[int], more: int) -> list[int]:
        """Numbers for which the slopes of the codes that no constraint holds are 0: long ones.

        Where what is decided can be made up for by what is not, as where all decided codes are 0 or columns
        depend on others, a larger scale leaves no room, and where `more` is 1 not for either side of the last
        decided code.
        """
        held = {level for pair in cone.pairs for level in pair}
        free = [place for place, level in enumerate(self.levels) if level < cone.level + more]
        free = [place for place in free if self.levels[place] not in held]
        factor, *whole = [number << unit for number, unit in zip(numbers, self.units, strict=True)]
        given = [0 if place in free else number for place, number in enumerate(whole)]
        rows = [self.claim.matrix[place] for place in free]
        right = [factor * row[-1] - verify.dot(row, given) for row in rows]
        found = solved([[row[place] for place in free] for row in rows], right)
        exact = [Fraction(factor), *map(Fraction, given)]
        for place, value in zip(free, found, strict=True):
            exact[place + 1] = value
        common = lcm(*(value.denominator for value in exact)) << max(self.units)
        long = [int(value * common) >> unit for value, unit in zip(exact, self.units, strict=True)]
        divisor = gcd(*long)
        return [number // divisor for number in long]

    def _projection(self, cone: Cone) -> _Projection:
        tree, q, codes = self.tree, cone.level, np.array(cone.codes, dtype=np.float64)
        normals, limits = self._normals(cone)
        inverse = tree.inverse[:q, :q]
        through = product(inverse.T, product(inverse, normals.T))
        asked = product(inverse.T, product(tree.columns[q:, :q].T, codes))
        places, gram = np.zeros((len(tree.target), 2)), product(normals, through)
        project = _Projection(places, inverse, normals, gram)
        place = np.column_stack([tree.alone[q, :q], -asked])
        beyond = product(normals, place) - np.column_stack([np.zeros(len(limits)), limits])
        place = place - product(through, project.weights(beyond))
        places[:q], places[q:, 1] = place, codes
        return project

    def _refined(self, numbers: list[int], project: _Projection) -> list[int]:
        """Numbers for which the undecided codes' slopes are nearer to what the constraints make of them."""
        factor, *rest = [number << unit for number, unit in zip(numbers, self.units, strict=True)]
        q, slopes, moved = len(project.inverse), np.zeros(self.claim.size), np.zeros(self.claim.size)
        slopes[self.levels] = [
            float(factor * row[-1] - verify.dot(row, rest)) for row in self.claim.matrix[:-1]
        ]
        asked = product(project.inverse.T, product(project.inverse, slopes[:q]))
        left = slopes[:q] - product(project.normals.T, project.weights(product(project.normals, asked)))
        moved[:q] = product(project.inverse.T, product(project.inverse, left))
        moved *= self.tree.lengths[self.levels[0]] ** 2 / float(self.claim.matrix[0][0])
        steps = zip(numbers[1:], moved[self.levels].tolist(), self.units[1:], strict=True)
        return [numbers[0], *(number + round(ldexp(step, -unit)) for number, step, unit in steps)]

    def _normals(self, cone: Cone) -> tuple[FloatArray, FloatArray]:
        """(constraints, undecided) normals of the constraints, and what each is at most, over the scale."""
        pairs = [pair for pair in cone.pairs if pair != (-1, -1)]
        normals, limits = np.zeros((len(pairs), cone.level)), np.zeros(len(pairs))
        for row, (over, under) in enumerate(pairs):
            if over >= 0:
                normals[row, over], limits[row] = 1.0, self._room(cone, over)[1]
            if under >= 0:
                normals[row, under], limits[row] = -1.0, -self._room(cone, under)[0]
            if over >= 0 and under >= 0:
                limits[row] = self.claim.width
        return normals, limits

    def _room(self, cone: Cone, level: int) -> tuple[int, int]:
        """The range of a code that is undecided, as the search had it."""
        group, low, high = self.groups[level]
        first = cone.level + bool(self.tree.mixing.size)  # of merged codes that of the level above
        mates = [
            code
            for code, own in zip(cone.codes[first - cone.level :], self.groups[first:], strict=True)
            if own[0] == group
        ]
        width = self.claim.width
        return max([low, *(code - width for code in mates)]), min([high, *(code + width for code in mates)])


def solved(matrix: list[list[int]], right: list[int]) -> list[Fraction]:
    """x for which `matrix @ x` is `right`, exactly; 0 for columns of a Gram matrix that depend on others."""
    rows = [[Fraction(x) for x in (*row, value)] for row, value in zip(matrix, right, strict=True)]
    for i, pivot in enumerate(rows):
        for row in rows if pivot[i] else ():
            if row is not pivot and (factor := row[i] / pivot[i]):
                row[:] = [x - factor * y for x, y in zip(row, pivot, strict=True)]
    return [row[-1] / row[i] if row[i] else Fraction(0) for i, row in enumerate(rows)]
