"""Cutting a CSV file into pieces at ends of records, in one pass over its bytes.

By RFC 4180 a line break ends a record if and only if the number of quotes before it is even. A file that
breaks the rule, with a quote inside a cell that is not quoted, is cut elsewhere; then a piece has other rows
than were counted here, or ends within quotes, which its reader finds. If no reader objects, every piece began
at a record.
"""

import io
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, ClassVar, TextIO

import numpy as np

from mlrq.datasets.parts import Part
from mlrq.datasets.tables import CsvTable, read_lines

PIECE = 16 << 20  # bytes: seconds of work, and a few times that in memory
BLOCK = 1 << 20  # what stays in a processor's cache

_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


@dataclass(frozen=True)
class Span:
    """Consecutive records.

    Attributes:
        begin: Offset of the first byte.
        end: Offset after the last byte.
        rows: Number of records; blank lines are none.
        line: Number of lines before it in the file.
    """

    begin: int
    end: int
    rows: int
    line: int


@dataclass(frozen=True, kw_only=True)
class Piece(Part):
    """A part that is a span of a CSV file."""

    unit: ClassVar[str] = "piece"

    span: Span


def spans(file: IO[bytes], begin: int, line: int, several: bool) -> Iterator[Span]:
    """The records of `file`, read from where it stands.

    Args:
        file: At the start of a record.
        begin: Its offset there.
        line: Number of lines before.
        several: Whether there may be more than one span, of about PIECE bytes.
    """
    position, rows = begin, 0
    odd = False  # quotes so far
    ended = True  # whether the last byte was a line break outside quotes
    lines = line  # so far; `line` is where the span began
    last = b""
    while block := file.read(BLOCK):
        codes = np.frombuffer(block, dtype=np.uint8)
        breaks = codes == _NEWLINE
        if b"\r" in block:
            breaks |= codes == _RETURN
        quotes = np.flatnonzero(codes == _QUOTE)
        if odd or len(quotes):
            places = np.flatnonzero(breaks)
            breaks[places[(np.searchsorted(quotes, places) + odd) % 2 == 1]] = False
            odd = bool((len(quotes) + odd) % 2)
        starts = np.flatnonzero(breaks[:-1] & ~breaks[1:]) + 1
        if ended and not breaks[0]:
            starts = np.concatenate([[0], starts])
        ended = bool(breaks[-1])
        place = int(starts[-1]) if len(starts) else 0
        if several and rows + len(starts) > 1 and len(starts) and position + place - begin >= PIECE:
            yield Span(begin, position + place, rows + len(starts) - 1, line)
            begin, rows = position + place, 1
            line = lines + _line_ends(last, block[:place])
        else:
            rows += len(starts)
        lines += _line_ends(last, block)
        position += len(block)
        last = block[-1:]
    if rows:
        yield Span(begin, position, rows, line)


def _line_ends(last: bytes, block: bytes) -> int:
    """How many of LF, CR and CR LF; the LF of a CR that was the `last` byte before is counted already."""
    straddling = last == b"\r" and block.startswith(b"\n")
    count = block.count(b"\n") - straddling
    if b"\r" in block:  # worth a look: most files have none
        count += block.count(b"\r") - block.count(b"\r\n")
    return count


def has_quotes(file: IO[bytes], begin: int) -> bool:
    """Whether there is a quote in what follows."""
    file.seek(begin)
    return any(b'"' in block for block in iter(partial(file.read, BLOCK), b""))


def recounted(file: IO[bytes], begin: int, header: CsvTable, several: bool) -> Iterator[Span]:
    """The spans as a reader of rows finds them, whatever quotes there are, which takes twenty times as long.

    They are others where a cell that is not quoted has a quote in it; see the module.
    """
    file.seek(begin)
    ends: deque[int] = deque()  # offset after each line that is not yet known to be in a span

    def measured() -> Iterator[str]:
        end = begin
        for line in read_lines(text_of(file, sys.maxsize, by_row=True), header.name):
            end += len(line) if line.isascii() else len(line.encode(errors="surrogateescape"))
            ends.append(end)
            yield line

    table = CsvTable(measured(), header.name, header.delimiter, header.columns, header.line)
    start, line, rows = begin, header.line, 0  # of the span
    end, before = begin, header.line  # of the record before
    for _ in table.rows():
        if several and rows and end - start >= PIECE:
            yield Span(start, end, rows, line)
            start, line, rows = end, before, 0
        rows += 1
        while before < table.line:
            end, before = ends.popleft(), before + 1
    if rows:
        yield Span(start, end, rows, line)


def text_of(file: IO[bytes], size: int, by_row: bool) -> TextIO:
    """The next `size` bytes as text; in it, if `by_row`, bytes that are not UTF-8 are surrogates."""
    errors = "surrogateescape" if by_row else "strict"
    return io.TextIOWrapper(
        io.BufferedReader(_Window(file, size)), encoding="utf-8", errors=errors, newline=""
    )


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
