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
    """

    gram: FloatArray
    low: FloatArray
    high: FloatArray
    prints: NDArray[np.uint64]
    tests: FloatArray


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
        table = np.zeros((width + 1, BLOCK, blocks))
        flat = np.zeros(blocks * BLOCK)
        flat[:size] = 1.0 if test is None else ~test[first : first + size]
        kept = table[0]
        kept[...] = flat.reshape(blocks, BLOCK).T
        for own, column, middle in zip(table[1:], columns, pivot, strict=True):
            flat[:size] = column[first : first + size]
            np.subtract(flat.reshape(blocks, BLOCK).T, middle, out=own)
            own *= kept
        _substitute(table[1:], upper)
        sums = np.zeros((1 + blocks, width + 1, width + 1))
        sums[0] = total
        for i in range(width + 1):
            products = table[i] * table[: i + 1]
            lanes = products[:, :LANES]
            for lane in range(LANES, BLOCK, LANES):
                lanes += products[:, lane : lane + LANES]
            half = LANES
            while half := half // 2:
                lanes = lanes[:, :half] + lanes[:, half:]
            sums[1:, i, : i + 1] = lanes[:, 0].T
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
    pivot: FloatArray,
    upper: FloatArray,
) -> Scanned:
    """All that the first pass asks of a batch.

    Args:
        columns: k of (n,) float64, finite.
        test: (n,) which rows are test rows.
        start: Position of the first row.
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
    )
