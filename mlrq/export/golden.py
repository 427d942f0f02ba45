"""Golden vectors: inputs at the ends of their ranges, at ties and at random, for an export's self-test.

They depend on the model alone. The random ones come from a hash, so that they are the same in every version
of every library.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear

ANYWHERE = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754942e-38, 3.4028235e38, -3.4028235e38],
    dtype=np.float32,
)  # zeros, infinities, NaN, subnormals, and the largest numbers


def _words(count: int, purpose: str) -> NDArray[np.uint16]:
    """(count,) uniform 16-bit numbers from SHAKE-128 of `purpose`."""
    raw = hashlib.shake_128(f"mlrq golden vectors: {purpose}".encode()).digest(2 * count)
    return np.frombuffer(raw, dtype="<u2").astype(np.uint16)


def edge_codes(model: QuantizedLinear, inputs: InputGrid) -> NDArray[np.int64]:
    """(n, features) input codes: all low, high and near zero; and each target's extremes."""
    width, low, high = len(model.features), inputs.low, inputs.high
    flat = [np.full(width, code) for code in (low, low + 1, -1, 0, 1, high - 1, high)]
    turns = [np.where(np.arange(width) % 2 == turn, low, high) for turn in (0, 1)]
    least = [np.where(row > 0, low, high) for row in model.steps]
    most = [np.where(row > 0, high, low) for row in model.steps]
    return np.unique(np.array(flat + turns + least + most, dtype=np.int64), axis=0)


def random_codes(model: QuantizedLinear, inputs: InputGrid, count: int) -> NDArray[np.int64]:
    """(count, features) input codes over the whole range."""
    words = _words(count * len(model.features), "codes").astype(np.int64)
    codes: NDArray[np.int64] = words % 2**inputs.bits + inputs.low
    return codes.reshape(count, len(model.features))


def edge_rows(inputs: InputGrid) -> NDArray[np.float32]:
    """(n, features) float32 rows in which each feature takes every edge value of its grid.

    Edge values are the ends of the range, ties between two codes and their neighbours, values that saturate,
    zeros, subnormals, infinities and NaN. Columns are rotated, so that a row has edges of different kinds.
    """
    codes = np.array([inputs.low, inputs.low + 1, -2, -1, 0, 1, 2, inputs.high - 1, inputs.high])
    positions = np.concatenate([codes, codes - 0.5, codes + 0.5, [2.0 * inputs.low, 2.0 * inputs.high]])
    with np.errstate(over="ignore"):
        exact = (positions[:, None] * inputs.scale.astype(np.float64) + inputs.offset).astype(np.float32)
        near = [np.nextafter(exact, np.float32(end)) for end in (-np.inf, np.inf)]
    everywhere = np.repeat(ANYWHERE[:, None], len(inputs.scale), axis=1)
    columns = np.concatenate([exact, *near, everywhere])
    turned = [np.roll(column, 7 * feature) for feature, column in enumerate(columns.T)]
    return np.stack(turned, axis=1)


def random_rows(inputs: InputGrid, count: int) -> NDArray[np.float32]:
    """(count, features) rows over the range of each feature and a quarter beyond."""
    words = _words(count * len(inputs.scale), "rows").reshape(count, len(inputs.scale))
    span = 2.0**inputs.bits
    positions = 1.25 * span * (words / 2.0**16 - 0.5)
    with np.errstate(over="ignore"):
        row = positions * inputs.scale.astype(np.float64) + inputs.offset
        return np.asarray(row.astype(np.float32))
