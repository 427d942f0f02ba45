"""Integer inference in NumPy; `infer.c` gives the same bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.kernel.reference import ROWS_PER_PIECE

Codes = NDArray[np.signedinteger]
Sums = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Integers:
    """What turns input codes into sums, or into predictions.

    Attributes:
        weights: (targets, features) int64, code - zero_point.
        bias: (targets,) int64.
        largest: The largest magnitude that any partial sum can reach.
        scale: (targets,) float32, target units for one step of a sum.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    largest: int
    scale: NDArray[np.float32]

    @property
    def sums(self) -> np.dtype[np.signedinteger]:
        """The type of the sums: int32 where it holds every one of them, partial ones too, else int64."""
        return np.dtype(np.int32 if self.largest < 2**31 else np.int64)


def encode(
    rows: NDArray[np.float64], scale: NDArray[np.float32], offset: NDArray[np.float32], bits: int
) -> NDArray[np.int8] | NDArray[np.int16]:
    """saturate(rint((rows - offset) / scale)) in float32, the smallest code for NaN.

    Args:
        rows: (n, features) float64, which first become float32.
        scale: (features,) float32, positive.
        offset: (features,) float32, the real value of code 0.
        bits: Of a code, 8 or 16.
    """
    position = positions(rows, scale, offset)
    limits = np.iinfo(np.int8 if bits == 8 else np.int16)
    np.fmax(position, np.float32(limits.min), out=position)  # of NaN and a number, the number
    np.minimum(position, np.float32(limits.max), out=position)
    return position.astype(limits.dtype)


def positions(
    rows: NDArray[np.float64], scale: NDArray[np.float32], offset: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What `encode` saturates."""
    with np.errstate(over="ignore"):  # what overflows is infinite
        single = rows.astype(np.float32)
        single -= offset
        single /= scale
    np.rint(single, out=single)
    return single


def infer(codes: Codes, model: Integers, result: Sums | NDArray[np.float32]) -> None:
    """Fill `result` with sums, codes @ weights.T + bias, or with predictions.

    A prediction is the sum rounded to float32, times the scale in float32.

    Args:
        codes: (n, features) integers.
        model: What they are multiplied with.
        result: (n, targets) for sums, of the type `model.sums`, or for predictions, float32.
    """
    whole = result.dtype.kind == "i"
    for start in range(0, len(codes), ROWS_PER_PIECE):
        columns = codes[start : start + ROWS_PER_PIECE].T.astype(model.sums)
        for target, weights in enumerate(model.weights.astype(model.sums)):
            total: Sums = np.full(columns.shape[1], model.bias[target], dtype=model.sums)
            for column, weight in zip(columns, weights, strict=True):
                total += column * weight
            told = total if whole else total.astype(np.float32) * model.scale[target]
            result[start : start + ROWS_PER_PIECE, target] = told
