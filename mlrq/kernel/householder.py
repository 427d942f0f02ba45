"""The triangle of a QR factorisation by Householder reflections, block after block of rows, in NumPy.

Householder's method is backward stable (Golub and Van Loan, Matrix Computations, algorithm 5.2.1), also where
a triangle takes in block after block (TSQR; Demmel, Grigori, Hoemmen and Langou, 2012): the result is the
exact triangle of rows within a few rounding errors of the given ones, column by column.

    QR of [1, X - pivot] = [ sqrt(n)   sqrt(n) (mean - pivot) ]
                           [ 0         triangle of X - mean   ]
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Columns = FloatArray | Sequence[FloatArray]  # (k, n), or k of (n,)

BLOCK = 256  # rows that are reflected at once
LOWEST = -1000  # exponent whose power of two still has an inverse
TINY = 2.0**-960  # a sum of squares below which some of them may have lost digits


def summed(values: FloatArray, axis: int = 0) -> FloatArray:
    """Sum along an axis, by halves: of n numbers the last n // 2 are added to the first, and so on.

    The order depends on n alone, and the error grows with its logarithm only.

    Args:
        values: Any shape; read as float64.
        axis: The axis to sum along.

    Returns:
        The sums, of the shape without that axis; zeros where it is empty.
    """
    left = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    if not len(left):
        return np.zeros(left.shape[1:])
    while (count := len(left)) > 1:
        half = count // 2
        added = left[:half] + left[count - half :]
        left = added if count % 2 == 0 else np.concatenate([added, left[half : half + 1]])
    return np.asarray(left[0])


def blocks(numbers: FloatArray) -> FloatArray:
    """(BLOCK, blocks): numbers (n,) in blocks side by side, and zeros where the last one has none."""
    filled = np.zeros(len(numbers) + -len(numbers) % BLOCK)
    filled[: len(numbers)] = numbers
    return filled.reshape(-1, BLOCK).T


def stack(triangle: FloatArray, rows: FloatArray) -> FloatArray:
    """Triangular factor of a triangle above more rows.

    Args:
        triangle: (k, k) float64 upper triangular.
        rows: (m, k) float64, finite.

    Returns:
        (k, k) float64 upper triangular with a diagonal >= 0.
    """
    work = triangle.T.copy()
    for start in range(0, len(rows), BLOCK):
        below = np.zeros((len(work), BLOCK))
        below[:, : len(rows) - start] = rows[start : start + BLOCK].T
        _reflect(work, below)
    return canonical(work.T)


@np.errstate(invalid="ignore", over="ignore")  # of numbers that are not finite comes a triangle that is not
def centred(
    triangle: FloatArray, columns: Columns, pivot: FloatArray, left_out: NDArray[np.bool_] | None = None
) -> FloatArray:
    """Triangular factor of a triangle above the rows [1, columns - pivot].

    The blocks go in turn to as many triangles as have rows for one more block, the first of which is the
    given one; in the end it takes in the others.

    Args:
        triangle: (k + 1, k + 1) float64 upper triangular.
        columns: k of (n,) float64.
        pivot: (k,) float64.
        left_out: (n,) rows that are left out; None leaves out none.

    Returns:
        (k + 1, k + 1) float64 upper triangular with a diagonal >= 0.

    Raises:
        ValueError: If the columns are not of one length.
    """
    width, rows = len(columns) + 1, len(columns[0])
    if any(len(column) != rows for column in columns):
        raise ValueError("columns are not of one length")
    side_by_side = max(1, BLOCK // width)
    work = np.zeros((width, width, side_by_side))
    work[..., 0] = triangle.T
    for first in range(0, rows, step := side_by_side * BLOCK):
        piece = slice(first, min(first + step, rows))
        kept = np.ones(piece.stop - first)
        if left_out is not None:
            kept -= left_out[piece]
        ones = blocks(kept)
        apart = ((blocks(x[piece]) - middle) * ones for x, middle in zip(columns, pivot, strict=True))
        below = np.stack([ones, *apart])
        _reflect(work[..., : below.shape[-1]], below)
    others = work[..., 1 : -(-rows // BLOCK)].transpose(2, 1, 0).reshape(-1, width)
    return stack(work[..., 0].T, others)


def canonical(triangle: FloatArray) -> FloatArray:
    """The same triangle (k, k) with its rows' signs flipped so that the diagonal is >= 0."""
    return np.asarray(triangle * np.where(np.diagonal(triangle) < 0, -1.0, 1.0)[:, None] + 0.0)


def _reflect(tops: FloatArray, below: FloatArray) -> None:
    """Reflect blocks of rows so that the triangles above them take in what they have; both are overwritten.

    Args:
        tops: (k, k, ...) lower triangular: a row here for each column of a triangle.
        below: (k, BLOCK, ...) a row here for each column of a block.
    """
    for j, normal in enumerate(below):
        head = tops[j, j].copy()
        square, unit = summed(np.square(normal)), np.ones(head.shape)
        small = square < TINY
        if small.any():  # in units of a power of two, which rounds nothing, squares do not vanish
            largest = np.abs(normal).max(axis=0)
            exponent = np.maximum(np.frexp(np.maximum(largest, np.abs(head)))[1], LOWEST)
            unit = np.where(small, np.ldexp(1.0, -exponent), 1.0)
            normal = normal * unit
            square = summed(np.square(normal))
        length = np.copysign(np.sqrt(np.square(head * unit) + square), head)
        first = head * unit + length
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.where(square == 0, 0.0, 2.0 / (np.square(first) + square))  # nothing to reflect
        along = (tops[j + 1 :, j] * first + summed(below[j + 1 :] * normal, axis=1)) * factor
        tops[j + 1 :, j] -= along * first
        below[j + 1 :] -= along[:, None] * normal
        tops[j, j] = np.where(square == 0, head, -length / unit)
