"""`Cut`: a stream, how its rows are split, and a shelf where the test rows of a part are kept once read."""

import math
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.stream import Part, Stream, are_test
from mlrq.errors import DataError, MlrqError
from mlrq.kernel import chosen

Numbers = NDArray[np.float64]

_SHAPE = struct.Struct("=QQ")  # before each table: columns, rows


@dataclass(frozen=True)
class Cut:
    """A stream and how its rows are split: all that a worker needs to know.

    Attributes:
        stream: The table.
        test_size: Fraction of test rows, where a hash decides.
        seed: Of the hash.
        shelf: Folder where the test rows of each part are kept once they have been read; None keeps none. A
            worker that does not see it reads the stream again.
        settled: Whether the first pass is over, which decides what is skipped.
    """

    stream: Stream
    test_size: float
    seed: int
    shelf: Path | None = None
    settled: bool = False

    def _read(self, part: Part) -> Iterator[Sequence[Numbers]]:
        try:
            yield from self.stream.batches(part)
        except DataError as error:
            if not (self.settled and self.stream.skip):
                raise
            raise MlrqError(
                f"{error} (the first pass read it whole, so it is too late to skip it: run again)"
            ) from error

    def batches(self, part: Part) -> Iterator[tuple[Sequence[Numbers], NDArray[np.bool_]]]:
        """Columns, each (n,), and (n,) which of the rows are test rows."""
        start = part.start
        for columns in self._read(part):
            count = len(columns[0])
            if part.test is None:
                yield columns, are_test(start, count, self.test_size, self.seed)
            else:
                yield columns, np.full(count, part.test)
            start += count

    def tables(self, part: Part, test: bool) -> Iterator[Numbers]:
        """(columns, n) tables of the test rows, or of the training rows."""
        if part.test is not None and part.test is not test:
            return
        kept = self._kept(part)
        if test and kept and kept.exists():
            yield from _read(kept)
            return
        for columns, are in self.batches(part):
            yield chosen(columns, are == test)

    def rows(self, part: Part, test: bool) -> Iterator[tuple[Numbers, Numbers]]:
        """Features (n, features) and targets (n, targets) of the test rows, or of the training rows."""
        width = len(self.stream.features)
        for table in self.tables(part, test):
            yield table[:width].T, table[width:].T

    def keep(self, part: Part, tables: Iterator[Numbers]) -> int:
        """Write the test rows of a part to the shelf while they are read; how many there are.

        Without a shelf, or where it cannot be written to, they are only read, and read again when asked for.
        """
        kept = self._kept(part)
        file = _begun(kept) if kept else None
        count, whole = 0, True
        try:
            for table in tables:
                count += table.shape[1]
                whole = whole and file is not None and _added(file, table)
            if kept and file and whole:
                file.close()  # some systems rename no open file
                # Renamed when it is whole: a worker may be killed, and another begin the part again.
                Path(file.name).replace(kept)
        finally:
            if file:
                file.close()
                Path(file.name).unlink(missing_ok=True)
        return count

    def _kept(self, part: Part) -> Path | None:
        """Where its test rows are; a part that holds nothing else is as good as a copy."""
        return self.shelf / f"{part.start}.rows" if self.shelf and part.test is None else None


def _begun(kept: Path) -> IO[bytes] | None:
    try:
        return tempfile.NamedTemporaryFile(dir=kept.parent, delete=False, buffering=0)
    except OSError:  # a worker that sees another disk, or may not write to this one
        return None


def _added(file: IO[bytes], table: Numbers) -> bool:
    """Whether the table was written: its shape, then its columns."""
    cells = np.ascontiguousarray(table).ravel().view(np.uint8)
    try:
        for left in (memoryview(_SHAPE.pack(*table.shape)), cells.data):
            while left:
                left = left[file.write(left) :]
    except OSError:  # the disk is full
        return False
    return True


def _read(path: Path) -> Iterator[Numbers]:
    """The tables that `_added` wrote to a file one after the other, read-only.

    Raises:
        MlrqError: If it is not as it was written.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # Not copied: one table after the other is looked at, and gone.
            content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        place = 0
        while place < size:
            shape = _SHAPE.unpack_from(content, place)
            place += _SHAPE.size
            yield np.frombuffer(content, np.float64, math.prod(shape), place).reshape(shape)
            place += 8 * math.prod(shape)
    except (OSError, ValueError, struct.error) as error:
        raise MlrqError(f"{path}: the test rows kept there cannot be read back: {error}") from error
