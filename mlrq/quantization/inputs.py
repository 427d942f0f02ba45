"""Integer inputs: a grid for each feature, calibrated on training rows, so that any unit works.

    code = saturate(rint((x - offset) / scale))        in float32, ties to even
    real = scale * code + offset

This is ONNX's Add and QuantizeLinear with zero point 0, bit for bit. Infinities saturate; NaN becomes the
smallest code, here and in every export. A zero point alone will not do: it must be a code itself, so that a
feature such as a longitude, between -124 and -114, would spend nearly all of its codes on values that never
come.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.errors import MlrqError
from mlrq.stats.linear_algebra import summed

MSE_SHRINKS = np.linspace(0.05, 1.0, 20)  # fractions of the full range that the mse calibration tries


@dataclass(frozen=True, eq=False)
class InputGrid:
    """The grids of all features.

    Attributes:
        bits: Width of a code, 8 or 16.
        scale: (features,) float32, positive.
        offset: (features,) float32, the real value of code 0.
    """

    bits: int
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    @property
    def low(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1

    def encode(self, rows: NDArray[np.float64]) -> NDArray[np.int8] | NDArray[np.int16]:
        """(n, features) codes of (n, features) float64 rows, which first become float32; NaN is `low`."""
        return kernel.encode(rows, self.scale, self.offset, self.bits)

    def clip(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, features) float64 rows with what saturates moved to the range's ends, and nothing rounded."""
        ends = [self.scale.astype(np.float64) * end + self.offset for end in (self.low, self.high)]
        return np.clip(rows, *ends)

    def beyond(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n, features) which cells saturate: the nearest code would lie outside the range; NaN does."""
        position = kernel.positions(rows, self.scale, self.offset)
        return ~((position >= self.low) & (position <= self.high))

    def saturated(self, rows: NDArray[np.float64]) -> float:
        """Fraction of all cells that saturate, 0 to 1."""
        return np.count_nonzero(self.beyond(rows)) / rows.size


def check_resolution(
    low: NDArray[np.float64], high: NDArray[np.float64], names: tuple[str, ...], integer: bool
) -> None:
    """Refuse features that float32, in which inputs and factors are stored, cannot tell apart.

    Args:
        low: (features,) smallest values.
        high: (features,) largest values.
        names: Of the features.
        integer: Whether inputs become integers, for which neighbouring values have to differ too.

    Raises:
        MlrqError: Naming them.
    """
    limits = np.finfo(np.float32)
    spread, largest = high - low, np.maximum(np.abs(low), np.abs(high))
    lost = (spread < limits.tiny) | (largest > limits.max)
    if integer:
        with np.errstate(over="ignore"):  # of the largest number, which is lost anyway
            lost |= spread < np.spacing(np.minimum(largest, limits.max).astype(np.float32))
    if lost.any():
        listed = ", ".join(repr(names[i]) for i in np.flatnonzero(lost))
        raise MlrqError(
            f"float32 cannot tell the values of {listed} apart: subtract an offset, or change the unit"
        )


def from_range(low: NDArray[np.float64], high: NDArray[np.float64], bits: int) -> InputGrid:
    """The grid whose smallest code means `low` and whose largest means `high`."""
    steps = 2**bits - 1
    span = high - low
    # A range that float32 cannot resolve, such as a constant, gets a step that it can.
    least = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    scale = (np.maximum(span, least * steps) / steps).astype(np.float32)
    offset = (low + 2.0 ** (bits - 1) * scale.astype(np.float64)).astype(np.float32)
    return InputGrid(bits, scale, offset)


def minmax(rows: NDArray[np.float64], bits: int, percentile: float) -> InputGrid:
    """The range of the training rows; `percentile` is not used."""
    del percentile
    return from_range(rows.min(axis=0), rows.max(axis=0), bits)


def percentile(rows: NDArray[np.float64], bits: int, percentile: float) -> InputGrid:
    """The range without the lowest and the highest `percentile` percent of each feature."""
    low, high = np.percentile(rows, [percentile, 100 - percentile], axis=0)
    return from_range(low, high, bits)


def mse(rows: NDArray[np.float64], bits: int, percentile: float) -> InputGrid:
    """For each feature the range, shrunk towards its median, whose codes are nearest in the mean square.

    What saturates costs, and so does a coarse step; `percentile` is not used.
    """
    del percentile
    middle = np.median(rows, axis=0)
    low, high = rows.min(axis=0), rows.max(axis=0)
    best = np.full(rows.shape[1], np.inf)
    low_best, high_best = low.copy(), high.copy()
    for shrink in MSE_SHRINKS:
        tried_low, tried_high = middle + shrink * (low - middle), middle + shrink * (high - middle)
        grid = from_range(tried_low, tried_high, bits)
        real = grid.encode(rows) * grid.scale.astype(np.float64) + grid.offset
        error = summed(np.square(real - rows))
        better = error < best
        best = np.where(better, error, best)
        low_best = np.where(better, tried_low, low_best)
        high_best = np.where(better, tried_high, high_best)
    return from_range(low_best, high_best, bits)
