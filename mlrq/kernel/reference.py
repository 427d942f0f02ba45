"""What the kernel computes, in NumPy: `kernel.c` gives the same bits, a test holds that.

Sums are taken in an order of their own, of which neither NumPy nor the width of a machine's vectors decides:
blocks of `BLOCK` rows; in a block, `LANES` sums side by side over its rows, which are then added by halves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Columns = FloatArray | Sequence[FloatArray]  # (k, n), or k of (n,)

BLOCK, LANES = 256, 64
AT_ONCE, LEAST = 1 << 18, 16  # numbers of a piece, few enough for a cache, and its blocks at least
ROWS_PER_PIECE = 8192  # a piece of eight float64 features fits a core's cache

# Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): splitmix64.
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


@dataclass(frozen=True)
class Scanned:
    """What one look at a batch of k columns finds.

    Attributes:
        gram: (k + 1, k + 1) of the training rows; see `gram`.
        low: (k,) smallest training numbers; infinity where there are none.
        high: (k,) largest training numbers; minus infinity where there are none.
        prints: (k,) uint64 of all rows; see `fingerprint`.
        tests: (k, n) the test rows.
        bounded: Whether every number of all rows is within the bound; where not, nothing else counts.
    """

    gram: FloatArray
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


def _blocks(numbers: FloatArray) -> FloatArray:
    """(BLOCK, blocks): numbers (n,) in blocks side by side, and zeros where the last one has none."""
    filled = np.zeros(len(numbers) + -len(numbers) % BLOCK)
    filled[: len(numbers)] = numbers
    return filled.reshape(-1, BLOCK).T


def _added(blocks: FloatArray) -> FloatArray:
    """(..., blocks) sums of each block of (..., BLOCK, blocks): by lanes, which are added by halves."""
    lanes = blocks[..., :LANES, :]
    for lane in range(LANES, BLOCK, LANES):
        lanes = lanes + blocks[..., lane : lane + LANES, :]
    half = LANES
    while half := half // 2:
        lanes = lanes[..., :half, :] + lanes[..., half:, :]
    return np.asarray(lanes[..., 0, :])


def _sum(numbers: FloatArray) -> float:
    return float(np.add.accumulate(np.append(0.0, _added(_blocks(numbers))))[-1])


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


@np.errstate(invalid="ignore", over="ignore")  # numbers that are not finite make sums that are not
def gram(
    columns: Columns,
    pivot: FloatArray,
    upper: FloatArray,
    test: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Gram matrix of rows seen through a basis: of ones and the columns of (rows - pivot) inv(upper).

    Args:
        columns: k of (n,) float64.
        pivot: (k,) float64.
        upper: (k, k) float64, upper triangular with no zero on its diagonal.
        test: (n,) rows to leave out; None leaves out none.

    Returns:
        (k + 1, k + 1) float64, of which the lower triangle is filled in.
    """
    width, rows = len(columns), len(columns[0])
    total = np.zeros((width + 1, width + 1))
    step = max(LEAST, AT_ONCE // (width + 1) // BLOCK) * BLOCK
    for first in range(0, rows, step):
        size = min(step, rows - first)
        blocks = -(-size // BLOCK)
        # The blocks side by side along the last axis: what is added then lies in long runs.
        table = np.empty((width + 1, BLOCK, blocks))
        kept = np.ones(size)
        if test is not None:
            kept -= test[first : first + size]
        table[0] = _blocks(kept)
        for own, column, middle in zip(table[1:], columns, pivot, strict=True):
            np.subtract(_blocks(column[first : first + size]), middle, out=own)
            own *= table[0]
        _substitute(table[1:], upper)
        sums = np.zeros((1 + blocks, width + 1, width + 1))
        sums[0] = total
        for i in range(width + 1):
            sums[1:, i, : i + 1] = _added(table[i] * table[: i + 1]).T
        total = np.add.accumulate(sums, axis=0)[-1]
    return total


def _substitute(table: FloatArray, upper: FloatArray) -> None:
    """Make the rows of (k, ...) `table` what they are in the basis, column after column."""
    for i, own in enumerate(table):
        own *= 1.0 / upper[i, i]
        for later in range(i + 1, len(table)):
            table[later] -= upper[i, later] * own


def scan(
    columns: Columns,
    test: NDArray[np.bool_],
    start: int,
    bound: float,
    pivot: FloatArray,
    upper: FloatArray,
) -> Scanned:
    """All that the first pass asks of a batch.

    Args:
        columns: k of (n,) float64.
        test: (n,) which rows are test rows.
        start: Position of the first row.
        bound: See `Scanned.bounded`.
        pivot: (k,) float64.
        upper: (k, k) float64; see `gram`.
    """
    train = chosen(columns, ~test)
    # A zero has no sign here: which of two equal numbers a minimum is depends on who takes it.
    return Scanned(
        gram(columns, pivot, upper, test),
        train.min(axis=1, initial=np.inf) + 0.0,
        train.max(axis=1, initial=-np.inf) + 0.0,
        fingerprint(columns, start),
        chosen(columns, test),
        bounded(columns, bound),
    )
