"""Any CSV file with a header line."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from mlrq.datasets import csv_stream
from mlrq.datasets.csv_stream import CsvStream
from mlrq.datasets.dataset import Dataset, chosen
from mlrq.datasets.tables import CsvTable, open_text, read_lines
from mlrq.errors import MlrqError


def load(
    path: str,
    target: list[str],
    features: list[str] | None,
    delimiter: str,
    stream_above: int = 100_000_000,
    memory_limit: int = 2_000_000_000,
    on_error: str = "fail",
) -> Dataset | CsvStream:
    """The columns `features` and `target` of a CSV file, in memory or, where it is large, as a stream.

    Args:
        path: The file; .gz is read too.
        target: Column names of the targets.
        features: Column names of the features; None for every column that is no target.
        delimiter: One character.
        stream_above: Size of the file in bytes from which on it is a stream.
        memory_limit: Bytes that the rows of a stream may take where all of them are needed at once.
        on_error: "skip" leaves out pieces of a stream that cannot be read.

    Raises:
        MlrqError: If the file is missing or empty, has no header or no rows, lacks a column, is ragged,
            or has a cell that is not a finite number; with line and column. Of a stream, only what
            the header shows; the rest comes when it is read.
    """
    size = 0
    with suppress(OSError):  # opening it says what is wrong
        size = Path(path).stat().st_size
    if size > stream_above:
        return csv_stream.load(path, target, features, delimiter, memory_limit, on_error)
    if on_error == "skip":
        raise MlrqError(
            f"dataset.on_error=skip: only for a stream, but {path} of {size:,} bytes is read whole; "
            "dataset.stream_above=0 makes it one"
        )
    with open_text(Path(path)) as stream:
        table = CsvTable(read_lines(stream, path), path, delimiter)
        names = chosen(table.columns, target, features, path)
        batches = list(table.batches([*names, *target]))
    if not batches:
        raise MlrqError(f"{path}: a header line, but no rows")
    values = np.concatenate(batches)
    width = len(names)
    return Dataset(Path(path).name, path, tuple(names), tuple(target), values[:, :width], values[:, width:])
