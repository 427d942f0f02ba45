"""Files that survive a crash: atomic writes, checksums, locks."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mlrq.errors import MlrqError

CHECKSUMS = "SHA256SUMS"


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` only when the block ends without an exception.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and renamed: a killed
    run leaves the old file or the new one.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise MlrqError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            _finish(stream, temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _finish(stream: IO[bytes], temporary: Path, path: Path) -> None:
    """Flush the temporary file to the disk and give it its name and everybody's permissions."""
    mask = os.umask(0)
    os.umask(mask)
    try:
        stream.flush()
        os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~mask)  # mkstemp's 0600 would hide a model from the container's user
        temporary.replace(path)
    except OSError as error:
        raise MlrqError(f"{path}: cannot be written: {error.strerror}") from error


def write(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic(path) as stream:
        stream.write(data)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def forget_checksums(folder: Path) -> None:
    """Remove the list before its files change: a run that is killed leaves none rather than a wrong one."""
    with suppress(OSError):  # where it cannot be removed, nothing can be written either, and that is said
        (folder / CHECKSUMS).unlink(missing_ok=True)


def write_checksums(folder: Path, names: tuple[str, ...]) -> None:
    """List the SHA-256 of those files that exist, in the form that `sha256sum --check` reads."""
    lines = [
        f"{digest((folder / name).read_bytes())}  {name}\n"
        for name in sorted(names)
        if (folder / name).is_file()
    ]
    write(folder / CHECKSUMS, "".join(lines).encode())


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold `path` as a lock between processes; on a system without `fcntl` there is none to hold."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
