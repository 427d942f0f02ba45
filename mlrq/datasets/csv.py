"""CSV: a file with a header line, in pieces that are read by themselves, each in batches."""

import csv
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.csv_numbers import BOM, parse
from mlrq.datasets.csv_pieces import PIECE, Piece, Span, spans
from mlrq.datasets.parts import LARGEST, Part, Stamp, Stream, room_for, rows_per_batch, unchanged
from mlrq.datasets.tables import CsvTable, feature_names, open_text, present, read_lines
from mlrq.errors import DataError, MlrqError
from mlrq.files import Gunzip

QUICK = 2 * PIECE  # bytes that may be in memory at once; a stray quote can make a piece of all the rest
UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, kw_only=True, eq=False)
class CsvStream(Stream):
    """The columns of a CSV file.

    Attributes:
        path: Of the file, as it was named.
        columns: All names in its header.
        delimiter: One character.
    """

    path: str
    columns: tuple[str, ...]
    delimiter: str

    def read(self, part: Part) -> Iterator[NDArray[np.float64]]:
        """(columns, rows) finite float64 arrays, features first, of at most `rows_per_batch` rows.

        Raises:
            DataError: As `CsvTable` does, or if a number is too large to be squared, or the file cannot be
                read or is not what it was.
        """
        piece = cast(Piece, part)
        size = rows_per_batch(len(self.names))
        done = 0
        try:
            with unchanged(self.path, part.stamp, lambda: _stamp(part.path)), _opened(part.path) as file:
                file.seek(piece.span.begin)
                for table in _batches(self._tables(file, piece, size), size):
                    done += table.shape[1]
                    if done > part.rows:
                        break
                    yield table
        except UNREADABLE as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error
        if done != part.rows:
            raise DataError(
                f"{self.path}: {part.rows:,} rows from line {piece.span.line + 1:,} were counted, not found: "
                "a cell with a quote in it must be quoted"
            )

    def _tables(self, file: IO[bytes], piece: Piece, size: int) -> Iterable[NDArray[np.float64]]:
        """(rows, columns) arrays."""
        names, span = self.names, piece.span
        length = span.end - span.begin
        if length <= QUICK:
            data = file.read(length)
            found = parse(data, self.delimiter, len(self.columns), [self.columns.index(n) for n in names])
            if found is not None and found.shape[1] == span.rows:
                return (found[:, i : i + size].T for i in range(0, span.rows, size))
            file = io.BytesIO(data)
        text = io.TextIOWrapper(io.BufferedReader(_Window(file, length)), encoding="utf-8", newline="")
        lines = read_lines(text, self.path, span.line)
        return CsvTable(lines, self.path, self.delimiter, self.columns, span.line, LARGEST).batches(names)


def load(
    path: str,
    target: list[str],
    features: list[str] | None,
    delimiter: str,
    memory_limit: int = 0,
    on_error: str = "fail",
    stream_above: int = 0,
) -> CsvStream:
    """The columns `features` and `target` of a CSV file; counts the rows, and parses only the header.

    Args:
        path: The file; .gz is read too.
        target: Column names of the targets.
        features: Column names of the features; None for every column that is no target.
        delimiter: One character.
        memory_limit: Bytes that rows may take where all of them are needed at once.
        on_error: "skip" leaves out pieces that cannot be read.
        stream_above: Bytes of numbers above which they are read anew each time instead of being kept.

    Raises:
        MlrqError: If the file is missing or empty, has no header or no rows, or lacks a column. What is wrong
            with the rows is found when they are read.
    """
    place = str(Path(path).absolute())  # workers may have been started elsewhere
    names, table, begin, stamp = _header(path, place, target, features, delimiter)
    parts: list[Part] = []
    start = 0
    try:
        with _opened(place) as file:
            begin += len(BOM) if file.read(len(BOM)) == BOM else 0
            file.seek(begin)
            found = list(spans(file, begin, table.line, several=not path.endswith(".gz")))
            if len(found) == 1:
                found = [_recounted(file, found[0], delimiter)]
        for i, span in enumerate(found):
            parts.append(Piece(place, i, start, span.rows, None, stamp, span=span))
            start += span.rows
    except UNREADABLE as error:
        raise MlrqError(f"{path}: cannot be read: {error}") from error
    if not parts:
        raise MlrqError(f"{path}: a header line, but no rows")
    return CsvStream(
        name=Path(path).name,
        source=f"{Path(path).name} (CSV, {len(parts)} {'piece' if len(parts) == 1 else 'pieces'})",
        features=tuple(names),
        targets=tuple(target),
        parts=tuple(parts),
        memory_limit=memory_limit,
        skip=on_error == "skip",
        kept=room_for(start, len(names) + len(target), stream_above),
        path=path,
        columns=table.columns,
        delimiter=delimiter,
    )


def _header(
    path: str, place: str, target: list[str], features: list[str] | None, delimiter: str
) -> tuple[list[str], CsvTable, int, Stamp]:
    """Names of the features, the table with its header read, the header's bytes, and the file's stamp."""
    length = 0

    def counted(lines: Iterable[str]) -> Iterator[str]:
        nonlocal length
        for line in lines:
            length += len(line.encode())
            yield line

    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise MlrqError(f"{path}: is no file but a pipe or a device, which cannot be read twice")
    with open_text(Path(path)) as stream:
        stamp = _stamp(place)
        table = CsvTable(counted(read_lines(stream, path)), path, delimiter)
    names = feature_names(table.columns, target, features, path)
    present(table.columns, [*names, *target], path)
    return names, table, length, stamp


def _recounted(file: IO[bytes], span: Span, delimiter: str) -> Span:
    """A span that is the only one, with its records as a reader finds them.

    They are others where a cell that is not quoted has a quote in it; see `mlrq.datasets.csv_pieces`.
    """
    file.seek(span.begin)
    data = file.read(QUICK) if span.end - span.begin <= QUICK else b""
    if b'"' not in data:
        return span
    lines = io.StringIO(data.decode(errors="replace"), newline="")
    with suppress(csv.Error):  # it is told when the rows are read
        return replace(
            span, rows=sum(1 for row in csv.reader(lines, delimiter=delimiter, strict=True) if row)
        )
    return span


def _opened(path: str) -> IO[bytes]:
    return cast(IO[bytes], Gunzip(path) if path.endswith(".gz") else Path(path).open("rb"))


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None, None
    return found.st_size, found.st_mtime_ns


class _Window(io.RawIOBase):
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _batches(tables: Iterable[NDArray[np.float64]], size: int) -> Iterator[NDArray[np.float64]]:
    """The rows of (rows, columns) `tables` as (columns, `size`) arrays, the last one shorter."""
    kept: list[NDArray[np.float64]] = []
    count = 0
    for table in tables:
        kept.append(table)
        count += len(table)
        while count >= size:
            whole = np.concatenate(kept)
            yield np.ascontiguousarray(whole[:size].T)
            kept, count = [whole[size:]], count - size
    if count:
        yield np.ascontiguousarray(np.concatenate(kept).T)
