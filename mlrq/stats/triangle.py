"""Upper triangles by Householder reflections, and least squares from them.

The result is the same to the last bit whatever the number of BLAS threads. Up to `NARROW` columns
everything is element-wise NumPy and never BLAS. Wider matrices are reflected a panel of columns at
a time, and the rest is updated by matrix products cut into tiles so small that OpenBLAS does not
split them over threads (it keeps products of less than 2^18 multiplications on one).
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# A column whose part outside the span of its predecessors is shorter than this fraction of its
# own length is taken to be dependent on them.
DEPENDENT = 1e-11
# Columns up to which no products are used; columns of a panel; rows and columns of a tile.
NARROW, PANEL, TILE_ROWS, TILE_COLUMNS = 64, 16, 64, 128
# Numbers in one of LAPACK's factorisations, which are for narrow tables: OpenBLAS keeps matrix-vector work of
# less than 9216 numbers on one thread. Rows of a chunk of wider tables, as a multiple of their columns.
NUMBERS, TALL = 8192, 4


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
    kept = min(rows, columns)
    if columns > NARROW:
        work = _reflect_panels(matrix)
    else:
        work = np.array(matrix, dtype=np.float64)
        for column in range(kept):
            _reflect(work, column, column)
    triangle = np.zeros((columns, columns))
    triangle[:kept] = np.triu(work[:kept])
    return canonical(triangle)


def chunk_rows(columns: int) -> int:
    """Rows that `tall` reflects at once: the power of two that fills one factorisation, or a tall block."""
    if columns <= NARROW:
        return 1 << ((NUMBERS // columns).bit_length() - 1)
    return TALL * columns


def tall(rows: FloatArray) -> FloatArray:
    """Canonical triangle (k, k) of many rows (m, k), chunk after chunk."""
    return _tall_narrow(rows) if rows.shape[1] <= NARROW else _tall_wide(rows)


def _tall_narrow(rows: FloatArray) -> FloatArray:
    """Triangle (k, k) of rows (m, k) from many small factorisations at once.

    A group is as many chunks as have triangles that stack to one more chunk.
    """
    columns = rows.shape[1]
    chunk = chunk_rows(columns)
    group = chunk * (chunk // columns)
    total = np.zeros((columns, columns))
    for start in range(0, len(rows), group):
        block = rows[start : start + group]
        padding = -len(block) % chunk
        if padding:
            block = np.concatenate([block, np.zeros((padding, columns))])
        triangles = _lapack_triangles(block.reshape(-1, chunk, columns))
        total = factor(np.concatenate([total, factor(triangles.reshape(-1, columns))]))
    return total


def _tall_wide(rows: FloatArray) -> FloatArray:
    """Triangle (k, k) of rows (m, k), chunk after chunk."""
    columns = rows.shape[1]
    total = np.zeros((columns, columns))
    for start in range(0, len(rows), chunk := chunk_rows(columns)):
        total = triangularise(np.concatenate([total, rows[start : start + chunk]]))
    return total


def factor(stacked: FloatArray) -> FloatArray:
    """Canonical triangle (k, k) of a stack of triangles or rows (m, k)."""
    rows, columns = stacked.shape
    if columns <= NARROW and rows >= columns:
        return canonical(_lapack_triangles(stacked))
    return triangularise(stacked)


def _lapack_triangles(stacked: FloatArray) -> FloatArray:
    """Triangles (..., k, k) of matrices (..., m, k), m >= k, signs as they come."""
    # The stubs describe the result of the other modes.
    return np.asarray(np.linalg.qr(stacked, mode="r"), dtype=np.float64)


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


def _reflect_panels(matrix: FloatArray) -> FloatArray:
    """The matrix (m, k) after k reflections, with rows of zeros added to fill the tiles.

    The reflections of a panel are gathered as `I - V T V'` (Schreiber and Van Loan, 1989, the form
    that LAPACK uses) and applied to the columns after it.
    """
    rows, columns = matrix.shape
    work = np.concatenate([matrix, np.zeros((-rows % TILE_ROWS, columns))])
    for start in range(0, min(rows, columns), PANEL):
        stop = min(start + PANEL, rows, columns)
        top = start - start % TILE_ROWS
        panel = work[top:, start:stop].copy()
        normals = np.zeros_like(panel)
        factor = np.zeros((stop - start, stop - start))
        for j in range(stop - start):
            normal = _reflect(panel, start - top + j, j)
            normals[start - top + j :, j] = normal
            factor[j, j] = 2.0 / max((normal**2).sum(), np.finfo(float).tiny)
            overlap = (normals[:, :j] * normals[:, j, None]).sum(axis=0)
            factor[:j, j] = -factor[j, j] * (factor[:j, :j] * overlap).sum(axis=1)
        work[top:, start:stop] = panel
        tall = normals.reshape(-1, TILE_ROWS, stop - start)
        for left in range(stop, columns, TILE_COLUMNS):
            rest = work[top:, left : left + TILE_COLUMNS]
            tiles = rest.reshape(-1, TILE_ROWS, rest.shape[1])
            along = np.matmul(tall.transpose(0, 2, 1), tiles).sum(axis=0)
            along = (factor[:, :, None] * along[:, None]).sum(axis=0)
            rest -= np.matmul(tall, along).reshape(rest.shape)
    return work


def _reflect(work: FloatArray, row: int, column: int) -> FloatArray:
    """Reflect rows `row:` of `work` in place so that `column` is zero below `row`.

    Returns:
        The normal (m - row,) of the mirror, all zeros when there was nothing to do.
    """
    normal = work[row:, column].copy()
    largest = np.abs(normal).max(initial=0.0)
    if largest == 0.0:
        return normal
    normal /= largest
    length = np.sqrt((normal**2).sum())
    normal[0] += np.copysign(length, normal[0])
    block = work[row:, column:]
    along = (normal[:, None] * block).sum(axis=0) * (2.0 / (normal**2).sum())
    block -= normal[:, None] * along
    work[row + 1 :, column] = 0.0
    return normal
