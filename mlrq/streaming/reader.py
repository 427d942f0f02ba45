"""`Reader`: the training, test or calibration rows of a part of a table, told apart as they are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.faults import Faults
from mlrq.datasets.parts import Batch, Part, Stream
from mlrq.datasets.split import Split, hashed, set_aside
from mlrq.errors import DataError, MlrqError
from mlrq.kernel import chosen
from mlrq.streaming import test_row_cache

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reader:
    """A table and how its rows are split: all that a worker needs to know.

    Attributes:
        stream: The table.
        split: Which rows are test rows, where a part does not say so.
        cache: Folder where the test rows of each part are kept once they have been read; None keeps none. A
            worker that does not see it reads the table again.
        first_pass_done: Whether the first pass is over, which decides what is skipped.
    """

    stream: Stream
    split: Split
    cache: Path | None = None
    first_pass_done: bool = False

    def _read(self, part: Part, faults: Faults | None) -> Iterator[Batch]:
        try:
            yield from self.stream.batches(part, faults)
        except DataError as error:
            if not (self.first_pass_done and self.stream.skip):
                raise
            raise MlrqError(
                f"{error} (the first pass read it whole, so it is too late to skip it: run again)"
            ) from error

    def batches(
        self, part: Part, faults: Faults | None = None
    ) -> Iterator[tuple[int, Batch, NDArray[np.bool_], NDArray[np.bool_]]]:
        """The position of the first row, columns, each (n,), and (n,) which are test and calibration rows.

        Args:
            part: Which part.
            faults: Told of rows that cannot be read and are left out; the others keep their positions.
        """
        start = part.start
        for held in self._read(part, faults):
            count = len(held[0])
            test = hashed(start, count, self.split) if part.test is None else np.full(count, part.test)
            if part.aside is None:
                aside = set_aside(start, count, self.split) & ~test
            else:
                aside = np.full(count, part.aside)
            columns, there = self.stream.without_faulty(held)
            if len(columns[0]):
                kinds = (test, aside) if there is None else (test[there], aside[there])
                yield start, columns, *kinds
            start += count

    def tables(self, part: Part, test: bool) -> Iterator[Numbers]:
        """(columns, n) tables of the test rows, or of the training rows."""
        kept = self._kept(part)
        if part.test is not None and part.test is not test:
            return
        if test and kept and kept.exists():
            yield from test_row_cache.read(kept)
            return
        for _, columns, are, aside in self.batches(part):
            wanted = are if test else ~(are | aside)
            whole = part.test is not None and wanted.all()
            yield self._counting(np.asarray(columns) if whole else chosen(columns, wanted))

    def set_aside(self, part: Part) -> Iterator[tuple[Numbers, Numbers]]:
        """Features (n, features) and targets (n, targets) of the calibration rows."""
        width = len(self.stream.features)
        for _, columns, _, aside in self.batches(part) if self.split.calibrate else ():
            table = chosen(columns, aside)
            yield table[:width].T, table[width:].T

    def _counting(self, table: Numbers) -> Numbers:
        """(columns, n) without the rows of weight 0, which are as good as absent."""
        if not self.stream.weights or table[-1].all():
            return table
        return table[:, table[-1] > 0]

    def rows(self, part: Part, test: bool) -> Iterator[tuple[Numbers, Numbers]]:
        """Features (n, features) and targets (n, targets) of the test rows, or of the training rows."""
        for rows, targets, _ in self.weighted(part, test):
            yield rows, targets

    def weighted(self, part: Part, test: bool) -> Iterator[tuple[Numbers, Numbers, Numbers | None]]:
        """The same, and the weights (n,) of the rows; None where all count 1."""
        width, targets = len(self.stream.features), len(self.stream.targets)
        for table in self.tables(part, test):
            weight = table[-1] if self.stream.weights else None
            yield table[:width].T, table[width : width + targets].T, weight

    def keep(self, part: Part, tables: Iterator[Numbers]) -> int:
        """Read the tables of a part's test rows, and keep them in the cache; how many rows there are."""
        return test_row_cache.write(self._kept(part), tables)

    def _kept(self, part: Part) -> Path | None:
        """Where its test rows are; a part that holds nothing else is as good as a copy."""
        return self.cache / f"{part.start}.rows" if self.cache and part.test is None else None
