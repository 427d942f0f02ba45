"""What columns of a table add to the accumulators of a model of integer inputs.

A category, a truth value or a missing cell makes features of 0 and 1, whose input codes are constants. So
what such a column adds to an accumulator is a constant of its value, and all of it is one look-up:

    accumulator = base + sum over numbers of step * code + sum over the others of table[value]

in the integers of `QuantizedLinear`, and in another order, which of exact sums does not matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.datasets.encoding import BOOLEAN, CATEGORICAL, NUMERIC, RARE, Column, Encoding, parsed
from mlrq.export.identifiers import distinct, member
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear

NAME_LENGTH = 31  # characters of a column's identifier


@dataclass(frozen=True)
class Value:
    """A value of a column that is looked up: a place in its table.

    Attributes:
        label: The category or truth value, or that of `RARE_VALUE`, `MISSING` or `UNKNOWN`.
        special: Whether it is one of these three, and not a category that is called so.
    """

    label: str
    special: bool = False


RARE_VALUE, MISSING, UNKNOWN = Value(RARE, True), Value("(missing)", True), Value("(unknown)", True)


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A column, and what it adds.

    Attributes:
        column: How it becomes features.
        name: Its identifier.
        feature: Place of its first feature.
        values: What it is looked up by, in the order of the table; none of a column of numbers. `UNKNOWN`,
            the last one, is not in the table: it counts as the first.
        fill: Input code that stands for a missing number; None where it is an error.
        table: (targets, values) int64; of numbers (targets, 2), by whether the cell is missing, or None.
    """

    column: Column
    name: str
    feature: int
    values: tuple[Value, ...]
    fill: int | None
    table: NDArray[np.int64] | None

    @property
    def is_number(self) -> bool:
        """Whether its cells are numbers."""
        return self.column.kind == NUMERIC


@dataclass(frozen=True, eq=False)
class RawModel:
    """A model of the columns of a table.

    Attributes:
        columns: In the order of their features.
        base: (targets,) int64 what accumulators start from.
        missing_values: Numbers that mean a missing cell, beside what is not a number.
    """

    columns: tuple[RawColumn, ...]
    base: NDArray[np.int64]
    missing_values: tuple[float, ...]

    @property
    def numbers(self) -> tuple[RawColumn, ...]:
        """The columns of numbers."""
        return tuple(one for one in self.columns if one.is_number)

    @property
    def lookups(self) -> tuple[RawColumn, ...]:
        """The columns of categories and truth values."""
        return tuple(one for one in self.columns if not one.is_number)


def names_of(encoding: Encoding) -> tuple[str, ...]:
    """An identifier for each column, each once, and free with `_missing` behind it, too."""
    taken: set[str] = set()
    return tuple(
        distinct(member(column.name, f"column_{place}", NAME_LENGTH), taken, ("", "_missing"))
        for place, column in enumerate(encoding.columns)
    )


def values_of(column: Column) -> tuple[Value, ...]:
    """What a column is looked up by; nothing of numbers."""
    missing = (MISSING,) if column.fill is not None else ()
    if column.kind == BOOLEAN:
        return (Value("false"), Value("true"), *missing)
    if column.kind == CATEGORICAL:
        rare = (RARE_VALUE,) if column.rare else ()
        return (*map(Value, column.categories), *rare, *missing, UNKNOWN)
    return ()


def missing_numbers(encoding: Encoding) -> tuple[float, ...]:
    """The finite numbers that mean a missing cell."""
    found = [parsed(text) for text in encoding.missing_values]
    return tuple(dict.fromkeys(one for one in found if one is not None and np.isfinite(one)))


def raw_model(artifact: QuantizedArtifact) -> RawModel | None:
    """The model of the columns; None where the inputs are float, or every column is a feature as it is."""
    model, encoding = artifact.model, artifact.training.columns
    if encoding is None or model.inputs is None:
        return None
    columns, base, place = [], model.intercept.astype(np.int64), 0
    for column, name in zip(encoding.columns, names_of(encoding), strict=True):
        one, added = _raw(column, name, place, model, model.inputs)
        columns.append(one)
        base = base + added
        place += len(column.features)
    return RawModel(tuple(columns), base, missing_numbers(encoding))


def _raw(
    column: Column, name: str, place: int, model: QuantizedLinear, inputs: InputGrid
) -> tuple[RawColumn, NDArray[np.int64] | int]:
    """A column, and what every row of it adds to the accumulators."""
    rows = features_of(column)
    here = slice(place, place + rows.shape[1])
    grid = InputGrid(inputs.bits, inputs.scale[here], inputs.offset[here])
    codes = grid.encode(rows).astype(np.int64)
    steps = model.steps[:, here]
    fill = None
    if column.kind == NUMERIC:
        fill = None if column.fill is None else int(codes[1, 0])
        codes, steps = codes[:, 1:], steps[:, 1:]  # the number itself is no constant
        if not column.indicator:
            return RawColumn(column, name, place, (), fill, None), 0
    sums = np.stack([(steps * row).sum(axis=1) for row in codes], axis=1)
    table, added = _from_first(sums, model.accumulator_bits or 64)
    return RawColumn(column, name, place, values_of(column), fill, table), added


def features_of(column: Column) -> NDArray[np.float64]:
    """(values, features) what the column becomes for each value in its table; of numbers, if 0 or missing."""
    count = sum(value != UNKNOWN for value in values_of(column))
    if column.kind == NUMERIC:
        count = 1 if column.fill is None else 2
    rows = np.zeros((count, len(column.features)))
    last = count if column.fill is None else count - 1  # where a missing cell is
    if column.kind == CATEGORICAL:
        rows[1:last, : last - 1] = np.eye(last - 1)
    elif column.kind == BOOLEAN:
        rows[1, 0] = 1.0
    if column.fill is not None:
        rows[last, 0] = rows[last, 0] if column.kind == CATEGORICAL else column.fill
        rows[last, -1] = 1.0 if column.indicator else rows[last, -1]
    return rows


def _from_first(sums: NDArray[np.int64], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64] | int]:
    """(targets, values) sums less those of the first value, which are small, and what was taken off.

    Where a difference could exceed what an accumulator holds, nothing is. Either way what is added up is the
    accumulator of some row, or a part of it, and no sum exceeds the bound.
    """
    less = sums - sums[:, :1]
    if int(np.abs(less).max()) < 1 << (bits - 1):
        return less, sums[:, 0]
    return sums, 0
