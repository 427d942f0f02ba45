"""Cutting a CSV file into pieces at ends of records, in one pass over its bytes.

By RFC 4180 a line break ends a record if and only if the number of quotes before it is even. A file that
breaks the rule, with a quote inside a cell that is not quoted, is cut elsewhere; then a piece has other rows
than were counted here, or ends within quotes, which its reader finds. If no reader objects, every piece began
at a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, ClassVar

import numpy as np

from mlrq.datasets.parts import Part

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
