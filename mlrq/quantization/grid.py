"""Grids: the values that the codes of one channel can express, and how each scheme chooses them.

    real = scale * (code - zero_point) + offset

as in gemmlowp's `doc/quantization.md`, and in ONNX where `offset` is 0. Scales and offsets are float32, for
that is what inference stores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError


@dataclass(frozen=True)
class Grid:
    """The values that one channel's codes can express.

    Attributes:
        scale: Distance between neighbouring values, a positive float32.
        zero_point: The code of 0.0, where `offset` is 0.
        offset: Added to every value, a float32.
        low: Smallest code.
        high: Largest code.
        step: The scale before it was rounded to float32; codes of the offset scheme are chosen with it.
        start: The offset before it was rounded to float32.
    """

    scale: np.float32
    zero_point: int
    offset: np.float32
    low: int
    high: int
    step: float
    start: float

    def position(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where `weights` lie on the grid, in units of codes, before rounding and saturation."""
        return (weights - self.start) / self.step + self.zero_point


def _stored(value: float) -> np.float32:
    with np.errstate(over="ignore", under="ignore"):
        return np.float32(value)


def stored_scale(step: float) -> np.float32:
    """`step` as the float32 that inference stores.

    Raises:
        MlrqError: If float32 has no normal number there.
    """
    scale = _stored(step)
    if not np.finfo(np.float32).tiny <= scale <= np.finfo(np.float32).max:
        raise MlrqError(
            f"the weights need a scale of {step:g}, which float32 cannot hold: "
            "change the unit of the features or of the target"
        )
    return scale


def symmetric(weights: NDArray[np.float64], bits: int) -> Grid:
    """Signed codes -2^(bits-1) .. 2^(bits-1)-1 around zero; the largest magnitude meets the largest code."""
    high = 2 ** (bits - 1) - 1
    largest = float(np.abs(weights).max())
    scale = stored_scale(largest / high if largest else 1.0)
    return Grid(scale, 0, np.float32(0), -high - 1, high, float(scale), 0.0)


def affine(weights: NDArray[np.float64], bits: int) -> Grid:
    """Signed codes whose range is the weights' own, widened to hold 0.0 exactly at an integer zero point."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    smallest, largest = min(float(weights.min()), 0.0), max(float(weights.max()), 0.0)
    span = largest - smallest
    scale = stored_scale(span / (high - low) if span else 1.0)
    zero_point = int(np.clip(np.rint(low - smallest / float(scale)), low, high))
    return Grid(scale, zero_point, np.float32(0), low, high, float(scale), 0.0)


def offset(weights: NDArray[np.float64], bits: int) -> Grid:
    """Unsigned codes counted up from the smallest weight: the reference system's scheme.

    Its step and start stay float64 while codes are chosen, and become float32 to dequantize.
    """
    high = 2**bits - 1
    start, end = float(weights.min()), float(weights.max())
    stored = _stored(start)
    # Weights that are equal, or so near that float32 cannot tell them apart, need no step: any will do.
    alike = end == start or _stored(end) == stored != 0
    step = 1.0 if alike else (end - start) / high
    if not np.isfinite(stored):
        raise MlrqError(
            f"the weights need an offset of {start:g}, which float32 cannot hold: "
            "change the unit of the features or of the target"
        )
    return Grid(stored_scale(step), 0, stored, 0, high, step, start)
