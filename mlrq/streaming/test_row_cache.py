"""The test rows of a stream, in files beside the artifacts while a run lasts, lest they be sought again."""

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.files import lock

PREFIX, LOCK = ".test-rows-", "lock"

# A table is its shape, for each column whether its numbers are bytes, the columns that are none and those
# that are, each of these up to a multiple of eight bytes. What categories become takes an eighth so.
_PROBE = 64  # rows that tell most columns of other numbers


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, which is made for it if need be; it goes when the block ends.

    Raises:
        MlrqError: If there is no place for it.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_forgotten(folder)
        cache = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder)).absolute()
    except OSError as error:
        raise MlrqError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        with lock(cache / LOCK):
            yield cache
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        if new:
            with suppress(OSError):  # the run has written to it
                folder.rmdir()


def _remove_forgotten(folder: Path) -> None:
    """Remove what runs that were killed have left: nobody holds the lock any more."""
    try:
        import fcntl
    except ImportError:
        return
    for path in folder.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)


def write(path: Path | None, tables: Iterator[NDArray[np.float64]]) -> int:
    """Write (columns, rows) tables to a file while they are read; the number of their rows.

    Without a path, or where it cannot be written to, they are only read, and there is no file.
    """
    file = _begun(path) if path else None
    count, whole = 0, True
    try:
        for table in tables:
            count += table.shape[1]
            whole = whole and file is not None and _added(file, table)
        if path and file and whole:
            file.close()  # some systems rename no open file
            # Renamed when it is whole: a worker may be killed, and another begin the part again.
            Path(file.name).replace(path)
    finally:
        if file:
            file.close()
            Path(file.name).unlink(missing_ok=True)
    return count


def _begun(path: Path) -> IO[bytes] | None:
    try:
        return tempfile.NamedTemporaryFile(dir=path.parent, delete=False, buffering=0)
    except OSError:  # a worker that sees another disk, or may not write to this one
        return None


def _added(file: IO[bytes], table: NDArray[np.float64]) -> bool:
    """Whether the table was written."""
    narrow = np.array([_are_bytes(column) for column in table])
    wide = table[~narrow] if narrow.any() else np.ascontiguousarray(table)  # then without a copy
    try:
        for part in (np.array(table.shape), narrow, wide, table[narrow].astype(np.uint8)):
            for left in (part.ravel().view(np.uint8).data, memoryview(bytes(-part.nbytes % 8))):
                while left:
                    left = left[file.write(left) :]
    except OSError:  # the disk is full
        return False
    return True


def _are_bytes(column: NDArray[np.float64]) -> bool:
    """Whether numbers are the same as bytes, to the sign of zero."""
    for part in (column[:_PROBE], column):
        with np.errstate(invalid="ignore"):
            again = part.astype(np.uint8).astype(np.float64)
        if again.tobytes() != part.tobytes():
            return False
    return True


def read(path: Path) -> Iterator[NDArray[np.float64]]:
    """The tables that `write` wrote, one after the other, to be read.

    Raises:
        MlrqError: If the file is not as it was written.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # Not copied: one table after the other is looked at, and gone.
            content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        place = 0

        def take(kind: type, *shape: int) -> NDArray[Any]:
            nonlocal place
            part: NDArray[Any] = np.frombuffer(content, kind, math.prod(shape), place).reshape(shape)
            place += part.nbytes + -part.nbytes % 8
            if place > size:
                raise ValueError("it ends early")
            return part

        while place < size:
            columns, rows = take(np.int64, 2).tolist()
            narrow = take(np.bool_, columns)
            count = int(narrow.sum())
            wide, small = take(np.float64, columns - count, rows), take(np.uint8, count, rows)
            table = wide
            if count:
                table = np.empty((columns, rows))
                table[~narrow], table[narrow] = wide, small
            yield table
    except (OSError, ValueError) as error:
        raise MlrqError(f"{path}: the test rows kept there cannot be read back: {error}") from error
