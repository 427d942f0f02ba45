"""Arrays from untrusted JSON: shape, type and range checked, ValueError for anything else."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def finite(table: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Finite float64 numbers of `shape`."""
    values = np.array(table, dtype=np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"expected finite numbers of shape {shape}")
    return values


def whole(table: Any, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
    """Integers of `shape` in low..high."""
    values = np.array(table)
    if values.dtype.kind != "i" or values.shape != shape or ((values < low) | (values > high)).any():
        raise ValueError(f"expected integers of shape {shape} in {low}..{high}")
    return values.astype(np.int64)


def single(table: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Finite numbers of `shape` that are float32 exactly."""
    values = finite(table, shape)
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if (rounded != values).any():
        raise ValueError("expected float32 numbers")
    return rounded


def positive(table: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Positive float32 numbers of `shape`."""
    values = single(table, shape)
    if (values <= 0).any():
        raise ValueError("expected positive numbers")
    return values


def names(table: Any) -> tuple[str, ...]:
    """A list of distinct strings, not empty."""
    if not (isinstance(table, list) and table and all(isinstance(name, str) for name in table)):
        raise ValueError("expected a list of names")
    if len(set(table)) < len(table):
        raise ValueError("expected distinct names")
    return tuple(table)


def keyed(body: Any, keys: Iterable[str]) -> dict[str, Any]:
    """`body`, if it is an object with exactly `keys`."""
    if not isinstance(body, dict) or body.keys() != set(keys):
        raise ValueError(f"expected an object with the keys {', '.join(keys)}")
    return body


def typed(body: Any, types: dict[str, type]) -> dict[str, Any]:
    """`body`, if it has exactly the keys of `types`, each with a value of that very type."""
    checked = keyed(body, types)
    for key, kind in types.items():
        if type(checked[key]) is not kind:
            raise ValueError(f"expected {key} to be {kind.__name__}")
    return checked


def one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    """`value`, if it is allowed; 8.0 and True are not 8 and 1."""
    if not any(value == item and type(value) is type(item) for item in allowed):
        raise ValueError(f"expected one of {', '.join(map(str, allowed))}")
    return value
