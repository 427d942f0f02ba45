"""Files that survive a crash: atomic writes, checksums, locks; and reading that has an end."""

import atexit
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from mlrq.errors import MlrqError

CHECKSUMS = "SHA256SUMS"
TEMPORARY = ".mlrq.tmp"  # how the name of a file ends before it takes its place
MOST = 1 << 28  # bytes of a file that is read whole: a model of a million features has fewer
_unfinished: set[Path] = set()  # the temporary files of this process


def contents(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileNotFoundError: If there is none.
        MlrqError: If it cannot be read, is a pipe or a device, or has over `MOST` bytes.
    """
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise MlrqError(f"{path}: is no file but a pipe or a device")
        if found.st_size > MOST:
            raise MlrqError(f"{path}: cannot be read: has {found.st_size:,} bytes, and at most {MOST:,} are")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MlrqError(f"{path}: cannot be read: {error.strerror}") from error


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` only when the block ends without an exception.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and renamed: a killed
    run leaves the old file or the new one.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    path = Path(os.path.realpath(path))  # of a link, the file that it leads to
    with _explained(path):
        if path.exists() and not (path.is_file() or path.is_dir()):
            with path.open("wb") as device:  # or a pipe: no place for another file
                yield device
            return
        with _temporary(path) as (stream, temporary):
            yield stream
            _flush(stream, path)
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
        folder: Where they are, which the caller holds as a `locked` one.
        steps: Name and content, in the order in which they take their places; None removes a file.
        listed: Names of the files in the list, where they exist; without any there is none.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    for place in {(folder / name).parent for name in (*dict(steps), *listed)}:
        _remove_forgotten(place)
    with ExitStack() as stack:
        staged = [(folder / name, _filled(stack, folder / name, content)) for name, content in steps]
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
    with _explained(path):
        stream.write(content)
        _flush(stream, path)
    return temporary


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A file beside `path`, open for writing, and its path; unless it is renamed it goes with the block."""
    name = path.parent / f".{path.name[:50]}.{os.urandom(6).hex()}{TEMPORARY}"  # at most 255 bytes
    _unfinished.add(name)
    try:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _held_new(name) as stream:  # closing writes what could not be written before
                yield stream, name
    finally:
        _remove(name)


def _held_new(path: Path) -> IO[bytes]:
    """A new file, locked for as long as it is open, which tells it from a forgotten one."""
    while True:
        stream = path.open("xb")
        _hold(stream.fileno())
        if os.fstat(stream.fileno()).st_nlink:  # else it was taken for a forgotten one before it was locked
            return stream
        stream.close()


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
    _unfinished.discard(temporary)


@atexit.register
def _remove_unfinished() -> None:
    """Remove what a signal left that came before or after the statement that removes it."""
    for temporary in tuple(_unfinished):
        _remove(temporary)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unfinished.clear)  # they are its parent's


def _remove_forgotten(folder: Path) -> None:
    """Remove the temporary files of runs that were killed: nobody holds them."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError), path.open("rb") as stream:
            _hold(stream.fileno(), wait=False)
            path.unlink()


def _flush(stream: IO[bytes], path: Path) -> None:
    """Put the bytes of the temporary file of `path` on the disk."""
    with _explained(path):
        stream.flush()
        os.fsync(stream.fileno())


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
def locked(folder: Path) -> Iterator[None]:
    """Make `folder`, and hold it as a lock: what is looked at in the block does not change until it ends.

    Raises:
        MlrqError: If it cannot be written to.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with lock(folder):
        yield


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a file or a folder as a lock between processes; without `fcntl` there is none to hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        _hold(handle)
        yield
    finally:
        os.close(handle)


def _hold(handle: int, wait: bool = True) -> None:
    """Lock an open file until it is closed. Raises OSError where somebody else holds it, and not to wait."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
