"""Tables as people have them (NumPy, pandas, polars, Arrow) as named columns of float64."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.column_rules import incomplete
from mlrq.datasets.encoding import CellFault, Cells, Encoding, coded, select, text_of
from mlrq.errors import DataError, MlrqError, not_installed, printable


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of numbers.

    Attributes:
        names: Of the columns; None where it came without.
        cells: (rows, columns) float64; what is missing is not a number.
    """

    names: tuple[str, ...] | None
    cells: NDArray[np.float64]


def table(found: Any, what: str) -> Table:
    """`found` as a table: an array, nested lists, a DataFrame or Series of pandas or polars, or Arrow's.

    No library is imported for it but pyarrow, and that for what has Arrow's interface alone.

    Args:
        found: The table; one dimension is one column.
        what: The name of the argument, for messages.

    Raises:
        MlrqError: If it is no table, or names a column twice.
        DataError: For the first cell that is no number, with its column and row.
    """
    found, names = _named(found, what)
    if names is None:
        return _array(found, what)
    columns = [_numbers(found[name], f"{what}, column {str(name)!r}") for name in names]
    return Table(tuple(map(str, names)), np.stack(columns, axis=1))


def _named(found: Any, what: str) -> tuple[Any, list[Any] | None]:
    """A table that is indexed by the names of its columns, and these; None of one without names."""
    if hasattr(found, "toarray"):
        raise MlrqError(f"{what}: a sparse matrix; pass {what}.toarray()")
    names = _names(found)
    if names is None and hasattr(found, "__arrow_c_stream__") and not hasattr(found, "dtype"):
        try:
            import pyarrow
        except ModuleNotFoundError as error:
            raise MlrqError(not_installed(f"{what} from Arrow", "pyarrow", "parquet")) from error
        found = pyarrow.table(found)
        names = _names(found)
    if names is None:
        return found, None
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise MlrqError(f"{what}: names {', '.join(map(repr, twice))} twice")
    if not names:
        raise MlrqError(f"{what}: has no columns")
    return found, names


def cells(found: Any, what: str) -> dict[str, Cells] | None:
    """The columns of a table with names, numbers as numbers and others as text; None of one without names.

    Raises:
        MlrqError: If it is no table, names a column twice, or has a column of dates.
    """
    found, names = _named(found, what)
    return None if names is None else {str(name): _cells(found[name], what, str(name)) for name in names}


def cells_of(found: Any, what: str) -> dict[str, Cells]:
    """The columns of a table, by name; those of one without names are x0, x1, ...

    Raises:
        MlrqError: As `cells`, or if it has not two dimensions.
    """
    given = cells(found, what)
    if given is not None:
        return given
    array = np.asarray(found, dtype=object)
    if array.ndim != 2:
        raise MlrqError(f"{what}: has {array.ndim} dimensions; rows and columns are 2")
    return {f"x{i}": _cells(array[:, i], what, f"x{i}") for i in range(array.shape[1])}


def encoded(found: Any, encoding: Encoding, what: str = "X", unknown: str = "error") -> NDArray[np.float64]:
    """(n, features) float64 rows of a table whose columns become features, matched by name.

    Args:
        found: The table.
        encoding: Of the columns.
        what: The name of the argument, for messages.
        unknown: "baseline" counts a category that is not known as the most frequent one.

    Raises:
        MlrqError: If a column is not there, or the table has no names and another number of columns.
        DataError: For the first row with a cell that cannot be encoded.
    """
    return encoded_cells(_matched(found, encoding, what), encoding, what, unknown)


def encoded_whole(
    found: Any, encoding: Encoding, what: str = "X"
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The rows of a table that have no missing cell, as of `encoded`, and (rows,) which these are."""
    columns = _matched(found, encoding, what)
    whole = ~incomplete(columns, encoding.missing_values)
    return encoded_cells([select(one, whole) for one in columns], encoding, what), whole


def _matched(found: Any, encoding: Encoding, what: str) -> list[Cells]:
    """The columns of a table that an encoding takes, in its order."""
    given = cells(found, what)
    if given is None:
        array = np.asarray(found, dtype=object)
        if array.ndim != 2 or array.shape[1] != len(encoding.names):
            raise MlrqError(f"{what}: expected the columns {printable(', '.join(encoding.names))}")
        given = {name: _cells(array[:, i], what, name) for i, name in enumerate(encoding.names)}
    lacking = [name for name in encoding.names if name not in given]
    if lacking:
        raise MlrqError(
            f"{what}: lacks {printable(', '.join(lacking))}; it has {printable(', '.join(given))}"
        )
    return [given[name] for name in encoding.names]


def encoded_cells(
    columns: list[Cells], encoding: Encoding, what: str, unknown: str = "error"
) -> NDArray[np.float64]:
    """(n, features) float64 rows of columns in the order of their encoding; see `encoded`."""
    try:
        return np.ascontiguousarray(encoding.encode(columns, unknown=unknown).T)
    except CellFault as fault:
        raise DataError(f"{what}, column {fault.name!r}: row {fault.row + 1}, {fault.what}") from None


def _cells(column: Any, what: str, name: str) -> Cells:
    values = np.asarray(column)
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)
    if values.dtype.kind in "Mm":
        raise MlrqError(f"{what}, column {name!r}: holds dates or times; pass a number of days or seconds")
    return coded(
        "" if type(cell).__name__ in ("NAType", "NaTType") else text_of(cell) for cell in values.tolist()
    )


def aligned(found: Any, features: Sequence[str], what: str = "X") -> NDArray[np.float64]:
    """(n, features) float64 rows of `found`, its columns matched by name where it has names.

    Raises:
        MlrqError: If a feature is not there, or their number is another.
        DataError: For the first cell that is no finite number.
    """
    given = table(found, what)
    names, cells = given.names, given.cells
    if names is None:
        if cells.shape[1] != len(features):
            raise MlrqError(
                f"{what}: has {cells.shape[1]} features, but the model has {len(features)}: "
                f"{printable(', '.join(features))}"
            )
    elif names != tuple(features):
        lacking = [name for name in features if name not in names]
        if lacking:
            raise MlrqError(
                f"{what}: lacks {printable(', '.join(lacking))}; it has {printable(', '.join(names))}"
            )
        cells = cells[:, [names.index(name) for name in features]]
    bad = np.argwhere(~np.isfinite(cells))
    if len(bad):
        row, column = bad[0]
        place = f"{what}, column {features[column]!r}: row {row + 1}"
        raise DataError(f"{place}, {cells[row, column]:g}, is not a finite number")
    return np.ascontiguousarray(cells)


def _names(found: Any) -> list[Any] | None:
    """The labels of the columns of a table that has some."""
    for attribute in ("columns", "column_names"):  # pandas and polars; Arrow
        names = getattr(found, attribute, None)
        if names is not None and attribute == "columns" and hasattr(found, "column_names"):
            continue  # of an Arrow table, these are the columns themselves
        if names is not None:
            return list(names)
    return None


def _array(found: Any, what: str) -> Table:
    name = getattr(found, "name", None)
    cells = _numbers(found, what)
    if cells.ndim == 1:
        return Table(None if name is None else (str(name),), cells[:, None])
    if cells.ndim != 2:
        raise MlrqError(f"{what}: has {cells.ndim} dimensions; rows and columns are 2")
    return Table(None, cells)


def _numbers(column: Any, who: str) -> NDArray[np.float64]:
    """Cells as float64: whole numbers, floats and truth values; missing ones are not a number."""
    try:
        values = np.asarray(column)
    except ValueError as error:
        raise MlrqError(f"{who}: is no table: {str(error).splitlines()[0]}") from None
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if values.dtype.kind in "Mm":
        raise DataError(f"{who}: holds dates or times; pass a number of days or seconds")
    flat, width = values.ravel(), values.shape[1] if values.ndim > 1 else 1
    made = np.empty(len(flat))
    for place, cell in enumerate(flat):
        if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
            made[place] = np.nan
            continue
        try:
            if isinstance(cell, str | bytes | complex):
                raise TypeError
            made[place] = float(cell)
        except (TypeError, ValueError):
            shown = printable(repr(cell), 40)
            raise DataError(f"{who}: row {place // width + 1}, {shown}, is not a number") from None
    return made.reshape(values.shape)
