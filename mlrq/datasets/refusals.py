"""Columns that become no features as they are: why, and what `dataset.columns` would have to say of them."""

import re
import shlex
from collections.abc import Mapping, Sequence

from mlrq.datasets.encoding import CATEGORICAL, DROP
from mlrq.errors import MlrqError, quoted

TOLD = 2  # of many columns, those whose reason is told
# Of missing cells, in any case.
MARKS = ("na", "n/a", "n.a.", "#n/a", "none", "nil", "missing", "unknown", "?", "-", "--", ".")
# Names that Hydra reads as a key of a mapping, as they are. Others are quoted in a list.
_KEY = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_]\w*(?: \w+)*", re.ASCII | re.IGNORECASE)


def override(kinds: Mapping[str, str]) -> str:
    """What to type in a shell for columns by name: {name: kind}, or a list where Hydra cannot read that."""
    told = [f"{name}: {kind}" for name, kind in kinds.items()]
    if all(_KEY.fullmatch(name) for name in kinds):
        return shlex.quote(f"dataset.columns={{{', '.join(told)}}}")
    texts = [quoted(text.replace("${", "\\${"), '"') for text in told]
    return shlex.quote(f"dataset.columns=[{', '.join(texts)}]")


def no_number(text: str, column: str = "") -> str:
    """What helps where `text` is no number, as the end of a sentence; its column might be categories."""
    if text.strip().lower() in MARKS:
        shown = text if re.fullmatch(r"[A-Za-z/.]+", text) else quoted(text, '"')
        return f"; if it is a missing cell: {shlex.quote(f'dataset.missing_values={shown}')}"
    return f"; if it is a category: {override({column: CATEGORICAL})}" if column else ""


def no_value(target: bool) -> str:
    """What helps where a cell is missing, as the end of a sentence; a missing target is never filled."""
    return f": dataset.missing={'' if target else 'mean, indicator or '}drop says what becomes of it"


def way_out(cell: str, column: str, target: bool) -> str:
    """What helps where a cell is no number, as the end of a sentence."""
    return no_number(cell, "" if target else column) if cell.strip() else no_value(target)


class Refused(MlrqError):
    """A column that becomes no feature."""

    def __init__(self, table: str, column: str, why: str, kind: str = DROP, more: str = "") -> None:
        """Say why, and the way out.

        Args:
            table: Its name.
            column: Its name.
            why: What is wrong, with the name of the column.
            kind: What it would have to be.
            more: Another way out.
        """
        does = "leaves it out" if kind == DROP else "makes categories"
        super().__init__(f"{table}: {why}: {override({column: kind})} {does}{more}")
        self.table, self.column, self.why, self.kind = table, column, why, kind


def all_of(refused: Sequence[Refused]) -> MlrqError:
    """One error for all columns of a table that are refused, at least one."""
    if len(refused) == 1:
        return refused[0]
    reasons = "; ".join(one.why for one in refused[:TOLD])
    more = f"; and {len(refused) - TOLD:,} more" if len(refused) > TOLD else ""
    way = override({one.column: one.kind for one in refused})
    return MlrqError(
        f"{refused[0].table}: {len(refused)} columns are no features: {reasons}{more}: say so by {way}"
    )
