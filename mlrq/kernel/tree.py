"""`Tree`, a problem as the search takes it, and `Walk`, where a search is; see `mlrq.kernel.branch`."""

from dataclasses import dataclass
from math import copysign, sqrt

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tree:
    """A problem of n codes as the search takes it.

    Attributes:
        columns: (n, n) R transposed; from row `rank` on R is zero, and these columns depend on those before.
        target: (n,) y.
        inverse: (n, n) inverse of the first `rank` rows and columns of R, transposed.
        alone: (n + 1, n) codes times scale that the first k rows ask for where all others are zero.
        drag: (n, n) what column q takes from the columns before it: inverse times column.
        spread: (n + 1, n) diagonal of the inverse Gram matrix of the first k columns.
        lengths: (n,) of the columns.
        box: rank, smallest code, largest code, whether the box slides (0 or 1).
        mixing: (n, m) of merged codes: codes less `mixing` times m free integers are what is in the box.
        free: (2, m) smallest and largest values of these.
        groups: (n,) from 0: which codes differ from one another by the box's width at most; -1 for others.
    """

    columns: FloatArray
    target: FloatArray
    inverse: FloatArray
    alone: FloatArray
    drag: FloatArray
    spread: FloatArray
    lengths: FloatArray
    box: tuple[int, int, int, int]
    mixing: IntArray
    free: IntArray
    groups: IntArray

    @property
    def outer(self) -> tuple[int, int]:
        """A range that has every value of the code that is decided first."""
        _, low, high, sliding = self.box
        if not self.lengths[-1] > 0.0:
            return 0, 0
        if sliding:
            return low - high, high - low
        least, most = np.sort(self.mixing[-1] * self.free, axis=0).sum(axis=1, dtype=np.int64).tolist()
        return low + least, high + most


@dataclass(eq=False)
class Walk:
    """Where a search is: it goes on from here.

    Attributes:
        floats: (4, n) m, s*, c before each level's code is decided; where to start with it.
        sums: (n, n) the rows without their undecided codes, at each level.
        slopes: (n, n) z_i = alone_i + s slopes_i of the undecided codes, at each level.
        integers: (7, n) code; next code upwards, downwards; first, last; least, most of 0 and those decided.
        ends: (2, n, m) smallest and largest values of free integers, at each level.
        found: (n + m,) the best codes, and free integers that go with them.
        best: What they leave.
        reach: Vectors whose bound is above it are closed.
        slack: Length that rounding may have added to a residual.
        level: The code to decide; n when nothing is left.
        nodes: Bounds computed so far: one a vector, and one a constraint of its cone.
    """

    floats: FloatArray
    sums: FloatArray
    slopes: FloatArray
    integers: IntArray
    ends: IntArray
    found: IntArray
    best: float
    reach: float
    slack: float
    level: int
    nodes: int


def widened(excess: float, slack: float) -> float:
    """What a computed bound has to exceed to prove that none leaves at most `excess`."""
    length = sqrt(excess) + slack
    return length * length * (1.0 + 2.0**-20)


def start(tree: Tree, best: float, reach: float, slack: float, first: int, last: int) -> Walk:
    """A search whose first decided code is limited to first..last."""
    size = len(tree.target)
    floats, sums, slopes = np.zeros((4, size)), np.zeros((size, size)), np.zeros((size, size))
    integers, top = np.zeros((7, size), dtype=np.int64), size - 1
    ends = np.repeat(tree.free[:, None], size, axis=1)
    found = np.zeros(size + tree.free.shape[1], dtype=np.int64)
    floats[3, top] = copysign(0.5, tree.alone[size, top]) if tree.box[0] == size else 0.0
    centre = min(max(int(np.ceil(floats[3, top])), first), last + 1)
    integers[1:5, top] = centre, centre - 1, first, last
    return Walk(floats, sums, slopes, integers, ends, found, best, reach, slack, top, 0)
