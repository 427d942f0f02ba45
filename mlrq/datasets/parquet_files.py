"""The Parquet files that a path stands for: a file, a folder, a glob or a URI of any of them."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mlrq.errors import MlrqError

SUFFIXES = (".parquet", ".pq", ".parq")


def is_parquet(source: str, kind: str) -> bool:
    """Whether `source` is to be read as Parquet: because `kind` says so, or by its name."""
    if kind != "auto":
        return kind == "parquet"
    return source.lower().endswith(SUFFIXES) or "://" in source or Path(source).is_dir()


def first_line(error: Exception) -> str:
    """The first line of what pyarrow says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def find(path: str) -> tuple[Any, list[str]]:
    """pyarrow's filesystem, and the paths in it that `path` stands for, sorted.

    Raises:
        MlrqError: If pyarrow cannot open the store, or there is no file.
    """
    import pyarrow
    from pyarrow import fs

    try:
        if "://" in path:
            # A glob's characters mean something else in a URI, so the store is opened by what precedes them.
            literal = re.split(r"[*?\[]", path)[0]
            base = literal if literal == path else literal.rpartition("/")[0]
            filesystem, root = fs.FileSystem.from_uri(base)
            inside = root + path[len(base) :]
        else:
            filesystem, inside = fs.LocalFileSystem(), str(Path(path).absolute())
        info = filesystem.get_file_info(inside)
        if info.type == fs.FileType.File:
            return filesystem, [inside]
        if info.type == fs.FileType.Directory:
            found = _below(filesystem, inside)
            kept = [file for file in found if file.lower().endswith(SUFFIXES) and not _hidden(file, inside)]
            if not kept:
                raise MlrqError(f"{path}: no Parquet file in it ({', '.join('*' + end for end in SUFFIXES)})")
            return filesystem, kept
        if re.search(r"[*?]", inside):
            pattern = _pattern(inside)
            fixed = re.split(r"[*?]", inside)[0].rpartition("/")[0]
            kept = [file for file in _below(filesystem, fixed or "/") if pattern.fullmatch(file)]
            if kept:
                return filesystem, kept
            raise MlrqError(f"{path}: no file matches")
    except (pyarrow.ArrowException, OSError) as error:
        raise MlrqError(f"{path}: cannot be opened: {first_line(error)}") from error
    raise MlrqError(f"{path}: no such file or folder")


def _below(filesystem: Any, folder: str) -> list[str]:
    from pyarrow import fs

    found = filesystem.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return sorted(info.path for info in found if info.type == fs.FileType.File)


def _hidden(file: str, folder: str) -> bool:
    """Whether a part of the path below `folder` starts as what is no data does: `_SUCCESS`, `.crc`."""
    return any(part.startswith(("_", ".")) for part in PurePosixPath(file[len(folder) :].lstrip("/")).parts)


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` within a name, `**/` any folders."""
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces))
