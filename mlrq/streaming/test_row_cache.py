"""The test rows of a stream, in files beside the artifacts while a run lasts, lest they be sought again."""

import math
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.files import lock

PREFIX, LOCK = ".test-rows-", "lock"

_SHAPE = struct.Struct("=QQ")  # before each table: columns, rows


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
    """Whether the table was written: its shape, then its columns."""
    cells = np.ascontiguousarray(table).ravel().view(np.uint8)
    try:
        for left in (memoryview(_SHAPE.pack(*table.shape)), cells.data):
            while left:
                left = left[file.write(left) :]
    except OSError:  # the disk is full
        return False
    return True


def read(path: Path) -> Iterator[NDArray[np.float64]]:
    """The tables that `write` wrote, one after the other, read-only.

    Raises:
        MlrqError: If the file is not as it was written.
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
