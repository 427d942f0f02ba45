"""What the values of some keys may be, beside names and numbers: see `mlrq.quantization.keys.Allowed`."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from mlrq.quantization.keys import OneOf, Within


@dataclass(frozen=True)
class Delimiter:
    """One character that can part cells; typed as the two letters \\t it is a tab."""

    text: ClassVar[str] = "one character, such as , or ; or \\t"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one."""
        return isinstance(value, str) and len(value) == 1 and value not in '"\r\n'


@dataclass(frozen=True)
class Named:
    """Text that is not empty."""

    what: str

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return self.what

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one."""
        return bool(value != "")


@dataclass(frozen=True)
class Columns:
    """A column, or several, each once."""

    text: ClassVar[str] = "one or more columns, each once"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is a list of distinct names."""
        return bool(value) and "" not in value and len(set(value)) == len(value)


@dataclass(frozen=True)
class Kinds:
    """Columns by name, and what each is."""

    names: Collection[str]

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return f"names with {OneOf(self.names).text}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` maps names to kinds."""
        return isinstance(value, dict) and all(name and kind in self.names for name, kind in value.items())


@dataclass(frozen=True)
class Texts:
    """A text, or several, each once."""

    text: ClassVar[str] = "one or more texts, each once"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is a list of distinct texts."""
        return bool(value) and len(set(value)) == len(value)


@dataclass(frozen=True)
class NumberOr:
    """A number that is not negative, or a word."""

    word: str

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return f"0 or more, or {self.word}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one or the other."""
        return Within(0)(value) if isinstance(value, int | float) else bool(value == self.word)


@dataclass(frozen=True)
class WidthOr:
    """A number of bits, or a word."""

    word: str
    low: int
    high: int

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return f"{Within(self.low, self.high).text}, or {self.word}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one or the other."""
        number = isinstance(value, int) and not isinstance(value, bool)
        return self.low <= value <= self.high if number else bool(value == self.word)


@dataclass(frozen=True)
class SomeOf:
    """A list of some names, each once, or a word; `what` they are called in short."""

    names: Collection[str]
    word: str
    what: str

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return f"{self.word}, or a list of {self.what}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one or the other."""
        if not isinstance(value, list):
            return bool(value == self.word)
        return bool(value) and all(value.count(one) == 1 and one in self.names for one in value)


@dataclass(frozen=True)
class SwitchOr:
    """True, false, or a word."""

    word: str

    @property
    def text(self) -> str:
        """What stands after "must be"."""
        return f"true, false or {self.word}"

    def __call__(self, value: Any) -> bool:
        """Whether `value` is one of them."""
        return isinstance(value, bool) or bool(value == self.word)
