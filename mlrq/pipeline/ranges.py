"""Count rows to predict that lie beyond the ranges of a model's inputs.

A model with integer inputs knows the range of its codes: what lies beyond saturates, and is predicted as if
it lay at the range's end. A model with float inputs knows the training rows: beyond them it extrapolates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.errors import NAME, printable
from mlrq.quantization.inputs import InputGrid

NAMED = 3  # features in the note


@dataclass(frozen=True, eq=False)
class Beyond:
    """Tally of rows beyond the ranges; mergeable.

    Attributes:
        rows: Number of rows looked at.
        count: Rows of which some feature lies beyond its range.
        counts: (features,) rows of which this feature does.
        low: (features,) smallest numbers among those, infinity where there are none.
        high: (features,) largest numbers among those, minus infinity where there are none.
    """

    rows: int
    count: int
    counts: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __add__(self, other: "Beyond") -> "Beyond":
        """Of the rows of both."""
        return Beyond(
            self.rows + other.rows,
            self.count + other.count,
            self.counts + other.counts,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


@dataclass(frozen=True, eq=False)
class Ranges:
    """The range of each feature; it travels to other processes.

    Attributes:
        features: Names.
        low: (features,) float64 smallest numbers.
        high: (features,) float64 largest numbers.
        inputs: The grids of integer inputs, whose ends these are; None where inputs are float.
    """

    features: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    inputs: InputGrid | None

    def outside(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n, features) which cells lie beyond; with integer inputs those that saturate, not to rounding."""
        if self.inputs is not None:
            return self.inputs.beyond(rows)
        return np.asarray((rows < self.low) | (rows > self.high))

    def count(self, rows: NDArray[np.float64], outside: NDArray[np.bool_]) -> Beyond:
        """The tally of (n, features) `rows`, of which `outside` says what lies beyond."""
        return Beyond(
            len(rows),
            int(outside.any(axis=1).sum()),
            outside.sum(axis=0),
            np.where(outside, rows, np.inf).min(axis=0, initial=np.inf),
            np.where(outside, rows, -np.inf).max(axis=0, initial=-np.inf),
        )

    def nothing(self) -> Beyond:
        """The tally of no rows."""
        none = np.zeros((0, len(self.features)))
        return self.count(none, none > 0)

    def note(self, found: Beyond) -> list[str]:
        """One line: how many rows, which features and how far; none where there is nothing to say."""
        if not found.count:
            return []
        order = sorted(np.flatnonzero(found.counts).tolist(), key=lambda i: -int(found.counts[i]))
        told = "; ".join(self._told(i, found) for i in order[:NAMED])
        more = f"; and {len(order) - NAMED:,} more features" if len(order) > NAMED else ""
        what = (
            "beyond the range of the inputs, predicted as if at its end"
            if self.inputs is not None
            else "beyond the range of the training rows, so the model extrapolates"
        )
        return [f"{found.count:,} of {found.rows:,} rows {what}: {told}{more}"]

    def _told(self, i: int, found: Beyond) -> str:
        """One feature: `AveOccup in 3 rows, down to -1, up to 50 (range 0.7 to 4)`."""
        count, low, high = int(found.counts[i]), float(found.low[i]), float(found.high[i])
        rows = f"{printable(self.features[i], NAME)} in {count:,} row{'s' if count > 1 else ''}"
        down = f", down to {low:g}" if low < self.low[i] else ""
        up = f", up to {high:g}" if high > self.high[i] else ""
        return f"{rows}{down}{up} (range {self.low[i]:g} to {self.high[i]:g})"


def ranges(artifact: QuantizedArtifact) -> Ranges:
    """The ranges that `artifact` has: of its integer inputs, or else of the rows that it was trained on."""
    model = artifact.model
    if model.inputs is None:
        low, high = np.array(artifact.training.input_range)
    else:
        scale, offset = model.inputs.scale.astype(np.float64), model.inputs.offset
        low, high = (scale * end + offset for end in (model.inputs.low, model.inputs.high))
    return Ranges(model.features, low, high, model.inputs)
