"""`Stream`: a table as parts that are read one by one, in batches; its rows may be kept in memory or not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.encoding import Encoding, Plan
from mlrq.datasets.faults import Faults
from mlrq.errors import DataError

# Squares and their sums must stay finite, and those of what values differ by must not vanish.
LARGEST, SMALLEST = 1e100, 1e-100

# 8 MiB of doubles are few enough for a cache and enough to keep NumPy busy. Wide tables have some rows all
# the same, for what is done once a batch grows with the cube of the columns.
NUMBERS_PER_BATCH, MOST_NUMBERS, FEWEST_ROWS = 1 << 20, 1 << 22, 4096

# Columns of consecutive rows, (rows,) float64 each.
Batch = Sequence[NDArray[np.float64]] | NDArray[np.float64]

# What tells a file from what it was, as far as a file system can say: its size, and when it was modified in
# nanoseconds. (None, None) is a file that is not there.
Stamp = tuple[int | None, int | None]


@contextmanager
def unchanged(path: str, before: Stamp | None, look: Callable[[], Stamp]) -> Iterator[None]:
    """Hold that a file is what it was when the block begins, and when it ends, whole or by an exception.

    What was replaced half way looks damaged; then that it changed is what the user is told.

    Args:
        path: What to call it.
        before: What it was; None if nobody looked, and nothing is held.
        look: What it is now.

    Raises:
        DataError: If it changed.
    """

    def hold() -> None:
        if before is not None and before != (now := look()):
            what = "was removed" if now == (None, None) else "changed"
            raise DataError(f"{path}: {what} while it was being read: run again")

    hold()
    try:
        yield
    except MemoryError:
        raise
    except Exception:
        hold()
        raise
    hold()


@dataclass(frozen=True)
class Part:
    """A piece of a table that is read by itself.

    Attributes:
        path: Of the file, or the name of a table that comes from none.
        group: Which piece of it.
        start: Position of its first row in the whole table.
        rows: Number of rows.
        test: Whether its rows are test rows; None where a hash decides row by row.
        stamp: Of the file when the table was cut into parts.
        aside: Whether its rows are calibration rows; None where a hash decides row by row, if any are.
    """

    path: str
    group: int
    start: int
    rows: int
    test: bool | None
    stamp: Stamp | None = None
    aside: bool | None = None

    unit: ClassVar[str] = "row group"

    @property
    def where(self) -> str:
        """What to call it."""
        return f"{self.path}, {self.unit} {self.group}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """A table in parts. A format is a subclass with `read`; a table of arrays has all its batches kept.

    Attributes:
        name: What to call it.
        source: Where the numbers came from, without what is of one machine: it goes into the artifacts.
        features: Names of the first columns.
        targets: Names of the other columns.
        parts: In the order of the rows. It, not the workers, decides the order of every sum.
        memory_limit: Bytes that rows may take where all of them are needed at once.
        skip: Whether a part whose data are at fault is left out; else it ends the run.
        by_row: Whether rows that cannot be read are left out one by one; `read` gives NaN in place of them.
        lost: What is wrong with files that could not even be cut into parts; only where `skip`.
        kept: The batches of each part that has been read, by its `start`, where rows are kept in memory; None
            where they are read anew every time.
        weights: Name of the column that says what each row counts, the last one; none where all count 1.
        plan: How columns become numbers; None where all of them are.
        notes: What to know of it.
    """

    name: str
    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    parts: tuple[Part, ...]
    memory_limit: int = 0
    skip: bool = False
    by_row: bool = False
    lost: tuple[str, ...] = ()
    kept: dict[int, list[Batch]] | None = field(default=None, repr=False)
    weights: tuple[str, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns that are read, in their order."""
        return (*self.features, *self.targets, *self.weights)

    def weighted(self) -> Self:
        """This table with its last target as the weights of the rows."""
        *targets, weight = self.targets
        source = f"{self.source}, weights {weight}"
        return replace(self, source=source, targets=tuple(targets), weights=(weight,))

    @property
    def encoding(self) -> Encoding | None:
        """How columns became the features; None where they are the features."""
        return self.plan.encoding if self.plan else None

    @property
    def in_memory(self) -> bool:
        """Whether rows are in memory once they have been read."""
        return self.kept is not None

    def read(self, part: Part, faults: Faults | None = None) -> Iterator[Batch]:
        """Consecutive rows of a part, cut the same way every time, features first.

        Whoever asks holds that they are numbers, and not too large; see `out_of_bounds`.

        Args:
            part: Which part.
            faults: Told of the rows that cannot be read, if `by_row`.

        Raises:
            DataError: For what is wrong with the data of this part; any other exception has another cause.
        """
        raise NotImplementedError

    def batches(self, part: Part, faults: Faults | None = None) -> Iterator[Batch]:
        """What `read` gives, from memory where it is kept; then `faults` is told nothing."""
        if self.kept is None:
            yield from self.read(part, faults)
        elif part.start in self.kept:
            yield from self.kept[part.start]
        else:
            found = []
            for batch in self.read(part, faults):
                found.append(batch)
                yield batch
            self.kept[part.start] = found

    def without_faulty(self, batch: Batch) -> tuple[Batch, NDArray[np.bool_] | None]:
        """A batch without the rows that could not be read; and which were kept, (rows,), None for all."""
        if not self.by_row or (there := ~np.isnan(batch[0])).all():
            return batch, None
        return np.compress(there, np.asarray(batch), axis=1), there

    def only(self, parts: tuple[Part, ...]) -> Self:
        """This table without the other parts; every row keeps its position."""
        return replace(self, parts=parts)


def room_for(rows: int, columns: int, limit: int) -> dict[int, list[Batch]] | None:
    """Where to keep a table: nowhere if its numbers take more than `limit` bytes. See `Stream.kept`."""
    return {} if 8 * rows * columns <= limit else None


def out_of_bounds(columns: Batch, names: Sequence[str], where: str, row: int) -> DataError:
    """The fault of columns of which one holds what is not finite, or exceeds `LARGEST`: its first.

    Args:
        columns: (rows,) each.
        names: Of the columns.
        where: What to call the part that they are of.
        row: Number of their first row in it, from 1.
    """
    name, place, value = next(
        (name, place, column[place])
        for name, column in zip(names, columns, strict=True)
        for place in np.flatnonzero(~(np.abs(column) <= LARGEST))
    )
    what = f"exceeds {LARGEST:g}: change its unit" if np.isfinite(value) else "is not a finite number"
    return DataError(f"{where}, column {name!r}: row {row + place}, {value:g}, {what}")


def require_weights(weight: NDArray[np.float64], name: str, where: str, row: int) -> None:
    """Raise DataError for the first weight, of (rows,), that is negative.

    Args:
        weight: Finite numbers.
        name: Of their column.
        where: What to call the part that they are of.
        row: Number of the first in it, from 1.
    """
    negative = np.flatnonzero(weight < 0)
    if len(negative):
        place = negative[0]
        found = f"row {row + place}, {weight[place]:g}, is a negative weight"
        raise DataError(f"{where}, column {name!r}: {found}; a row that shall not count has 0")


def rows_per_batch(columns: int) -> int:
    """How many rows of `columns` numbers are read at once: a power of two, decided by the width alone."""

    def fitting(numbers: int) -> int:
        return 1 << (max(1, numbers // columns).bit_length() - 1)

    return max(fitting(NUMBERS_PER_BATCH), min(FEWEST_ROWS, fitting(MOST_NUMBERS)))
