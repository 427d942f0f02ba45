"""Tables in memory as the rows that the stages take, and the float model of them."""

import warnings
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.api.fitted import chosen, fold_columns
from mlrq.api.tables import Table, cells, table
from mlrq.config import values
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.encoding import Cells, Texts, rows_of
from mlrq.datasets.memory import of_arrays
from mlrq.datasets.memory_columns import of_cells
from mlrq.datasets.split import Split
from mlrq.errors import DataError, MlrqError
from mlrq.models import pretrained
from mlrq.models.pretrained import Pretrained
from mlrq.pipeline.adopt import adopt, adopt_folded
from mlrq.pipeline.results import Trained
from mlrq.pipeline.train import train
from mlrq.streaming.train_test import SAMPLE_ROWS, TrainTest

Names = tuple[tuple[str, ...], tuple[str, ...]]
WEIGHT = "sample_weight"


def prepare(
    model: Any,
    X: Any,
    y: Any,
    split: Split,
    named: tuple[str, str],
    sample_weight: Any = None,
    rules: ColumnRules | None = None,
) -> tuple[TrainTest, Trained]:
    """The rows, and the float model: fitted to them, or taken as it is. Arguments as of `quantize`."""
    found = None if isinstance(model, str) else pretrained.given(model)
    if found is None and y is None:
        raise MlrqError(f"y: required, for model={model} is fitted to it")
    if y is None and split.calibrate:
        raise MlrqError("y: required, for an interval is of how far predictions are from it")
    given_cells = columns_of(X, rules)
    if given_cells is not None:
        rules = replace(rules or ColumnRules(), split=split)
        if found is not None:
            given_cells = chosen(found, X, given_cells, y, rules)
        data = learned(given_cells, table(y, "y"), rules, named, sample_weight)
        if found is not None:
            return data, adopt_folded(data, found, fold_columns(found, X, given_cells, data))
        return data, train(data, asdict(values.model(model)))
    rows = table(X, "X")
    features = rows.names or _features(model, rows.cells.shape[1])
    given = _followed(found, rows, features) if found and y is None else table(y, "y")
    if len(given.cells) != len(rows.cells):
        raise MlrqError(f"y: has {len(given.cells)} rows, but X has {len(rows.cells)}")
    names = features, given.names or _numbered("y", given.cells.shape[1])
    weight = None if sample_weight is None else weights(sample_weight, len(rows.cells))
    data = read(rows.cells, given.cells, names, split, named, weight)
    if found is None:
        return data, train(data, asdict(values.model(model)))
    return data, adopt(data, found)


def columns_of(X: Any, rules: ColumnRules | None) -> dict[str, Cells] | None:
    """The columns of a table some of which are text; None where `table` finds numbers alone."""
    found = cells(X, "X")
    if rules:
        if found is None:
            raise MlrqError("columns, missing, rare_below: are of columns by name; X has no names")
        return found
    if found is None or not any(isinstance(one, Texts) for one in found.values()):
        return None
    try:
        table(X, "X")
    except DataError:
        return found
    return None


def learned(
    given: dict[str, Cells], targets: Table, rules: ColumnRules, named: tuple[str, str], sample_weight: Any
) -> TrainTest:
    """The first pass over a table in memory whose columns become features, as of `dataset=csv`.

    Args:
        given: The columns.
        targets: Of the same rows.
        rules: What the columns are.
        named: Name and source of the table.
        sample_weight: What each row counts; None for 1.
    """
    count = rows_of(next(iter(given.values())))
    if len(targets.cells) != count:
        raise MlrqError(f"y: has {len(targets.cells)} rows, but X has {count}")
    names = targets.names or _numbered("y", targets.cells.shape[1])
    numbers: dict[str, Cells] = dict(zip(names, targets.cells.T, strict=True))
    if sample_weight is not None:
        numbers[WEIGHT] = weights(sample_weight, count)[:, 0]
    both = [one for one in numbers if one in given]
    if both:
        raise MlrqError(f"{both[0]!r} is the name of a column of X too: rename it")
    stream = of_cells(*named, given | numbers, tuple(numbers), rules)
    return TrainTest(stream if sample_weight is None else stream.weighted(), rules.split)


def read(
    rows: NDArray[np.float64],
    targets: NDArray[np.float64],
    names: Names,
    split: Split,
    named: tuple[str, str],
    weight: NDArray[np.float64] | None = None,
) -> TrainTest:
    """The first pass over a table in memory.

    Args:
        rows: (n, features) float64.
        targets: (n, targets) float64.
        names: Of the features, and of the targets.
        split: Which rows are test rows.
        named: Name and source of the table.
        weight: (n, 1) what each row counts; None for 1.

    Raises:
        MlrqError: If there are too few rows, one column is constant, or a cell is no finite number.
    """
    both = [one for one in names[1] if one in names[0]]
    if both:
        raise MlrqError(f"y: {both[0]!r} is the name of a feature too: rename it")
    if weight is None:
        return TrainTest(of_arrays(*named, *names, rows, targets), split)
    features, given = names
    if WEIGHT in (*features, *given):
        raise MlrqError(f"{WEIGHT}: is the name of a column of X or y too: rename it")
    table = of_arrays(*named, features, (*given, WEIGHT), rows, np.concatenate([targets, weight], axis=1))
    return TrainTest(table.weighted(), split)


def weights(found: Any, rows: int) -> NDArray[np.float64]:
    """(n, 1) float64 weights of `rows` rows.

    Raises:
        MlrqError: If there is another number of them.
    """
    cells = table(found, WEIGHT).cells
    if cells.shape != (rows, 1):
        shape = f"{len(cells)} rows" if cells.shape[1] == 1 else f"{cells.shape[1]} columns"
        raise MlrqError(f"{WEIGHT}: has {shape}, but X has {rows} rows")
    return cells


def _features(model: Any, count: int) -> tuple[str, ...]:
    """The names that the estimator was fitted on; numbers where there are none, or another number of them."""
    names = getattr(model, "feature_names_in_", None)
    return tuple(map(str, names)) if names is not None and len(names) == count else _numbered("x", count)


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for i in range(count)) if count > 1 or letter == "x" else (letter,)


def _followed(found: Pretrained, rows: Table, features: tuple[str, ...]) -> Table:
    """The predictions of a fitted estimator, by the formula that the codes follow."""
    cells, count = rows.cells, 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that arrays have no names
        try:
            count = np.asarray(found.estimator.predict(cells[:1])).reshape(1, -1).shape[1]
        except Exception:  # whatever it is, folding says it
            count = 1
    model, _ = pretrained.linear(found, features, _numbered("y", count), cells[:SAMPLE_ROWS], cells[:1])
    return Table(None, model.predict(cells))
