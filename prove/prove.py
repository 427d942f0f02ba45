"""Prove exported C: prove.py [FOLDER ARTIFACT].

FOLDER has what `export=c` wrote of ARTIFACT, a quantized.json. Without them, made-up models of every kind.

constants   The bound and the formats that the header states, and the multipliers, follow from the artifact.
compiled    The C has the codes and intercepts of the artifact, and its outputs are exact: of every
            accumulator within the bound where there are up to 2^32, else on both sides of every step.
gcc, clang  No warning with -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow.
sanitizers  The self-test passes under gcc's ASan and UBSan.
Eva         Frama-C's abstract interpretation: no run-time error and no overflow for any inputs, and
            accumulators in the range that the artifact gives them, within the bound that the header states.
MISRA       cppcheck's addon finds nothing but the deviations that docs/misra.md lists with their reasons.

A tool that is not installed is said; where CI=true, it is a fault. `make toolchain` installs them all.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import CHECKS, Check
from exports import Export, default_exports, read
from finding import Finding

from mlrq.artifacts.documents import read_quantized

SHOWN = 20  # faults of a check


def prove(exports: Sequence[Export], folder: Path, checks: dict[str, Check]) -> dict[str, Finding]:
    """What each check finds, in `folder`, where the exports are written."""
    for one in exports:
        for name, text in one.files.items():
            (folder / name).write_text(text)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = {name: pool.submit(check, exports, folder) for name, check in checks.items()}
        return {name: one.result() for name, one in work.items()}


def report(findings: dict[str, Finding], strict: bool) -> bool:
    """Print what each check found; whether there is a fault, which a missing tool is where `strict`."""
    wrong = False
    for name, found in findings.items():
        said = f"not run: {found.missing} is not installed" if found.missing else found.told
        wrong |= bool(found.faults) or (strict and found.missing is not None)
        print(f"{name:<11} {f'{len(found.faults)} faults' if found.faults else said}")
        for fault in found.faults[:SHOWN]:
            print(f"  {fault}")
    return wrong


def main() -> None:
    """Print what was proven; exit code 1 if something was not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="with the files of one C export")
    parser.add_argument("artifact", type=Path, nargs="?", help="the quantized.json that it was made of")
    asked = parser.parse_args()
    start = time.monotonic()
    if asked.folder and asked.artifact:
        exports = [read(asked.folder, read_quantized(asked.artifact).model)]
    elif asked.folder:
        parser.error("name the artifact, too")
    else:
        exports = list(default_exports())
    with tempfile.TemporaryDirectory() as scratch:
        findings = prove(exports, Path(scratch), CHECKS)
    wrong = report(findings, os.environ.get("CI") == "true")
    count = f"{len(exports)} exports" if len(exports) > 1 else exports[0].prefix
    print(f"{count}: {'NOT PROVEN' if wrong else 'proven'} in {time.monotonic() - start:.0f} s")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
