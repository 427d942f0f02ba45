"""SIGINT and SIGTERM end the program as one exception, wherever it is; a second one ends it at once."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Ended(KeyboardInterrupt):
    """A signal came. Of a plain KeyboardInterrupt Python dies by SIGINT, even where it was caught."""


_received: signal.Signals | None = None
_put_off = False


def received() -> signal.Signals | None:
    """The signal that is ending the program; None while none is."""
    return _received


def heed() -> None:
    """Raise `Ended` at the first signal from now on. One that is ignored already stays ignored.

    A shell without job control ignores SIGINT for what it starts in the background, lest Ctrl-C end that too.
    """
    global _received
    _received = None
    sys.unraisablehook = _again
    for number in WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def put_off() -> Iterator[None]:
    """Let a signal wait until the block ends, for what cannot be begun or ended by halves.

    Some modules in C++ abort at an exception in their import, at once or as Python ends; and processes that
    were being started are not all known yet.
    """
    global _put_off
    before, earlier, _put_off = _put_off, _received, True
    try:
        yield
    finally:
        _put_off = before
        if _received is not earlier and not before:
            raise Ended


def ignore() -> None:
    """Let no signal disturb an end that was reached."""
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:
    global _received
    del frame
    if _received is not None:
        os._exit(128 + _received)
    _received = signal.Signals(number)
    if not _put_off:
        raise Ended


def _again(lost: Any) -> None:
    """Send a signal again whose exception was lost, for it was raised where Python lets none through.

    Whatever else is lost while a signal ends the program is what the end itself tore, and no news.
    """
    global _received
    if _received is None:
        sys.__unraisablehook__(lost)
    if _received is None or not issubclass(lost.exc_type, KeyboardInterrupt):
        return
    number, _received = _received, None
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001)  # here, too, it would be lost
