"""Files that survive a crash and tell when they were changed: atomic writes, hashed JSON documents.

A document is canonical JSON (sorted keys, no spaces, shortest decimal that reads back to the same double,
one line) whose `sha256` is the hash of the same document without that key. Nothing in it is code.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

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


def encode(document: dict[str, Any]) -> bytes:
    """`document` as canonical JSON, one line. Raises ValueError for NaN and infinity."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def seal(kind: str, schema: int, body: dict[str, Any]) -> dict[str, Any]:
    """`body` with its kind, schema number and hash: a document."""
    document = {**body, "format": f"mlrq.{kind}", "schema": schema}
    return {**document, "sha256": digest(encode(document))}


def write_document(path: Path, kind: str, schema: int, body: dict[str, Any]) -> None:
    """Write `body` with its kind, schema number and hash."""
    write(path, encode(seal(kind, schema, body)))


def read_document(path: Path, kind: str, schema: int, how: str) -> dict[str, Any]:
    """The document at `path`, checked.

    Args:
        path: Where it is.
        kind: What it must be, as given to `write_document`.
        schema: The newest schema that this program reads.
        how: What makes such a file, for the message where there is none.

    Raises:
        MlrqError: One line for a file that is missing, unreadable, cut short, foreign, of another kind,
            of a newer schema, or changed since it was written.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MlrqError(f"{path}: no such file; {how} makes it") from None
    except OSError as error:
        raise MlrqError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise MlrqError(f"{path}: not an mlrq {kind} file, or cut short; {how} makes it anew") from None
    if not isinstance(document, dict) or document.get("format") != f"mlrq.{kind}":
        raise MlrqError(f"{path}: not an mlrq {kind} file; {how} makes one")
    found = document.get("schema")
    if not isinstance(found, int) or not 1 <= found <= schema:
        raise MlrqError(
            f"{path}: has schema {found}, but this mlrq reads up to {schema}: update mlrq, or run {how}"
        )
    claimed = document.pop("sha256", None)
    try:
        actual = digest(encode(document))
    except ValueError:
        actual = None
    if actual is None or claimed != actual:
        raise MlrqError(f"{path}: damaged (its SHA-256 does not match); {how} makes it anew")
    return document


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
