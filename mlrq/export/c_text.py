"""Write names, comments, numbers and arrays in C, each valid whatever text the model brings."""

import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mlrq.errors import MlrqError

WIDTH = 100
LONGEST_NAME = 200  # characters of a name in a comment
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
PREFIX_LENGTH = 20  # with "_accumulate" the 31 characters of an external name that C99 tells apart
# Of C99, C11, C23 and C++: the header serves all of them.
KEYWORDS = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t "
    "class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue "
    "decltype default delete do double dynamic_cast else enum explicit export extern false float for friend "
    "goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private "
    "protected public register reinterpret_cast requires restrict return short signed sizeof static "
    "static_assert static_cast struct switch template this thread_local throw true try typedef typeid "
    "typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq"
)
# The header is <prefix>.h, and must not stand in front of one of the language's.
HEADERS = (
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time "
    "uchar wchar wctype"
)


def check_prefix(prefix: str) -> None:
    """Check that `prefix` is a valid start of every identifier and of the file names.

    Raises:
        MlrqError: One sentence that says what is wrong with it.
    """
    if not PREFIX.fullmatch(prefix):
        raise MlrqError(
            f"the prefix {prefix!r} cannot start a C identifier: use letters, digits and single "
            "underscores between them, a letter first"
        )
    if len(prefix) > PREFIX_LENGTH:
        raise MlrqError(f"the prefix {prefix!r} is longer than {PREFIX_LENGTH} characters: shorten it")
    if prefix in KEYWORDS.split():
        raise MlrqError(
            f"the prefix {prefix!r} is a word of C or C++: choose another, such as {prefix}_model"
        )
    if prefix.lower() in HEADERS.split():
        raise MlrqError(
            f"the prefix {prefix!r} would hide the standard header {prefix.lower()}.h: choose another, "
            f"such as {prefix}_model"
        )


def named(text: str, prefix: str) -> str:
    """`text`, C that is written with the names mlrq_... and MLRQ_..., with those of `prefix` instead."""

    def own(found: re.Match[str]) -> str:
        return (prefix if found[1] == "mlrq" else prefix.upper()) + "_"

    text = text.replace('#include "mlrq.h"', f'#include "{prefix}.h"')
    return re.sub(r"\b(mlrq|MLRQ)_", own, text)


def quoted(name: str) -> str:
    """`name` as a JSON string in ASCII that cannot end a C comment, splice its lines, or be `named`.

    The middle of a long one is replaced by the number of its characters.
    """
    if len(name) > LONGEST_NAME:
        end = LONGEST_NAME // 2
        name = f"{name[:end]}...[{len(name):,} characters]...{name[-end:]}"
    text = json.dumps(name).replace("\x7f", "\\u007f").replace("??", "?\\u003f")
    text = re.sub(r"\*(?=/)|(?<=/)\*", r"\\u002a", text)
    return re.sub(r"(mlrq|MLRQ)_", r"\1\\u005f", text)


def comment(lines: Iterable[str]) -> str:
    """A block comment; names in it must be `quoted`."""
    body = "".join(f" * {line}".rstrip() + "\n" for line in lines)
    return f"/*\n{body} */\n"


def digits(value: np.float32) -> str:
    """A float32 as its shortest decimal that reads back to the same float32."""
    return repr(float(str(value)))


def single(value: np.float32) -> str:
    """A float32 as a C constant of type float and equal value."""
    return f"{digits(value)}f"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def braced(items: Sequence[str]) -> str:
    """`{a, b, ...}` inside an array, continued on further lines where it is long."""
    return "{" + "\n     ".join(_wrapped(", ".join(items))) + "}"


def constant(about: str, declaration: str, rows: Iterable[Any], notes: Sequence[str] | None = None) -> str:
    """A constant array and the comment that says what it holds, with one row or element a line.

    Args:
        about: Its meaning, range and unit.
        declaration: Type, name and dimensions.
        rows: A number, a text, or a list of them, for each line.
        notes: Of each line; names in them must be `quoted`.
    """
    lines = [f"{braced([str(x) for x in line]) if isinstance(line, list) else line}," for line in rows]
    if notes is not None:
        width = max(0 if "\n" in line else len(line) for line in lines)
        lines = [f"{line:{width}} /* {note} */" for line, note in zip(lines, notes, strict=True)]
    about = "\n   ".join(_wrapped(f"/* {about} */"))
    body = "".join(f"    {line}\n" for line in lines)
    return f"{about}\nstatic const {declaration} = {{\n{body}}};\n\n"
