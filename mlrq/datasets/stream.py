"""A table that is never whole in memory: parts, each read in batches, and which rows are test rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.datasets.dataset import LARGEST
from mlrq.errors import DataError

# 8 MiB of doubles are few enough for a cache and enough to keep NumPy busy. Wide tables have some rows all
# the same, for what is done once a batch grows with the cube of the columns.
NUMBERS_PER_BATCH, MOST_NUMBERS, FEWEST_ROWS = 1 << 20, 1 << 22, 4096

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
        path: Of the file.
        group: Number of the row group, or whatever `unit` is, in it.
        start: Position of its first row in the whole table.
        rows: Number of rows.
        test: Whether all its rows are test rows, or none; None where a hash decides row by row.
        stamp: Of the file when the table was cut into parts.
    """

    path: str
    group: int
    start: int
    rows: int
    test: bool | None
    stamp: Stamp | None = None

    unit: ClassVar[str] = "row group"

    @property
    def where(self) -> str:
        """What to call it."""
        return f"{self.path}, {self.unit} {self.group}"


class Stream(Protocol):
    """A table in parts.

    Attributes:
        name: What to call it.
        source: Where the numbers came from, for the report.
        features: Names of the first columns.
        targets: Names of the other columns.
        parts: In the order of the rows. It, not the workers, decides the order of every sum.
        memory_limit: Bytes that rows may take where all of them are needed at once.
        skip: Whether a part whose data are at fault is left out; else it ends the run.
        lost: What is wrong with files that could not even be cut into parts; only where `skip`.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def features(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def targets(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def parts(self) -> tuple[Part, ...]: ...  # noqa: D102
    @property
    def memory_limit(self) -> int: ...  # noqa: D102
    @property
    def skip(self) -> bool: ...  # noqa: D102
    @property
    def lost(self) -> tuple[str, ...]: ...  # noqa: D102

    def batches(self, part: Part) -> Iterator[Sequence[NDArray[np.float64]]]:
        """Consecutive rows as columns, (rows,) float64 each, cut the same way every time.

        Whoever asks holds that they are numbers, and not too large; see `out_of_bounds`.

        Raises:
            DataError: For what is wrong with the data of this part; any other exception has another cause.
        """

    def only(self, parts: tuple[Part, ...]) -> "Stream":
        """This table without the other parts; every row keeps its position."""


def out_of_bounds(
    columns: Sequence[NDArray[np.float64]], names: Sequence[str], where: str, row: int
) -> DataError:
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


def rows_per_batch(columns: int) -> int:
    """How many rows of `columns` numbers are read at once: a power of two, decided by the width alone."""

    def fitting(numbers: int) -> int:
        return 1 << (max(1, numbers // columns).bit_length() - 1)

    return max(fitting(NUMBERS_PER_BATCH), min(FEWEST_ROWS, fitting(MOST_NUMBERS)))


def are_test(start: int, count: int, test_size: float, seed: int) -> NDArray[np.bool_]:
    """Which of the rows at positions start..start + count - 1 are test rows, (count,).

    A row is one if the seeded hash of its position lies below `test_size` of all hashes. So it is the same
    row in whatever batch or process it is read, and about, not exactly, that fraction of the rows.
    """
    return kernel.below(start, count, _key(seed), int(test_size * 2.0**64))


@cache
def _key(seed: int) -> int:
    return int(kernel.scrambled(np.array([seed], dtype=np.uint64))[0])
