"""What `dataset.on_error=skip` leaves out: rows of CSV, and parts whose data are at fault; counted and named.

The first pass decides. The other rows keep their positions, so they are training or test rows as before.
Later passes do not read the parts that were left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrq.datasets.faults import NAMED
from mlrq.datasets.parts import Part


@dataclass(frozen=True)
class Skipped:
    """What was left out of a part, and why.

    Attributes:
        part: Which part.
        rows: How many of its rows.
        reasons: The first few.
        whole: Whether it was left out as a part.
    """

    part: Part
    rows: int
    reasons: tuple[str, ...]
    whole: bool


def count(skipped: Sequence[Skipped], lost: Sequence[str], parts: Sequence[Part]) -> str:
    """How much was left out, for the artifacts: "2 of 9 row groups skipped (1,400 of 5,000 rows)".

    Args:
        skipped: Of each part of which something was.
        lost: What is wrong with files that could not even be cut into parts.
        parts: All of them, with those that were skipped.
    """
    counts = []
    if lost:
        counts.append(f"{len(lost):,} {'file' if len(lost) == 1 else 'files'} skipped")
    total = sum(part.rows for part in parts)
    if whole := [one for one in skipped if one.whole]:
        rows = sum(one.rows for one in whole)
        counts.append(
            f"{len(whole):,} of {len(parts):,} {parts[0].unit}s skipped ({rows:,} of {total:,} rows)"
        )
    if rows := sum(one.rows for one in skipped if not one.whole):
        counts.append(f"{rows:,} of {total:,} rows skipped")
    return ", ".join(counts)


def reasons(skipped: Sequence[Skipped], lost: Sequence[str]) -> str:
    """The first few."""
    known = [*lost, *(reason for one in skipped for reason in one.reasons)][:NAMED]
    more = len(lost) + sum(1 if one.whole else one.rows for one in skipped) - len(known)
    return "; ".join([*known, *([f"and {more:,} more"] if more else [])])
