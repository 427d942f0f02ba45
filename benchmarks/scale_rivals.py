"""scikit-learn and scikit-learn-intelex on the same tables, for `scale.py`.

Intel's package is no dependency: it comes from an interpreter that has it, or an environment of its own.
"""

import json
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

from processes import Run, available
from scale_bench import JOBS, Bench, say

# Of a table's numbers: what loading it and scikit-learn's fit were seen to take at their peak, and some.
FIT_NEEDS = 5.5

Fitted = dict[str, tuple[Run, dict[str, float]]]


def rivals(bench: Bench, rows: list[int], features: int, intelex: str) -> tuple[Fitted, list[str]]:
    """The fits of as many rows as memory holds, with what they told, and notes on what could not be done."""
    memory = available()
    fitting = [count for count in rows if FIT_NEEDS * 8 * (features + 1) * count / 1e6 < memory]
    if not fitting:
        return {}, [f"scikit-learn: {rows[0]:,} rows do not fit into {memory:,.0f} MB, so it was not run"]
    table = bench.table(fitting[-1], features)
    fitted, notes = {}, []
    pythons = {"scikit-learn": (sys.executable, "sklearn")}
    if intelex == "no":
        notes.append("scikit-learn-intelex: not run (--intelex no)")
    else:
        try:
            python = intel_python(bench.folder) if intelex == "make" else intelex
            pythons["scikit-learn-intelex"] = (python, "sklearnex")
        except RuntimeError as error:
            notes.append(f"scikit-learn-intelex: cannot be installed: {error}")
    for name, (python, package) in pythons.items():
        say(f"{name}: {table.rows:,} rows")
        try:
            # The best of them: noise must not make a rival look slow.
            runs = [bench.once([python, JOBS, "fit", str(table.path), package]) for _ in range(bench.repeat)]
        except (RuntimeError, OSError) as error:
            notes.append(f"{name}: {error}")
            continue
        best = min(runs, key=lambda one: json.loads(one.output)["seconds"])
        fitted[name] = best, json.loads(best.output)
    return fitted, notes


def intel_python(folder: Path) -> str:
    """The interpreter of an environment of its own that has scikit-learn-intelex, made if it is not there.

    Raises:
        RuntimeError: With pip's last line, if it cannot be installed.
    """
    home = folder / "intelex"
    python = home / "bin" / "python"
    there = python.exists()
    if there:
        there = not subprocess.run([python, "-c", "import sklearnex"], capture_output=True).returncode
    if not there:
        say("installing scikit-learn-intelex into an environment of its own ...")
        venv.create(home, with_pip=True, clear=True)
        wanted = ["scikit-learn-intelex", f"pyarrow=={version('pyarrow')}"]
        done = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
    return str(python)
