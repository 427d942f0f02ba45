"""What `dataset.on_error=skip` leaves out: parts of a stream whose data are at fault, counted and named.

The first pass decides. The rows of the other parts keep their positions, so they are training or test rows as
before; later passes read the other parts only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrq.datasets.parts import Part

NAMED = 3


@dataclass(frozen=True)
class Skipped:
    """A part that was left out, and why."""

    part: Part
    reason: str


def count(skipped: Sequence[Skipped], lost: Sequence[str], parts: Sequence[Part]) -> str:
    """How much was left out, for the artifacts: "2 of 9 row groups skipped (1,400 of 5,000 rows)".

    Args:
        skipped: Parts.
        lost: What is wrong with files that could not even be cut into parts.
        parts: All of them, with those that were skipped.
    """
    counts = []
    if lost:
        counts.append(f"{len(lost):,} {'file' if len(lost) == 1 else 'files'} skipped")
    if skipped:
        rows, total = (sum(part.rows for part in these) for these in ([one.part for one in skipped], parts))
        counts.append(
            f"{len(skipped):,} of {len(parts):,} {parts[0].unit}s skipped ({rows:,} of {total:,} rows)"
        )
    return ", ".join(counts)


def reasons(skipped: Sequence[Skipped], lost: Sequence[str]) -> str:
    """The first few."""
    known = [*lost, *(one.reason for one in skipped)]
    rest = [f"and {len(known) - NAMED:,} more"] if len(known) > NAMED else []
    return "; ".join([*known[:NAMED], *rest])
