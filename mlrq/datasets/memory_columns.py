"""A stream of a table in memory whose columns need not be numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlrq.datasets.column_rules import ColumnRules, guessed
from mlrq.datasets.columns import encoded
from mlrq.datasets.encoding import NUMERIC, Cells, Texts, rows_of
from mlrq.datasets.learning import learn
from mlrq.datasets.memory import of_arrays
from mlrq.datasets.parts import Part, Stream
from mlrq.errors import DataError


@dataclass(frozen=True)
class _Table:
    """Columns in memory before they are encoded, one part; see `mlrq.datasets.column_rules.Raw`."""

    name: str
    columns: dict[str, Cells]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All rows."""
        return (Part(self.name, 0, 0, rows_of(next(iter(self.columns.values()))), None),)

    def cells(
        self, part: Part, kinds: dict[str, str], missing_values: Sequence[str]
    ) -> Iterator[list[Cells]]:
        """The columns that `kinds` names."""
        yield [self.columns[name] for name in kinds]

    def located(self, part: Part, row: int, name: str, what: str) -> DataError:
        """The fault `what` of column `name` in the row `row`, from 0."""
        return DataError(f"{self.name}, column {name!r}: row {row + 1}, {what}")


def of_cells(
    name: str, source: str, columns: dict[str, Cells], targets: tuple[str, ...], rules: ColumnRules
) -> Stream:
    """A stream of columns that need not be numbers, as `rules` says.

    Args:
        name: What to call it.
        source: Where it came from.
        columns: By their names, the `targets` numbers.
        targets: Names of those that are no features.
        rules: What they are, and what becomes of missing cells.

    Raises:
        MlrqError: For a column that is refused.
        DataError: For a cell that does not fit its column.
    """
    names = rules.wanted([one for one in columns if one not in targets], targets, list(columns), name)
    guesses = {
        one: guessed(cells, rules.missing_values) if isinstance(cells, Texts) else NUMERIC
        for one, cells in columns.items()
        if one in names
    }
    kinds = rules.kinds_of(guesses, targets) or dict.fromkeys([*names, *targets], NUMERIC)
    table = _Table(name, columns)
    found = learn(table, kinds, targets, rules)
    encoding, plan = found.encoding, rules.plan(found.encoding, targets, kinds)
    made = np.concatenate(list(encoded(table, table.parts[0], plan)), axis=1)
    width = len(encoding.features)
    source = ", ".join([source, *found.dropped])
    stream = of_arrays(name, source, encoding.features, targets, made[:width].T, made[width:].T)
    return replace(stream, plan=plan, notes=found.notes)
