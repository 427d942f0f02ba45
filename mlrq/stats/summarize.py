"""From rows to their summary: batches are triangularised as they come, and few rows once more at the end.

What is summarized is the training rows of a table, batch after batch, columns first. Batches of one pivot add
up to one triangle. A handful of rows, of whatever number of batches, is triangularised in twice the
precision, and travels with the summary: merged with another handful it is as good as if they had come
together.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mlrq import kernel
from mlrq.kernel.householder import Columns
from mlrq.stats.linear_algebra import summed
from mlrq.stats.summary import FEW, Summary, from_triangle, of_few

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Numbers in a batch of rows in memory, and its rows at least.
AT_ONCE, ROWS_AT_ONCE = 1 << 20, 8192


class Summarizer:
    """Summarizes consecutive batches of rows.

    The work on the rows is the kernel's: what it needs to know of earlier batches is `pivot` and `triangle`,
    and `add` takes the triangle that it returns.
    """

    def __init__(self, features: int, targets: int, weighted: bool = False) -> None:
        """Nothing is summarized yet."""
        self.features, columns = features, features + targets
        self.triangle = np.zeros((columns + 1, columns + 1))
        self._count, self._pivot = 0, np.zeros(columns)
        self._few = [np.empty((columns, 0))]
        self._weight: float | None = 0.0 if weighted else None
        self._log_weight = 0.0

    def pivot(self, columns: Columns, test: Mask | None = None) -> FloatArray:
        """(k,) float64 to subtract from the columns: the mean of the first rows of the first batch with any.

        Args:
            columns: k of (n,) float64, the next batch.
            test: (n,) rows to leave out; None leaves out none.
        """
        if not self._count:
            head = _chosen(columns, test, FEW)
            self._pivot = summed(head, axis=1) / max(head.shape[1], 1)
        return self._pivot

    def add(self, columns: Columns, test: Mask | None, triangle: FloatArray) -> None:
        """Take in the next batch.

        Args:
            columns: k of (n,) float64.
            test: (n,) rows that were left out; None: none were.
            triangle: (k + 1, k + 1) float64 of all rows so far, with `pivot`; see `mlrq.kernel.centred`.
        """
        count = len(columns[0]) - (0 if test is None else int(np.count_nonzero(test)))
        self._count, self.triangle = self._count + count, triangle
        self._few = [*self._few, _chosen(columns, test, FEW)] if self._count <= FEW else []

    def add_weighted(self, table: FloatArray, weight: FloatArray) -> None:
        """Take in the next batch, each row times the root of its weight, the ones of the intercept too.

        What is added up is then weighted: squares about the weighted mean.

        Args:
            table: (k, n) float64.
            weight: (n,) float64, positive.
        """
        assert self._weight is not None
        if not len(weight):
            return
        root = np.sqrt(weight)
        rows = np.concatenate([root[None], (table - self.pivot(table)[:, None]) * root])
        self._count, self.triangle = self._count + len(weight), kernel.stack(self.triangle, rows.T)
        self._weight += float(summed(weight))
        self._log_weight += float(summed(np.log(weight)))

    def summary(self) -> Summary:
        """The summary of all batches.

        Raises:
            ValueError: If a value is not finite.
        """
        if not np.isfinite(self.triangle).all():
            raise ValueError("Features and targets must be finite, but some values are not.")
        if self._weight is not None and self._count:
            found = from_triangle(self._count, self._pivot, self.triangle, self.features)
            return replace(found, weight=self._weight, log_weight=self._log_weight)
        if self._count <= FEW:
            return of_few(np.concatenate(self._few, axis=1), self.features)
        return from_triangle(self._count, self._pivot, self.triangle, self.features)


def summarize(
    features: npt.ArrayLike, targets: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Summary:
    """Summary of rows in memory.

    Args:
        features: (n, f), finite; read as float64.
        targets: (n,) or (n, t), finite; read as float64.
        weight: (n,) what each row counts, positive; None for 1.

    Raises:
        ValueError: If the shapes do not fit or a value is not finite.
    """
    x, y = np.asarray(features), np.asarray(targets)
    y = y[:, None] if y.ndim == 1 else y
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"Features must be (n, f) and targets (n,) or (n, t) with the same n, but their shapes "
            f"are {x.shape} and {np.shape(targets)}."
        )
    columns = x.shape[1] + y.shape[1]
    step = max(ROWS_AT_ONCE, 1 << ((AT_ONCE // columns).bit_length() - 1))
    pieces = (slice(start, start + step) for start in range(0, len(x), step))
    if weight is None:
        return gather((columns_of(x[rows], y[rows]) for rows in pieces), x.shape[1], y.shape[1])
    w = np.asarray(weight, dtype=np.float64)
    pairs = ((columns_of(x[rows], y[rows]), w[rows]) for rows in pieces)
    return gather_weighted(pairs, x.shape[1], y.shape[1])


def gather(tables: Iterable[FloatArray], features: int, targets: int) -> Summary:
    """The summary of consecutive (features + targets, n) float64 tables; columns are rows here.

    Raises:
        ValueError: If a value is not finite.
    """
    found = Summarizer(features, targets)
    for table in tables:
        found.add(table, None, kernel.centred(found.triangle, table, found.pivot(table)))
    return found.summary()


def gather_weighted(tables: Iterable[tuple[FloatArray, FloatArray]], features: int, targets: int) -> Summary:
    """The same of tables that come with (n,) float64 weights of their rows, all positive."""
    found = Summarizer(features, targets, weighted=True)
    for table, weight in tables:
        found.add_weighted(table, weight)
    return found.summary()


def _chosen(columns: Columns, test: Mask | None, most: int) -> FloatArray:
    """(k, n) the first rows of a batch, `most` at most, without those to leave out."""
    places = np.arange(len(columns[0])) if test is None else np.flatnonzero(~test)
    return np.stack([column[places[:most]] for column in columns])


def columns_of(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> FloatArray:
    """(f + t, n) float64 of rows (n, f) and (n, t), in one layout whatever theirs is."""
    table = np.empty((x.shape[1] + y.shape[1], len(x)))
    table[: x.shape[1]], table[x.shape[1] :] = x.T, y.T
    return table
