"""The part of the self-test that starts from the columns of a table: rows, and what Python makes of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.export import c_columns_code as code
from mlrq.export.c_code import filled
from mlrq.export.c_columns import Columns
from mlrq.export.c_text import constant
from mlrq.export.fixed_point import FixedPoint
from mlrq.export.golden import edge_rows, random_rows
from mlrq.export.raw_columns import UNKNOWN, RawColumn, RawModel, features_of
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear


class TableRows:
    """Golden rows of a table: every value of every column, edges of every number, holes where they may be.

    Attributes:
        floats: (rows, numbers) float32; not a number where missing.
        values: (rows, lookups) places of values.
        features: (rows, features) float64 what they become, as Python says.
        unfit: (rows,) how many columns do not fit.
    """

    def __init__(self, raw: RawModel, inputs: InputGrid, vectors: int) -> None:
        edges = np.concatenate([edge_rows(inputs), random_rows(inputs, vectors)])
        most = max([len(edges), *(len(one.values) for one in raw.lookups)])
        edges = np.resize(edges, (most, edges.shape[1]))
        self.floats = np.zeros((most, len(raw.numbers)), dtype=np.float32)
        for place, one in enumerate(raw.numbers):
            self.floats[:, place] = self._numbers(raw, one, edges[:, one.feature], place)
        rows = np.arange(most)[:, None]
        counts = np.array([len(one.values) for one in raw.lookups], dtype=np.int64)
        self.values = (rows + 3 * np.arange(len(counts))) % counts
        made = [self._features(raw, one) for one in raw.columns]
        self.features = np.ascontiguousarray(np.concatenate(made, axis=1))
        numbers = [one.feature for one in raw.numbers]
        self.unfit = (inputs.beyond(self.features)[:, numbers] & ~np.isnan(self.floats)).sum(axis=1)
        for place, one in enumerate(raw.lookups):
            self.unfit += self.values[:, place] >= one.values.index(UNKNOWN) if UNKNOWN in one.values else 0

    @staticmethod
    def _numbers(raw: RawModel, one: RawColumn, found: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
        """Numbers that Python predicts from; some of them missing, in one way or another, where they may."""
        lost = ~np.isfinite(found)
        lost |= np.isin(found, np.array(raw.missing_values, dtype=np.float32))
        rows = np.arange(len(found))
        if one.fill is not None:
            return np.where(lost | ((rows + turn) % 5 == 0), np.float32(np.nan), found)
        usual = found[~lost]
        return np.where(lost, usual[rows % len(usual)], found)

    def _features(self, raw: RawModel, one: RawColumn) -> NDArray[np.float64]:
        """(rows, features) what a column becomes."""
        known = features_of(one.column)
        if not one.is_number:
            places = self.values[:, raw.lookups.index(one)]
            return known[np.where(places < len(known), places, 0)]
        numbers = self.floats[:, raw.numbers.index(one)].astype(np.float64)
        lost = np.isnan(numbers)
        made = known[lost.astype(np.int64)]
        made[~lost, 0] = numbers[~lost]
        return made


def self_test(
    columns: Columns, raw: RawModel, rows: TableRows, model: QuantizedLinear, fixed: FixedPoint
) -> str:
    """Rows, and the function that holds the C to what Python makes of them."""
    assert model.inputs
    codes = model.inputs.encode(rows.features)
    with np.errstate(over="ignore"):
        predictions = model.predict(rows.features).astype(np.float32)
    numbers = [one.feature for one in raw.numbers]
    declared = "mlrq_table_{}[MLRQ_TABLE_ROWS]"
    arrays, floats = [], []
    if raw.numbers:
        kept, bits = f"[{len(raw.numbers)}]", rows.floats.view(np.uint32).tolist()
        arrays.append(("Numbers as input codes.", "mlrq_input ", "codes", kept, codes[:, numbers].tolist()))
        about = "Numbers as the bits of a float; NaN is missing."
        floats.append(
            (about, "uint32_t ", "numbers", kept, [[f"0x{one:08x}" for one in row] for row in bits])
        )
    if any(one.fill is not None for one in raw.numbers):
        missing = np.isnan(rows.floats).astype(int).tolist()
        arrays.append(("Whether they are missing.", "uint8_t ", "missing", kept, missing))
    if raw.lookups:
        kept = f"[{len(raw.lookups)}]"
        arrays.append(("Values of the other columns.", "uint16_t ", "values", kept, rows.values.tolist()))
    sums = model.accumulators(codes)
    outputs = fixed.outputs(sums).tolist()
    arrays.append(("Their outputs, from Python.", "int32_t ", "outputs", "[MLRQ_TARGETS]", outputs))
    if model.interval:
        about = "Their accumulators, from Python."
        arrays.append((about, "mlrq_accumulator ", "accumulators", "[MLRQ_TARGETS]", sums.tolist()))
    floats.append(("How many columns do not fit.", "int ", "unfit", "", rows.unfit.tolist()))
    real = [[f"0x{one:08x}" for one in row] for row in predictions.view(np.uint32).tolist()]
    about = "Their predictions, from Python, as the bits of a float."
    floats.append((about, "uint32_t ", "predictions", "[MLRQ_TARGETS]", real))

    def text(tables: list[tuple[str, str, str, str, list[Any]]]) -> str:
        return "".join(
            constant(about, kind + declared.format(name) + more, table)
            for about, kind, name, more, table in tables
        )

    return filled(
        code.SELF_TEST,
        ROWS=len(rows.unfit),
        ARRAYS=text(arrays),
        FLOAT_ARRAYS=text(floats),
        CELLS="".join(_cell(columns, raw, one) for one in raw.columns),
        COLUMNS="".join(_column(columns, raw, one) for one in raw.columns),
        CODES="".join(_code(raw, one) for one in raw.numbers),
        INTERVAL=code.TEST_INTERVAL if model.interval else "",
    )


def _value(columns: Columns, raw: RawModel, one: RawColumn) -> str:
    value = f"mlrq_table_values[row][{raw.lookups.index(one)}]"
    return f"({columns.types[one.name]}){value}" if columns.is_enum(one) else f"{value} != 0"


def _cell(columns: Columns, raw: RawModel, one: RawColumn) -> str:
    """What sets a column in a row of codes."""
    if not one.is_number:
        return f"    cells->{one.name} = {_value(columns, raw, one)};\n"
    place = raw.numbers.index(one)
    if one.fill is None:
        return f"    cells->{one.name} = mlrq_table_codes[row][{place}];\n"
    return (
        f"    cells->{one.name}_missing = mlrq_table_missing[row][{place}] != 0;\n"
        f"    cells->{one.name} = cells->{one.name}_missing ? -1 : mlrq_table_codes[row][{place}];\n"
    )


def _column(columns: Columns, raw: RawModel, one: RawColumn) -> str:
    """What sets a column in a row as it is."""
    value = _value(columns, raw, one) if not one.is_number else ""
    if one.is_number:
        value = f"mlrq_float(mlrq_table_numbers[row][{raw.numbers.index(one)}])"
    return f"            columns.{one.name} = {value};\n"


def _code(raw: RawModel, one: RawColumn) -> str:
    """What compares the code of a number."""
    place = raw.numbers.index(one)
    return f"            wrong += cells.{one.name} != mlrq_table_codes[row][{place}];\n"
