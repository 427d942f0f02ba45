"""Excess loss of each rounding on the tables of `benchmarks/problems`, beside GPTQ and SCIP.

    python benchmarks/solvers.py                                 # every problem, width, scheme and unit
    python benchmarks/solvers.py --problem bikeshare --bits 3 --scip scip/bin/python --scip-seconds 60
    python benchmarks/solvers.py --docs docs/proof.md            # write the table and docs/solvers.png

The excess of a line is a share of the float model's mean squared error, in percent. `nearest` is each weight
rounded at the conventional scale; `gptq` passes each rounding's error on to the weights that follow, at that
scale, in the order of the columns (Frantar et al., 2023); `gptq act` in the order of falling variance;
`babai` is the same idea, the best of many scales; `exact` the least excess. `bounds` is how many lower bounds
its search took, and `ms` its wall-clock time in this process, the best of three runs. SCIP (pyscipopt, from
an environment of its own) is given the same problem as a model of integers and one product each.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from problem_set import NAMES, UNITS, Problem, generated, problem

from mlrq.solvers.babai import nearest_plane
from mlrq.solvers.nearest import conventional_grid
from mlrq.solvers.problem import Problem as Grid
from mlrq.solvers.solve import Rounding, Solution, solve
from mlrq.stats.linear_algebra import least_squares, triangularise
from mlrq.stats.summarize import summarize

T = TypeVar("T")
GENERATED = (16, 32, 64, 128, 500)
SCHEMES = ("symmetric", "affine")
COLUMNS = ("nearest", "gptq", "gptq act", "babai", "exact")
MARKERS = "<!-- solvers -->", "<!-- /solvers -->"
SHOWN = (2, 3, 4, 8)  # widths in the documentation's table


@dataclass(frozen=True)
class Line:
    """One problem at one width: the excess of each of `COLUMNS`, and what the search took."""

    problem: Problem
    units: str
    scheme: str
    bits: int
    excess: tuple[float, ...]
    exact: Solution
    seconds: float
    rival: str = ""

    def cells(self) -> list[str]:
        """The line's text."""
        proof = self.exact.certificate
        shares = [f"{100 * excess / self.problem.noise:.4g}" for excess in self.excess]
        told = "optimal" if proof.optimal else f"at least {100 * proof.lower_bound / self.problem.noise:.4g}"
        where = [self.problem.name, self.units, self.scheme, str(self.bits)]
        return [*where, *shares, told, f"{proof.nodes:,}", f"{1000 * self.seconds:.1f}", self.rival]


HEADER = ["problem", "units", "scheme", "bits", *COLUMNS, "exact is", "bounds", "ms", "SCIP"]
WIDTHS = [12, 11, 9, 4, *[10] * len(COLUMNS), 16, 11, 9, 0]


def timed(action: Callable[[], T], repeat: int = 3) -> tuple[T, float]:
    """Result of an action and the shortest time it took."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - start)
    return result, min(times)


def gptq(grid: Grid, order: NDArray[np.int64]) -> float:
    """Excess of GPTQ at the conventional scale and zero point, columns rounded in `order`."""
    weights = least_squares(grid.triangle, grid.target[None])[0]
    scale, zero_point = conventional_grid(grid, weights)
    decided = order[::-1]  # nearest plane goes from the last column to the first
    joined = triangularise(np.column_stack([grid.triangle[:, decided], grid.target]))
    low, high = grid.low - zero_point, grid.high - zero_point
    turned = Grid(joined[:-1, :-1], joined[:-1, -1], low, high)
    codes = np.empty(grid.size)
    codes[decided] = nearest_plane(turned, np.array([scale]))[:, 0]
    return float(grid.excess(codes[:, None], np.array([scale]))[0])


def line(one: Problem, units: str, scheme: str, bits: int, repeat: int = 3) -> Line:
    """Every rounding of a problem at one width."""
    low, high, affine = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, scheme == "affine"

    def solved(rounding: Rounding) -> Solution:
        return solve(one.triangle, one.column, low, high, rounding=rounding, affine=affine)

    exact, seconds = timed(lambda: solved("exact"), repeat)
    grid = Grid(one.triangle, one.column, low, high, affine)
    natural = np.arange(grid.size)
    active = np.argsort(-np.square(one.triangle).sum(axis=0), kind="stable")
    nearest, babai = (solved(rounding).excess for rounding in ("nearest", "babai"))
    excess = nearest, gptq(grid, natural), gptq(grid, active), babai, exact.excess
    return Line(one, units, scheme, bits, excess, exact, seconds)


def beside_scip(ours: Line, python: str, seconds: float) -> Line:
    """The line, and what SCIP found in the same problem."""
    one, bits = ours.problem, ours.bits
    # In units in which the least excess is near 1, for SCIP's tolerances are absolute.
    unit = np.sqrt(max(ours.exact.excess, 1e-300))
    told = {
        "triangle": (one.triangle / unit).tolist(),
        "column": (one.column / unit).tolist(),
        "low": -(2 ** (bits - 1)),
        "high": 2 ** (bits - 1) - 1,
        "sliding": ours.scheme == "affine",
        "seconds": seconds,
    }
    script = Path(__file__).with_name("scip.py")
    done = subprocess.run(
        [python, script], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    codes = np.array([answer["codes"] or [0] * len(one.column)], dtype=np.float64).T
    excess = float(Grid(one.triangle, one.column, told["low"], told["high"]).fit(codes)[0][0])
    share = 100 * excess / one.noise
    bound = 100 * answer["bound"] * unit**2 / one.noise
    ended = f"{share:.4g} in {answer['seconds']:.1f} s, {answer['nodes']:,} nodes"
    return replace(ours, rival=ended + ("" if answer["optimal"] else f", at least {bound:.4g}"))


def show(cells: list[str]) -> None:
    """Print a line of the table: words to the left, numbers to the right."""
    text = [
        cell.ljust(width) if i < 3 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    ]
    print("  ".join(text).rstrip(), flush=True)


def summary_speed() -> None:
    """Print how fast rows become a triangle, on one thread."""
    rng = np.random.default_rng(0)
    for rows, features in ((4_000_000, 8), (200_000, 50), (10_000, 100), (4_000, 500)):
        x = rng.standard_normal((rows, features))
        y = x[:, 0] + rng.standard_normal(rows)
        _, seconds = timed(lambda x=x, y=y: summarize(x, y))  # type: ignore[misc]
        print(f"summary of {rows:>9,} rows x {features:<4} {seconds:>7.3f} s {rows / seconds:>14,.0f} rows/s")


def document(lines: list[Line], page: Path) -> None:
    """Write the table of raw features into `page`, and a plot beside it."""
    header = ["table", "features", "bits", *COLUMNS, "bounds", "ms"]
    table = [" | ".join(header), " | ".join(["---"] + ["---:"] * (len(header) - 1))]
    shown = [one for one in lines if (one.units, one.scheme) == ("raw", "symmetric")]
    for one in shown:
        if one.bits in SHOWN:
            cells = one.cells()
            table.append(" | ".join([cells[0], str(len(one.problem.column)), *cells[3:9], *cells[10:12]]))
    proven = sum(one.exact.certificate.optimal for one in lines)
    slowest = max(one.seconds for one in lines)
    said = f"{proven} of {len(lines)} searches ended, none after more than {1000 * slowest:.0f} ms."
    text = "\n".join([*(f"| {row} |" for row in table), "", said])
    before, rest = page.read_text().split(MARKERS[0])
    page.write_text(f"{before}{MARKERS[0]}\n{text}\n{MARKERS[1]}{rest.split(MARKERS[1])[1]}")
    draw([one for one in shown if one.problem.name == "bikeshare"], page.with_name("solvers.png"))


def draw(lines: list[Line], path: Path) -> None:
    """Plot excess against bits, a curve a rounding."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for column, name in enumerate(COLUMNS):
        shares = [100 * one.excess[column] / one.problem.noise for one in lines]
        axes.semilogy([one.bits for one in lines], shares, marker="o", markersize=4, label=name)
    axes.set_xlabel("bits per weight")
    axes.set_ylabel("excess, % of the float model's squared error")
    axes.set_title("Bike sharing, 12 raw features", loc="left")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problem", nargs="+", choices=[*NAMES, "generated"], default=[*NAMES, "generated"])
    parser.add_argument("--bits", nargs="+", type=int, default=list(range(2, 9)))
    parser.add_argument("--scip", metavar="PYTHON", help="a Python that has pyscipopt")
    parser.add_argument("--scip-seconds", type=float, default=60.0, help="for each problem")
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="write table and plot there")
    told = parser.parse_args()
    if "generated" in told.problem and not told.docs:
        summary_speed()
        print()
    show(HEADER)
    lines = []
    for name in told.problem:
        for units in UNITS if name != "generated" else ():
            for scheme in SCHEMES:
                for bits in told.bits:
                    one = line(problem(name, units), units, scheme, bits)
                    lines.append(beside_scip(one, told.scip, told.scip_seconds) if told.scip else one)
                    show(lines[-1].cells())
    if "generated" in told.problem and not told.docs:
        for size in GENERATED:
            for bits in sorted({2, 4, 8} & set(told.bits)):
                show(line(generated(size), "raw", "symmetric", bits, repeat=1).cells())
    if told.docs:
        document(lines, told.docs)


if __name__ == "__main__":
    main()
