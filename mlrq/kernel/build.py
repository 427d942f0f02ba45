"""Compile the C files here to one library: when mlrq is installed, or by `python -m mlrq.kernel`.

It needs Python alone, for mlrq and what it needs may not be installed yet. Whoever only loads the library
comes here too, so what only a compiler needs is imported late.
"""

import hashlib
import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = tuple(sorted(FOLDER.glob("*.c")))
HEADERS = tuple(sorted(FOLDER.glob("*.h")))
LIBRARY = FOLDER / "_kernel.so"
# The last of them hold whatever CFLAGS says: the bits depend on them.
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-fno-fast-math", "-ffp-contract=off", "-fno-trapping-math")
# With a copy for each kind of processor, where compiler and C library can do that; else without.
KINDS = (("-DMLRQ_CLONES",), ())


def identity() -> str:
    """Tells a library that was made of these sources, with these flags, from one that was not."""
    texts = [(file.name, file.read_bytes()) for file in (*SOURCES, *HEADERS)]
    return hashlib.sha256(repr((texts, FLAGS, KINDS)).encode()).hexdigest()


def compiler() -> list[str] | None:
    """The command of a C compiler: CC, or the first that is found."""
    import shlex
    import shutil

    if given := os.environ.get("CC"):
        return shlex.split(given)
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else None


def build(library: Path = LIBRARY) -> str | None:
    """Compile to `library`, which appears when it is whole.

    Returns:
        None, or why there is none: NumPy does its work then, with the same bits.
    """
    import shlex
    import subprocess
    import tempfile

    command = compiler()
    if command is None:
        return "no C compiler was found"
    why = ""
    try:
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / library.name
            for kind in KINDS:
                name = f'-DMLRQ_SOURCE="{identity()}"'
                own = shlex.split(os.environ.get("CFLAGS", ""))
                arguments = [*command, *own, *FLAGS, *kind, name, "-o", str(made), *map(str, SOURCES)]
                done = subprocess.run(arguments, capture_output=True, text=True, errors="replace")
                if not done.returncode:
                    made.replace(library)
                    return None
                why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    except OSError as error:
        return f"{error.filename or library.parent}: {error.strerror}"
    return f"{command[0]} failed: {why}"
