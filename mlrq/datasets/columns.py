"""Tables whose columns are encoded: what a loader does with columns that are not plain numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.column_rules import ColumnRules, Raw, incomplete
from mlrq.datasets.encoding import (
    CellFault,
    Plan,
    rows_of,
    select,
)
from mlrq.datasets.learning import learn
from mlrq.datasets.parts import LARGEST, Part, Stream, room_for
from mlrq.datasets.refusals import no_value, way_out
from mlrq.errors import MlrqError

Table = TypeVar("Table", bound=Stream)


def learned(table: Table, guesses: Mapping[str, str | None], rules: ColumnRules, stream_above: int) -> Table:
    """A table whose columns became features by the rules; the same one where all are plain numbers.

    Args:
        table: A stream that is `Raw`, its features the columns as they are.
        guesses: What the features are by their types or first cells; None where it cannot be told.
        rules: What the configuration says.
        stream_above: Bytes of numbers above which they are not kept in memory.

    Raises:
        MlrqError: As `learn` does, or if damaged parts shall be skipped, too.
    """
    kinds = rules.kinds_of(guesses, table.targets)
    if kinds is None:
        return table
    if table.skip:
        raise MlrqError(
            "dataset.on_error=skip: not where columns are no plain numbers, or cells may be missing: use fail"
        )
    found = learn(cast(Raw, table), kinds, table.targets, rules)
    rows, width = sum(part.rows for part in found.parts), len(found.encoding.features) + len(table.targets)
    return replace(
        table,
        source=", ".join([table.source, *found.dropped]),
        features=found.encoding.features,
        parts=found.parts,
        kept=room_for(rows, width, stream_above),
        plan=rules.plan(found.encoding, table.targets, kinds),
        notes=found.notes,
    )


def encoded(table: Raw, part: Part, plan: Plan) -> Iterator[NDArray[np.float64]]:
    """(columns, rows) float64 of consecutive rows of a part, features first.

    Raises:
        DataError: For the first row with a cell that cannot be encoded.
    """
    every, read = plan.every, 0
    for raw in table.cells(part, plan.kinds, every.missing_values):
        rows, cells = rows_of(raw[0]), raw
        kept = np.ones(rows, dtype=bool)
        if plan.drop:
            kept = ~incomplete(raw, every.missing_values)
            cells = [select(column, kept) for column in raw]
        try:
            made = every.encode(cells, LARGEST, plan.unknown)
        except CellFault as fault:
            place = read + int(np.flatnonzero(kept)[fault.row])
            what = fault.what + _way_out(fault, plan)
            raise table.located(part, place, fault.name, what) from None
        read += rows
        if made.shape[1]:
            yield made


def _way_out(fault: CellFault, plan: Plan) -> str:
    """What helps against a fault, as the end of a sentence."""
    if fault.why == "missing":
        return no_value(fault.name in plan.targets)
    if fault.what.endswith("is not a number"):
        return way_out(fault.text, fault.name, fault.name in plan.targets)
    return ": dataset.unknown=baseline counts it as the most frequent one" if fault.why == "unknown" else ""
