"""`run.json`: what is of a run and not of its results, beside the artifacts that are the same everywhere."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlrq import __version__, kernel
from mlrq.files import write

RUN = "run.json"


def record(folder: Path, stages: tuple[str, ...], dataset: dict[str, Any], seconds: float) -> None:
    """Write when, how and where stages ran; what is recorded of other stages stays.

    Args:
        folder: The output folder.
        stages: Those that ran.
        dataset: The dataset group of the configuration, plain values: where the rows were.
        seconds: That they took.

    Raises:
        MlrqError: If the folder cannot be written to.
    """
    path = folder / RUN
    try:
        before = json.loads(path.read_bytes())["stages"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        before = {}
    own = {
        "command": ["mlrq", *sys.argv[1:]],
        "dataset": dataset,
        "machine": _machine(),
        "seconds": round(seconds, 3),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": _versions(),
    }
    ran = {**(before if isinstance(before, dict) else {}), **dict.fromkeys(stages, own)}
    document = {"format": "mlrq.run", "schema": 1, "stages": ran}
    write(path, json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n")


def _machine() -> dict[str, Any]:
    named = os.uname() if hasattr(os, "uname") else None
    return {
        "cores": os.cpu_count(),
        "kernel": kernel.NAME,
        "processor": named.machine if named else None,
        "system": f"{named.sysname} {named.release}" if named else sys.platform,
    }


def _versions() -> dict[str, str]:
    """Of Python, mlrq, NumPy, and of scikit-learn where it was needed."""
    found = {"mlrq": __version__, "numpy": np.__version__, "python": sys.version.partition(" ")[0]}
    if "sklearn" in sys.modules:
        found["scikit-learn"] = sys.modules["sklearn"].__version__
    return found
