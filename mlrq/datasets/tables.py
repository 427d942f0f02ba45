"""Rows of numbers from CSV and JSON lines: columns matched by name, read in batches, faults named."""

import csv
import io
import math
import sys
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from pathlib import Path
from typing import TextIO, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.faults import Faults
from mlrq.errors import DataError, MlrqError

ROWS_PER_BATCH, CELLS_PER_BATCH = 8192, 1 << 22
LONGEST_LINE = 1 << 24  # characters


def open_text(path: Path, errors: str = "strict") -> TextIO:
    """Open a UTF-8 text file, gzip-compressed where its name ends in .gz; a byte order mark is skipped.

    Args:
        path: The file.
        errors: What becomes of bytes that are not UTF-8, as Python names it.

    Raises:
        MlrqError: If it is missing or cannot be read.
    """
    try:
        if path.suffix == ".gz":
            from mlrq.datasets.gunzip import Gunzip

            return io.TextIOWrapper(Gunzip(path), encoding="utf-8-sig", errors=errors, newline="")
        return path.open(encoding="utf-8-sig", errors=errors, newline="")
    except FileNotFoundError:
        raise MlrqError(f"{path}: no such file") from None
    except OSError as error:
        raise MlrqError(f"{path}: cannot be read: {error.strerror}") from error


class _Lines:
    """Lines, of which those of the record that is being read are kept, for they may have to be read again.

    Attributes:
        record: Those that were given out since it was last cleared.
        count: Number of lines given out, and not taken back.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.record: list[str] = []
        self.count = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.count += 1
        self.record.append(line)
        return line

    def take_back(self) -> None:
        """Give all lines of the record but the first out again: a stray quote made it too long."""
        self.count -= len(self.record) - 1
        self._again.extendleft(reversed(self.record[1:]))


def read_lines(stream: TextIO, name: str, before: int = 0) -> Iterator[str]:
    """The lines of `stream`, which has `before` lines before it in the file.

    Raises:
        DataError: If it is not UTF-8 text, a line has no end, or its compression is foreign or cut short.
    """
    number = before
    try:
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise DataError(f"{name}, line {number}: longer than {LONGEST_LINE:,} characters")
            yield line
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 text in or after line {number + 1}: {error.reason}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot be read: {error}") from None


def _is_number(text: str) -> bool:
    try:
        if "_" in text or not text.isascii():  # Python reads 1_000 and other digits, nobody else does
            return False
        float(text)
    except ValueError:
        return False
    return True


def _is_text(cells: Sequence[str]) -> bool:
    """Whether all cells are Unicode, not bytes that stand for themselves as surrogates."""
    text = "".join(cells)
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def batch_size(columns: int) -> int:
    """How many rows of `columns` cells are in memory at once."""
    return max(1, min(ROWS_PER_BATCH, CELLS_PER_BATCH // columns))


def places_of(columns: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """The place of each of `wanted` in `columns`, whose names differ."""
    found = {name: place for place, name in enumerate(columns)}
    return [found[name] for name in wanted]


Picker = Callable[[Sequence[str]], Sequence[str]]


def picker(places: list[int]) -> Picker:
    """Takes the cells at `places` out of a row; itemgetter returns a bare cell for a single place."""
    if len(places) == 1:
        return lambda row: [row[places[0]]]
    return cast(Picker, itemgetter(*places))


class CsvTable:
    """CSV lines with a header first, read forwards once.

    Args:
        lines: The text.
        name: What to call it in messages.
        delimiter: One character.
        columns: The names, where the header is not in `lines`, for they start further down.
        before: Number of lines before them.
        largest: Magnitude of the largest number that is let through.
        way_out: Of a cell and its column: what helps where that is no number, as the end of a sentence.

    Attributes:
        name: What to call it in messages.
        delimiter: Between cells.
        columns: The names in the header, in order, without surrounding blanks.
    """

    def __init__(
        self,
        lines: Iterable[str],
        name: str,
        delimiter: str = ",",
        columns: tuple[str, ...] = (),
        before: int = 0,
        largest: float = sys.float_info.max,
        way_out: Callable[[str, str], str] = lambda cell, column: "",
    ) -> None:
        self.name = name
        self.delimiter = delimiter
        self._before = before
        self._largest = largest
        self._way_out = way_out
        self._lines = _Lines(lines)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self.columns = columns or self._header(name)

    @property
    def line(self) -> int:
        """Number of the last line that was read."""
        return self._before + self._lines.count

    def _header(self, name: str) -> tuple[str, ...]:
        try:
            header: list[str] | None = []
            while header == []:
                self._lines.record.clear()
                header = next(self._reader, None)
        except csv.Error as error:
            raise DataError(f"{name}, line {self.line}: {error}") from None
        if header is None:
            raise MlrqError(f"{name}: empty; expected a header line and rows")
        if not _is_text(header):
            raise DataError(f"{name}: not UTF-8 text in line {self.line}")
        columns = tuple(cell.strip() for cell in header)
        if all(_is_number(cell) for cell in columns):
            raise MlrqError(f"{name}: no header line; line 1 must name the columns, but holds numbers")
        if "" in columns:
            place = columns.index("") + 1
            raise MlrqError(f"{name}, line 1: column {place} of the header has no name")
        twice = {column for column, count in Counter(columns).items() if count > 1}
        if twice:
            raise MlrqError(f"{name}, line 1: the header names {_quoted(sorted(twice))} twice")
        return columns

    def rows(self) -> Iterator[tuple[list[str], int] | DataError]:
        """Rows that are not blank, each with the number of its last line; for one that is none, its fault.

        What begins with a quote that nothing closes is one line, and the next line is another row.
        """
        width, record = len(self.columns), self._lines.record
        while True:
            record.clear()
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                self._lines.take_back()
                yield DataError(f"{self.name}, line {self.line}: {error}")
                continue
            if row is None:
                return
            if len(row) == width:
                yield row, self.line
            elif row:
                cells = f"{len(row)} cells, but the header has {width}{self._delimiter_hint()}"
                yield DataError(f"{self.name}, line {self.line}: {cells}")

    def batches(self, wanted: Sequence[str]) -> Iterator[NDArray[np.float64]]:
        """(at most ROWS_PER_BATCH, len(wanted)) float64 arrays of the columns `wanted`, in that order.

        Raises:
            MlrqError: At once, for a column that is not there.
            DataError: Later, for a row with too few or too many cells, or a cell that is not a finite
                number or is too large, with its line and column.
        """
        pick = picker(places_of(self.columns, present(self.columns, wanted, self.name)))
        return self._batches(wanted, pick)

    def _batches(self, wanted: Sequence[str], pick: Picker) -> Iterator[NDArray[np.float64]]:
        rows, size = self.rows(), batch_size(len(self.columns))
        while batch := list(islice(rows, size)):
            whole = list(takewhile(lambda row: not isinstance(row, DataError), batch))
            cells, lines = zip(*whole, strict=True) if whole else ((), ())
            values = self.numbers(wanted, [pick(row) for row in cells], lines)
            for fault in batch[len(whole) : len(whole) + 1]:
                raise cast(DataError, fault)
            yield values

    def marked(self, wanted: Sequence[str], faults: Faults) -> Iterator[NDArray[np.float64]]:
        """The same, with NaN throughout a row that cannot be read, of which `faults` is told."""
        pick = picker(places_of(self.columns, wanted))
        rows, size = self.rows(), batch_size(len(self.columns))
        while batch := list(islice(rows, size)):
            table = np.full((len(batch), len(wanted)), np.nan)
            found: dict[int, DataError] = {}
            whole = []
            for place, row in enumerate(batch):
                if isinstance(row, DataError):
                    found[place] = row
                elif not _is_text(row[0]):
                    found[place] = DataError(f"{self.name}, line {row[1]}: not UTF-8 text")
                else:
                    whole.append((place, pick(row[0]), row[1]))
            self._mark(wanted, whole, table, found)
            for place in sorted(found):
                faults.add(found[place])
            yield table

    def _mark(
        self,
        wanted: Sequence[str],
        rows: list[tuple[int, Sequence[str], int]],
        table: NDArray[np.float64],
        found: dict[int, DataError],
    ) -> None:
        """Fill `table` with the numbers of `rows` (place, cells, line); faults go to `found`."""
        if not rows:
            return
        places, cells, lines = zip(*rows, strict=True)
        try:
            table[list(places)] = self.numbers(wanted, cells, lines)
        except DataError as error:
            if len(rows) == 1:
                found[places[0]] = error
                return
            half = len(rows) // 2
            self._mark(wanted, rows[:half], table, found)
            self._mark(wanted, rows[half:], table, found)

    def numbers(
        self, wanted: Sequence[str], cells: Sequence[Sequence[str]], lines: Sequence[int]
    ) -> NDArray[np.float64]:
        """(rows, len(wanted)) float64 of as many cells.

        Args:
            wanted: Names of the columns, for messages.
            cells: Of each row.
            lines: Number of each row's line, for messages.

        Raises:
            DataError: For the first cell that is not a finite number or is too large.
        """
        try:
            values = np.array(cells, dtype=np.float64).reshape(len(cells), len(wanted))
            text = "".join(map("".join, cells))
            clean = text.isascii() and "_" not in text and bool((np.abs(values) <= self._largest).all())
        except ValueError:
            clean = False
        if not clean:
            self._raise_bad_cell(wanted, cells, lines)
        return values

    def _raise_bad_cell(
        self, wanted: Sequence[str], cells: Sequence[Sequence[str]], lines: Sequence[int]
    ) -> None:
        for row, line in zip(cells, lines, strict=True):
            for name, cell in zip(wanted, row, strict=True):
                if not _is_number(cell):
                    what = "is empty" if not cell.strip() else f"{cell!r} is not a number"
                    what += self._way_out(cell, name)
                elif not math.isfinite(float(cell)):
                    what = f"{cell!r} is not a finite number"
                elif abs(float(cell)) > self._largest:
                    what = f"{cell!r} exceeds {self._largest:g}: change its unit"
                else:
                    continue
                raise DataError(f"{self.name}, line {line}, column {name!r}: {what}")

    def _delimiter_hint(self) -> str:
        likely = [mark for mark in ";\t|," if mark != self.delimiter and mark in self.columns[0]]
        return f"; is the delimiter {likely[0]!r}?" if len(self.columns) == 1 and likely else ""


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def feature_names(
    columns: Sequence[str], target: list[str], features: list[str] | None, name: str
) -> list[str]:
    """Names of the features: `features`, or for None every one of `columns` that is no target.

    Raises:
        MlrqError: If there is none.
    """
    names = features or [column for column in columns if column not in target]
    if not names:
        raise MlrqError(f"{name}: every column is a target; there is no feature to learn from")
    return names


def present(columns: Sequence[str], wanted: Sequence[str], name: str) -> Sequence[str]:
    """`wanted`, if `columns` has all of them.

    Raises:
        MlrqError: Naming those that are missing and those that are there.
    """
    there = set(columns)
    missing = [column for column in wanted if column not in there]
    if missing:
        shown = _quoted(columns[:20]) + (", ..." if len(columns) > 20 else "")
        hint = ""
        if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|,"):
            hint = " (is another delimiter needed?)"
        plural = "s" if len(missing) > 1 else ""
        raise MlrqError(f"{name}: no column{plural} {_quoted(missing)}; it has {shown}{hint}")
    return wanted
