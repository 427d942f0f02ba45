"""The triangle of a tall table by matrix products, where that loses nothing.

Householder's reflections touch the table once a column; products run at the speed of the machine. So the
table `C` is first made nearly orthonormal, `Z = C inv(P)`, with the Cholesky factor `P` of the Gram matrix
of its head, and then `R = chol(Z'Z) P`. `P` need not be accurate: any `P` gives the same `R`, and because
the columns of `Z` are nearly orthonormal, squaring them squares next to nothing (Yamamoto, Nakatsukasa,
Yanagisawa and Fukaya, Roundoff error analysis of the CholeskyQR2 algorithm, 2015). Where a check finds that
the columns are too nearly dependent for that, there is no result, and the caller reflects.

Every product is cut into pieces so small that OpenBLAS keeps them on one thread, so the result is the same
to the last bit for any number of them.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

BLOCK = 16  # columns of a product
WIDEST = 64  # terms of a sum in one product, where the sum runs over columns
PIECE = 512  # rows of a product: 16 * 64 * PIECE would be too many multiplications, 16 * 16 * PIECE are not
HEAD = 4  # times as many rows as columns make the first Gram matrix
ALIGNED = 512  # rows come in multiples of this, zeros filling them up

# A column of the head may be explained by its predecessors up to this fraction of its square, one of Z up to
# that. The inverse of a diagonal block may enlarge a rounding error by `ENLARGED`.
HEAD_LEAST, LEAST, ENLARGED = 1e-10, 1e-2, 100.0


def triangle(table: FloatArray) -> FloatArray | None:
    """Upper triangle `R` with `R'R = table table'`, or None where it would lose digits.

    Args:
        table: (k, m) float64, m a multiple of `ALIGNED`; the columns are rows here. It is not changed.

    Returns:
        (k, k) float64 with a positive diagonal.
    """
    columns, rows = table.shape
    with np.errstate(invalid="ignore", over="ignore"):
        head = min(rows, -(-HEAD * columns // ALIGNED) * ALIGNED)
        first = _cholesky(_gram(table[:, :head]), HEAD_LEAST)
        if first is None:
            return None
        first *= np.sqrt(1 / head)
        nearly_orthonormal = _divided(table, first)
        if nearly_orthonormal is None:
            return None
        second = _cholesky(_gram(nearly_orthonormal), LEAST)
    return None if second is None else _product(second, first)


def _pieces(table: FloatArray, size: int = PIECE) -> FloatArray:
    """(m / size, k, size) view of (k, m)."""
    return table.reshape(len(table), -1, size).transpose(1, 0, 2)


def _gram(table: FloatArray) -> FloatArray:
    """`table table'`, of which the lower triangle is filled in, (k, k)."""
    columns = len(table)
    gram = np.zeros((columns, columns))
    pieces = _pieces(table)
    for i in range(0, columns, BLOCK):
        for j in range(0, i, BLOCK):
            left, right = pieces[:, i : i + BLOCK], pieces[:, j : j + BLOCK]
            gram[i : i + BLOCK, j : j + BLOCK] = np.matmul(left, right.transpose(0, 2, 1)).sum(axis=0)
        # By halves, for BLAS has a slower routine for a matrix times its own transpose.
        whole = pieces[:, i : i + BLOCK].transpose(0, 2, 1)
        for half in range(i, min(i + BLOCK, columns), BLOCK // 2):
            some = slice(half, min(half + BLOCK // 2, columns))
            gram[some, i : i + BLOCK] = np.matmul(pieces[:, some], whole).sum(axis=0)
    return gram


def _cholesky(gram: FloatArray, least: float) -> FloatArray | None:
    """Upper `R` with `R'R = gram`, of which the lower triangle is read.

    None if a pivot is below the fraction `least` of its diagonal element, or not finite.
    """
    columns = len(gram)
    lower = np.zeros((columns, columns))
    for i in range(0, columns, BLOCK):
        panel = gram[i:, i : i + BLOCK] - _product(lower[i:, :i], lower[i : i + BLOCK, :i].T)
        for j in range(panel.shape[1]):
            rest = panel[j:, j] - (panel[j:, :j] * panel[j, :j]).sum(axis=1)
            if not least * gram[i + j, i + j] < rest[0] < np.inf:
                return None
            panel[j:, j] = rest / np.sqrt(rest[0])
        lower[i:, i : i + BLOCK] = panel
    return np.triu(lower.T)


def _divided(table: FloatArray, upper: FloatArray) -> FloatArray | None:
    """The (k, m) `Z` with `upper' Z = table`, by substitution; None if that would enlarge rounding errors."""
    columns = len(table)
    result = np.empty_like(table)
    for i in range(0, columns, BLOCK):
        own = slice(i, min(i + BLOCK, columns))
        left = table[own]
        for j in range(0, i, WIDEST):
            before = slice(j, min(j + WIDEST, i))
            known = np.matmul(upper[before, own].T, _pieces(result[before], PIECE // 4))
            left = left - known.transpose(1, 0, 2).reshape(left.shape)
        corner = upper[own, own]
        lengths = np.sqrt(np.square(corner).sum(axis=0))
        inverse = np.linalg.inv(corner / lengths)
        if not (np.abs(inverse) @ np.abs(corner / lengths)).max() < ENLARGED:
            return None
        np.matmul((inverse / lengths[:, None]).T, _pieces(left), out=_pieces(result[own]))
    return result


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """`left @ right`, of any size, in small pieces."""
    (rows, inner), columns = left.shape, right.shape[1]
    result = np.zeros((rows, columns))
    for i in range(0, rows, WIDEST):
        for j in range(0, columns, WIDEST):
            for k in range(0, inner, WIDEST // 2):
                some, few = slice(i, i + WIDEST), slice(j, j + WIDEST)
                along = slice(k, k + WIDEST // 2)
                result[some, few] += left[some, along] @ right[along, few]
    return result
