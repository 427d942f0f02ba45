"""Estimators fitted elsewhere on a DataFrame with categories: folded into a model of the encoded features.

A one-hot encoder before a linear regressor is affine in the features that `mlrq` makes of the same columns:
each of them is a difference of two predictions, of rows that differ in one cell. The cells of such rows are
taken from the table itself, numbers apart. The folded model must then meet the estimator's own predictions on
every row of the table, or it is refused.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.api.tables import encoded_cells
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.encoding import (
    BOOLEAN,
    CATEGORICAL,
    Cells,
    Column,
    Encoding,
    Texts,
    category,
    is_missing,
    numbers,
    texts,
)
from mlrq.errors import MlrqError, printable
from mlrq.models.affine import FAR, named, predictions, require_met
from mlrq.models.linear import LinearModel
from mlrq.models.pretrained import Pretrained
from mlrq.streaming.train_test import TrainTest

Numbers = NDArray[np.float64]
HINT = (
    "missing='indicator' allows for any imputed value, columns={'zip': 'categorical'}, say, for numbers that "
    "it encodes; else fit by name here, as mlrq.quantize('ridge', X, y)"
)


@dataclass
class _Probe:
    """Rows of which each differs from a first one in one cell.

    Attributes:
        base: The cell of each column in the first row: a number, or the place of a row that has it.
        rows: Column and cell of the others.
    """

    base: dict[str, float | int]
    rows: list[tuple[str, float | int]] = field(default_factory=list)

    def add(self, name: str, cell: float | int) -> int:
        """The place of a row with another cell in the column `name`."""
        self.rows.append((name, cell))
        return len(self.rows)

    def frame(self, X: Any) -> Any:
        """The rows as a DataFrame with the columns of X."""
        made = {}
        for name in X.columns:
            base = self.base.get(str(name), 0)
            cells = [base, *(cell if one == str(name) else base for one, cell in self.rows)]
            made[name] = cells if isinstance(base, float) else X[name].iloc[cells].array
        return type(X)(made)


def chosen(
    found: Pretrained, X: Any, cells: dict[str, Cells], y: Any, rules: ColumnRules
) -> dict[str, Cells]:
    """The columns that a fitted estimator takes.

    Raises:
        MlrqError: If it lacks some, or X is no DataFrame of pandas, y is not given, or rows shall be dropped.
    """
    who = f"{found.who}: {named(found.estimator)}"
    if not hasattr(X, "iloc"):
        raise MlrqError(f"X: {who} with columns that are no numbers needs a DataFrame of pandas")
    if y is None:
        raise MlrqError("y: required where columns of X are no numbers")
    if rules.missing == "drop":
        raise MlrqError("missing=drop: not with a fitted estimator; drop the rows of X and y yourself")
    names = getattr(found.estimator, "feature_names_in_", None)
    if names is None:
        raise MlrqError(f"{who} was fitted without names of columns, but columns of X are no numbers")
    lacking = [str(name) for name in names if str(name) not in cells]
    if lacking:
        raise MlrqError(f"{who} was fitted on other columns: X lacks {printable(', '.join(lacking))}")
    return {str(name): cells[str(name)] for name in names}


def fold_columns(found: Pretrained, X: Any, cells: dict[str, Cells], data: TrainTest) -> LinearModel:
    """The `LinearModel` of the features of `data` that predicts what an estimator does for all rows of X.

    Args:
        found: The estimator.
        X: A DataFrame of pandas.
        cells: Its columns that the estimator takes.
        data: Features that were learned of these.

    Raises:
        MlrqError: One line, if there is none: then with the largest deviation, and its row.
    """
    encoding, who = data.encoding, f"{found.who}: {named(found.estimator)}"
    assert encoding
    X = X[list(found.estimator.feature_names_in_)]

    def predict(table: Any, hint: str = "") -> Numbers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predicted = predictions(found.estimator, table, who, hint)
        if predicted.shape[1] != len(data.targets):
            raise MlrqError(f"{who} has {predicted.shape[1]} targets, but y has {len(data.targets)}")
        return predicted

    used = [cells[name] for name in encoding.names]
    rows = encoded_cells(used, encoding, "X")
    model = _probed(predict, X, used, encoding, data.targets)
    require_met(model, rows, predict(X), who, HINT)
    return model


def _probed(
    predict: Any, X: Any, used: list[Cells], encoding: Encoding, targets: tuple[str, ...]
) -> LinearModel:
    """The affine function through a row and rows that differ from it in one cell."""
    missing = encoding.missing_values
    lost = [is_missing(one, missing) for one in used]
    starts = [_start(*one) for one in zip(encoding.columns, used, lost, strict=True)]
    probe = _Probe({column.name: cell for column, (cell, _) in zip(encoding.columns, starts, strict=True)})
    pairs: list[tuple[int, int, float]] = []  # rows whose difference is so many weights, for each feature
    holes: dict[int, tuple[int, float]] = {}  # of an indicator: row, and how far the fill is from the start
    for column, cells, gone, (_, value) in zip(encoding.columns, used, lost, starts, strict=True):
        name = column.name
        if column.kind == CATEGORICAL:
            first = _first_rows(cells, gone)
            members = [*column.categories[1:], *(column.rare[:1])]
            # One of the rare categories stands for all: whether they are alike, the rows tell.
            pairs += [(probe.add(name, first[one]), 0, 1.0) for one in members]
        elif column.kind == BOOLEAN:
            read, _ = numbers(column.kind, cells)
            true, false = (int(np.argmax((read == one) & ~gone)) for one in (1.0, 0.0))
            pairs.append((probe.add(name, true), probe.add(name, false), 1.0))
        else:
            read, _ = numbers(column.kind, cells)
            span = float(np.ptp(read[~gone]))
            step = FAR * 2.0 ** float(np.frexp(span)[1])
            above, below = value + step, value - step
            pairs.append((probe.add(name, above), probe.add(name, below), above - below))
        if column.indicator:
            hole = np.nan if column.kind not in (CATEGORICAL, BOOLEAN) else int(np.argmax(gone))
            holes[len(pairs)] = probe.add(name, hole), (column.fill or 0.0) - value
            pairs.append((0, 0, 1.0))
    found = predict(probe.frame(X), f" ({HINT})")
    weights = np.stack([(found[one] - found[other]) / apart for one, other, apart in pairs], axis=1)
    for feature, (row, away) in holes.items():
        moved = weights[:, feature - 1] * away  # of a category it is 0
        weights[:, feature] = found[row] - found[0] - moved
    base = np.zeros(len(pairs))
    place = 0
    for column, (_, value) in zip(encoding.columns, starts, strict=True):
        if column.kind != CATEGORICAL:
            base[place] = value
        place += len(column.features)
    return LinearModel(np.ascontiguousarray(weights), found[0] - weights @ base, encoding.features, targets)


def _start(column: Column, cells: Cells, lost: NDArray[np.bool_]) -> tuple[float | int, float]:
    """A cell of a column that is not missing, and the number that it is; of categories the reference, 0."""
    if column.kind == CATEGORICAL:
        return _first_rows(cells, lost)[column.categories[0]], 0.0
    read, _ = numbers(column.kind, cells)
    there = np.flatnonzero(~lost)
    row = int(there[len(there) // 2])
    return (row if column.kind == BOOLEAN else float(read[row])), float(read[row])


def _first_rows(cells: Cells, lost: NDArray[np.bool_]) -> dict[str, int]:
    """The first row of each category."""
    found: Texts = texts(cells)
    rows: dict[str, int] = {}
    there = np.flatnonzero(~lost)
    codes, first = np.unique(found.codes[there], return_index=True)
    for code, row in zip(codes.tolist(), there[first].tolist(), strict=True):
        rows.setdefault(category(found.values[code]), row)
    return rows
