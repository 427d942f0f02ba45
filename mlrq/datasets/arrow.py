"""Arrow's arrays as NumPy's and back, by their buffers.

pyarrow's own functions for it import pandas wherever that is installed, for which nothing here has a use.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def values(column: Any) -> NDArray[Any]:
    """(rows,) integers or floats of an Arrow array, a view of them; any number where it is null."""
    kind = np.dtype(column.type.to_pandas_dtype())
    if not len(column):
        return np.empty(0, dtype=kind)
    return np.frombuffer(column.buffers()[1], dtype=kind)[column.offset : column.offset + len(column)]


def nulls(column: Any) -> NDArray[np.bool_]:
    """(rows,) where an Arrow array is null."""
    if not column.null_count:
        return np.zeros(len(column), dtype=np.bool_)
    bits = np.frombuffer(column.buffers()[0], dtype=np.uint8)
    valid = np.unpackbits(bits, count=column.offset + len(column), bitorder="little")
    return np.logical_not(valid[column.offset :])


def numbers(column: Any) -> NDArray[np.float64]:
    """(rows,) float64 of an Arrow array of integers or floats, a view where it can be; a null is NaN."""
    found = np.asarray(values(column), dtype=np.float64)
    return np.where(nulls(column), np.nan, found) if column.null_count else found


def array(found: NDArray[Any], lost: NDArray[np.bool_] | None = None) -> Any:
    """An Arrow array of float64 or truth values (rows,), null where they are `lost`."""
    import pyarrow as pa

    def bits(which: NDArray[np.bool_]) -> Any:
        return pa.py_buffer(np.packbits(which, bitorder="little"))

    valid = None if lost is None or not lost.any() else bits(~lost)
    truth = found.dtype == np.bool_
    kind, content = (pa.bool_(), bits(found)) if truth else (pa.float64(), pa.py_buffer(found.copy()))
    return pa.Array.from_buffers(kind, len(found), [valid, content])
