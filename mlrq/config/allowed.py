"""What the values of some keys may be, beside names and numbers: see `mlrq.quantization.keys.Allowed`."""

from collections.abc import Collection
from typing import Any

from mlrq.quantization.keys import OneOf, Rule, Within

# Typed as the two letters \t it is a tab.
DELIMITER = Rule(
    "one character, such as , or ; or \\t",
    lambda value: isinstance(value, str) and len(value) == 1 and value not in '"\r\n',
)
COLUMNS = Rule(
    "one or more columns, each once",
    lambda value: bool(value) and "" not in value and len(set(value)) == len(value),
)
TEXTS = Rule("one or more texts, each once", lambda value: bool(value) and len(set(value)) == len(value))

PROBABILITY = Rule("above 0 and below 1", lambda value: 0 < value < 1)


def named(what: str) -> Rule:
    """Text that is not empty."""
    return Rule(what, lambda value: value != "")


def kinds(names: Collection[str]) -> Rule:
    """Columns by name, and which of `names` each is."""
    return Rule(
        f"names with {OneOf(names).text}",
        lambda value: isinstance(value, dict) and all(name and kind in names for name, kind in value.items()),
    )


def number_or(word: str) -> Rule:
    """A number that is not negative, or a word."""
    return Rule(
        f"0 or more, or {word}",
        lambda value: Within(0)(value) if isinstance(value, int | float) else value == word,
    )


def width_or(word: str, low: int, high: int) -> Rule:
    """A number of bits, or a word."""

    def holds(value: Any) -> bool:
        number = isinstance(value, int) and not isinstance(value, bool)
        return bool(low <= value <= high if number else value == word)

    return Rule(f"{Within(low, high).text}, or {word}", holds)


def some_of(names: Collection[str], word: str, what: str) -> Rule:
    """A list of some names, each once, or a word; `what` they are called in short."""

    def holds(value: Any) -> bool:
        if not isinstance(value, list):
            return bool(value == word)
        return bool(value) and all(value.count(one) == 1 and one in names for one in value)

    return Rule(f"{word}, or a list of {what}", holds)


def switch_or(word: str) -> Rule:
    """True, false, or a word."""
    return Rule(f"true, false or {word}", lambda value: isinstance(value, bool) or value == word)
