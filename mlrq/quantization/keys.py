"""Keys: the fields of a dataclass of settings, each with its default, what it means and what it may be.

Bounds, the comments of the YAML files, `--help` and the reference of the configuration all come from here.
"""

import math
from collections.abc import Collection
from dataclasses import Field, dataclass, field, fields
from types import NoneType
from typing import Any, Protocol, get_args


class Allowed(Protocol):
    """What a value may be: a predicate that can say what it asks for."""

    @property
    def text(self) -> str:
        """What stands after "must be"."""

    def __call__(self, value: Any) -> bool:
        """Whether `value` is allowed."""


@dataclass(frozen=True)
class OneOf:
    """One of some names; a table of options may grow."""

    names: Collection[str]

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return " or ".join(self.names) if len(self.names) < 3 else f"one of {', '.join(self.names)}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one of the names."""
        return value in self.names


@dataclass(frozen=True)
class Within:
    """A finite number from `low` to `high`, or below `below`."""

    low: float
    high: float = math.inf
    below: float = math.inf

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        if self.below < math.inf:
            return f"{self.low:g} or more and below {self.below:g}"
        return f"{self.low:g} or more" if self.high == math.inf else f"from {self.low:g} to {self.high:.10g}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` lies there."""
        return math.isfinite(value) and self.low <= value <= self.high and value < self.below


@dataclass(frozen=True)
class Key:
    """What is known of a key.

    Attributes:
        text: What it means, in a few words.
        allowed: What it may be, where its type does not say it; None, where the type has it, always may be.
        environment: Whether its value may come from an environment variable.
    """

    text: str
    allowed: Allowed | None = None
    environment: bool = False


def key(
    default: Any, text: str, allowed: Allowed | None = None, *, environment: bool = False, **rest: Any
) -> Any:
    """A dataclass field with a `Key`; `rest` goes to `dataclasses.field`."""
    return field(default=default, metadata={"key": Key(text, allowed, environment)}, **rest)


def known(item: Field[Any]) -> Key:
    """The `Key` of a field."""
    found: Key = item.metadata["key"]
    return found


def nullable(item: Field[Any]) -> bool:
    """Whether the type of a field has None."""
    return NoneType in get_args(item.type)


def faults(settings: Any, prefix: str = "") -> list[str]:
    """A line for every value that is not allowed, in the order of the fields.

    Args:
        settings: An instance of a dataclass whose fields have keys.
        prefix: Before the name of each.
    """
    found = []
    for item in fields(settings):
        value, allowed = getattr(settings, item.name), known(item).allowed
        if value is not None and allowed is not None and not allowed(value):
            null = " or null" if nullable(item) else ""
            found.append(f"{prefix}{item.name}={value}: must be {allowed.text}{null}")
    return found
