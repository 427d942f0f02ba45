"""How time and memory grow with rows, features and workers, beside reading the same Parquet.

python benchmarks/scale.py                                        everything: 40 million rows, and the growth
python benchmarks/scale.py --only growth --rows 1 4               the growth by rows, up to four million
python benchmarks/scale.py --folder /data/scale --readme          keep the tables, write benchmarks/README.md

Every figure is of whole processes, from before the start of the interpreter to after its end, the median of
`--repeat` runs that are taken in turn. The files are read once before, so they come from the page cache where
memory is large enough; `cold` lines are from the disk. `peak` is of the largest process, 1 MB = 10^6 bytes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from processes import Run, supported
from scale_bench import JOBS, Bench, Table, say
from scale_report import (
    BASE_FEATURES,
    MILLION,
    MOST_MEMORY,
    UNPROVEN,
    engine,
    machine,
    markdown,
    plot,
    put,
)
from scale_rivals import rivals

HERE = Path(__file__).resolve().parent
PARTS = ("headline", "growth", "width", "categories")
# What the issue asks of the largest table, beside the memory.
MOST_RATIO, LEAST_SPEEDUP = 2, 3
FEW = 10_000  # rows of the table that shows what a run costs before its first row
TRAIN = "stage=train"


def headline(bench: Bench, rows: list[int], workers: list[int], intelex: str) -> str:
    """The largest table: the pipeline, the bare read and the rivals, and what was asked of them."""
    table = bench.table(rows[-1], BASE_FEATURES)
    bench.measure(table, workers)
    bench.measure(table, workers[-1:], TRAIN)
    empty = bench.table(FEW, BASE_FEATURES)
    bench.measure(empty, workers)
    bare = bench.bare(table)
    lines = []

    def add(what: str, one: Run, count: int, seconds: float, against: float) -> None:
        each = f"{seconds / count * MILLION:.3f}"
        ratio = f"{seconds / against:.2f}" if count == table.rows else ""
        lines.append(
            [what, f"{count:,}", f"{seconds:.2f}", f"{one.cpu:.2f}", each, ratio, f"{one.peak:,.0f}"]
        )

    add("read with pyarrow, do nothing", bare, table.rows, bare.seconds, bare.seconds)
    for count in workers:
        one = bench.piped(table, count)
        add(f"mlrq, {engine(count)}", one, table.rows, one.seconds, bare.seconds)
    trained = bench.piped(table, workers[-1], TRAIN)
    add(f"mlrq train, {engine(workers[-1])}", trained, table.rows, trained.seconds, bare.seconds)
    start = min((bench.piped(empty, count) for count in workers), key=lambda one: one.seconds)
    add("mlrq, all stages of next to nothing", start, FEW, start.seconds, bare.seconds)
    say("from the disk, once each")
    cold = bench.cold(table, [sys.executable, JOBS, "read", str(table.path)])
    add("read, cold", cold, table.rows, cold.seconds, cold.seconds)
    for count in workers:
        one = bench.cold(table, bench.pipeline(table, count))
        add(f"mlrq, {engine(count)}, cold", one, table.rows, one.seconds, cold.seconds)

    fitted, notes = rivals(bench, rows, BASE_FEATURES, intelex)
    for package, (one, told) in fitted.items():
        what = f"{package}, load {told['load']:.2f} s + fit {told['fit']:.2f} s"
        add(what, one, int(told["rows"]), told["seconds"], bare.seconds)

    def rest(one: Run) -> float:
        """Seconds without those of the start; of a table as small as that one, hardly any."""
        return max(one.seconds - start.seconds, 0.001)

    best = min((bench.piped(table, count) for count in workers), key=lambda one: one.seconds)
    peak = max(bench.piped(table, count).peak for count in workers)
    own = json.loads(bare.output)["seconds"]
    asked = [
        f"peak memory of any process: {peak:,.0f} MB (asked: under {MOST_MEMORY})",
        f"time against reading and doing nothing: {best.seconds / bare.seconds:.2f} times, or "
        f"{rest(best) / own:.2f} without the start of both (asked: at most {MOST_RATIO})",
    ]
    for package, (_, told) in fitted.items():
        theirs = told["seconds"] / told["rows"] * table.rows
        goal = f" (asked: at least {LEAST_SPEEDUP})" if package == "scikit-learn" else ""
        asked.append(
            f"against {package}'s load and fit, for each row: {theirs / best.seconds:.1f} times as fast with "
            f"all stages; without our start, which theirs is without, {theirs / rest(best):.1f} with all "
            f"stages and {theirs / rest(trained):.1f} with training alone{goal}"
        )
    header = ["what", "rows", "s", "CPU s", "s/million", "x read", "peak MB"]
    parquet = f"{table.size:,.0f} MB of Parquet ({bench.compression})"
    title = f"{table.rows:,} rows x {table.features} features, {parquet}"
    told_lines = "\n".join(f"- {line}" for line in [*asked, *notes])
    return f"{title}:\n\n{markdown(header, lines, 1)}\n\n{told_lines}"


GROWTH = [
    "rows",
    "features",
    "MB",
    "workers",
    "s",
    "CPU s",
    "rows/s",
    "read s",
    "x read",
    "peak MB",
]


def line(bench: Bench, table: Table, workers: int, *overrides: str) -> list[str]:
    """One line of a table of growth."""
    one, bare = bench.piped(table, workers, *overrides), bench.bare(table)
    return [
        f"{table.rows:,}", f"{table.features}", f"{table.size:,.0f}", engine(workers), f"{one.seconds:.2f}",
        f"{one.cpu:.2f}", f"{table.rows / one.seconds:,.0f}", f"{bare.seconds:.2f}",
        f"{one.seconds / bare.seconds:.2f}", f"{one.peak:,.0f}",
    ]  # fmt: skip


def growth(bench: Bench, rows: list[int], workers: list[int]) -> tuple[str, list[Table]]:
    """Time and memory by rows."""
    tables = [bench.table(count, BASE_FEATURES) for count in rows]
    for table in tables:
        bench.measure(table, workers)
    lines = [line(bench, table, count) for table in tables for count in workers]
    return markdown(GROWTH, lines, 0), tables


def width(bench: Bench, features: list[int], cells: int, workers: list[int]) -> tuple[str, list[Table]]:
    """Time and memory by features, on tables of about the same size; the best codes once, for one worker."""
    tables = [bench.table(cells // count, count) for count in features]
    lines = []
    for table in tables:
        bench.measure(table, workers, UNPROVEN)
        say(f"{table.features} features: the best codes")
        exact = bench.once(bench.pipeline(table, workers[0])).seconds
        lines += [[*line(bench, table, count, UNPROVEN), ""] for count in workers]
        lines[-len(workers)][-1] = f"{exact:.2f}"
    return markdown([*GROWTH, "s, exact codes"], lines, 0), tables


def categories(bench: Bench, rows: int, workers: list[int]) -> str:
    """Time and memory of numbers beside columns of text, whose categories take a pass."""
    table = bench.table(rows, 4, 2)
    bench.measure(table, workers)
    return markdown(GROWTH, [line(bench, table, count) for count in workers], 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where tables are kept; else they are made and removed")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all of them")
    parser.add_argument(
        "--rows", nargs="+", type=float, default=[1, 4, 16, 40], help="millions; default: 1 4 16 40"
    )
    parser.add_argument("--features", nargs="+", type=int, default=[8, 64, 256], help="default: 8 64 256")
    parser.add_argument(
        "--cells", type=float, default=32, help="rows times features of --features, millions: 32"
    )
    parser.add_argument("--text-rows", type=float, default=10, help="of columns with text, millions: 10")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], help="default: 1 2")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each; default: 5")
    parser.add_argument(
        "--compression", default="snappy", help="of the Parquet; default: snappy, as pyarrow's"
    )
    parser.add_argument(
        "--intelex", default="make", help="a Python that has it, `no`, or `make` (an environment)"
    )
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="?",
        const=HERE / "README.md",
        help="write the tables between this file's markers and scale.png beside it; default: the one here",
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if not supported():
        raise SystemExit(
            "scale.py reads the peak memory of each process from Linux's /proc, which is not here"
        )
    rows = sorted(int(count * MILLION) for count in asked.rows)
    texts = {"machine": machine()}
    print(texts["machine"], flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (asked.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, Path(scratch), asked.repeat, asked.compression)
        grown: list[Table] = []
        wide: list[Table] = []
        for part in asked.only:
            if part == "headline":
                texts[part] = headline(bench, rows, asked.workers, asked.intelex)
            elif part == "growth":
                texts[part], grown = growth(bench, rows, asked.workers)
            elif part == "categories":
                texts[part] = categories(bench, int(asked.text_rows * MILLION), asked.workers)
            else:
                texts[part], wide = width(bench, asked.features, int(asked.cells * MILLION), asked.workers)
            print(f"\n{texts[part]}", flush=True)
    if asked.readme:
        for name, text in texts.items():
            put(asked.readme, name, text)
        if grown and wide:
            plot(asked.readme.with_name("scale.png"), bench, grown, wide, asked.workers)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        raise SystemExit(f"scale.py: {error}") from error
