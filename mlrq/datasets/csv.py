"""Any CSV file with a header line."""

from pathlib import Path

import numpy as np

from mlrq.datasets.dataset import Dataset
from mlrq.errors import MlrqError
from mlrq.tables import CsvTable, open_text, read_lines


def load(path: str, target: list[str], features: list[str] | None, delimiter: str) -> Dataset:
    """The columns `features` and `target` of a CSV file.

    Args:
        path: The file; .gz is read too.
        target: Column names of the targets.
        features: Column names of the features; None for every column that is no target.
        delimiter: One character.

    Raises:
        MlrqError: If the file is missing or empty, has no header or no rows, lacks a column, is ragged,
            or has a cell that is not a finite number; with line and column.
    """
    with open_text(Path(path)) as stream:
        table = CsvTable(read_lines(stream, path), path, delimiter)
        chosen = features or [name for name in table.columns if name not in target]
        if not chosen:
            raise MlrqError(f"{path}: every column is a target; there is no feature to learn from")
        batches = list(table.batches([*chosen, *target]))
    if not batches:
        raise MlrqError(f"{path}: a header line, but no rows")
    values = np.concatenate(batches)
    width = len(chosen)
    return Dataset(Path(path).name, path, tuple(chosen), tuple(target), values[:, :width], values[:, width:])
