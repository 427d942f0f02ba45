"""`python -m mlrq` and `mlrq`: what must hold before anything else is imported."""

import gc
import io
import os
import sys

from mlrq.cli import signals
from mlrq.errors import without_memory

NO_MEMORY = b"mlrq: error: out of memory\n"  # which is at hand, and to end in any other way takes more
LEAST = 256 << 20  # bytes of addresses: with fewer, libraries crash or say over many lines what they lack


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line even while it is being imported."""
    signals.heed()
    _open_streams()
    _require_memory()
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
    except BaseException as error:
        if not (number := signals.received()):
            if without_memory(error):
                os.write(2, NO_MEMORY)
                os._exit(1)
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


def _require_memory() -> None:
    """Exit where a limit such as that of `ulimit -v` leaves too few addresses to import what is needed.

    Within a limit Arrow uses the allocator of the system: jemalloc says in its own words what it cannot have.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    if limit != resource.RLIM_INFINITY and limit < LEAST:
        allowed = f"{limit >> 20:,} MiB of memory are allowed, and {LEAST >> 20} are needed: see ulimit -v"
        print(f"mlrq: error: out of memory: {allowed}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
