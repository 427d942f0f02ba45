"""Measure an exported model on a Cortex-M0 and run its self-test on an emulated one: size.py FOLDER.

FOLDER holds what `export=c` wrote. The compiler is arm-none-eabi-gcc and the emulator qemu-system-arm; where
one is missing, a line says so, and what it would have shown is left out. Sizes are of linked programs, beyond
those of an empty one; the compiler's own routines, such as a 64-bit product, are in them. The stack is what a
call overwrites on the emulated core, these routines included.

Of a model of a table's columns there is a line for each column that is looked up, by its category, its truth
value or whether a number is missing: what the program takes less without it, of table and code.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
COMPILER, SIZE, EMULATOR = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
CORE = ("-mcpu=cortex-m0", "-mthumb", "-Os")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
UNUSED = ("-Wno-unused-const-variable", "-Wno-unused-function")  # of a model without one of its lines
# No C library: without one the compiler must not turn a loop into a call of memcpy.
FREESTANDING = ("-ffreestanding", "-fno-tree-loop-distribute-patterns", "-nostdlib")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-T", HERE / "cortex_m0.ld")
BOARD = ("-M", "microbit", "-display", "none", "-serial", "none", "-monitor", "none")
SEMIHOSTING = ("-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out")

PATHS = (
    ("integer", "integer path, codes to fixed point", "INTEGER_PATH"),
    ("float", "float path, reals to reals", "FLOAT_PATH"),
)
COLUMN_PATHS = (
    ("cells", "integer path, columns as codes", "CELLS_PATH"),
    ("columns", "float path, columns as they are", "COLUMNS_PATH"),
)


@dataclass(frozen=True)
class Part:
    """A program and its bytes: code and constants, initialized memory, zeroed memory, stack frames."""

    program: Path
    text: int
    data: int
    bss: int
    frames: int


def fail(text: str) -> NoReturn:
    """One line on standard error, and exit code 1."""
    print(f"size: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(1)


def run(*command: str | Path) -> str:
    """What it prints; a command that fails ends everything."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        fail(f"no end after a minute: {command[0]}")
    if done.returncode:
        fail(f"{command[0]} failed: {done.stdout} {done.stderr}")
    return done.stdout


class Model:
    """An exported model, and the programs made of it in a scratch folder."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        tests = sorted(folder.glob("*_self_test.c"))
        if len(tests) != 1:
            fail(f"{folder}: {len(tests)} C exports, and not one: `mlrq export export=c` writes it")
        self.folder, self.scratch = folder, scratch
        self.prefix = tests[0].name.removesuffix("_self_test.c")
        self.text = (folder / f"{self.prefix}.c").read_text()

    @property
    def lookups(self) -> dict[str, str]:
        """Of each column that is looked up, as its table's comment calls it: the line that does."""
        told = rf"What column (.*?)\s+adds, by .*?{self.prefix}_(by_\w+)\["
        lines = {
            name: line
            for line, name in re.findall(rf"^(    sum \+= {self.prefix}_(by_\w+)\[.*\n)", self.text, re.M)
        }
        return {column: lines[name] for column, name in re.findall(told, self.text, re.DOTALL)}

    def link(self, name: str, *defined: str, model: bool = True, without: str = "") -> Part:
        """Link microcontroller/main.c with `defined`, with the model or not, or without a line of it."""
        program = self.scratch / f"{name}.elf"
        upper = self.prefix.upper()
        defines = [f"-D{item}" for item in (*defined, f"PREFIX={self.prefix}", f"PREFIX_UPPER={upper}")]
        sources = [HERE / "main.c"]
        if model:
            defines += [f"-D{upper}_NO_MAIN", "-include", str(self.folder / f"{self.prefix}.h")]
            sources.append(self._source(name, without))
        if "SELF_TEST" in defined:
            sources.append(self.folder / f"{self.prefix}_self_test.c")
        flags = (*CORE, *STRICT, *(UNUSED if without else ()), *FREESTANDING, *SECTIONS, "-fstack-usage")
        run(COMPILER, *flags, *defines, *sources, "-lgcc", "-o", program)
        text, data, bss = map(int, run(SIZE, program).splitlines()[1].split()[:3])
        return Part(program, text, data, bss, self._frames(name))

    def _source(self, name: str, without: str) -> Path:
        """The source of the model, or a copy of it without a line."""
        if not without:
            return self.folder / f"{self.prefix}.c"
        path = self.scratch / f"{name}.c"
        path.write_text(self.text.replace(without, ""))
        (self.scratch / f"{self.prefix}.h").write_bytes((self.folder / f"{self.prefix}.h").read_bytes())
        return path

    def _frames(self, name: str) -> int:
        """Bytes of stack in the frames of the model's functions, of which none calls itself."""
        usage = self.scratch / f"{name}.elf-{self.prefix}.su"
        found = re.findall(r"\t(\d+)\tstatic$", usage.read_text(), re.MULTILINE) if usage.exists() else []
        return sum(map(int, found))


def emulate(program: Path) -> int:
    """The number that `program` prints on an emulated Cortex-M0."""
    return int(run(EMULATOR, *BOARD, *SEMIHOSTING, "-kernel", program))


def report(model: Model, most: int | None) -> None:
    """Print text, data and stack of both paths, and what the emulated core computes."""
    empty = model.link("empty", model=False)
    emulator = shutil.which(EMULATOR) is not None
    print(f"Cortex-M0, {COMPILER} {run(COMPILER, '-dumpversion').strip()} -Os: bytes beyond an empty program")
    print(f"  {'':<36}{'text':>6}{'data':>6}{'bss':>6}{'stack':>7}")
    no_float, paths = f"{model.prefix.upper()}_NO_FLOAT", PATHS
    if f"{model.prefix}_infer_cells" in model.text:
        paths = (*PATHS, *COLUMN_PATHS)
    for name, about, path in paths:
        defined = [path, no_float] if name in ("integer", "cells") else [path]
        part = model.link(name, *defined)
        text, data, bss = part.text - empty.text, part.data - empty.data, part.bss - empty.bss
        if emulator:
            stack = str(emulate(model.link(f"{name}_stack", "MEASURE_STACK", *defined).program))
        else:
            stack = f"~{part.frames}"
        print(f"  {about:<36}{text:>6}{data:>6}{bss:>6}{stack:>7}")
        if most is not None and name == "integer" and text > most:
            fail(f"the integer path takes {text} bytes of text, and at most {most} are allowed")
        if name == "cells":
            for place, (column, line) in enumerate(model.lookups.items()):
                less = model.link(f"without_{place}", *defined, without=line).text
                print(f"    {f'of it, look-up of {column}':<34}{part.text - less:>6}")
    if emulator:
        wrong = emulate(model.link("self_test", "SELF_TEST").program)
        if wrong:
            fail(f"self-test on the emulated core: {wrong} numbers differ from Python's")
        print("  self-test on the emulated core: every number is Python's")
    else:
        print(f"  {EMULATOR} is not installed: stack as compiled, not as used, and no self-test")


def main() -> None:
    """Parse the command line, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="with the files of one C export")
    parser.add_argument(
        "--at-most", type=int, metavar="BYTES", help="fail if the integer path takes more text"
    )
    arguments = parser.parse_args()
    if shutil.which(COMPILER) is None:
        print(f"size: {COMPILER} is not installed: nothing measured (Debian: apt install gcc-arm-none-eabi)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        report(Model(arguments.folder, Path(scratch)), arguments.at_most)


if __name__ == "__main__":
    main()
