"""The problems of `benchmarks/problems`."""

import json

import numpy as np
from conftest import PROJECT
from numpy.typing import NDArray

PROBLEMS = PROJECT / "benchmarks" / "problems"
NAMES = sorted(path.stem for path in PROBLEMS.glob("*.json"))


def problem(name: str, units: str = "raw") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Triangle and target; `units` per_feature divides each feature by its standard deviation."""
    told = json.loads((PROBLEMS / f"{name}.json").read_text())
    triangle = np.zeros((len(told["column"]), len(told["column"])))
    for row, numbers in enumerate(told["triangle"]):
        triangle[row, row:] = numbers
    if units == "per_feature":
        triangle = triangle / np.sqrt(np.square(triangle).sum(axis=0)).astype(np.float32)
    return triangle, np.array(told["column"])
