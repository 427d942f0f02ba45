"""`run.json`: what is of a run and not of its results, beside the artifacts that are the same everywhere."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlrq import __version__, kernel
from mlrq.errors import MlrqError
from mlrq.files import contents

RUN = "run.json"


def record(dataset: dict[str, Any], seconds: dict[str, float]) -> dict[str, dict[str, Any]]:
    """When, how and where stages ran, by their names.

    Args:
        dataset: The dataset group of the configuration, plain values: where the rows were.
        seconds: That each stage took, and "read" before them.
    """
    read = round(seconds["read"], 3)
    own = {
        "command": ["mlrq", *sys.argv[1:]],
        "dataset": dataset,
        "directory": str(Path.cwd()),
        "machine": _machine(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": _versions(),
    }
    stages = {stage: round(took, 3) for stage, took in seconds.items() if stage != "read"}
    return {stage: {**own, "seconds": {"read": read, "stage": took}} for stage, took in stages.items()}


def document(folder: Path, ran: dict[str, dict[str, Any]]) -> bytes:
    """The record of the stages that `ran` now, beside those that `folder` has, for a person to read."""
    try:
        before = json.loads(contents(folder / RUN))["stages"]
    except (OSError, MlrqError, ValueError, RecursionError, KeyError, TypeError):
        before = {}
    stages = {**(before if isinstance(before, dict) else {}), **ran}
    body = {"format": "mlrq.run", "schema": 1, "stages": stages}
    return json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


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
