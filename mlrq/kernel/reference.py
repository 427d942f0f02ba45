"""What the kernel computes, in NumPy; a test holds the C files of this folder to the same bits.

Sums are taken in an order of their own, of which neither NumPy nor the width of a machine's vectors decides:
by halves in blocks of rows, and from block to block.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.kernel.householder import Columns, FloatArray, blocks, centred, summed

ROWS_PER_PIECE = 8192  # a piece of eight float64 features fits a core's cache

# Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): splitmix64.
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


@dataclass(frozen=True, eq=False)
class Scanned:
    """What one look at a batch of k columns finds.

    Attributes:
        triangle: (k + 1, k + 1) of the training rows; see `centred`.
        low: (k,) smallest training numbers; infinity where there are none.
        high: (k,) largest training numbers; minus infinity where there are none.
        prints: (k,) uint64 of all rows; see `fingerprint`.
        tests: (k, n) the test rows.
        bounded: Whether every number of all rows is within the bound; where not, nothing else counts.
    """

    triangle: FloatArray
    low: FloatArray
    high: FloatArray
    prints: NDArray[np.uint64]
    tests: FloatArray
    bounded: bool


def scrambled(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's outputs, uint64, for the states `numbers`: each bit depends on all bits of its number."""
    mixed, shifted = numbers + _STEP, np.empty_like(numbers)
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, None)):
        np.right_shift(mixed, np.uint64(shift), out=shifted)
        np.bitwise_xor(mixed, shifted, out=mixed)
        if factor:
            np.multiply(mixed, factor, out=mixed)
    return mixed


def _positions(start: int, count: int) -> NDArray[np.uint64]:
    return np.arange(start, start + count, dtype=np.uint64)


def below(start: int, count: int, key: int, limit: int) -> NDArray[np.bool_]:
    """(count,) whether the hash of each position start.. lies below `limit`; all are uint64."""
    return np.asarray(scrambled(_positions(start, count) ^ np.uint64(key)) < np.uint64(limit))


def bounded(columns: Columns, limit: float) -> bool:
    """Whether every number is at most `limit`, either sign; NaN is not."""
    # Two reductions make no temporary array, and are NaN where any number is.
    return all(column.min(initial=0.0) >= -limit and column.max(initial=0.0) <= limit for column in columns)


def affine(rows: FloatArray, weights: FloatArray, intercept: FloatArray) -> FloatArray:
    """rows @ weights.T + intercept, with every sum taken feature by feature in their order.

    BLAS orders its sums by machine, thread count and batch; here the same row gives the same bits
    everywhere.

    Args:
        rows: (n, features) float64.
        weights: (targets, features) float64.
        intercept: (targets,) float64.

    Returns:
        (n, targets) float64.
    """
    result = np.empty((len(rows), len(weights)))
    for start in range(0, len(rows), ROWS_PER_PIECE):
        columns = np.ascontiguousarray(rows[start : start + ROWS_PER_PIECE].T)
        for target, row_weights in enumerate(weights):
            total = np.zeros(columns.shape[1])
            for column, weight in zip(columns, row_weights, strict=True):
                total += column * weight
            result[start : start + ROWS_PER_PIECE, target] = total + intercept[target]
    return result


def _sum(numbers: FloatArray) -> float:
    """Of (n,) numbers: each block's sum by halves, and these from the first to the last."""
    return float(np.add.accumulate(np.append(0.0, summed(blocks(numbers))))[-1])


def tally(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """How far predictions (n,) are from the truth (n,).

    Returns:
        (7,) float64: mean of the truth; sums of its squares about the mean, of squared errors and of absolute
        errors; the largest absolute error; the smallest and the largest prediction, infinities without rows.
    """
    mean = _sum(actual) / max(len(actual), 1)
    error = actual - predicted
    size = np.abs(error)
    return np.array(
        [
            mean,
            _sum(np.square(actual - mean)),
            _sum(np.square(error)),
            _sum(size),
            size.max(initial=0.0),
            predicted.min(initial=np.inf) + 0.0,
            predicted.max(initial=-np.inf) + 0.0,
        ]
    )


def fingerprint(columns: Columns, start: int) -> NDArray[np.uint64]:
    """A hash of each column's numbers at positions start.., (columns,) uint64, that adds up over batches.

    The sum of each number's bits times an odd number that belongs to its position: it depends on every bit
    and on its place, but not on how the rows were cut. It guards against mistakes, not against malice.
    """
    odd = scrambled(_positions(start, len(columns[0]))) | np.uint64(1)
    mixed, found = np.empty_like(odd), np.empty(len(columns), dtype=np.uint64)
    for i, column in enumerate(columns):
        bits = np.ascontiguousarray(column).view(np.uint64)
        # The sign is the highest bit, of which a product keeps next to nothing: it is put lower too.
        np.right_shift(bits, np.uint64(32), out=mixed)
        np.bitwise_xor(mixed, bits, out=mixed)
        np.multiply(mixed, odd, out=mixed)
        found[i] = mixed.sum()
    return found


def chosen(columns: Columns, which: NDArray[np.bool_]) -> FloatArray:
    """(columns, n) the rows where `which` holds."""
    places = np.flatnonzero(which)
    table = np.empty((len(columns), len(places)))
    for column, row in zip(columns, table, strict=True):
        np.take(column, places, out=row, mode="clip")  # "raise" would copy `row` first
    return table


def scan(
    columns: Columns,
    test: NDArray[np.bool_],
    start: int,
    bound: float,
    pivot: FloatArray,
    triangle: FloatArray,
) -> Scanned:
    """All that the first pass asks of a batch.

    Args:
        columns: k of (n,) float64.
        test: (n,) which rows are test rows.
        start: Position of the first row.
        bound: See `Scanned.bounded`.
        pivot: (k,) float64.
        triangle: (k + 1, k + 1) float64 of the batches before it.
    """
    train = chosen(columns, ~test)
    # A zero has no sign here: which of two equal numbers a minimum is depends on who takes it.
    return Scanned(
        centred(triangle, columns, pivot, test),
        train.min(axis=1, initial=np.inf) + 0.0,
        train.max(axis=1, initial=-np.inf) + 0.0,
        fingerprint(columns, start),
        chosen(columns, test),
        bounded(columns, bound),
    )
