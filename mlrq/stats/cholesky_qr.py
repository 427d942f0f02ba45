"""The triangle of a tall table by products of its columns, where that loses nothing.

Householder's reflections touch the table once a column; products run at the speed of the machine. So the
table is seen through a basis in which its columns are nearly orthonormal, `Z = (X - pivot) inv(upper)`, and
its triangle is `R = chol(Z'Z) upper`. The basis need not be accurate: any gives the same `R`, and because the
columns of `Z` are nearly orthonormal, squaring them squares next to nothing (Yamamoto, Nakatsukasa,
Yanagisawa and Fukaya, Roundoff error analysis of the CholeskyQR2 algorithm, 2015). `Z` is made by
substitution, row by row, whose error is small beside each column of `X`. So the basis of the first rows
serves for all that are like them. Where a check finds columns too nearly dependent for that, there is no
result, and the caller takes another basis, or reflects.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlrq.stats.linear_algebra import dependent, inverse, lengths, root, summed, triangularise

FloatArray = npt.NDArray[np.float64]

HEAD, SHORT = 4, 256  # a basis is that of 4 rows a column, and of 256 at least
LEAST = 1e-2  # of the square of a column of Z, which the others have to leave unexplained


@dataclass(frozen=True, eq=False)
class Basis:
    """In which a table is nearly orthonormal.

    Attributes:
        pivot: (k,) float64.
        upper: (k, k) float64, upper triangular with a positive diagonal.
    """

    pivot: FloatArray
    upper: FloatArray


def head_rows(columns: int) -> int:
    """How many rows make a basis."""
    return max(HEAD * columns, SHORT)


@np.errstate(invalid="ignore", over="ignore")  # a basis of what is no number suits nothing
def basis(rows: FloatArray) -> Basis:
    """The basis of the first rows of a table, (k, n) float64, of which columns are rows here.

    A column that is constant there, or that its predecessors explain, keeps its own length: it will do.
    """
    head = rows[:, : head_rows(len(rows))]
    count = head.shape[1]
    if not count:
        return Basis(np.zeros(len(rows)), np.eye(len(rows)))
    pivot = summed(head, axis=1) / count
    upper = triangularise((head - pivot[:, None]).T / np.sqrt(count))
    own = lengths(upper)
    idle = dependent(upper)
    upper[idle, idle] = np.where(own > 0, own, 1.0)[idle]
    return Basis(pivot, upper)


def suits(gram: FloatArray) -> bool:
    """Whether rows may be squared in this basis: no column is nearly explained by the others.

    With C the correlation matrix, the others leave 1 / inv(C)[j, j] of column j. Where that is at least
    `LEAST`, C has no eigenvalue below `LEAST` / k. It adds up: what is explained in no batch is not in all.

    Args:
        gram: (k, k) float64, of which the lower triangle is read.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        own = np.sqrt(np.diagonal(gram))
        own[own == 0] = 1.0
        correlation = gram / own / own[:, None]
        np.fill_diagonal(correlation, 1.0)  # of columns of zeros too: nothing is lost where there is nothing
        upper = root(correlation)
        if not (np.diagonal(upper) > 0).all():
            return False
        return bool((summed(np.square(inverse(upper)), axis=1) <= 1 / LEAST).all())
