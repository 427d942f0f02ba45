"""Keys: the fields of a dataclass of settings, each with its default, what it means and what it may be.

Bounds, the comments of the YAML files, `--help` and the reference of the configuration all come from here.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field, fields
from typing import Any, Protocol


class Allowed(Protocol):
    """What a value may be: a predicate that can say what it asks for."""

    @property
    def text(self) -> str:
        """What stands after "must be"."""

    def __call__(self, value: Any) -> bool:
        """Whether `value` is allowed."""


@dataclass(frozen=True, eq=False)
class OneOf:
    """One of some names; a table of options may grow."""

    names: Collection[str]

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        *others, last = self.names
        return f"{', '.join(others)} or {last}" if others else last

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one of the names."""
        return value in self.names


@dataclass(frozen=True, eq=False)
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
        return bool(abs(value) < math.inf) and self.low <= value <= self.high and value < self.below


@dataclass(frozen=True, eq=False)
class Rule:
    """What a value may be where that is neither names nor a range.

    Attributes:
        text: What stands after "must be".
        holds: Whether a value is allowed.
    """

    text: str
    holds: Callable[[Any], bool]

    def __call__(self, value: Any) -> bool:
        """Whether `value` is allowed."""
        return bool(self.holds(value))


@dataclass(frozen=True, eq=False)
class Key:
    """What is known of a key.

    Attributes:
        text: What it means, in a few words.
        allowed: What it may be, where its type does not say it.
        null: What null means, where the key may be null.
        environment: Whether its value may come from an environment variable.
    """

    text: str
    allowed: Allowed | None = None
    null: str = ""
    environment: bool = False


def key(
    default: Any, text: str, allowed: Allowed | None = None, *, null: str = "", environment: bool = False
) -> Any:
    """A dataclass field with a `Key`."""
    return field(default=default, metadata={"key": Key(text, allowed, null, environment)})


def known(item: Field[Any]) -> Key:
    """The `Key` of a field."""
    found: Key = item.metadata["key"]
    return found


def bounds(item: Field[Any]) -> str:
    """What a field may be, in words; empty where that is anything of its type."""
    about = known(item)
    text = about.allowed.text if about.allowed else "true or false" if item.type is bool else ""
    return f"{text}, or null ({about.null})" if about.null else text


def faults(settings: Any, prefix: str = "") -> list[str]:
    """A line for every value that is not allowed, in the order of the fields.

    Args:
        settings: An instance of a dataclass whose fields have keys.
        prefix: Before the name of each.
    """
    found = []
    for item in fields(settings):
        value, about = getattr(settings, item.name), known(item)
        if about.allowed and not (about.null and value is None) and not about.allowed(value):
            shown = repr(value) if isinstance(value, str) and not value.isprintable() else value
            finite = " and finite" if isinstance(value, float) and not math.isfinite(value) else ""
            found.append(f"{prefix}{item.name}={shown}: must be {bounds(item)}{finite}")
    return found
