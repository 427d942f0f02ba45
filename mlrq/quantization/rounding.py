"""Rounding weights to the codes of a given grid, each weight by itself.

Solvers that choose all codes together belong beside this module.
"""

import numpy as np
from numpy.typing import NDArray

from mlrq.quantization.grid import Grid

ROUNDING = 4  # units in the last place of the largest code, as two differences and two quotients may be off


def nearest(weights: NDArray[np.float64], grid: Grid) -> NDArray[np.int32]:
    """The nearest codes, ties to even, saturated to the grid's range; any shape."""
    return np.clip(np.rint(grid.position(weights)), grid.low, grid.high).astype(np.int32)


def truncate(weights: NDArray[np.float64], grid: Grid) -> NDArray[np.int32]:
    """Codes rounded towards zero, saturated to the grid's range; any shape.

    A weight within `ROUNDING` of a code has that code: the largest weight is meant to have the largest code,
    and whether the last bit of a division says so depends on the last bits of the weights.
    """
    position = grid.position(weights)
    code = np.rint(position)
    slack = ROUNDING * np.spacing(float(grid.high - grid.low))
    cut = np.where(np.abs(position - code) <= slack, code, np.trunc(position))
    return np.clip(cut, grid.low, grid.high).astype(np.int32)
