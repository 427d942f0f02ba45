"""CSV: a file with a header line, in pieces that are read by themselves, each in batches."""

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.column_rules import SNIFFED, ColumnRules, guessed
from mlrq.datasets.columns import encoded, learned
from mlrq.datasets.csv_numbers import BOM, parse, parse_cells
from mlrq.datasets.csv_pieces import PIECE, Piece, has_quotes, recounted, spans, text_of
from mlrq.datasets.encoding import NUMERIC, Cells, coded, rows_of, select
from mlrq.datasets.faults import Faults
from mlrq.datasets.gunzip import Gunzip
from mlrq.datasets.parts import LARGEST, Part, Stamp, Stream, room_for, rows_per_batch, unchanged
from mlrq.datasets.refusals import way_out
from mlrq.datasets.tables import CsvTable, feature_names, open_text, picker, places_of, present, read_lines
from mlrq.errors import DataError, MlrqError

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

    def read(self, part: Part, faults: Faults | None = None) -> Iterator[NDArray[np.float64]]:
        """(columns, rows) finite float64 arrays, features first, of at most `rows_per_batch` rows.

        If `by_row`, a row that cannot be read is NaN throughout, and `faults` is told.

        Raises:
            DataError: As `CsvTable` does, or if a number is too large to be squared, or the file cannot be
                read or is not what it was.
        """
        piece = cast(Piece, part)
        size = rows_per_batch(len(self.names))
        done = 0
        told = faults or Faults()
        for table in encoded(self, part, self.plan) if self.plan else self._numbers(piece, size, told):
            done += table.shape[1]
            if done > part.rows:
                break
            yield table
        if done != part.rows:
            raise DataError(
                f"{self.path}: {part.rows:,} rows from line {piece.span.line + 1:,} were counted, not found: "
                "a cell with a quote in it must be quoted"
            )

    def _numbers(self, piece: Piece, size: int, faults: Faults) -> Iterator[NDArray[np.float64]]:
        """(columns, `size`) arrays of a piece whose columns are all numbers."""
        with self.opened(piece) as file:
            yield from _batches(self._tables(file, piece, size, faults), size)

    @contextmanager
    def opened(self, piece: Piece) -> Iterator[IO[bytes]]:
        """The file at the first byte of `piece`. Raises DataError if it is not what it was."""
        try:
            with unchanged(self.path, piece.stamp, lambda: _stamp(piece.path)), _opened(piece.path) as file:
                file.seek(piece.span.begin)
                yield file
        except UNREADABLE as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error

    def cells(
        self, part: Part, kinds: dict[str, str], missing_values: Sequence[str]
    ) -> Iterator[list[Cells]]:
        """Columns of consecutive rows: those that `kinds` names, numbers as numbers and others as text.

        Raises:
            DataError: For a row with too few or too many cells, or a file that cannot be read.
        """
        piece = cast(Piece, part)
        size = rows_per_batch(len(self.names))
        found_at = places_of(self.columns, list(kinds))
        places = {str(at): kind == NUMERIC for at, kind in zip(found_at, kinds.values(), strict=True)}
        with self.opened(piece) as file:
            if piece.span.end - piece.span.begin <= QUICK:
                data = file.read(piece.span.end - piece.span.begin)
                found = parse_cells(data, self.delimiter, len(self.columns), places, missing_values)
                if found is not None and {rows_of(column) for column in found} == {piece.span.rows}:
                    for i in range(0, piece.span.rows, size):
                        yield [select(column, slice(i, i + size)) for column in found]
                    return
                file.seek(piece.span.begin)
            pick = picker([int(place) for place in places])
            rows = (row for row, _ in self.rows(file, piece))
            while batch := list(islice(rows, size)):
                yield [coded(column) for column in zip(*map(pick, batch), strict=True)]

    def located(self, part: Part, row: int, name: str, what: str) -> DataError:
        """The fault `what` of column `name` in the row `row`, from 0, of a part; the piece is read again."""
        piece = cast(Piece, part)
        with self.opened(piece) as file:
            line = next((line for _, line in islice(self.rows(file, piece), row, None)), 0)
        return DataError(f"{self.path}, line {line}, column {name!r}: {what}")

    def rows(self, file: IO[bytes], piece: Piece) -> Iterator[tuple[list[str], int]]:
        """Cells and line of each row of a piece, at whose first byte `file` is."""
        text = text_of(file, piece.span.end - piece.span.begin, self.by_row)
        lines = read_lines(text, self.path, piece.span.line)
        table = CsvTable(lines, self.path, self.delimiter, self.columns, piece.span.line)
        for row in table.rows():
            if isinstance(row, DataError):
                raise row
            yield row

    def _tables(
        self, file: IO[bytes], piece: Piece, size: int, faults: Faults
    ) -> Iterable[NDArray[np.float64]]:
        """(rows, columns) arrays."""
        names, span = self.names, piece.span
        length = span.end - span.begin
        if length <= QUICK:
            data = file.read(length)
            found = parse(data, self.delimiter, len(self.columns), places_of(self.columns, names))
            if found is not None and found.shape[1] == span.rows:
                return (found[:, i : i + size].T for i in range(0, span.rows, size))
            file = io.BytesIO(data)
        lines = read_lines(text_of(file, length, self.by_row), self.path, span.line)
        given = (lines, self.path, self.delimiter, self.columns, span.line, LARGEST)
        if self.by_row:
            return CsvTable(*given).marked(names, faults)
        return CsvTable(*given, lambda cell, name: way_out(cell, name, name in self.targets)).batches(names)


def load(
    path: str,
    target: list[str],
    features: list[str] | None,
    delimiter: str,
    memory_limit: int = 0,
    on_error: str = "fail",
    stream_above: int = 0,
    rules: ColumnRules | None = None,
) -> CsvStream:
    """The columns `features` and `target` of a CSV file; counts the rows, and parses only the first ones.

    Where a column is not all numbers by these, or there are other rules, another pass learns what each is.

    Args:
        path: The file; .gz is read too.
        target: Column names of the targets.
        features: Column names of the features; None for every column that is no target.
        delimiter: One character.
        memory_limit: Bytes that rows may take where all of them are needed at once.
        on_error: "skip" leaves out rows that cannot be read.
        stream_above: Bytes of numbers above which they are read anew each time instead of being kept.
        rules: What is said of columns; None where all are numbers.

    Raises:
        MlrqError: If the file is missing or empty, has no header or no rows, or lacks a column. What is wrong
            with the rows is found when they are read.
    """
    place = str(Path(path).absolute())  # workers may have been started elsewhere
    names, table, begin, stamp = _header(path, place, target, features, delimiter)
    if rules:
        names = rules.wanted(names, target, table.columns, path)
    parts: list[Part] = []
    start = 0
    try:
        with _opened(place) as file:
            begin += len(BOM) if file.read(len(BOM)) == BOM else 0
            file.seek(begin)
            several = not path.endswith(".gz")
            found = list(spans(file, begin, table.line, several))
            if on_error == "skip" and has_quotes(file, begin):
                found = list(recounted(file, begin, table, several))
            elif len(found) == 1 and found[0].end - begin <= QUICK and has_quotes(file, begin):
                found = list(recounted(file, begin, table, several=False))
        for i, span in enumerate(found):
            parts.append(Piece(place, i, start, span.rows, None, stamp, span=span))
            start += span.rows
    except UNREADABLE as error:
        raise MlrqError(f"{path}: cannot be read: {error}") from error
    if not parts:
        raise MlrqError(f"{path}: a header line, but no rows")
    stream = CsvStream(
        name=Path(path).name,
        source=f"{Path(path).name} (CSV, {len(parts)} {'piece' if len(parts) == 1 else 'pieces'})",
        features=tuple(names),
        targets=tuple(target),
        parts=tuple(parts),
        memory_limit=memory_limit,
        skip=on_error == "skip",
        by_row=on_error == "skip",
        kept=room_for(start, len(names) + len(target), stream_above),
        path=path,
        columns=table.columns,
        delimiter=delimiter,
    )
    return learned(stream, _guessed(stream, rules), rules, stream_above) if rules else stream


def _guessed(stream: CsvStream, rules: ColumnRules) -> dict[str, str | None]:
    """What the features are by the first rows, as far as these can be read."""
    piece, first = cast(Piece, stream.parts[0]), list[list[str]]()
    with suppress(DataError), stream.opened(piece) as file:
        for row, _ in islice(stream.rows(file, piece), SNIFFED):
            first.append(row)
    places = list(zip(stream.features, places_of(stream.columns, stream.features), strict=True))
    return {name: guessed(coded(row[i] for row in first), rules.missing_values) for name, i in places}


def _header(
    path: str, place: str, target: list[str], features: list[str] | None, delimiter: str
) -> tuple[list[str], CsvTable, int, Stamp]:
    """Names of the features, the table with its header read, the header's bytes, and the file's stamp."""
    length = 0

    def counted(lines: Iterable[str]) -> Iterator[str]:
        nonlocal length
        for line in lines:
            length += len(line.encode(errors="surrogateescape"))
            yield line

    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise MlrqError(f"{path}: is no file but a pipe or a device, which cannot be read twice")
    with open_text(Path(path), "surrogateescape") as stream:  # of rows it is told when they are read
        stamp = _stamp(place)
        table = CsvTable(counted(read_lines(stream, path)), path, delimiter)
    names = feature_names(table.columns, target, features, path)
    present(table.columns, [*names, *target], path)
    return names, table, length, stamp


def _opened(path: str) -> IO[bytes]:
    return cast(IO[bytes], Gunzip(path) if path.endswith(".gz") else Path(path).open("rb"))


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None, None
    return found.st_size, found.st_mtime_ns


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
