"""What quantizing needs of the training rows, and what answers it from memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.options import CALIBRATIONS
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import Summary

# What inference sees of (n, features) float64 rows.
See = Callable[[NDArray[np.float64]], NDArray[np.generic]]


class TrainingRows(Protocol):
    """Training rows, in memory or not, and the goal that predictions for them are fitted to."""

    def spread(self) -> NDArray[np.float64]:
        """(features,) standard deviations."""

    def range(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(features,) smallest and largest features."""

    def limits(self) -> NDArray[np.float64]:
        """(2, targets) smallest and largest targets."""

    def grid(self, calibration: str, bits: int, percentile: float) -> InputGrid:
        """The grids of integer inputs that `calibration` finds."""

    def summarize(self, see: See) -> Summary:
        """Summary of what `see` makes of the rows, with the goal."""


@dataclass(frozen=True)
class Divided:
    """Rows divided by a factor for each feature, (features,) float32; it travels to other processes."""

    factor: NDArray[np.float32]

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, features) float64."""
        return rows / self.factor.astype(np.float64)


@dataclass(frozen=True)
class Table:
    """Training rows in memory.

    Attributes:
        rows: (n, features) float64.
        values: (n, targets) float64.
        goal: (n, targets) float64 that predictions are fitted to.
    """

    rows: NDArray[np.float64]
    values: NDArray[np.float64]
    goal: NDArray[np.float64]

    def spread(self) -> NDArray[np.float64]:
        """(features,) standard deviations."""
        return summarize(self.rows, self.values).spread[: self.rows.shape[1]]

    def range(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(features,) smallest and largest features."""
        return self.rows.min(axis=0), self.rows.max(axis=0)

    def limits(self) -> NDArray[np.float64]:
        """(2, targets) smallest and largest targets."""
        return np.stack([self.values.min(axis=0), self.values.max(axis=0)])

    def grid(self, calibration: str, bits: int, percentile: float) -> InputGrid:
        """The grids of integer inputs that `calibration` finds."""
        grid: InputGrid = CALIBRATIONS[calibration].load()(self.rows, bits, percentile)
        return grid

    def summarize(self, see: See) -> Summary:
        """Summary of what `see` makes of the rows, with the goal."""
        return summarize(see(self.rows), self.goal)
