"""How `scale.py` shows what it measured: Markdown, a plot, and their place in a README."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from scale_bench import Bench, Table

from mlrq import kernel

MILLION = 1_000_000
BASE_FEATURES = 8
MOST_MEMORY = 500  # MB for each process, as the issue asks
# The proof that codes are the best ones takes a time that depends on the features and not on the rows.
UNPROVEN = "quantization.rounding=babai"


def engine(workers: int) -> str:
    return "serial" if workers == 1 else f"{workers} threads"


def markdown(header: list[str], rows: list[list[str]], words: int) -> str:
    """A Markdown table whose first `words` columns are words, and the others numbers."""
    lines = [header, ["---"] * words + ["---:"] * (len(header) - words), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot(path: Path, bench: Bench, grown: list[Table], wide: list[Table], workers: list[int]) -> None:
    """Time by rows with the bare read, and memory by rows and by features."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    time, memory = figure.subplots(1, 2)
    millions = [table.rows / MILLION for table in grown]
    for count in workers:
        runs = [bench.piped(table, count) for table in grown]
        time.plot(millions, [one.seconds for one in runs], marker="o", label=f"mlrq, {engine(count)}")
        memory.plot(millions, [one.peak for one in runs], marker="o", label=f"8 features, {engine(count)}")
    bare = [bench.bare(table) for table in grown]
    time.plot(
        millions, [one.seconds for one in bare], "k--", marker=".", label="read with pyarrow, do nothing"
    )
    memory.plot(millions, [one.peak for one in bare], "k--", marker=".", label="8 features, read only")
    for table in wide:
        if table.features != BASE_FEATURES:
            peak = bench.piped(table, workers[0], UNPROVEN).peak
            label = f"{table.features} features, {engine(workers[0])}"
            memory.plot(table.rows / MILLION, peak, "^", markersize=8, label=label)
    time.set_ylabel("seconds, whole process")
    memory.set_ylabel("peak MB of the largest process")
    memory.axhline(MOST_MEMORY, color="tab:red", linewidth=0.8, label="what is asked")
    others = [table.rows / MILLION for table in wide if table.features != BASE_FEATURES]
    for axes, ticks in ((time, millions), (memory, sorted({*millions, *others}))):
        axes.set_xscale("log")
        axes.set_xlabel("million rows")
        axes.set_xticks(ticks, [f"{count:g}" for count in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
    memory.set_ylim(0, 1.05 * memory.get_ylim()[1])
    time.legend(frameon=False, fontsize=8)
    memory.legend(frameon=False, fontsize=8, loc="lower center", ncols=2)
    time.set_yscale("log")
    for which in (time.yaxis.set_major_formatter, time.yaxis.set_minor_formatter):
        which("{x:g}")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def machine() -> str:
    """What the figures depend on."""
    cpu = platform.machine()
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            cpu = entry.partition(":")[2].strip()
            break
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "pyarrow", "scikit-learn"))
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{cores} cores ({cpu}), Python {platform.python_version()}, {packages}; kernel in {kernel.NAME}; "
        f"load {load:.1f} at the start"
    )


def put(readme: Path, name: str, text: str) -> None:
    """Write `text` between the markers of `name`."""
    content = readme.read_text()
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, found, rest = content.partition(begin)
    if not found or end not in rest:
        raise RuntimeError(f"{readme}: has no markers of {name}")
    readme.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")
