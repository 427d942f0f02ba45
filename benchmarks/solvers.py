"""Times of the summary and of the solvers, by rows, features and bits.

python benchmarks/solvers.py

Every line is measured in this process; `s` are wall-clock seconds, best of `repeat` runs.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from mlrq.datasets.california_housing import load
from mlrq.solvers.problem import FloatArray
from mlrq.solvers.solve import Rounding, Solution, solve
from mlrq.stats.linear_algebra import triangularise
from mlrq.stats.summarize import summarize

T = TypeVar("T")
ROUNDINGS: tuple[Rounding, ...] = ("nearest", "babai", "exact")
HEADER = f"{'problem':28}{'bits':>5}" + "".join(f"{name:>22}" for name in ROUNDINGS)


def timed(action: Callable[[], T], repeat: int = 3) -> tuple[T, float]:
    """Result of an action and the shortest time it took."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - start)
    return result, min(times)


def synthetic(size: int) -> tuple[FloatArray, FloatArray]:
    """Triangle and target of equally correlated features (1/2) and normal weights."""
    rng = np.random.default_rng(size)
    rows = rng.standard_normal((2 * size, size)) + rng.standard_normal((2 * size, 1))
    triangle = triangularise(rows) / np.sqrt(2 * size)
    return triangle, triangle @ rng.standard_normal(size)


def report(name: str, bits: int, triangle: FloatArray, targets: FloatArray, repeat: int) -> float:
    """Print one line of the table; return the seconds of the exact solver."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    cells = []
    for rounding in ROUNDINGS:

        def run(rounding: Rounding = rounding) -> Solution:
            return solve(triangle, targets, low, high, rounding=rounding)

        solution, seconds = timed(run, repeat if rounding == "exact" else 3)
        cells.append(f"{solution.excess:>12.4g} {seconds:>7.3f} s")
    proof = solution.certificate
    told = "optimal" if proof.optimal else f"gap {proof.gap:.3g}"
    print(f"{name:28}{bits:>5}{''.join(cells)}  {told}, {proof.nodes} nodes", flush=True)
    return seconds


def main() -> None:
    """Print all tables."""
    print("summary, one thread")
    rng = np.random.default_rng(0)
    for rows, features in ((4_000_000, 8), (200_000, 50), (10_000, 100), (4_000, 500)):
        x = rng.standard_normal((rows, features))
        y = x[:, 0] + rng.standard_normal(rows)
        _, seconds = timed(lambda x=x, y=y: summarize(x, y))  # type: ignore[misc]
        print(f"  {rows:>9} x {features:<4} {seconds:>7.3f} s {rows / seconds:>14,.0f} rows/s")

    print(f"\n{HEADER}")
    table = load("embedded")
    for name, divisor in (("California / deviation", table.rows.std(axis=0)), ("California raw", 1.0)):
        summary = summarize(table.rows / divisor, table.values)
        triangle, targets = summary.feature_triangle, summary.target_columns
        times = {bits: report(name, bits, triangle, targets, 3) for bits in range(2, 17)}
        print(f"  exact, 2 to 8 bits together: {sum(times[b] for b in range(2, 9)):.3f} s")
    for size in (8, 16, 32, 48, 64, 128, 500):
        for bits in (2, 4, 8):
            report(f"{size} features", bits, *synthetic(size), repeat=1)


if __name__ == "__main__":
    main()
