"""Tables with categories and missing cells, as `QuantizedRegressor` learns and applies them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.api.prepare import columns_of, learned
from mlrq.api.tables import Table, cells_of
from mlrq.datasets.column_rules import ColumnRules, incomplete
from mlrq.datasets.encoding import DROP, Cells, Texts, category, is_missing, select
from mlrq.datasets.split import set_aside
from mlrq.errors import MlrqError
from mlrq.streaming.train_test import TrainTest

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Rows to learn from whose columns become features.

    Attributes:
        cells: Of each column.
        targets: (n, targets) float64.
        weight: (n,) what each row counts; None for 1.
    """

    cells: dict[str, Cells]
    targets: Numbers
    weight: Numbers | None

    def chosen(self, rows: NDArray[np.bool_]) -> "Columns":
        """Some of the rows."""
        cells = {name: select(one, rows) for name, one in self.cells.items()}
        return Columns(cells, self.targets[rows], None if self.weight is None else self.weight[rows])


def found(X: Any, rules: ColumnRules | None) -> dict[str, Cells] | None:
    """The columns of a table that has others than numbers, or rules; None of one of plain numbers.

    Those of an array are x0, x1, ...

    Raises:
        MlrqError: If it is no table.
    """
    if rules is None:
        named = hasattr(X, "columns") or hasattr(X, "column_names")
        return columns_of(X, None) if named else None
    return cells_of(X, "X")


def first_pass(given: Columns, rules: ColumnRules, name: str) -> tuple[TrainTest, Numbers | None]:
    """The first pass over the rows that count: those of weight 0 are absent, constant columns left out.

    Args:
        given: The rows.
        rules: What the columns are.
        name: What messages call the table.

    Returns:
        The rows as features, and what each counts.

    Raises:
        MlrqError: If a column is refused, a cell does not fit its column, or nothing is left.
    """
    if given.weight is not None:
        given = given.chosen(given.weight > 0)
    rules.wanted(list(given.cells), (), list(given.cells), name)
    cells = {one: cells for one, cells in given.cells.items() if rules.kinds.get(one) != DROP}
    whole = np.ones(len(given.targets), dtype=bool)
    if rules.missing == "drop":
        whole = ~incomplete(list(cells.values()), rules.missing_values)
        if not whole.any():
            raise MlrqError(f"{name}: every row has a missing cell, and missing=drop drops it")
    rows = Columns(cells, given.targets, given.weight).chosen(whole)
    seen = ~set_aside(0, len(rows.targets), rules.split)
    kept = {one: cells for one, cells in rows.cells.items() if _varies(select(cells, seen), rules)}
    if not kept:
        raise MlrqError(f"{name}: columns that are all constant: nothing to learn from")
    rules = replace(rules, kinds={one: kind for one, kind in rules.kinds.items() if one in kept})
    named = name, "a table in memory"
    return learned(kept, Table(None, rows.targets), rules, named, rows.weight), rows.weight


def _varies(cells: Cells, rules: ColumnRules) -> bool:
    """Whether a column has several values; one of missing cells that are refused counts, and is refused."""
    lost = is_missing(cells, rules.missing_values)
    if lost.all():
        return False
    if rules.missing == "error" and lost.any():
        return True
    there = select(cells, ~lost)
    if not isinstance(there, Texts):
        return bool((there != there[0]).any())
    return len({category(there.values[place]) for place in np.unique(there.codes).tolist()}) > 1
