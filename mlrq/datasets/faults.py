"""Rows that cannot be read, as a pass over a table meets them."""

from dataclasses import dataclass, field

from mlrq.errors import DataError

NAMED = 3  # of many faults of the data, those that are told


@dataclass
class Faults:
    """Rows that cannot be read.

    Attributes:
        rows: How many.
        first: What is wrong with the first few.
    """

    rows: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, fault: DataError) -> None:
        """One more row, in the order of the rows."""
        self.rows += 1
        if len(self.first) < NAMED:
            self.first.append(str(fault))
