"""JSON documents that tell when they were changed.

A document is canonical JSON (sorted keys, no spaces, shortest decimal that reads back to the same double,
one line) whose `sha256` is the hash of the same document without that key. Nothing in it is code.
"""

import json
from pathlib import Path
from typing import Any

from mlrq.errors import MlrqError
from mlrq.files import contents, digest, write


def encode(document: dict[str, Any]) -> bytes:
    """`document` as canonical JSON, one line. Raises ValueError for NaN and infinity."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"  # a lone surrogate becomes its JSON escape


def seal(kind: str, schema: int, body: dict[str, Any]) -> dict[str, Any]:
    """`body` with its kind, schema number and hash: a document."""
    document = {**body, "format": f"mlrq.{kind}", "schema": schema}
    return {**document, "sha256": digest(encode(document))}


def write_document(path: Path, kind: str, schema: int, body: dict[str, Any]) -> None:
    """Write `body` with its kind, schema number and hash."""
    write(path, encode(seal(kind, schema, body)))


def read_document(path: Path, kind: str, schema: int, how: str, since: int = 0) -> dict[str, Any]:
    """The document at `path`, checked.

    Args:
        path: Where it is.
        kind: What it must be, as given to `write_document`.
        schema: The schema that this program reads.
        how: What makes such a file, for the message where there is none.
        since: The oldest schema that it reads, too; 0 for no other.

    Raises:
        MlrqError: One line for a file that is missing, unreadable, cut short, foreign, of another kind,
            of another schema, or changed since it was written.
    """
    try:
        data = contents(path)
    except FileNotFoundError:
        raise MlrqError(f"{path}: no such file; {how} makes it") from None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise MlrqError(f"{path}: not an mlrq {kind} file, or cut short; {how} makes it anew") from None
    if not isinstance(document, dict) or document.get("format") != f"mlrq.{kind}":
        raise MlrqError(f"{path}: not an mlrq {kind} file; {how} makes one")
    found = document.get("schema")
    if type(found) is not int or not (since or schema) <= found <= schema:
        older = type(found) is int and 1 <= found < schema
        what = f"{how} makes it anew" if older else f"update mlrq, or run {how}"
        raise MlrqError(f"{path}: has schema {found}, but this mlrq reads schema {schema}: {what}")
    claimed = document.pop("sha256", None)
    try:
        actual = digest(encode(document))
    except (ValueError, RecursionError):
        actual = None
    if actual is None or claimed != actual:
        raise MlrqError(f"{path}: damaged (its SHA-256 does not match); {how} makes it anew")
    return document
