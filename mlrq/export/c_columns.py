"""Integer C from the columns of a table on: an enum for each column of categories, and a look-up of each.

Beside what a model of plain numbers exports, which takes features, there are two structs: of a row as it is,
and of a row as codes, which the integer path takes. See `raw_columns` for the arithmetic.
"""

import re

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.encoding import BOOLEAN, Encoding
from mlrq.export import c_columns_code as code
from mlrq.export.c_code import CLAMP_FLOAT, filled
from mlrq.export.c_text import constant, digits, quoted, single
from mlrq.export.identifiers import distinct, words_of
from mlrq.export.raw_columns import MISSING, UNKNOWN, RawColumn, RawModel, Value
from mlrq.quantization.model import QuantizedLinear

LONGEST = 63  # characters of a name that C99 tells apart
LISTED = 10  # rare categories in a comment


class Columns:
    """The C of the columns of a model, written with the names mlrq_... and MLRQ_...

    Args:
        raw: The columns.
        encoding: How they become features.
        model: The model.
        plain: The text of the export without columns, whose names are taken.
        prefix: Of the names, for it is the length of a name that counts.
    """

    def __init__(
        self, raw: RawModel, encoding: Encoding, model: QuantizedLinear, plain: str, prefix: str
    ) -> None:
        self._raw, self._encoding, self._model = raw, encoding, model
        texts = (
            plain,
            code.HEADER,
            code.SOURCE,
            code.SELF_TEST,
            code.NAMES,
            code.INTERVAL,
            code.TEST_INTERVAL,
        )
        taken = set(re.findall(r"\b(?:mlrq|MLRQ)_\w+", " ".join(texts)))
        taken |= {f"mlrq_by_{one.name}" for one in raw.columns}
        self._most = (LONGEST - len(prefix) - len("___1000")) // 2
        self.types = {
            one.name: distinct(f"mlrq_{one.name}", taken) for one in raw.lookups if self.is_enum(one)
        }
        self.enumerators = {
            one.name: self._enumerators(one, taken) for one in raw.lookups if self.is_enum(one)
        }

    @staticmethod
    def is_enum(one: RawColumn) -> bool:
        """Whether its cells are an enum; truth values of which none is missing are not."""
        return not (one.column.kind == BOOLEAN and one.column.fill is None)

    def _enumerators(self, one: RawColumn, taken: set[str]) -> dict[Value, str]:
        column = one.name[: self._most].strip("_").upper()
        found = {}
        for value in sorted(one.values, key=lambda value: not value.special):  # these keep their names
            name = words_of(value.label)[: self._most].strip("_").upper()
            found[value] = distinct(f"MLRQ_{column}_{name or 'OTHER'}", taken)
        return found

    def header(self) -> str:
        """The enums, the structs and the functions."""
        raw = self._raw
        enums = "".join(self._enum(one) for one in raw.lookups if self.is_enum(one))
        return "\n" + filled(
            code.HEADER,
            ENUMS=enums,
            CELLS="".join(self._cell(one) for one in raw.columns),
            COLUMNS="".join(self._column(one) for one in raw.columns),
            MISSING=self._missing_note(),
            INTERVAL=code.HEADER_INTERVAL if self._model.interval else "",
        )

    def _enum(self, one: RawColumn) -> str:
        rows = []
        for place, value in enumerate(one.values):
            name, comma = self.enumerators[one.name][value], "," if place + 1 < len(one.values) else ""
            rows.append(f"    {name} = {place}{comma} /* {self._told(one, value)} */\n")
        about = f"/* Column {quoted(one.column.name)}. */\n"
        return f"{about}typedef enum {{\n{''.join(rows)}}} {self.types[one.name]};\n\n"

    def _told(self, one: RawColumn, value: Value) -> str:
        """What a value of a column means."""
        column = one.column
        if value == UNKNOWN:
            return "any other: counts as the first, and as a column that does not fit"
        if value == MISSING:
            return "an empty cell" + ", or ".join(["", *map(quoted, self._encoding.missing_values)])
        if value.special:
            more = len(column.rare) - LISTED
            listed = ", ".join(map(quoted, column.rare[:LISTED]))
            return listed + (f" and {more:,} more, which the artifact lists" if more > 0 else "")
        return quoted(value.label)

    def _cell(self, one: RawColumn) -> str:
        """The members of a column in the struct of codes."""
        told = quoted(one.column.name)
        if one.is_number:
            flag = f"    bool {one.name}_missing; /* then its code is not looked at */\n"
            member = f"    mlrq_input {one.name}; /* {told}, code of [{one.feature}] above */\n"
            return member + (flag if one.fill is not None else "")
        return f"    {self.types.get(one.name, 'bool')} {one.name}; /* {told} */\n"

    def _column(self, one: RawColumn) -> str:
        """The member of a column in the struct of a row as it is."""
        told, kind = quoted(one.column.name), self.types.get(one.name, "bool")
        if one.is_number:
            kind = "float"
            told += "; missing: NaN" if one.fill is not None else ""
        return f"    {kind} {one.name}; /* {told} */\n"

    def _missing_note(self) -> str:
        listed = ", ".join(map(digits, map(np.float32, self._raw.missing_values)))
        return f" A number of {listed} is missing, as NaN is." if listed else ""

    def source(self) -> str:
        """The tables and the code."""
        raw, enums = self._raw, [one for one in self._raw.lookups if self.is_enum(one)]
        fills = any(one.fill is not None for one in raw.numbers)
        return "\n" + filled(
            code.SOURCE,
            CONSTANTS=self._constants(fills),
            TIMES=code.TIMES if raw.numbers else "",
            PLACE=code.PLACE if enums else "",
            TERMS="".join(self._term(one) for one in raw.columns),
            IS_MISSING=self._is_missing(),
            CELLS="".join(self._quantized(one) for one in raw.columns),
            CLAMP_FLOAT=CLAMP_FLOAT if self._model.output_range is not None else "",
            INTERVAL=code.INTERVAL if self._model.interval else "",
        )

    def _constants(self, fills: bool) -> str:
        raw, notes = self._raw, [quoted(name) for name in self._model.targets]
        text = constant(
            "What accumulators start from: the intercept, and what the first values of columns add.",
            "mlrq_accumulator mlrq_base[MLRQ_TARGETS]",
            raw.base.tolist(),
            notes,
        )
        if raw.numbers:
            steps = self._model.steps[:, [one.feature for one in raw.numbers]]
            text += constant(
                "Steps of the numbers, codes less zero points: a row for each target.",
                f"{_kind(steps)} mlrq_number_steps[MLRQ_TARGETS][{len(raw.numbers)}]",
                steps.tolist(),
                notes,
            )
        if fills:
            text += constant(
                "Input codes that stand for missing numbers; 0 of those that are never missing.",
                f"mlrq_input mlrq_number_fill[{len(raw.numbers)}]",
                [one.fill or 0 for one in raw.numbers],
                [quoted(one.column.name) for one in raw.numbers],
            )
        for one in raw.columns:
            if one.table is not None:
                what = "whether it is missing" if one.is_number else "its value"
                text += constant(
                    f"What column {quoted(one.column.name)} adds, by {what}.",
                    f"{_kind(one.table)} mlrq_by_{one.name}[MLRQ_TARGETS][{one.table.shape[1]}]",
                    one.table.tolist(),
                    notes,
                )
        return text

    def _term(self, one: RawColumn) -> str:
        """What adds a column to the sum."""
        text, cell = "", f"cells->{one.name}"
        if one.is_number:
            place = self._raw.numbers.index(one)
            value = cell if one.fill is None else f"{cell}_missing ? mlrq_number_fill[{place}] : {cell}"
            text = f"    sum += mlrq_times(mlrq_number_steps[target][{place}], {value});\n"
            cell += "_missing"
        if one.table is None:
            return text
        if self.is_enum(one) and not one.is_number:
            at = f"mlrq_place((uint32_t){cell}, {one.table.shape[1]}u)"
        else:
            at = f"{cell} ? 1 : 0"
        return f"{text}    sum += mlrq_by_{one.name}[target][{at}];\n"

    def _is_missing(self) -> str:
        if not any(self._asks(one) for one in self._raw.numbers):
            return ""
        numbers = [f" || (number == {single(np.float32(one))})" for one in self._raw.missing_values]
        return filled(code.IS_MISSING, NUMBERS="".join(numbers))

    def _asks(self, one: RawColumn) -> bool:
        """Whether a number may be missing that `mlrq_encode` does not take for that."""
        return one.fill is not None or bool(self._raw.missing_values)

    def _quantized(self, one: RawColumn) -> str:
        """What makes codes of a column."""
        if not one.is_number:
            if not self.is_enum(one):
                return f"    cells->{one.name} = columns->{one.name};\n"
            count = 0 if one.table is None else one.table.shape[1]
            return filled(code.CHECKED, NAME=one.name, COUNT=count)
        if not self._asks(one):
            return filled(code.NUMBER, INDENT="", NAME=one.name, FEATURE=one.feature)
        number = filled(code.NUMBER, INDENT="    ", NAME=one.name, FEATURE=one.feature)
        low = -(1 << (self._model.inputs.bits - 1)) if self._model.inputs else 0
        return filled(
            code.FILLED if one.fill is not None else code.LACKING,
            NAME=one.name,
            NUMBER=number,
            CODE=one.fill if one.fill is not None else low,
        )


def _kind(values: NDArray[np.int64]) -> str:
    """The narrowest type that holds the values."""
    most = int(max(values.max(), -1 - values.min()))
    return next(f"int{bits}_t" for bits in (8, 16, 32, 64) if most < 1 << (bits - 1))
