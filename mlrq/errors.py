"""The exceptions whose text is for the user, and how text from outside is printed or typed."""

import re
import unicodedata
from collections.abc import Iterable

MESSAGE, NAME = 400, 40  # columns of a message, a few lines of a terminal, and of a name in a table
# Python calls these printable, and a terminal draws nothing: joiners, fillers, variation selectors.
_BLANK = {
    0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
}  # fmt: skip

DISTRIBUTION = "mlrq-linear"  # its name on a package index, where mlrq is another project

# What others say where they get no memory, in errors of kinds that mean anything.
NO_MEMORY = (
    "failed to map segment", "cannot allocate memory", "can't start new thread", "bad_alloc", "out of memory",
    "unable to allocate", "not enough memory", "memory allocation", "error return without exception set",
)  # fmt: skip


class MlrqError(Exception):
    """Something that the user can put right: its text is one line that says what, where and how."""


class DataError(MlrqError):
    """Data that are damaged, not usable as numbers, or not what they were; nothing else is at fault."""


class ConfigError(MlrqError):
    """A configuration with one or more faults, all of them listed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def nearest(word: str, allowed: Iterable[str], prefix: str = "", likeness: float = 0.6) -> str:
    """What was probably meant by `word`, as the end of a sentence; empty where none of `allowed` is near."""
    import difflib  # which a run without faults has no use for

    near = difflib.get_close_matches(word, allowed, n=1, cutoff=likeness)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def quoted(text: str, mark: str = "'") -> str:
    """`text` as a value in an override, between quotes of one kind, whatever is in it."""
    ending = re.sub(rf"(\\+)(?={mark}|$)", r"\1\1", text)  # backslashes count before a quote only
    return mark + ending.replace(mark, f"\\{mark}") + mark


def unknown_key(key: str, allowed: list[str]) -> str:
    """The fault of a key that does not exist, with the nearest one that does."""
    group, dot, name = key.rpartition(".")
    listed = f"; {group or 'the configuration'} has {', '.join(sorted(allowed))}"
    return f"{key}: no such key{nearest(name, allowed, group + dot) or listed}"


def not_installed(feature: str, package: str, extra: str) -> str:
    """Say how to install the optional `package`, in a checkout and by the distribution's name.

    Args:
        feature: What cannot be done without it.
        package: Its name on a package index.
        extra: The extra of this distribution that brings it.
    """
    return (
        f"{feature} needs {package}, which is not installed: pip install -e '.[{extra}]' in a checkout (the "
        f".venv of make has it), pip install '{DISTRIBUTION}[{extra}]' elsewhere"
    )


def without_memory(error: BaseException | None) -> str:
    """What an error, or one that it came of, says of memory that there was not; empty if none does."""
    while error is not None:
        if isinstance(error, MemoryError):
            return "fewer rows or features at a time are needed"
        for line in str(error).splitlines():
            if any(words in line.lower() for words in NO_MEMORY):
                return line
        error = error.__cause__ or error.__context__
    return ""


def printable(text: object, most: int | None = MESSAGE) -> str:
    """`text` as one line of visible characters, safe on a terminal; the same again for its own result.

    What does not print (control, bidirectional, zero-width, unassigned characters, line ends, surrogates, and
    blanks other than the space) is escaped as in Python's repr. Where more than `most` columns would be taken
    the middle is replaced by the number of characters that there are; None leaves any length.
    """
    line = str(text)
    if len(line) <= (most or len(line)) and line.isascii() and line.isprintable():
        return line
    front = [_visible(character) for character in line[:most]]
    if most is None or len(line) <= most >= sum(map(columns, front)):
        return "".join(front)
    middle = f"...[{len(line):,} characters]..."[:most]
    back = [_visible(character) for character in line[: -most - 1 : -1]]
    room = most - len(middle)
    return _within(front, room // 2) + middle + _within(back, room - room // 2, backwards=True)


def columns(text: str) -> int:
    """Columns of a terminal that printable `text` takes at most."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def _visible(character: str) -> str:
    shown = character.isprintable() and ord(character) not in _BLANK
    return character if shown else ascii(character)[1:-1]


def _within(shown: list[str], room: int, backwards: bool = False) -> str:
    """As many of the first of `shown` as have `room`."""
    taken = 0
    for count, piece in enumerate(shown):
        taken += columns(piece)
        if taken > room:
            shown = shown[:count]
            break
    return "".join(reversed(shown) if backwards else shown)
