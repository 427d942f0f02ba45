"""Progress on standard error for passes that last over a second: drawn on a terminal, lines elsewhere.

Whoever knows what is going on says so (`activity`), whoever works on rows counts them (`count`, `watched`),
and a thread shows both. What is said meanwhile goes `aside`, for it would be written into the line.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from mlrq.errors import columns, printable

Engine = Callable[..., Iterator[Any]]  # as in mlrq.streaming.engines

PATIENCE = 1.0  # seconds before the first sign
FRAME = 0.5  # seconds between two drawings on a terminal
LOG_INTERVAL = 5.0  # seconds between two lines where there is no terminal
WIPE = "\r\033[K"


@dataclass(frozen=True, eq=False)
class Rows:
    """How far a pass over rows is.

    Attributes:
        start: When it began, in seconds of the clock.
        done: How many are done.
        total: How many there are; None where nobody knows.
        number: Of the pass in its activity, from 1.
    """

    start: float
    done: int
    total: int | None = None
    number: int = 1


def describe(text: str, start: float, rows: Rows | None, now: float, width: int) -> str:
    """What is going on since `start`, how far, how fast, and the time left, in less than `width` columns.

    What has no place on a narrow terminal is left out, the speed first.
    """
    if rows is None:
        return _fitting(f"{text} ... {duration(now - start)}", width)
    name = f"{text}, pass {rows.number}" if rows.number > 1 else text
    of = "" if rows.total is None else f" of {rows.total:,}"
    count, speed, left = f"{name}: {rows.done:,}{of} rows", "", ""
    if rows.done and now > rows.start:
        rate = rows.done / (now - rows.start)
        speed = f", {rate:,.0f} rows/s"
        if rows.total is not None:
            left = f", {duration((rows.total - rows.done) / rate)} left"
    lines = (count + speed + left, count + left, name + left)
    return next((line for line in lines if columns(line) < width), _fitting(name, width))


def _fitting(line: str, width: int) -> str:
    """As much of printable `line` as takes less than `width` columns."""
    while columns(line) >= width:
        line = line[:-1]
    return line


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """What is going on, on one line of `stream`.

    Args:
        stream: Where to show it; None for what is standard error then.
        clock: Seconds that never go back.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._given, self._clock = stream, clock
        self._lock = threading.RLock()
        self._begin("")

    def _begin(self, text: str) -> None:
        self._text, self._start, self._passes = text, self._clock(), 0
        self._rows: Rows | None = None
        self._said: Rows | None = None  # in the last line written where there is no terminal
        self._said_at: float | None = None
        self._drawn = ""

    @contextmanager
    def activity(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, once it has run for a second."""
        self._begin(printable(text))
        over = threading.Event()

        def watch() -> None:
            wait = PATIENCE
            with suppress(OSError, MemoryError):  # it is what the thread shows that can do without it
                while not over.wait(wait):
                    self.show()
                    wait = FRAME

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.wipe()

    def watched(self, engine: Engine) -> Engine:
        """`engine`, with the rows counted of the parts whose results have come."""

        def watching(work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
            self._passes += 1
            start, done, total = self._clock(), 0, sum(part.rows for part in parts)
            self._rows = Rows(start, done, total, self._passes)
            for part, result in zip(parts, engine(work, parts), strict=True):
                done += part.rows
                self._rows = Rows(start, done, total, self._passes)
                yield result
            self._rows = None  # what follows the pass is not it

        return watching

    def count(self, done: int) -> None:
        """`done` rows are done, of nobody knows how many."""
        self._rows = Rows(self._start, done)

    def aside(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """`say`, on a line of its own."""

        def saying(text: str) -> None:
            with self._lock:  # the line must not come back in between
                self.wipe()
                say(text)

        return saying

    def show(self) -> None:
        """Draw the line anew on a terminal; elsewhere write one, if it is due and says something new."""
        stream, now, rows = self._stream, self._clock(), self._rows
        with self._lock:
            if stream.isatty() and os.environ.get("TERM") != "dumb":
                self._drawn = describe(self._text, self._start, rows, now, _width(stream))
                stream.write(WIPE + self._drawn)
                stream.flush()
            elif self._said_at is None:
                self._said_at = now
                print(f"{self._text} ...", file=stream, flush=True)
            elif rows is not None and rows is not self._said and now - self._said_at >= LOG_INTERVAL:
                self._said, self._said_at = rows, now
                print(describe(self._text, self._start, rows, now, sys.maxsize), file=stream, flush=True)

    def wipe(self) -> None:
        """Take the line away."""
        with self._lock:
            if self._drawn:
                self._stream.write(WIPE)
                self._stream.flush()
                self._drawn = ""

    @property
    def _stream(self) -> TextIO:
        return self._given or sys.stderr


def _width(terminal: TextIO) -> int:
    """Columns of the terminal itself: a line that is longer could not be drawn over."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except OSError:
        return 80
