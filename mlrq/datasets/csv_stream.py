"""A CSV file that is never whole in memory: pieces of it, each read in batches."""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.csv_pieces import PIECE, Piece, spans
from mlrq.datasets.dataset import LARGEST, chosen
from mlrq.datasets.stream import Part, Stamp, rows_per_batch, unchanged
from mlrq.datasets.tables import CsvTable, open_text, present, read_lines
from mlrq.errors import DataError, MlrqError

BOM = b"\xef\xbb\xbf"
QUICK = 2 * PIECE  # bytes that may be in memory at once; a stray quote can make a piece of all the rest
UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class CsvStream:
    """The columns of a CSV file; see `mlrq.datasets.stream.Stream`.

    Attributes:
        path: Of the file, as it was named.
        columns: All names in its header.
        delimiter: One character.
    """

    name: str
    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    parts: tuple[Part, ...]
    memory_limit: int
    skip: bool
    path: str
    columns: tuple[str, ...]
    delimiter: str
    lost: tuple[str, ...] = ()

    def only(self, parts: tuple[Part, ...]) -> "CsvStream":
        """See `Stream`."""
        return replace(self, parts=parts)

    def batches(self, part: Part) -> Iterator[NDArray[np.float64]]:
        """(columns, rows) finite float64 arrays, features first, of at most `rows_per_batch` rows.

        Raises:
            DataError: As `CsvTable` does, or if a number is too large to be squared, or the file cannot be
                read or is not what it was.
        """
        piece = cast(Piece, part)
        size = rows_per_batch(len(self.features) + len(self.targets))
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
        names, span = [*self.features, *self.targets], piece.span
        length = span.end - span.begin
        if length <= QUICK:
            data = file.read(length)
            found = _parse(data, self.delimiter, len(self.columns), [self.columns.index(n) for n in names])
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
    memory_limit: int,
    on_error: str,
) -> CsvStream:
    """See `mlrq.datasets.csv.load`; counts the rows, and parses only the header."""
    place = str(Path(path).absolute())  # workers may have been started elsewhere
    read = 0

    def counted(lines: Iterable[str]) -> Iterator[str]:
        nonlocal read
        for line in lines:
            read += len(line.encode())
            yield line

    with open_text(Path(path)) as stream:
        stamp = _stamp(place)
        table = CsvTable(counted(read_lines(stream, path)), path, delimiter)
    names = chosen(table.columns, target, features, path)
    present(table.columns, [*names, *target], path)
    parts: list[Part] = []
    start = 0
    packed = path.endswith(".gz")
    try:
        with _opened(place) as file:
            begin = read + (len(BOM) if file.read(len(BOM)) == BOM else 0)
            file.seek(begin)
            for i, span in enumerate(spans(file, begin, table.line, cut=not packed)):
                parts.append(Piece(place, i, start, span.rows, None, stamp, span=span))
                start += span.rows
    except UNREADABLE as error:
        raise MlrqError(f"{path}: cannot be read: {error}") from error
    if not parts:
        raise MlrqError(f"{path}: a header line, but no rows")
    source = f"{path} (CSV, {len(parts)} {'piece' if len(parts) == 1 else 'pieces'})"
    return CsvStream(
        name=Path(path).name,
        source=source,
        features=tuple(names),
        targets=tuple(target),
        parts=tuple(parts),
        memory_limit=memory_limit,
        skip=on_error == "skip",
        path=path,
        columns=table.columns,
        delimiter=delimiter,
    )


def _opened(path: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path) if path.endswith(".gz") else Path(path).open("rb"))


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


def _parse(data: bytes, delimiter: str, width: int, places: list[int]) -> NDArray[np.float64] | None:
    """(columns, rows) finite numbers of a text by pyarrow, five times as fast as `CsvTable`.

    None where it is not installed, and where it objects to anything. It takes nothing for a finite number
    that Python does not, and both round correctly, so the numbers are the same; what it does not take is
    left to `CsvTable`, which names it, or takes it.
    """
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    # It would skip the mark, take a delimiter of one byte only, not look at the text of other columns, and
    # understand stray quotes in its own way.
    if data.startswith(BOM) or not (delimiter.isascii() and _is_utf8(data) and _is_regular(data, delimiter)):
        return None
    wanted = [str(place) for place in places]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(data),
            csv.ReadOptions(use_threads=False, column_names=[str(i) for i in range(width)]),
            csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                null_values=[],
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    found = np.empty((len(places), len(table)))
    for i, name in enumerate(wanted):
        found[i] = table.column(name).to_numpy()
    with np.errstate(invalid="ignore"):
        return found if bool((np.abs(found) <= LARGEST).all()) else None


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _is_regular(data: bytes, delimiter: str) -> bool:
    """Whether every quote begins or ends a cell, or is half of a pair within one."""
    if b'"' not in data:
        return True
    codes = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    beside = np.concatenate([codes[quotes[::2] - 1], codes[quotes[1::2] + 1]])
    return len(quotes) % 2 == 0 and bool(np.isin(beside, list(b'\n\r"' + delimiter.encode())).all())


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
