"""Files that survive a crash: atomic writes, checksums, locks."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
    with _temporary(path) as (stream, temporary):
        yield stream
        _flush(stream, temporary, path)
        with _explained(path):
            temporary.replace(path)


def write(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic(path) as stream:
        stream.write(data)


def replace_together(folder: Path, steps: Sequence[tuple[str, bytes | None]], listed: Sequence[str]) -> None:
    """Write files that belong together, and the list of checksums.

    Every new content is on the disk before the first old file is touched, the list goes before and comes
    after. So a run that is killed leaves files that are whole, and no list rather than a wrong one.

    Args:
        folder: Where they are.
        steps: Name and content, in the order in which they take their places; None removes a file.
        listed: Names of the files in the list, where they exist; without any there is none.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    with ExitStack() as stack:
        staged = [(folder / name, _filled(stack, folder / name, content)) for name, content in steps]
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder):
            (folder / CHECKSUMS).unlink(missing_ok=True)
            for path, temporary in staged:
                with _explained(path):
                    if temporary:
                        temporary.replace(path)
                    else:
                        path.unlink(missing_ok=True)
            if listed:
                _write_checksums(folder, listed)


def _filled(stack: ExitStack, path: Path, content: bytes | None) -> Path | None:
    """A temporary file with `content` that waits to become `path`, and goes with `stack` if it does not."""
    if content is None:
        return None
    stream, temporary = stack.enter_context(_temporary(path))
    stream.write(content)
    _flush(stream, temporary, path)
    return temporary


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A file beside `path`, open for writing, and its path; unless it is renamed it goes with the block."""
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, Path(name)
    finally:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)


def _flush(stream: IO[bytes], temporary: Path, path: Path) -> None:
    """Put the bytes of a temporary file on the disk, and give it everybody's permissions."""
    mask = os.umask(0)
    os.umask(mask)
    with _explained(path):
        stream.flush()
        os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~mask)  # mkstemp's 0600 would hide a model from the container's user


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system objects to into one line with the path that was meant."""
    try:
        yield
    except OSError as error:
        raise MlrqError(f"{path}: cannot be written: {error.strerror}") from error


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _write_checksums(folder: Path, names: Sequence[str]) -> None:
    """List the SHA-256 of those files that exist, in the form that `sha256sum --check` reads."""
    lines = [
        f"{digest((folder / name).read_bytes())}  {name}\n"
        for name in sorted(names)
        if (folder / name).is_file()
    ]
    write(folder / CHECKSUMS, "".join(lines).encode())


def changed(folder: Path) -> list[str]:
    """Names of files that are not what the list of checksums in `folder` says; none without a list."""
    path, found = folder / CHECKSUMS, []
    for line in path.read_text().splitlines() if path.is_file() else []:
        told, _, name = line.partition("  ")
        if not (folder / name).is_file() or digest((folder / name).read_bytes()) != told:
            found.append(name)
    return found


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a file or a folder as a lock between processes; without `fcntl` there is none to hold."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
