"""How a command ends: exit codes, and a line on standard error for everything that went wrong."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from hydra.errors import HydraException

from mlrq.cli import signals
from mlrq.errors import MESSAGE, ConfigError, MlrqError, printable, without_memory

# A stage failed, or verify refuted; the command line is wrong; verify has not proven all that is claimed.
FAILURE, USAGE, INCOMPLETE = 1, 2, 3
FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT)  # what only a stream meets: a file has a name


def notice(text: str) -> None:
    """One line on standard error that is not an error."""
    print(f"mlrq: note: {printable(text)}", file=sys.stderr)


def fail(code: int, *lines: str) -> NoReturn:
    """Print `lines` as errors, and exit with `code`."""
    with suppress(OSError):  # standard error may be full, and the code tells all the same
        for line in lines:
            print(f"mlrq: error: {printable(line)}", file=sys.stderr)
    sys.exit(code)


def interrupted(sweep: str | None = None) -> NoReturn:
    """Say how the sweep in the folder `sweep` goes on, or that nothing was lost, and exit."""
    number = signals.received() or signal.SIGINT
    then = f"resume={sweep} goes on with this sweep" if sweep else "what was written before is whole"
    fail(128 + number, f"{signals.WORDS[number]}; {then}")


@contextmanager
def explained(find: Callable[[], list[str]] | None = None, sweep: str | None = None) -> Iterator[None]:
    """Turn what goes wrong in the block into lines on standard error and an exit code.

    Hydra keeps a job's exception, swallows a callback's, and announces both in its own words, but lets
    SystemExit through: so this goes around jobs and callbacks as well as around Hydra.

    Args:
        find: Finds every fault of a command line that Hydra refuses to compose.
        sweep: Folder of the sweep that an interrupt ends.
    """
    try:
        yield
    except KeyboardInterrupt:
        interrupted(sweep)
    except BrokenPipeError:
        _discard_output()  # its reader left, as `head` does
        sys.exit(FAILURE)
    except Exception as error:
        if signals.received():  # what was imported then may fail in its own words
            interrupted(sweep)
        if "hydra.verbose=true" in sys.argv:
            _trace()
        if isinstance(error, OSError) and error.errno in FULL and not error.filename:
            _discard_output()
        _explain(error, find)


def _discard_output() -> None:
    """Send what standard output still holds nowhere: Python writes it once more at exit, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _trace() -> None:
    """Print the stack of the exception that is handled, each of its lines as one."""
    for line in traceback.format_exc().splitlines():
        print(printable(line, None), file=sys.stderr)


def _explain(error: Exception, find: Callable[[], list[str]] | None) -> NoReturn:
    """One line for each fault that an exception stands for, and exit."""
    if isinstance(error, ConfigError):
        fail(USAGE, *error.faults)
    if isinstance(error, HydraException):
        fail(USAGE, *((find and find()) or [" ".join(str(error).split())]))
    fail(FAILURE, reason(error))


def reason(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MlrqError):
        return str(error)
    if unmet := without_memory(error):
        return f"out of memory: {printable(unmet, MESSAGE // 2)}"
    if isinstance(error, OSError):
        stream = "standard output" if error.errno in FULL else None
        place = error.filename or stream
        return f"{place}: {error.strerror or error}" if place else str(error.strerror or error)
    if isinstance(error, RuntimeWarning):
        return f"numbers are too large, too small or too far apart ({error}): change the units of the columns"
    return f"{type(error).__name__}: {printable(error, MESSAGE // 2)} (a fault of mlrq: -v shows where)"
