"""From rows to their summary: through a basis where the rows suit one, by reflections where they do not.

Rows that suit a basis (`mlrq.stats.cholesky_qr`) become sums of products, at the speed of `mlrq.kernel`,
and those of consecutive batches of the same basis add up (`Seen`). A batch that does not suit the basis of
those before it gets one of its own, and one that suits none, such as a few rows or columns that come to
depend on each other within it, is reflected (`mlrq.stats.linear_algebra`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlrq import kernel
from mlrq.kernel.reference import Columns
from mlrq.stats.cholesky_qr import Basis, basis, head_rows, suits
from mlrq.stats.linear_algebra import product, root, summed, triangularise
from mlrq.stats.summary import Summary, combine, empty, two_sum

FloatArray = npt.NDArray[np.float64]

# Numbers in a batch of rows in memory, and its rows at least.
AT_ONCE, ROWS_AT_ONCE = 1 << 20, 8192


def summarize(features: npt.ArrayLike, targets: npt.ArrayLike) -> Summary:
    """Summary of one batch.

    Args:
        features: (n, f), finite; read as float64.
        targets: (n,) or (n, t), finite; read as float64.

    Returns:
        The summary; `empty` when there are no rows.

    Raises:
        ValueError: if the shapes do not fit or a value is not finite.
    """
    x, y = np.asarray(features), np.asarray(targets)
    y = y[:, None] if y.ndim == 1 else y
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"Features must be (n, f) and targets (n,) or (n, t) with the same n, but their shapes "
            f"are {x.shape} and {np.shape(targets)}."
        )
    return gather(_tables(x, y), x.shape[1], y.shape[1])


@dataclass(frozen=True)
class Seen:
    """Rows through a basis, to which others of the same basis add up.

    Attributes:
        basis: The basis.
        gram: (k + 1, k + 1) float64; see `mlrq.kernel.reference.gram`.
    """

    basis: Basis
    gram: FloatArray

    def summary(self, features: int) -> Summary:
        """Of the rows, every batch of which has passed `settle`."""
        found = root(self.gram)
        count, upper = int(self.gram[0, 0]), self.basis.upper
        mean, rest = two_sum(self.basis.pivot, product(upper.T, self.gram[1:, 0] / count))
        return Summary(count, mean, product(found[1:, 1:], upper), features, rest)


def first_basis(columns: Columns, test: npt.NDArray[np.bool_]) -> Basis:
    """That of the first rows of a batch that are no test rows; see `settle`."""
    few = head_rows(len(columns))
    places = np.flatnonzero(~test)[:few]
    return basis(np.stack([column[places] for column in columns]))


def settle(seen: Seen, columns: Columns, test: npt.NDArray[np.bool_] | None, features: int) -> Seen | Summary:
    """A batch through a basis that suits it, or its summary by reflections where none does.

    Args:
        seen: The batch through the basis of those before it.
        columns: k of (n,) float64.
        test: (n,) which rows are not in `seen`; None: all are.
        features: How many of the columns are features.

    Raises:
        ValueError: If a value is not finite.
    """
    if seen.gram[0, 0] == 0:
        return empty(features, len(columns) - features)
    if suits(seen.gram):
        return seen
    rows = np.stack(list(columns)) if test is None else kernel.chosen(columns, ~test)
    own = basis(rows)
    again = Seen(own, kernel.gram(rows, own.pivot, own.upper))
    return again if suits(again.gram) else _reflected(rows, features)


def add(runs: list[Seen | Summary], piece: Seen | Summary) -> None:
    """Add the next batch, as `settle` gives it, to those before it: to the last one if it has its basis."""
    last = runs[-1] if runs else None
    if isinstance(piece, Seen) and isinstance(last, Seen) and piece.basis is last.basis:
        runs[-1] = Seen(last.basis, last.gram + piece.gram)
    else:
        runs.append(piece)


def join(runs: Iterable[Seen | Summary], features: int, targets: int) -> Summary:
    """The summary of all batches that were added."""
    summaries = (run.summary(features) if isinstance(run, Seen) else run for run in runs)
    return combine([empty(features, targets), *summaries])


def gather(tables: Iterable[FloatArray], features: int, targets: int) -> Summary:
    """The summary of consecutive (features + targets, n) float64 tables; columns are rows here.

    Raises:
        ValueError: If a value is not finite.
    """
    runs: list[Seen | Summary] = []
    known: Basis | None = None
    for table in tables:
        if table.shape[1]:
            known = known or basis(table)
            gram = kernel.gram(table, known.pivot, known.upper)
            piece = settle(Seen(known, gram), table, None, features)
            known = piece.basis if isinstance(piece, Seen) else known
            add(runs, piece)
    return join(runs, features, targets)


def columns_of(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> FloatArray:
    """(f + t, n) float64 of rows (n, f) and (n, t), in one layout whatever theirs is."""
    table = np.empty((x.shape[1] + y.shape[1], len(x)))
    table[: x.shape[1]], table[x.shape[1] :] = x.T, y.T
    return table


def _tables(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> Iterator[FloatArray]:
    """(k, n) float64 tables of consecutive rows."""
    columns = x.shape[1] + y.shape[1]
    step = max(ROWS_AT_ONCE, 1 << ((AT_ONCE // columns).bit_length() - 1))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield columns_of(x[rows], y[rows])


def _reflected(table: FloatArray, features: int) -> Summary:
    """Summary of a (k, n) table by reflections, which lose nothing whatever the rows are.

    Raises:
        ValueError: If a value is not finite.
    """
    columns, count = table.shape
    rows = np.ones((count, columns + 1))
    with np.errstate(invalid="ignore", over="ignore"):
        pivot = summed(table, axis=1) / count
        rows[:, 1:] = (table - pivot[:, None]).T
    found = triangularise(rows)
    if not np.isfinite(found).all():
        raise ValueError("Features and targets must be finite, but some values are not.")
    mean, rest = two_sum(pivot, found[0, 1:] / found[0, 0])
    return Summary(count, mean, found[1:, 1:], features, rest)
