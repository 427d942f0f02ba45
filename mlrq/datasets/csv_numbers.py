"""The numbers of a CSV text by pyarrow's reader, where that gives what Python gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets import arrow
from mlrq.datasets.encoding import MISSING, Cells, Texts, coded
from mlrq.datasets.parts import LARGEST

BOM = b"\xef\xbb\xbf"


def parse(data: bytes, delimiter: str, width: int, places: list[int]) -> NDArray[np.float64] | None:
    """(columns, rows) finite numbers of a text by pyarrow, five times as fast as `CsvTable`.

    None where it is not installed, and where it objects to anything. It takes nothing for a finite number
    that Python does not, and both round correctly, so the numbers are the same; what it does not take is
    left to `CsvTable`, which names it, or takes it.
    """
    wanted = [str(place) for place in places]
    table = _table(data, delimiter, width, dict.fromkeys(wanted, True), ())
    if table is None:
        return None
    found = np.empty((len(places), len(table)))
    for i, name in enumerate(wanted):
        found[i] = _numbers(table.column(name))
    with np.errstate(invalid="ignore"):
        return found if bool((np.abs(found) <= LARGEST).all()) else None


def parse_cells(
    data: bytes, delimiter: str, width: int, places: dict[str, bool], missing_values: Sequence[str]
) -> list[Cells] | None:
    """Columns of a text by pyarrow: numbers, those that are missing not a number; and texts.

    None where it is not installed, or objects to anything.

    Args:
        data: The text.
        delimiter: One character.
        width: Number of columns in it.
        places: Of the columns that are wanted, and whether they are numbers.
        missing_values: Texts that mean a missing number, beside `MISSING`.
    """
    table = _table(data, delimiter, width, places, [*MISSING, *missing_values])
    if table is None:
        return None
    found: list[Cells] = []
    for name, is_number in places.items():
        if is_number:
            found.append(_numbers(table.column(name)))
            continue
        chunks = table.column(name).unify_dictionaries().chunks
        codes = [arrow.values(chunk.indices).astype(np.int64) for chunk in chunks]
        found.append(Texts(chunks[0].dictionary.to_pylist(), np.concatenate(codes)) if chunks else coded([]))
    return found


def _numbers(column: Any) -> NDArray[np.float64]:
    """A column of the table, which is in pieces; a null is NaN."""
    return np.concatenate([np.empty(0), *map(arrow.numbers, column.chunks)])


def _table(
    data: bytes, delimiter: str, width: int, places: dict[str, bool], missing: Sequence[str]
) -> Any | None:
    """pyarrow's table of the columns `places`, float64 or else text; None where it cannot be trusted."""
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    # It would skip the mark, take a delimiter of one byte only, not look at the text of other columns, and
    # understand stray quotes in its own way.
    if data.startswith(BOM) or not (delimiter.isascii() and _is_utf8(data) and _is_regular(data, delimiter)):
        return None
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = {name: pyarrow.float64() if is_number else text for name, is_number in places.items()}
    try:
        return csv.read_csv(
            pyarrow.BufferReader(data),
            csv.ReadOptions(use_threads=False, column_names=[str(i) for i in range(width)]),
            csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            csv.ConvertOptions(include_columns=list(places), column_types=types, null_values=list(missing)),
        )
    except pyarrow.ArrowInvalid:
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _is_regular(data: bytes, delimiter: str) -> bool:
    """Whether every quote begins or ends a cell, or is half of a pair within one."""
    if b'"' not in data:
        return True
    codes = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    beside = np.concatenate([codes[quotes[::2] - 1], codes[quotes[1::2] + 1]])
    return len(quotes) % 2 == 0 and bool(np.isin(beside, list(b'\n\r"' + delimiter.encode())).all())
