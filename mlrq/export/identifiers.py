"""Identifiers of C, and names of ONNX, for columns and categories that are called anything at all."""

import re
import unicodedata

from mlrq.export.c_text import KEYWORDS

# Macros that some header or compiler has in lower case, which a member of a struct cannot be called.
MACROS = "bool false true errno stdin stdout stderr linux unix i386 arm near far hyper small"
_TAKEN = {*KEYWORDS.split(), *MACROS.split()}


def words_of(text: str) -> str:
    """The letters and digits of ASCII in `text`, in lower case, with one underscore for all between them.

    Accents are left out, and the sign of a number is a word. Nothing may be left.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    signed = re.sub(r"^\s*-(?=[0-9.])", "minus ", plain)
    return "_".join(re.findall(r"[a-z0-9]+", signed.lower()))


def member(text: str, otherwise: str, most: int) -> str:
    """What a column may be called in C and C++, in about `most` characters, or begun with `otherwise`."""
    name = words_of(text)[:most].strip("_")
    if not name or name == "mlrq" or name.startswith("mlrq_"):  # which stands for the prefix of an export
        name = f"{otherwise}_{name}"[:most].strip("_")
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_column" if name in _TAKEN else name


def distinct(name: str, taken: set[str], ends: tuple[str, ...] = ("",)) -> str:
    """`name`, numbered unless it is free with each of `ends` behind it; then these are taken."""
    found, count = name, 1
    while taken.intersection(found + end for end in ends):
        count += 1
        found = f"{name}_{count}"
    taken.update(found + end for end in ends)
    return found
