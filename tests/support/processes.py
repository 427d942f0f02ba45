"""Waiting for what other processes do."""

import time
from collections.abc import Callable

HANG = 600.0  # seconds after which what is waited for will not come; no machine is that slow


def wait(condition: Callable[[], object]) -> None:
    """Return as soon as `condition` holds; fail if it never does."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.002)
