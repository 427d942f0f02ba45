"""Predicting the user's own rows: a stream of CSV or JSON lines in, a stream of predictions out."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.tables import CsvTable, json_lines, open_text, read_lines
from mlrq.errors import MlrqError
from mlrq.files import atomic
from mlrq.quantization.model import QuantizedLinear

JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}


def _source(path: str) -> AbstractContextManager[TextIO]:
    if path == "-":
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
    return open_text(Path(path))


def _sniff(lines: Iterator[str], path: str, kind: str) -> tuple[Iterator[str], bool]:
    """The lines, and whether they are JSON."""
    if kind != "auto":
        return lines, kind == "jsonl"
    if Path(path.removesuffix(".gz")).suffix in JSON_SUFFIXES:
        return lines, True
    first = list(next(([line] for line in lines if line.strip()), []))
    return chain(first, lines), bool(first) and first[0].lstrip().startswith(("{", "["))


def _csv_row(cells: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _csv_rows(values: NDArray[np.float64], delimiter: str) -> str:
    return "".join(delimiter.join(map(repr, row)) + "\n" for row in values.tolist())


def _json_rows(values: NDArray[np.float64], targets: Sequence[str]) -> str:
    rows = (json.dumps(dict(zip(targets, row, strict=True))) for row in values.tolist())
    return "".join(row + "\n" for row in rows)


def _predicted(
    model: QuantizedLinear, rows: NDArray[np.float64], name: str, done: int
) -> NDArray[np.float64]:
    """Predictions, every one of them a number."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = model.predict(rows)
    lost = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(lost):
        raise MlrqError(f"{name}, row {done + lost[0] + 1}: its prediction exceeds what a double holds")
    return values


def _same_file(source: str, destination: str) -> bool:
    there = destination != "-" and Path(destination).exists() and source != "-" and Path(source).exists()
    return there and Path(source).samefile(destination)


def predict(
    model: QuantizedLinear,
    source: str,
    destination: str,
    kind: str,
    delimiter: str,
    notify: Callable[[str], None],
    progress: Callable[[int], None],
) -> int:
    """Predict row after row, in batches, in memory that does not grow with their number.

    Args:
        model: The integer model.
        source: Path of a CSV file with a header line or of JSON lines; "-" is standard input. Columns
            are matched by name: any order, extra ones ignored with a notice.
        destination: Path for the predictions, in the source's format, one line a row, one column a
            target; "-" is standard output. A file appears only when every row is done.
        kind: "csv", "jsonl", or "auto": by the source's file name, else by its first character.
        delimiter: Of CSV, both ways.
        notify: Told of ignored columns.
        progress: Told the number of rows done, after each batch.

    Returns:
        The number of rows.

    Raises:
        MlrqError: Naming the missing column, or the line and column of a bad cell.
    """
    name = "standard input" if source == "-" else source
    if _same_file(source, destination):
        raise MlrqError(f"{destination}: predictions would replace the rows; name another predict.output")
    extra: set[str] = set()
    with ExitStack() as stack:
        stream = stack.enter_context(_source(source))
        lines, is_json = _sniff(read_lines(stream, name), source, kind)
        if is_json:
            batches = json_lines(lines, model.features, name, extra)
        else:
            table = CsvTable(lines, name, delimiter)
            batches = table.batches(model.features)
            extra.update(set(table.columns) - set(model.features))
        sink = sys.stdout.buffer if destination == "-" else stack.enter_context(atomic(Path(destination)))
        # The header waits for the first rows, so that bad ones leave no output that looks like a result.
        header = "" if is_json else _csv_row(model.targets, delimiter)
        done = 0
        for batch in batches:
            values = _predicted(model, batch, name, done)
            text = _json_rows(values, model.targets) if is_json else _csv_rows(values, delimiter)
            sink.write((header + text).encode())
            header = ""
            done += len(batch)
            progress(done)
        sink.write(header.encode())
        sink.flush()
    if extra:
        notify(f"{name}: ignored what the model does not use: {', '.join(sorted(extra))}")
    return done
