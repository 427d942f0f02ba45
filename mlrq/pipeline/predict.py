"""Predict rows of CSV or JSON lines, read and written in batches."""

import csv
import io
import json
import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Literal, TextIO

import numpy as np

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.datasets.tables import open_text, read_lines
from mlrq.errors import DataError, MlrqError
from mlrq.files import atomic
from mlrq.pipeline.predictions import Options, Tally, numbers
from mlrq.pipeline.ranges import Ranges
from mlrq.pipeline.ranges import ranges as ranges_of
from mlrq.pipeline.text_rows import Batch, Counted, CsvRows, Features, JsonRows, batches
from mlrq.quantization.model import QuantizedLinear

JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}
PATIENCE = 10.0  # seconds for somebody to write to a pipe


@dataclass(frozen=True, eq=False)
class Writer:
    """Rows of cells, which are text already, as lines of CSV or of JSON.

    Attributes:
        columns: Names.
        delimiter: Of CSV; None for JSON.
    """

    columns: Sequence[str]
    delimiter: str | None

    @property
    def header(self) -> str:
        """The line of names; JSON has none."""
        return "" if self.delimiter is None else self.lines([self.columns])

    @property
    def null(self) -> str:
        """What stands for nothing."""
        return "null" if self.delimiter is None else ""

    def lines(self, rows: Sequence[Sequence[str]]) -> str:
        """One line a row."""
        if self.delimiter is None:
            keys = [json.dumps(name) + ": " for name in self.columns]
            pairs = (map("".join, zip(keys, row, strict=True)) for row in rows)
            return "".join("{" + ", ".join(row) + "}\n" for row in pairs)
        text = self._csv(rows, csv.QUOTE_MINIMAL)
        return self._csv(rows, csv.QUOTE_ALL) if "\r" in text else text  # which not every Python quotes

    def _csv(self, rows: Sequence[Sequence[str]], quoting: Literal[0, 1]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter or ",", lineterminator="\n", quoting=quoting)
        writer.writerows(rows)
        return text.getvalue()


def predict(
    artifact: QuantizedArtifact,
    options: Options,
    notify: Callable[[str], None],
    progress: Callable[[int], None],
) -> int:
    """Predict row after row, in batches, in memory that does not grow with their number.

    Columns are matched by name: any order, extra ones ignored with a notice.

    Args:
        artifact: The integer model.
        options: Where from, where to, and how.
        notify: Told of ignored columns, of rows that could not be read and of those beyond the ranges.
        progress: Told the number of rows done, after each batch.

    Returns:
        The number of rows read.

    Raises:
        MlrqError: Naming the missing column, or the line and column of a bad cell.
    """
    name = "standard input" if options.input == "-" else options.input
    if _same_file(options.input, options.output):
        raise MlrqError(f"{options.output}: predictions would replace the rows; name another predict.output")
    model, ranges = artifact.model, ranges_of(artifact)
    columns = options.columns(model)
    features = Features(model.features, artifact.training.columns, options.unknown)
    tally = Tally(0, 0, "", ranges.nothing())
    with ExitStack() as stack:
        stream = stack.enter_context(_opened(options.input))
        source, writer = _source(stream, name, options, features, columns)
        sink = _sink(stack, options.output)
        # The header waits for the first rows, so that bad ones leave no output that looks like a result.
        header = writer.header
        for batch in batches(source, options.forgiving):
            rows, found = _predicted(model, ranges, options, batch, writer.null, (name, tally.rows))
            tally += found
            sink.write((header + writer.lines(rows)).encode())
            header = ""
            progress(tally.rows)
        sink.write(header.encode())
        sink.flush()
    if source.extra:
        notify(f"{name}: ignored what the model does not use: {', '.join(sorted(source.extra))}")
    for note in tally.notes(name, options, ranges):
        notify(note)
    return tally.rows


def _predicted(
    model: QuantizedLinear,
    ranges: Ranges,
    options: Options,
    batch: Batch,
    null: str,
    where: tuple[str, int],
) -> tuple[list[list[str]], Tally]:
    """The cells of each row to write: what is copied, the predictions, the flag; and the tally of the batch.

    Args:
        model: The integer model.
        ranges: Of its features.
        options: What to do with rows that cannot be read or predicted, and what to write.
        batch: The rows.
        null: What stands for nothing.
        where: What to call the input, and the number of rows before these.

    Raises:
        DataError: For the first row whose prediction exceeds a double, where nothing is forgiven.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = numbers(model, batch.rows)
    faults = dict(batch.faults)
    for i in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        what = f"{where[0]}, row {where[1] + i + 1}: its prediction exceeds what a double holds"
        faults.setdefault(i, DataError(what))
    if faults and not options.forgiving:
        raise faults[min(faults)]
    outside = ranges.outside(batch.rows)
    outside[list(faults)] = False
    made: list[list[str]] = [list(map(repr, row)) for row in values.tolist()]
    if options.flag:
        for row, beyond in zip(made, np.asarray(outside.any(axis=1)), strict=True):
            row.append("true" if beyond else "false")
    for i in faults:
        made[i] = [null] * len(made[i])
    if options.keep:
        made = [
            [*(null if cell is None else cell for cell in kept), *row]
            for kept, row in zip(batch.kept, made, strict=True)
        ]
    if options.on_error == "skip":
        made = [row for i, row in enumerate(made) if i not in faults]
    first = str(faults[min(faults)]) if faults else ""
    return made, Tally(len(batch.rows), len(faults), first, ranges.count(batch.rows, outside))


def _source(
    stream: TextIO, name: str, options: Options, features: Features, columns: Sequence[str]
) -> tuple[CsvRows | JsonRows, Writer]:
    """The rows in `stream`, and what writes predictions in their format."""
    lines, is_json = _sniff(read_lines(stream, name), options.input, options.format)
    if is_json:
        return JsonRows(Counted(lines), name, features, options.keep), Writer(columns, None)
    source = CsvRows(Counted(lines), name, options.delimiter, features, options.keep)
    return source, Writer(columns, options.delimiter)


def _sniff(lines: Iterator[str], path: str, kind: str) -> tuple[Iterator[str], bool]:
    """The lines, and whether they are JSON."""
    if kind != "auto":
        return lines, kind == "jsonl"
    if Path(path.removesuffix(".gz")).suffix in JSON_SUFFIXES:
        return lines, True
    first = list(next(([line] for line in lines if line.strip()), []))
    return chain(first, lines), bool(first) and first[0].lstrip().startswith(("{", "["))


def _opened(path: str) -> TextIO:
    """The text at `path`. Raises MlrqError if it cannot be read, or is a pipe to which nobody writes."""
    if path == "-":
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
    if not Path(path).is_fifo():
        return open_text(Path(path))
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # or it would wait for a writer for ever
    if not select.select([handle], [], [], PATIENCE)[0]:
        os.close(handle)
        raise MlrqError(f"{path}: a pipe to which nobody wrote for {PATIENCE:g} seconds")
    os.set_blocking(handle, True)
    return open(handle, encoding="utf-8-sig", newline="")  # noqa: PTH123 - a handle has no path


def _sink(stack: ExitStack, destination: str) -> IO[bytes]:
    return sys.stdout.buffer if destination == "-" else stack.enter_context(atomic(Path(destination)))


def _same_file(source: str, destination: str) -> bool:
    there = destination != "-" and Path(destination).exists() and source != "-" and Path(source).exists()
    return there and Path(source).samefile(destination)
