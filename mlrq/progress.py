"""Signs of life on standard error for what lasts over a second: drawn on a terminal, lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.0  # seconds before the first sign
LOG_INTERVAL = 5.0  # seconds between lines where there is no terminal


@contextmanager
def activity(text: str) -> Iterator[None]:
    """Say what is going on while the block runs: a spinner on a terminal, one line elsewhere."""
    shown = []

    def show() -> None:
        from rich.console import Console  # only now: most blocks end before

        console = Console(stderr=True)
        if console.is_terminal:
            shown.append(status := console.status(text))
            status.start()
        else:
            print(f"{text} ...", file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in shown:
            status.stop()


class RowCounter:
    """Counts rows: call it with the number done so far, and use it as a context manager."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._shown = self._start
        # Drawing among the predictions themselves would garble both.
        self._draws = sys.stderr.isatty() and not sys.stdout.isatty()
        self._drew = False

    def __call__(self, done: int) -> None:
        """Show the count, if it is time to."""
        now = time.monotonic()
        if now - self._shown < (PATIENCE if self._draws else LOG_INTERVAL):
            return
        self._shown = now
        text = f"{done:,} rows, {done / (now - self._start):,.0f} rows/s"
        self._drew = self._draws
        print(f"\r{text}\033[K" if self._draws else text, end="" if self._draws else "\n",
              file=sys.stderr, flush=True)  # fmt: skip

    def __enter__(self) -> "RowCounter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._drew:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
