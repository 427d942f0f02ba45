"""A folder for the test rows of a stream, beside the artifacts: it goes when the run ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlrq.errors import MlrqError
from mlrq.files import lock

PREFIX, LOCK = ".test-rows-", "lock"


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, which is made for it if need be.

    Raises:
        MlrqError: If there is no place for it.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_forgotten(folder)
        shelf = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder)).absolute()
    except OSError as error:
        raise MlrqError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        with lock(shelf / LOCK):
            yield shelf
    finally:
        shutil.rmtree(shelf, ignore_errors=True)
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
