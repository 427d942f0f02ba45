"""Sweeps: each job leaves its outcome in a file, and the end of the sweep makes one table of them."""

import csv
import io
import json
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlrq.artifacts.json_document import write_document
from mlrq.cli import signals
from mlrq.cli.exits import reason
from mlrq.cli.resume import EARLIER, OUTCOME, outcomes, read
from mlrq.errors import NAME, columns, not_installed, printable
from mlrq.files import write
from mlrq.pipeline.results import Evaluation, summary
from mlrq.quantization.options import ROUNDINGS, SCHEMES

TABLE = "sweep"

# (column, digits after the point or None) of the table, in order.
COLUMNS = (
    ("bits", None),
    ("scheme", None),
    ("rounding", None),
    ("test R2", 4),
    ("train R2", 4),
    ("MSE", 4),
    ("max diff", 4),
    ("excess", None),
    ("gap", None),
    ("ms", None),
    ("payload bits", None),
    ("artifact bytes", None),
)

# What a narrow terminal can do without, first things first.
DISPENSABLE = ("artifact bytes", "MSE", "max diff", "train R2", "scheme", "payload bits", "ms", "job")


def facts(evaluation: Evaluation, notes: dict[str, Any]) -> dict[str, Any]:
    """What the outcome of a job says of an evaluation, with `notes`: model, dataset, seconds."""
    found = {**notes, **summary(evaluation)}
    del found["samples"]
    return found


def run_job(
    folder: Path, number: int, made: tuple[str, list[str]], work: Callable[[dict[str, Any]], str], trace: bool
) -> None:
    """Do `work`, write its outcome to `folder`, and say in one line how it went.

    A failure is an outcome too: it must not stop the other jobs.

    Args:
        folder: Of the job.
        number: Of the job.
        made: What to call it, and its overrides.
        work: Fills the outcome, and returns a remark on it.
        trace: Whether to show where it failed.
    """
    name, overrides = made
    name = name or "defaults"
    outcome: dict[str, Any] = {}
    try:
        remark = work(outcome)
    except Exception as error:
        if trace:
            print(
                *(printable(line, None) for line in traceback.format_exc().splitlines()),
                sep="\n",
                file=sys.stderr,
            )
        outcome["error"] = reason(error)
        said = f"failed: {outcome['error']}"
    else:
        said = _said(outcome) + remark
    outcome |= {"job": number, "name": name, "overrides": overrides}
    write_document(folder / OUTCOME, "outcome", 1, outcome)
    print(
        printable(f"job {number}: {name}: {said}"), flush=True
    )  # only now is it done, whenever it is killed


def forget(folder: Path) -> None:
    """Remove the outcomes of an earlier sweep in the same folder; its artifacts stay."""
    for path in folder.glob(f"**/{OUTCOME}"):
        path.unlink()


def _overrides(outcome: dict[str, Any]) -> dict[str, str]:
    """The overrides of a job, key to value, as text that can be printed."""
    pairs = (printable(item, None).partition("=")[::2] for item in outcome["overrides"])
    return dict(pairs)


def _varying(outcomes: list[dict[str, Any]]) -> list[str]:
    """Override keys to show: those whose value is not the same in all jobs, nor in a column already."""
    shown = {"quantization.bits", "quantization.scheme", "quantization.rounding"}
    values: dict[str, set[str | None]] = {}
    split = [_overrides(outcome) for outcome in outcomes]
    for key in {key for overrides in split for key in overrides} - shown:
        values[key] = {overrides.get(key) for overrides in split}
    return sorted(key for key, found in values.items() if len(found) > 1)


def gap(certificate: dict[str, Any] | None, excess: float) -> str:
    """The share of the excess that may be too much, in floating point: 0% where the codes are optimal."""
    if certificate is None:
        return "unknown"
    return f"{certificate['gap'] / excess:.0%}" if excess > 0 and not certificate["optimal"] else "0%"


def _measured(metrics: dict[str, dict[str, float]]) -> dict[str, float | None]:
    """Cells of a model; those of the test rows are empty where there are none."""
    test, train = metrics["test"] or {}, metrics["train"]
    return {"test R2": test.get("r2"), "train R2": train["r2"], "MSE": test.get("mse")}


def _said(outcome: dict[str, Any]) -> str:
    """How a job went, in a word or two: its R2 on test rows, or on training rows where there is none."""
    if "quantized" not in outcome:
        return "done"
    measured = _measured(outcome["quantized"])
    name = "test R2" if measured["test R2"] is not None else "train R2"
    return f"{name} {measured[name]:.4f}"


def rows(outcomes: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """The header and the rows of the table: float models first, then integer models by bits.

    A float model that several jobs share has one row; None is an empty cell.
    """
    done = [outcome for outcome in outcomes if "quantized" in outcome]
    keys = _varying(done)
    floats: dict[str, dict[str, Any]] = {}
    integers: list[dict[str, Any]] = []
    for outcome in done:
        overrides = _overrides(outcome)
        labels = {key: overrides.get(key) for key in keys}
        integers.append(
            {
                "job": outcome["job"],
                **labels,
                "bits": outcome["bits"],
                "scheme": outcome["scheme"],
                "rounding": outcome["rounding"],
                **_measured(outcome["quantized"]),
                "max diff": outcome["max_difference"],
                "excess": outcome["excess"],
                "gap": gap(outcome["certificate"], outcome["excess"]),
                "ms": None if outcome["seconds"] is None else round(1000 * outcome["seconds"]),
                "payload bits": outcome["payload_bits"],
                "artifact bytes": outcome["bytes"],
            }
        )
        if outcome["float"]:
            same = json.dumps([outcome["model"], outcome["dataset"], outcome["float"]])
            before = floats.get(same, labels)
            floats[same] = {
                # what the jobs that share this float model agree on
                **{key: label for key, label in labels.items() if before.get(key) == label},
                "bits": "float",
                **_measured(outcome["float"]),
                "max diff": 0.0,
                "payload bits": outcome["float_payload_bits"],
            }
    schemes, roundings = list(SCHEMES), list(ROUNDINGS)
    integers.sort(
        key=lambda row: (
            row["bits"], schemes.index(row["scheme"]), roundings.index(row["rounding"]), row["job"]
        )
    )  # fmt: skip
    header = ["job", *keys, *(name for name, _ in COLUMNS)]
    return header, [[row.get(name) for name in header] for row in (*floats.values(), *integers)]


def _texts(header: list[str], table: list[list[Any]]) -> list[list[str]]:
    """The rows as text: fixed digits, thousands, blanks."""
    digits = dict(COLUMNS)

    def text(name: str, value: Any) -> str:
        if value is None or value == "":
            return ""
        if isinstance(value, float):
            fixed = digits.get(name)
            return f"{value:.{fixed}f}" if fixed is not None else f"{value:.4g}"
        return f"{value:,}" if isinstance(value, int) and name.endswith("s") else str(value)

    return [[text(name, value) for name, value in zip(header, row, strict=True)] for row in table]


def _widest(name: str, cells: list[str]) -> int:
    """Width that a column needs: a header may break between words, a cell may not."""
    return max(columns(word) for word in [*name.split(), *cells])


def _needed(header: list[str], texts: list[list[str]]) -> int:
    return sum(_widest(name, cells) + 1 for name, *cells in zip(header, *texts, strict=True))


def _show(header: list[str], texts: list[list[str]]) -> None:
    """Print the table: words to the left, numbers to the right, no column ever cut.

    On a terminal that is too narrow, columns are left out, the least important first, and named.
    """
    from rich.table import Table

    from mlrq.cli.layout import terminal

    console, left_out = terminal(), []
    header, *texts = ([printable(cell, NAME) for cell in line] for line in [header, *texts])
    for name in DISPENSABLE if console.is_terminal else ():
        if _needed(header, texts) > console.width and name in header:
            left_out.append(name)
            place = header.index(name)
            header = header[:place] + header[place + 1 :]
            texts = [row[:place] + row[place + 1 :] for row in texts]
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for name, *cells in zip(header, *texts, strict=True):
        words = name in ("scheme", "rounding", "gap") or not cells[-1][-1:].isdigit()
        made.add_column(name, justify="left" if words else "right", width=_widest(name, cells))
    for row in texts:
        made.add_row(*row, style="bold" if row[header.index("bits")] == "float" else None)
    wide = terminal(max(_needed(header, texts), console.width))
    wide.print("", made, "", sep="\n")
    if left_out:
        wide.print(f"left out of a narrow terminal: {', '.join(left_out)}; all are in {TABLE}.csv\n")


def _markdown(header: list[str], texts: list[list[str]]) -> str:
    marks = ["---" if name in ("scheme", "rounding") else "---:" for name in header]
    first, *rest = ([markdown(cell) for cell in line] for line in [header, *texts])
    return "".join("| " + " | ".join(line) + " |\n" for line in [first, marks, *rest])


def markdown(cell: str) -> str:
    """A cell that Markdown shows as it is: what could be markup is escaped, but no underscore in a word."""
    return re.sub(r"[\\`*\[\]<>|~$&!]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", cell)


def _csv(header: list[str], table: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *table])
    return text.getvalue()


def _drawn(made: list[dict[str, Any]]) -> bytes | None:
    """The plot of a sweep's outcomes, PNG; None where there is no matplotlib."""
    with signals.put_off():
        try:
            from mlrq.cli import plots
        except ImportError:
            return None
        return plots.sweep([outcome for outcome in made if "quantized" in outcome])


def finish(folder: Path, notify: Callable[[str], None]) -> list[str]:
    """Print the table of all jobs in `folder`, save it as CSV, Markdown and a plot; return the failures.

    Args:
        folder: Of the sweep.
        notify: Told where there is no matplotlib.

    Returns:
        A line for every job that failed.
    """
    made = sorted((read(path) for path in outcomes(folder)), key=lambda outcome: outcome["job"])
    header, table = rows(made)
    if table:
        from mlrq.cli import report

        texts = _texts(header, table)
        _show(header, texts)
        write(folder / f"{TABLE}.csv", _csv(header, table).encode())
        write(folder / f"{TABLE}.md", _markdown(header, texts).encode())
        saved = [f"{TABLE}.csv", f"{TABLE}.md"]
        if drawn := _drawn(made):
            write(folder / f"{TABLE}.png", drawn)
            saved.append(f"{TABLE}.png")
        else:
            notify(not_installed("a plot of the sweep", "matplotlib", "plot"))
        report.saved(folder / name for name in saved)
    with suppress(OSError):  # what this sweep did not ask for is still in it
        (folder / EARLIER).rmdir()
    failed = [outcome for outcome in made if "error" in outcome]
    return [f"job {o['job']} ({o['name']}) failed: {o['error']}" for o in failed]
