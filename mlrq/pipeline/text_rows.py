"""Read rows to predict from CSV and JSON lines, in batches of bounded size, with the faults of bad rows."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.encoding import CellFault, Column, Encoding, coded, text_of
from mlrq.datasets.tables import CsvTable, batch_size, picker, places_of, present
from mlrq.errors import DataError, MlrqError

CHARACTERS_PER_BATCH = 1 << 24
EXTRA_NAMED = 20  # columns that the model does not use


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows that were read together.

    Attributes:
        rows: (n, features) float64, zeros for a row that cannot be read.
        kept: For each row the cells that are copied, as they will be written; None where there is none.
        faults: What is wrong with the rows that cannot be read, by their place.
    """

    rows: NDArray[np.float64]
    kept: list[Sequence[str | None]]
    faults: dict[int, DataError]


@dataclass(frozen=True, eq=False)
class Features:
    """What a model predicts from.

    Attributes:
        names: Of its features.
        encoding: How columns become these; None where they are the columns.
        unknown: See `mlrq.pipeline.predictions.Options`.
    """

    names: tuple[str, ...]
    encoding: Encoding | None = None
    unknown: str = "error"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return self.encoding.names if self.encoding else self.names

    def encoded(self, rows: Sequence[Sequence[str]], where: Callable[[int, str], str]) -> NDArray[np.float64]:
        """(n, features) float64 of the cells of rows; `where` says where a row and column are.

        Raises:
            DataError: For the first row with a cell that cannot be encoded.
        """
        assert self.encoding
        cells = [coded(row[i] for row in rows) for i in range(len(self.columns))]
        try:
            return np.ascontiguousarray(self.encoding.encode(cells, unknown=self.unknown).T)
        except CellFault as fault:
            raise DataError(f"{where(fault.row, fault.name)}: {fault.what}{way_out(fault)}") from None


def way_out(fault: CellFault) -> str:
    """What helps against a fault of a row to predict, as the end of a sentence."""
    if fault.why == "missing":
        return ", and the model was trained without missing cells"
    return ": predict.unknown=baseline counts it as the most frequent one" if fault.why == "unknown" else ""


class Record(NamedTuple):
    """One row: its numbers or their text, or why there are none; its line; and the cells that are copied."""

    cells: Sequence[Any] | DataError
    line: int
    kept: Sequence[str | None]


class Counted:
    """Lines, and the number of characters that were read of them."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.characters += len(line)
            yield line


class Rows(Protocol):
    """A text with one row a record."""

    lines: Counted
    extra: set[str]
    width: int

    def records(self) -> Iterator[Record]:
        """The rows in order."""

    def numbers(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """(n, features) float64 of records without a fault. Raises DataError for the first bad cell."""


class CsvRows:
    """Rows of a CSV text.

    Attributes:
        extra: Names of the columns that are neither features nor copied.
        width: Number of cells of a row.
    """

    def __init__(
        self, lines: Counted, name: str, delimiter: str, features: Features, keep: Sequence[str]
    ) -> None:
        """Read the header. Raises MlrqError for a column that is not there."""
        self.lines, self._features, self._name = lines, features, name
        self._table = CsvTable(lines, name, delimiter)
        columns, read = self._table.columns, features.columns
        present(columns, [*read, *keep], name)
        self.width, self.extra = len(columns), set(columns) - {*read, *keep}
        self._pick = picker(places_of(columns, read))
        self._keep = places_of(columns, keep)

    def records(self) -> Iterator[Record]:
        """The rows in order."""
        pick, keep = self._pick, self._keep
        nothing = [None] * len(keep)
        for row in self._table.rows():
            if isinstance(row, DataError):
                yield Record(row, 0, nothing)
            else:
                cells, line = row
                yield Record(pick(cells), line, [cells[place] for place in keep] if keep else nothing)

    def numbers(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """See `Rows`."""
        cells, lines = [record.cells for record in records], [record.line for record in records]
        if self._features.encoding is None:
            return self._table.numbers(self._features.names, cells, lines)  # type: ignore[arg-type]
        return self._features.encoded(
            cells,  # type: ignore[arg-type]
            lambda row, column: f"{self._name}, line {lines[row]}, column {column!r}",
        )


class JsonRows:
    """Rows of JSON lines: an object a line, its keys the columns.

    Attributes:
        extra: Keys that are neither features nor copied, a few of them.
        width: Number of features.
    """

    def __init__(self, lines: Counted, name: str, features: Features, keep: Sequence[str]) -> None:
        self.lines, self._name, self._features, self._keep = lines, name, features, keep
        self._known = {*features.columns, *keep}
        self.width, self.extra = len(features.names), set[str]()

    def records(self) -> Iterator[Record]:
        """The rows in order."""
        for number, line in enumerate(self.lines, 1):
            if line.strip():
                where = f"{self._name}, line {number}"
                kept: list[str | None] = [None] * len(self._keep)
                try:
                    yield Record(self._values(line, where, kept), number, kept)
                except MlrqError as error:
                    yield Record(DataError(str(error)), number, kept)

    def numbers(self, records: Sequence[Record]) -> NDArray[np.float64]:
        """See `Rows`; of plain numbers nothing is wrong with any of them."""
        if self._features.encoding is not None:
            rows: Any = [record.cells for record in records]
            return self._features.encoded(
                rows, lambda row, column: f"{self._name}, line {records[row].line}, key {column!r}"
            )
        values = np.array([record.cells for record in records], dtype=np.float64)
        return values.reshape(len(records), self.width)

    def _values(self, line: str, where: str, kept: list[str | None]) -> list[Any]:
        """The features of one line, or texts of columns; `kept` is filled with what is copied, as JSON.

        Raises:
            MlrqError: For a line that is not an object, lacks a key, or has a value that is not a finite
                number.
        """
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise MlrqError(f"{where}: not valid JSON") from None
        if not isinstance(row, dict):
            raise MlrqError(f"{where}: not a JSON object")
        for place, key in enumerate(self._keep):
            try:
                kept[place] = json.dumps(row.get(key), allow_nan=False)
            except (ValueError, RecursionError):
                raise MlrqError(f"{where}, key {key!r}: holds what is not valid JSON") from None
        if row.keys() != self._known:
            present(list(row), [*self._features.columns, *self._keep], where)
            if len(self.extra) <= EXTRA_NAMED:
                self.extra.update(row.keys() - self._known)
        if self._features.encoding is not None:
            return [_text(column, row[column.name], where) for column in self._features.encoding.columns]
        for key in self._features.names:
            if not _is_finite_number(row[key]):
                raise MlrqError(f"{where}, key {key!r}: {json.dumps(row[key])[:40]} is not a finite number")
        return [row[key] for key in self._features.names]


def _text(column: Column, value: object, where: str) -> str:
    """The text of a value of an encoded column. Raises MlrqError for one that no column has."""
    if isinstance(value, list | dict):
        shown = json.dumps(value)[:40]
        raise MlrqError(f"{where}, key {column.name!r}: {shown} is neither a number, a truth value nor text")
    return text_of(value)


def _is_finite_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of more digits than a double holds
        return False


def batches(rows: Rows, forgiving: bool) -> Iterator[Batch]:
    """The rows in batches.

    Args:
        rows: The text.
        forgiving: Whether a row that cannot be read is a fault of its batch, not an exception.

    Raises:
        DataError: For the first row that cannot be read.
    """
    records, size = rows.records(), batch_size(rows.width)
    while taken := _taken(records, size, rows.lines):
        faults = {i: record.cells for i, record in enumerate(taken) if isinstance(record.cells, DataError)}
        whole = [i for i in range(len(taken)) if i not in faults] if faults else range(len(taken))
        try:
            numbers = rows.numbers([taken[i] for i in whole])
        except DataError:
            numbers = _one_by_one(rows, taken, faults)
            whole = [i for i in range(len(taken)) if i not in faults]
        if faults and not forgiving:
            raise faults[min(faults)]
        table = numbers
        if faults:
            table = np.zeros((len(taken), numbers.shape[1]))
            table[list(whole)] = numbers
        yield Batch(table, [record.kept for record in taken], faults)


def _taken(records: Iterator[Record], size: int, lines: Counted) -> list[Record]:
    """The next records, at most `size`, and fewer where they are long."""
    taken, most = [], lines.characters + CHARACTERS_PER_BATCH
    for record in records:
        taken.append(record)
        if len(taken) == size or lines.characters > most:
            break
    return taken


def _one_by_one(rows: Rows, taken: list[Record], faults: dict[int, DataError]) -> NDArray[np.float64]:
    """The numbers of those that can be read; `faults` gets what is wrong with the others."""
    found = []
    for i, record in enumerate(taken):
        if i not in faults:
            try:
                found.append(rows.numbers([record]))
            except DataError as error:
                faults[i] = error
    return np.concatenate([rows.numbers([]), *found])
