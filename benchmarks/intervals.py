"""Intervals beside those of MAPIE on the same rows, and how often they hold.

python benchmarks/intervals.py                             # Markdown
python benchmarks/intervals.py --docs docs/statistics.md   # between that page's markers

Needs MAPIE and scipy.
"""

import argparse
import math
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from mapie.regression import SplitConformalRegressor
from scale_report import put
from scipy.stats import binom
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes

import mlrq
from mlrq.datasets import california_housing
from mlrq.datasets.split import Split, hashed, set_aside

LEVELS = (0.5, 0.8, 0.9, 0.95)
HOW = {"bits": 8, "certificate": False, "test_size": 0.2}  # by hash, with seed 42
DRAWS, ROWS, LEVEL = 1000, 80, 0.8


class Held(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An integer model as MAPIE takes an estimator that is fitted."""

    def __init__(self, model: Any = None) -> None:
        self.model = model

    is_fitted = True  # what MAPIE looks for

    def fit(self, rows: Any, target: Any) -> Any:
        """Not called."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, rows: Any) -> Any:
        """By the integer model."""
        return self.model.predict(rows)


def tables() -> dict[str, tuple[Any, Any]]:
    stream = california_housing.load("embedded")
    (batch,) = (np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part))
    return {
        "diabetes": load_diabetes(return_X_y=True, scaled=False),
        "California Housing": (batch[:-1].T, batch[-1]),
    }


def mapie(rows: Any, target: Any, inputs: str, level: float) -> tuple[str, ...]:
    """Half-widths by us and by MAPIE, how far the ends are apart at most, and what is covered."""
    split = Split("hash", 0.2, 42, calibrate=True)
    tests = hashed(0, len(rows), split)
    aside = set_aside(0, len(rows), split) & ~tests
    model = mlrq.quantize("linear_regression", rows, target, inputs=inputs, interval=level, **HOW)
    theirs = SplitConformalRegressor(Held(model), confidence_level=level, prefit=True)
    theirs.conformalize(rows[aside], target[aside])
    ends = theirs.predict_interval(rows[tests])[1][:, :, 0]
    low, high = model.predict_interval(rows[tests])
    step = float(model.scale[0]) if inputs == "int8" else 0.0
    half_width = model.artifact.model.interval.half_width[0] * (step or 1.0)
    apart = np.abs(np.column_stack([low, high]) - ends).max()
    inside = int(((low <= target[tests]) & (target[tests] <= high)).sum())
    return (
        f"{half_width:.8g}",
        f"{(ends[0, 1] - ends[0, 0]) / 2:.8g}",
        f"{apart:.2g}",
        f"{step:.2g}" if step else "",
        f"{inside:,} of {tests.sum():,} ({inside / tests.sum():.1%})",
    )


def beside() -> str:
    heads = ("half-width, mlrq", "half-width, MAPIE", "ends differ by at most", "step", "test rows covered")
    lines = [f"| table | inputs | level | {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * 6}"]
    for name, table in tables().items():
        for inputs in ("float", "int8"):
            for level in LEVELS:
                cells = mapie(*table, inputs, level)
                lines.append(f"| {name} | {inputs} | {level} | {' | '.join(cells)} |")
    return "\n".join(lines)


def holds(inputs: str) -> tuple[int, float]:
    """Of so many tables, each with one more row: how many of these are covered, and how many to expect."""
    rng, inside, expected = np.random.default_rng(1), 0, []
    for seed in range(DRAWS):
        rows = rng.normal(size=(ROWS + 1, 3))
        target = rows @ [1.0, -2.0, 0.5] + rng.standard_t(3, size=ROWS + 1)
        how: dict[str, Any] = {"bits": 3, "certificate": False, "interval": LEVEL, "seed": seed}
        model = mlrq.quantize("linear_regression", rows[:ROWS], target[:ROWS], inputs=inputs, **how)
        low, high = model.predict_interval(rows[ROWS:])
        inside += int(low[0] <= target[ROWS] <= high[0])
        count = model.artifact.training.calibration_rows
        expected.append(math.ceil((count + 1) * Fraction(str(LEVEL))) / (count + 1))
    return inside, float(np.mean(expected))


def often() -> str:
    lines = [
        "| inputs | covered | to expect | 99.98 % of such counts |",
        "| --- | ---: | ---: | ---: |",
    ]
    for inputs in ("float", "int8"):
        inside, expected = holds(inputs)
        least, most = binom.ppf([1e-4, 1 - 1e-4], DRAWS, expected).astype(int).tolist()
        lines.append(f"| {inputs} | {inside} | {DRAWS * expected:.1f} | {least} to {most} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, help="a page with markers")
    page = parser.parse_args().docs
    packages = ", ".join(f"{name} {version(name)}" for name in ("mapie", "scikit-learn", "numpy"))
    made = {"mapie": f"With {packages}:\n\n{beside()}", "coverage": often()}
    for name, text in made.items():
        if page:
            put(page, name, text)
        else:
            print(f"{text}\n")


if __name__ == "__main__":
    main()
