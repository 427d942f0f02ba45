"""How a command ends: exit codes, and a line on standard error for everything that went wrong."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from hydra.errors import HydraException

from mlrq.errors import MESSAGE, ConfigError, MlrqError, printable

# A stage failed, the command line is wrong, Ctrl-C, SIGTERM.
FAILURE, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def notice(text: str) -> None:
    """One line on standard error that is not an error."""
    print(f"mlrq: note: {printable(text)}", file=sys.stderr)


def fail(code: int, *lines: str) -> NoReturn:
    """Print `lines` as errors, and exit with `code`."""
    for line in lines:
        print(f"mlrq: error: {printable(line)}", file=sys.stderr)
    sys.exit(code)


def interrupted(sweep: str | None = None) -> NoReturn:
    """Say how the sweep in the folder `sweep` goes on, or that nothing was lost, and exit."""
    if sweep:
        fail(INTERRUPTED, f"interrupted; resume={sweep} goes on with this sweep")
    fail(INTERRUPTED, "interrupted; what was written before is whole")


@contextmanager
def explained(find: Callable[[], list[str]] | None = None) -> Iterator[None]:
    """Turn what goes wrong in the block into lines on standard error and an exit code.

    Hydra keeps a job's exception, swallows a callback's, and announces both in its own words, but lets
    SystemExit through: so this goes around jobs and callbacks as well as around Hydra.

    Args:
        find: Finds every fault of a command line that Hydra refuses to compose.
    """
    try:
        yield
    except KeyboardInterrupt:
        interrupted()
    except BrokenPipeError:
        # The reader of our output left, as `head` does; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILURE)
    except Exception as error:
        if "hydra.verbose=true" in sys.argv:
            _trace()
        _explain(error, find)


def _trace() -> None:
    """Print the stack of the exception that is handled, each of its lines as one."""
    for line in traceback.format_exc().splitlines():
        print(printable(line, None), file=sys.stderr)


def _explain(error: Exception, find: Callable[[], list[str]] | None) -> NoReturn:
    """One line for each fault that an exception stands for, and exit."""
    if isinstance(error, ConfigError):
        fail(USAGE, *error.faults)
    if isinstance(error, MlrqError):
        fail(FAILURE, str(error))
    if isinstance(error, HydraException):
        fail(USAGE, *((find and find()) or [" ".join(str(error).split())]))
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        fail(FAILURE, f"{place}{error.strerror or error}")
    if isinstance(error, MemoryError):
        fail(FAILURE, "out of memory: fewer rows or features at a time are needed")
    name = type(error).__name__
    fail(FAILURE, f"{name}: {printable(error, MESSAGE // 2)} (a fault of mlrq: -v shows where)")


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that nothing is left lying about."""

    def end(*_: object) -> NoReturn:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit as leaving:
        if leaving.code == TERMINATED:  # said when the block has ended, lest its progress come after it
            fail(TERMINATED, "terminated")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
