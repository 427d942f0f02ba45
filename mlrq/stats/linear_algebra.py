"""Linear algebra for matrices of the summary's size, every sum in an order that is written here.

BLAS, LAPACK and NumPy's own sums add in an order that depends on the processor, the library, the number of
threads and the layout of an array, so their last bits do too. Here there are element-wise operations alone:
the same numbers give the same bits everywhere. Python loops over one index only, so that matrices of some
hundred columns are a matter of milliseconds.
"""

import numpy as np
import numpy.typing as npt

from mlrq.kernel import canonical, stack, summed

__all__ = ["canonical", "dependent", "independent", "inverse", "least_squares", "lengths", "product", "root",
           "stack", "summed", "triangularise"]  # fmt: skip

FloatArray = npt.NDArray[np.float64]

# A column whose part outside the span of its predecessors is shorter than this fraction of its
# own length is taken to be dependent on them.
DEPENDENT = 1e-11


def lengths(matrix: FloatArray) -> FloatArray:
    """Euclidean norm of each column, (k,), of an (m, k) matrix."""
    return np.asarray(np.sqrt(summed(np.square(matrix))))


def product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Matrix product, from the first term of each sum to the last.

    Args:
        left: (m, k) float64.
        right: (k, n) or (k,) float64.

    Returns:
        (m, n) or (m,) float64.
    """
    factors = right if right.ndim == 2 else right[:, None]
    result = np.zeros((len(left), factors.shape[1]))
    for column, row in zip(left.T, factors, strict=True):
        result += column[:, None] * row
    return result if right.ndim == 2 else result[:, 0]


def triangularise(matrix: FloatArray) -> FloatArray:
    """Triangular factor of a QR factorisation, with a non-negative diagonal.

    Householder's method (Golub and Van Loan, Matrix Computations, algorithm 5.2.1), backward
    stable: the result is the exact factor of a matrix within a few rounding errors of the given
    one, column by column.

    Args:
        matrix: (m, k) float64, finite.

    Returns:
        (k, k) float64 upper triangular `R` with `R'R = matrix'matrix` and a diagonal >= 0; rows
        that the matrix does not have are zero.
    """
    rows, columns = matrix.shape
    if np.tril(matrix, -1).any():
        triangle = stack(np.zeros((columns, columns)), matrix)
        triangle[rows:] = 0.0
    else:
        triangle = np.zeros((columns, columns))
        triangle[:rows] = matrix[:columns]
    return canonical(triangle)


def dependent(triangle: FloatArray) -> npt.NDArray[np.bool_]:
    """Which columns (k,) of an upper triangle have next to nothing on the diagonal.

    There is one for each dimension that is missing, at or after the column that lacks it.
    """
    return np.asarray(np.diag(triangle) <= DEPENDENT * lengths(triangle))


def independent(triangle: FloatArray, size: int) -> tuple[FloatArray, list[int]]:
    """The triangle without those of its first columns that their predecessors explain (see `DEPENDENT`).

    Args:
        triangle: (k, k) float64 upper triangular with a diagonal >= 0.
        size: How many columns to look at, at most k.

    Returns:
        The triangle of the columns that are left, and which of the first `size` these are.
    """
    kept = list(range(size))
    while (idle := np.flatnonzero(dependent(triangle)[: len(kept)])).size:
        del kept[idle[0]]
        triangle = triangularise(np.delete(triangle, idle[0], axis=1))
    return triangle, kept


def least_squares(matrix: FloatArray, targets: FloatArray) -> FloatArray:
    """Weights minimising ||targets - weights @ matrix'||, zero for dependent columns.

    A column that its predecessors explain (see `DEPENDENT`) gets weight 0, as R's `lm` does, so
    that duplicate and constant features are harmless.

    Args:
        matrix: (m, n) float64, often a triangle.
        targets: (t, m) float64, one right-hand side per row.

    Returns:
        (t, n) float64 weights.
    """
    size = matrix.shape[1]
    joined, kept = independent(triangularise(np.column_stack([matrix, targets.T])), size)
    weights, left = np.zeros((len(targets), size)), joined[: len(kept), len(kept) :].T.copy()
    for row in reversed(range(len(kept))):
        weights[:, kept[row]] = left[:, row] / joined[row, row]
        left[:, :row] -= weights[:, kept[row], None] * joined[:row, row]
    return weights


def root(gram: FloatArray) -> FloatArray:
    """Cholesky factor: the upper triangle `R` with `R'R = gram`.

    Args:
        gram: (k, k) float64, positive semidefinite, of which the lower triangle is read.

    Returns:
        (k, k) float64 with a diagonal >= 0; a row whose pivot is not positive is zero.
    """
    work, lower = gram.copy(), np.zeros_like(gram)
    for j in range(len(gram)):
        if work[j, j] > 0:
            column = work[j:, j] / np.sqrt(work[j, j])
            work[j + 1 :, j + 1 :] -= column[1:, None] * column[1:]
            lower[j:, j] = column
    return lower.T.copy()


def inverse(triangle: FloatArray) -> FloatArray:
    """Inverse (k, k) of an upper triangle without zeros on its diagonal."""
    result = np.eye(len(triangle))
    for j in reversed(range(len(triangle))):
        result[j, j:] /= triangle[j, j]
        result[:j, j:] -= triangle[:j, j, None] * result[j, j:]
    return result
