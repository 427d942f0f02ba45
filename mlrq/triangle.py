"""Upper triangles by Householder reflections, and least squares from them.

Everything here is element-wise NumPy and never BLAS: the order of every addition is fixed, so the
result is the same to the last bit whatever the number of BLAS threads. The matrices are small
(features + targets columns), which makes that affordable.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# A column whose part outside the span of its predecessors is shorter than this fraction of its
# own length is taken to be dependent on them.
DEPENDENT = 1e-11


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
    work = np.array(matrix, dtype=np.float64)
    for column in range(min(rows, columns)):
        _reflect(work, column, column)
    triangle = np.zeros((columns, columns))
    kept = min(rows, columns)
    triangle[:kept] = np.triu(work[:kept])
    return canonical(triangle)


def canonical(triangle: FloatArray) -> FloatArray:
    """The same triangle (..., k, k) with its rows' signs flipped so that the diagonal is >= 0."""
    diagonal = np.diagonal(triangle, axis1=-2, axis2=-1)
    return np.asarray(triangle * np.where(diagonal < 0, -1.0, 1.0)[..., None] + 0.0)


def dependent(triangle: FloatArray) -> npt.NDArray[np.bool_]:
    """Which columns (k,) of an upper triangle have next to nothing on the diagonal.

    There is one for each dimension that is missing, at or after the column that lacks it.
    """
    return np.asarray(np.diag(triangle) <= DEPENDENT * np.sqrt((triangle**2).sum(axis=0)))


def least_squares(triangle: FloatArray, targets: FloatArray) -> FloatArray:
    """Weights minimising ||targets - weights @ triangle'||, zero for dependent columns.

    A column that its predecessors explain (see `DEPENDENT`) gets weight 0, as R's `lm` does, so
    that duplicate and constant features are harmless.

    Args:
        triangle: (n, n) float64, upper triangular or not.
        targets: (t, n) float64, one right-hand side per row.

    Returns:
        (t, n) float64 weights.
    """
    size = triangle.shape[1]
    work = np.column_stack([triangle, targets.T])
    lengths = np.sqrt((triangle**2).sum(axis=0))
    pivots: list[int] = []
    for column in range(size):
        row = len(pivots)
        if row == work.shape[0]:
            break
        if np.sqrt((work[row:, column] ** 2).sum()) > DEPENDENT * lengths[column]:
            _reflect(work, row, column)
            pivots.append(column)
    weights = np.zeros((len(targets), size))
    for row in reversed(range(len(pivots))):
        later = pivots[row + 1 :]
        explained = (weights[:, later] * work[row, later]).sum(axis=1)
        weights[:, pivots[row]] = (work[row, size:] - explained) / work[row, pivots[row]]
    return weights


def _reflect(work: FloatArray, row: int, column: int) -> None:
    """Reflect rows `row:` of `work` in place so that `column` is zero below `row`."""
    normal = work[row:, column].copy()
    largest = np.abs(normal).max(initial=0.0)
    if largest == 0.0:
        return
    normal /= largest
    length = np.sqrt((normal**2).sum())
    normal[0] += np.copysign(length, normal[0])
    block = work[row:, column:]
    along = (normal[:, None] * block).sum(axis=0) * (2.0 / (normal**2).sum())
    block -= normal[:, None] * along
    work[row + 1 :, column] = 0.0
