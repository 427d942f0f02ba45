"""The rules of a configuration for columns, and a table before its columns are numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.encoding import (
    DROP,
    NUMERIC,
    Cells,
    Encoding,
    Plan,
    Texts,
    is_missing,
    parsed,
    rows_of,
)
from mlrq.datasets.parts import Part
from mlrq.datasets.split import Split
from mlrq.datasets.tables import present
from mlrq.errors import DataError, MlrqError

SNIFFED = 1000  # rows that decide whether a column of text is one of numbers
TEXT = ""  # the kind of a column of text before all of it was seen


@dataclass(frozen=True)
class ColumnRules:
    """What the configuration says of columns.

    Attributes:
        kinds: Of columns by their names.
        missing: What a missing cell does: "error", "mean", "indicator" or "drop".
        missing_values: Texts and numbers that mean a missing cell, too.
        rare_below: Categories with fewer training rows share a feature; 0 for none.
        unknown: What a category does that no training row has: "error" or "baseline".
        split: Which rows are training rows.
        known: How the columns became features when a model was trained; None to learn it.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    missing: str = "error"
    missing_values: tuple[str, ...] = ()
    rare_below: int = 0
    unknown: str = "error"
    split: Split = field(default_factory=lambda: Split("hash", 0.2, 42))
    known: Encoding | None = None

    def wanted(
        self, names: Sequence[str], targets: Sequence[str], columns: Sequence[str], table: str
    ) -> list[str]:
        """The `names` of features that are read: those of a model that is known, else those not dropped.

        Raises:
            MlrqError: If one is not among the `columns` of the table, the kind of a target is asked for, or
                nothing is left.
        """
        if self.known is not None:
            return list(present(columns, self.known.names, table))
        present(columns, list(self.kinds), table)
        for name in targets:
            if self.kinds.get(name, NUMERIC) != NUMERIC:
                raise MlrqError(f"dataset.columns: {name!r} is a target, which is {NUMERIC}")
        left = [name for name in names if self.kinds.get(name) != DROP]
        if not left:
            raise MlrqError(f"{table}: dataset.columns drops every feature")
        return left

    def kinds_of(self, guesses: Mapping[str, str | None], targets: Sequence[str]) -> dict[str, str] | None:
        """What each column is read as; None where all are plain numbers, and there is no other rule.

        Args:
            guesses: Of the features; None where it cannot be told.
            targets: Names of those that are numbers.
        """
        told = self.kinds if self.known is None else {one.name: one.kind for one in self.known.columns}
        found = {name: told.get(name, guess) for name, guess in guesses.items()}
        plain = self.known is None and self.missing == "error" and not self.missing_values
        if plain and all(kind in (NUMERIC, None) for kind in found.values()):
            return None
        return {name: TEXT if kind is None else kind for name, kind in found.items()} | dict.fromkeys(
            targets, NUMERIC
        )

    def plan(self, encoding: Encoding, targets: tuple[str, ...], kinds: dict[str, str]) -> Plan:
        """How a table is read by an encoding; see `Plan`."""
        dropping, known = self.missing == "drop", self.known is not None
        return Plan(encoding, targets, kinds, drop=dropping, unknown=self.unknown, known=known)


class Raw(Protocol):
    """A table before it is encoded: `Stream` with its cells as they are."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of the rows."""

    def cells(
        self, part: Part, kinds: dict[str, str], missing_values: Sequence[str]
    ) -> Iterator[list[Cells]]:
        """Columns of consecutive rows of a part: those that `kinds` names, read as it says."""

    def located(self, part: Part, row: int, name: str, what: str) -> DataError:
        """The fault `what` of column `name` in the row `row`, from 0, of a part."""


def guessed(cells: Texts, missing_values: Sequence[str]) -> str | None:
    """The kind of a column by its first cells: numeric if any is a number, else `TEXT`; None if all miss."""
    lost = is_missing(cells, missing_values)
    present = [cells.values[place] for place in np.unique(cells.codes[~lost]).tolist()]
    if not present:
        return None
    return NUMERIC if any(parsed(text) is not None for text in present) else TEXT


def incomplete(cells: Sequence[Cells], missing_values: Sequence[str]) -> NDArray[np.bool_]:
    """(rows,) whether any of the columns has a missing cell."""
    found = np.zeros(rows_of(cells[0]), dtype=bool)
    for column in cells:
        found |= is_missing(column, missing_values)
    return found
