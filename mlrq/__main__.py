"""`python -m mlrq` and `mlrq`: what must hold before anything else is imported."""

import gc
import io
import os
import sys

from mlrq.cli import signals


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line even while it is being imported."""
    signals.heed()
    _open_streams()
    # Nothing here is faster on several BLAS threads, and idle ones spin for a while on cores that are wanted.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What is imported and composed stays: to look for garbage in it takes a tenth of the start. mlrq.cli.main
    # enables it when that is over.
    gc.disable()
    code: str | int | None = 0
    try:
        from mlrq.cli.main import main

        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        if not (number := signals.received()):
            raise
        code = 128 + number
        print(f"mlrq: error: {signals.WORDS[number]}; what was written before is whole", file=sys.stderr)
    signals.ignore()
    sys.exit(code)


def _open_streams() -> None:
    """Put the null device where standard input or error is closed; without standard output, exit.

    Left closed, their descriptors would go to the next files that are opened, and messages into artifacts.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        handle = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: the one that was closed
        setattr(sys, name, open(handle, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if "stdout" in closed:
        print("mlrq: error: standard output is closed: redirect it, to /dev/null for none", file=sys.stderr)
        sys.exit(1)
    if isinstance(sys.stdout, io.TextIOWrapper):  # whose encoding may lack a character of somebody's name
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
