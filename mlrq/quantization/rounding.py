"""Rounding weights to the codes of a given grid, each weight by itself.

Solvers that choose all codes together belong beside this module.
"""

import numpy as np
from numpy.typing import NDArray

from mlrq.quantization.grid import Grid


def nearest(weights: NDArray[np.float64], grid: Grid) -> NDArray[np.int32]:
    """The nearest codes, ties to even, saturated to the grid's range; any shape."""
    return np.clip(np.rint(grid.position(weights)), grid.low, grid.high).astype(np.int32)


def truncate(weights: NDArray[np.float64], grid: Grid) -> NDArray[np.int32]:
    """Codes rounded towards zero, saturated to the grid's range; any shape."""
    return np.clip(np.trunc(grid.position(weights)), grid.low, grid.high).astype(np.int32)
