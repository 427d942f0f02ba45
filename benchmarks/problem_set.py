"""The problems of `benchmarks/problems`: triangles of real tables, and generated ones."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlrq.stats.linear_algebra import triangularise

FOLDER = Path(__file__).parent / "problems"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
UNITS = ("raw", "per_feature")


@dataclass(frozen=True)
class Problem:
    """Codes p and a scale s >= 0 that make `||column - s triangle p||^2`, the excess, small.

    Attributes:
        name: Of the table.
        triangle: (n, n) float64, `R'R` is the covariance of the features.
        column: (n,) float64, `R` times the weights of least squares.
        noise: The float model's mean squared error on the rows.
    """

    name: str
    triangle: NDArray[np.float64]
    column: NDArray[np.float64]
    noise: float


def problem(name: str, units: str = "raw") -> Problem:
    """A problem of the set; `units` per_feature divides each feature by its standard deviation."""
    told = json.loads((FOLDER / f"{name}.json").read_text())
    triangle = np.zeros((len(told["column"]), len(told["column"])))
    for row, numbers in enumerate(told["triangle"]):
        triangle[row, row:] = numbers
    if units == "per_feature":
        triangle = triangle / np.sqrt(np.square(triangle).sum(axis=0)).astype(np.float32)
    return Problem(name, triangle, np.array(told["column"]), told["residual_variance"])


def generated(size: int) -> Problem:
    """Equally correlated features (1/2) and normal weights, from NumPy's generator seeded with `size`."""
    rng = np.random.default_rng(size)
    rows = rng.standard_normal((2 * size, size)) + rng.standard_normal((2 * size, 1))
    triangle = triangularise(rows) / np.sqrt(2 * size)
    return Problem(f"{size} features", triangle, triangle @ rng.standard_normal(size), 1.0)
