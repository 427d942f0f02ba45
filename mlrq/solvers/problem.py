"""The quantization problem: integer codes and one positive scale that reproduce a target.

    minimise  excess(p, s) = ||y - s R p||^2   over integer vectors p and real s > 0

where `R'R` is the covariance of the features and `y = R w` for float weights `w` (or the target's
column of the triangle, when codes are fitted to the data). For fixed `p` the best scale is the
projection `s = <y, Rp> / ||Rp||^2`.

`p = code - zero point`. In a symmetric scheme `p` is the code itself, in the box low..high. In an
affine scheme the box slides with the zero point and always contains 0, which is the same as saying
that `max(p, 0) - min(p, 0) <= high - low`.

Several targets that share one scale are one problem: the triangles stacked along a diagonal, the
targets end to end. Nothing else in the solvers knows about targets.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlrq.stats.linear_algebra import lengths, product, summed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Codes = npt.NDArray[np.floating | np.signedinteger]

# A prediction shorter than this fraction of the sum of its terms is what rounding left of terms
# that cancel (duplicate features with opposite codes). No scale is fitted to it.
NOISE = 1e-12


@dataclass(frozen=True, eq=False)
class Problem:
    """One scale, n codes.

    Attributes:
        triangle: (n, n) float64 upper triangular, `R`.
        target: (n,) float64, `y`.
        low: smallest code, <= 0.
        high: largest code, >= 0.
        sliding: whether the box of codes slides with a zero point (affine scheme).
    """

    triangle: FloatArray
    target: FloatArray
    low: int
    high: int
    sliding: bool = False

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.target)

    @property
    def width(self) -> int:
        """Number of steps from the smallest code to the largest."""
        return self.high - self.low

    @property
    def outer(self) -> tuple[int, int]:
        """A box that contains every admissible code less its zero point."""
        return (-self.width, self.width) if self.sliding else (self.low, self.high)

    def room(self, codes: Codes) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Smallest and largest value that one more code may take, given others.

        Args:
            codes: (d, N), N vectors of d codes already chosen.

        Returns:
            Lower and upper limits: (N,) when the box slides, else of shape ().
        """
        if not self.sliding:
            return np.asarray(self.low), np.asarray(self.high)
        least, most = codes.min(axis=0, initial=0), codes.max(axis=0, initial=0)
        return most - self.width, least + self.width

    def predictions(self, codes: FloatArray) -> FloatArray:
        """`R p` for each column of codes (n, N), as (n, N), added in a fixed order."""
        return product(self.triangle, codes)

    def fit(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Best scale of each column of codes, and the excess it leaves.

        Args:
            codes: (n, N) float64 holding integers.

        Returns:
            excess: (N,) float64, `||y - s R p||^2` summed from the residual, so that it keeps its
                digits when it is small.
            scale: (N,) float64, >= 0; 0 where no positive scale helps (the model is then 0) or
                where the prediction is `NOISE`.
        """
        image = self.predictions(codes)
        along = summed(image * self.target[:, None])
        length = summed(image**2)
        terms = summed(lengths(self.triangle)[:, None] * np.abs(codes))
        usable = (along > 0) & (length > (NOISE * terms) ** 2)
        scale = np.where(usable, along / np.where(usable, length, 1.0), 0.0)
        return self.excess(codes, scale), scale

    def excess(self, codes: FloatArray, scale: FloatArray) -> FloatArray:
        """`||y - s R p||^2` (N,) for columns of codes (n, N) and one scale each (N,)."""
        residual = self.target[:, None] - scale * self.predictions(codes)
        return summed(residual**2)


@dataclass(frozen=True)
class Certificate:
    """How good a solution is proven to be.

    It speaks of the least excess over all codes and all real scales; rounding the scale to float32
    afterwards is not part of it.

    Attributes:
        optimal: no codes and no scale have a smaller excess (up to the rounding slack stated in
            `mlrq.solvers.exact`).
        lower_bound: proven lower bound of the least excess; equal to the excess when optimal.
        gap: excess - lower_bound, >= 0.
        nodes: lower bounds that were computed.
    """

    optimal: bool
    lower_bound: float
    gap: float
    nodes: int


@dataclass(frozen=True, eq=False)
class Candidate:
    """Codes of one problem with a scale and the excess they leave.

    Attributes:
        codes: (n,) int64, codes less their zero point.
        scale: > 0, or 0 when all codes are 0.
        excess: `||y - s R p||^2`.
    """

    codes: IntArray
    scale: float
    excess: float

    def beats(self, other: "Candidate") -> bool:
        """Smaller excess, or the same excess and lexicographically smaller codes."""
        if self.excess != other.excess:
            return self.excess < other.excess
        return bool(tuple(self.codes) < tuple(other.codes))


def candidate(problem: Problem, codes: FloatArray) -> Candidate:
    """One vector of codes (n,) in lowest terms, with its best scale.

    Codes that share a divisor describe the same model as codes without it and a larger scale, and
    the box contains 0, so dividing stays inside it.
    """
    integers = codes.astype(np.int64)
    divisor = int(np.gcd.reduce(integers)) if integers.size else 0
    integers //= max(divisor, 1)
    excess, scale = problem.fit(integers[:, None].astype(np.float64))
    return Candidate(integers, float(scale[0]), float(excess[0]))


def best_candidate(problem: Problem, codes: FloatArray) -> Candidate:
    """The best of the columns of codes (n, N), N >= 1; ties go to the smaller codes."""
    excess, _ = problem.fit(codes)
    tied = codes[:, excess == excess.min()]
    first = np.lexsort(tied[::-1])[0]
    return candidate(problem, tied[:, first])
