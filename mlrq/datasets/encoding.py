"""`Encoding`: how columns of numbers, truth values and categories, with holes, become columns of numbers.

It is learned once, from the training rows (`mlrq.datasets.learning`), kept in the artifacts, and applied
wherever rows are read: what comes after sees numbers only.
"""

import math
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlrq.kernel import bounded

NUMERIC, BOOLEAN, CATEGORICAL, DROP = "numeric", "boolean", "categorical", "drop"
MISSING = ("", "NAN", "NULL", "NaN", "Nan", "Null", "nan", "null")  # without blanks around
TRUTH = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}  # in any case
RARE = "(rare)"  # what its feature calls the rare categories

QUICK = 64  # features of a column: to compare all rows with each is quicker than to find those of each

_WHOLE = re.compile(r"(-?[0-9]+)\.0*")


@dataclass(frozen=True, eq=False)
class Texts:
    """Cells of a column that are text: each text once, and which of them every row has.

    Attributes:
        values: The texts, as they were read; an empty one is a missing cell.
        codes: (rows,) int64 places in `values`.
    """

    values: Sequence[str]
    codes: NDArray[np.int64]


# A column of consecutive rows. What is missing is not a number.
Cells = NDArray[np.float64] | Texts


class CellFault(Exception):
    """A cell that cannot be encoded.

    Attributes:
        row: Its row, from 0.
        name: Of its column.
        what: What is wrong with it.
        why: "missing", "unknown", or empty.
        text: The cell, where it is text that is no number.
    """

    def __init__(self, row: int, name: str, what: str, why: str = "", text: str = "") -> None:
        super().__init__(what)
        self.row, self.name, self.what, self.why, self.text = row, name, what, why, text


@dataclass(frozen=True)
class Column:
    """How a column becomes features.

    Attributes:
        name: Of the column.
        kind: What its cells are.
        categories: Of a categorical column, the most frequent one first, which has no feature.
        rare: Categories that share one feature.
        fill: Number that stands for a missing cell; None where such a cell is an error. Of a categorical
            column it is 0: a missing cell counts as the most frequent category.
        indicator: Whether a last feature is 1 where the cell is missing.
    """

    name: str
    kind: Literal["numeric", "boolean", "categorical"]
    categories: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    fill: float | None = None
    indicator: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that it becomes."""
        names = [self.name]
        if self.kind == CATEGORICAL:
            names = [f"{self.name}={one}" for one in (*self.categories[1:], *([RARE] if self.rare else []))]
        return (*names, *([f"{self.name} is missing"] if self.indicator else []))

    def __str__(self) -> str:
        told: list[str] = [self.kind]
        if self.kind == CATEGORICAL:
            told.append(f"{len(self.categories):,} categories, each against {self.categories[0]!r}")
        if self.rare:
            told.append(f"{len(self.rare):,} rare ones together")
        if self.fill is not None:
            filled = repr(self.categories[0]) if self.categories else f"{self.fill:g}"
            told.append(f"missing counts as {filled}" + (" and has a feature" if self.indicator else ""))
        return "; ".join(told)


@dataclass(frozen=True)
class Encoding:
    """How the columns of a table become features.

    Attributes:
        columns: In the order of their features.
        missing_values: Texts and numbers that mean a missing cell, beside `MISSING` and what is not a number.
    """

    columns: tuple[Column, ...]
    missing_values: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(name for column in self.columns for name in column.features)

    def encode(
        self,
        cells: Sequence[Cells],
        largest: float = sys.float_info.max,
        unknown: str = "error",
        faults: list[CellFault] | None = None,
    ) -> NDArray[np.float64]:
        """(features, rows) float64 of the columns.

        Args:
            cells: Of each column, in their order.
            largest: Magnitude of the largest number that is let through.
            unknown: "baseline" counts a category that is not known as the most frequent one.
            faults: Takes the first fault of each column, and features of faulty cells are not numbers; None
                raises the first of them.

        Raises:
            CellFault: For the first row with a cell that is no number, no truth value, not known or missing.
        """
        made = np.empty((len(self.features), rows_of(cells[0])))
        found, place = [] if faults is None else faults, 0
        for column, one in zip(self.columns, cells, strict=True):
            target = made[place : place + len(column.features)]
            place += len(target)
            if _filled(column, one, self.missing_values, target, largest):
                continue
            target[:] = 0.0
            lost = is_missing(one, self.missing_values)
            if column.kind == CATEGORICAL:
                found += _fill_categories(column, one, lost, target, unknown)
            else:
                found += _fill_numbers(column, one, lost, target, largest)
            if column.fill is None and lost.any():
                row = int(np.argmax(lost))
                found.append(CellFault(row, column.name, _missing_cell(one, row), "missing"))
                target[:, lost] = np.nan
            if column.indicator:
                target[-1] = lost
        if found and faults is None:
            raise min(found, key=lambda fault: fault.row)
        return made


def _filled(
    column: Column, cells: Cells, missing_values: Sequence[str], made: NDArray[np.float64], largest: float
) -> bool:
    """Fill the features `made` where that is quick, which is where no cell is at fault; whether it was."""
    if column.kind == NUMERIC and not isinstance(cells, Texts):
        if any(parsed(value) is not None for value in missing_values) or not bounded([cells], largest):
            return False
        made[0] = cells
        if column.indicator:
            made[-1] = 0.0
        return True
    if column.kind != CATEGORICAL or not isinstance(cells, Texts) or len(made) > QUICK:
        return False
    slots, gone = _slots(column, cells.values), missing_texts(cells.values, missing_values)
    slots[gone] = -1
    if (slots == -2).any() or (column.fill is None and gone.any()):
        return False
    if column.indicator:
        slots[gone] = len(made) - 1
    made[:] = slots.astype(np.int8)[cells.codes] == np.arange(len(made), dtype=np.int8)[:, None]
    return True


def _slots(column: Column, values: Sequence[str]) -> NDArray[np.int64]:
    """(texts,) the feature of each: -1 of the most frequent category, which has none; -2 of unknown ones."""
    known = {name: slot for slot, name in enumerate(column.categories, -1)}
    known |= dict.fromkeys(column.rare, len(column.categories) - 1)
    return np.array([known.get(category(text), -2) for text in values], dtype=np.int64)


def _fill_categories(
    column: Column, cells: Cells, lost: NDArray[np.bool_], made: NDArray[np.float64], unknown: str
) -> list[CellFault]:
    """Fill the features `made`, zeros, of a categorical column; its first fault, if there is one."""
    found = texts(cells)
    slot = _slots(column, found.values)[found.codes]
    slot[lost] = -1
    rows = np.flatnonzero(slot >= 0)
    made[slot[rows], rows] = 1.0
    strange = np.flatnonzero(slot == -2)
    if not len(strange) or unknown == "baseline":
        return []
    made[:, strange] = np.nan
    shown = repr(category(found.values[int(found.codes[strange[0]])]))
    return [
        CellFault(int(strange[0]), column.name, f"{shown} is no category of the training rows", "unknown")
    ]


def _fill_numbers(
    column: Column, cells: Cells, lost: NDArray[np.bool_], made: NDArray[np.float64], largest: float
) -> list[CellFault]:
    """Fill the first of the features `made` of numbers or truth values; its first fault, if there is one."""
    faults = []
    values, bad = numbers(column.kind, cells)
    made[0] = values
    made[0, lost] = 0.0 if column.fill is None else column.fill
    with np.errstate(invalid="ignore"):
        bad = (bad | ~(np.abs(made[0]) <= largest)) & ~lost
    if bad.any():
        row = int(np.argmax(bad))
        faults.append(bad_cell(column.name, column.kind, cells, row, largest))
        made[0, bad] = np.nan
    return faults


def category(text: str) -> str:
    """The category that a cell's text stands for: without blanks around, and 3.0 is 3."""
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def rows_of(cells: Cells) -> int:
    """Number of rows of a column."""
    return len(cells.codes if isinstance(cells, Texts) else cells)


def coded(found: Iterable[str]) -> Texts:
    """A column of texts, each kept once."""
    places: dict[str, int] = {}
    taken = [places.setdefault(text, len(places)) for text in found]
    return Texts(list(places), np.array(taken, dtype=np.int64))


def texts(cells: Cells) -> Texts:
    """A column as texts; of numbers the shortest that reads back, without a fraction where it is whole."""
    if isinstance(cells, Texts):
        return cells
    values, places = np.unique(cells, return_inverse=True)
    return Texts([text_of(value) for value in values.tolist()], places.reshape(-1).astype(np.int64))


def text_of(value: object) -> str:
    """The text of a cell of another type: nothing and what is not a number are missing."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return category(repr(value)) if isinstance(value, int | float) else str(value)


def select(cells: Cells, rows: NDArray[np.bool_] | slice) -> Cells:
    """The cells of some rows."""
    return Texts(cells.values, cells.codes[rows]) if isinstance(cells, Texts) else cells[rows]


def is_missing(cells: Cells, missing_values: Sequence[str]) -> NDArray[np.bool_]:
    """(rows,) whether the cell is missing."""
    if isinstance(cells, Texts):
        return missing_texts(cells.values, missing_values)[cells.codes]
    lost = np.isnan(cells)
    for value in map(parsed, missing_values):
        if value is not None:
            lost |= cells == value
    return lost


def missing_texts(found: Sequence[str], missing_values: Sequence[str]) -> NDArray[np.bool_]:
    """(texts,) whether a cell with the text is missing."""
    known = {*MISSING, *(value.strip() for value in missing_values)}
    return np.array([text.strip() in known or category(text) in known for text in found], dtype=bool)


def parsed(text: str) -> float | None:
    """The number that a text is; None if it is none. It may be infinite."""
    if "_" in text or not text.isascii():  # Python reads 1_000 and other digits, nobody else does
        return None
    try:
        return float(text)
    except ValueError:
        return None


def numbers(kind: str, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(rows,) numbers of a numeric or boolean column, and whether a cell is none; it may be missing, too."""
    if kind == NUMERIC and not isinstance(cells, Texts):
        return cells, np.isnan(cells)
    found = texts(cells)
    values = [number(kind, text) for text in found.values]
    table = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    made = table[found.codes]
    return made, np.isnan(made)


def number(kind: str, text: str) -> float | None:
    """The number of a cell of a numeric or boolean column; None if it has none."""
    return TRUTH.get(category(text).lower()) if kind == BOOLEAN else parsed(text)


def bad_cell(name: str, kind: str, cells: Cells, row: int, largest: float) -> CellFault:
    """The fault of a cell of column `name` that is there, and no number that is let through."""
    text = ""
    if isinstance(cells, Texts):
        text = cells.values[int(cells.codes[row])]
        value = number(kind, text)
        shown = repr(text)
    else:
        shown = f"{cells[row]:g}"
        value = number(kind, shown) if kind == BOOLEAN else float(cells[row])
    if value is None or math.isnan(value):
        what = "neither true nor false" if kind == BOOLEAN else "not a number"
        return CellFault(row, name, f"{shown} is {what}", text=text)
    what = f"exceeds {largest:g}: change its unit" if math.isfinite(value) else "is not finite"
    return CellFault(row, name, f"{shown} {what}")


def _missing_cell(cells: Cells, row: int) -> str:
    if isinstance(cells, Texts):
        text = cells.values[int(cells.codes[row])]
        return f"{text!r} means a missing cell" if text.strip() else "is empty"
    return "is missing" if np.isnan(cells[row]) else f"{cells[row]:g} means a missing cell"


@dataclass(frozen=True)
class Plan:
    """How a table is read whose columns are not all plain numbers.

    Attributes:
        encoding: Of the features.
        targets: Names of the columns of numbers that follow them.
        kinds: What each column is read as; `mlrq.datasets.column_rules.TEXT` as text.
        drop: Whether rows with missing cells are left out.
        unknown: What a category does that the encoding does not know; see `Encoding.encode`.
        known: Whether the encoding is of a model: then not every category need be in this table.
    """

    encoding: Encoding
    targets: tuple[str, ...]
    kinds: dict[str, str]
    drop: bool = False
    unknown: str = "error"
    known: bool = False

    @property
    def every(self) -> Encoding:
        """The encoding of the features and the targets."""
        columns = (*self.encoding.columns, *(Column(name, "numeric") for name in self.targets))
        return Encoding(columns, self.encoding.missing_values)
