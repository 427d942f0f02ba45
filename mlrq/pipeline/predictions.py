"""Options of a prediction, whatever its format, and the tally of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.pipeline.ranges import Beyond, Ranges
from mlrq.quantization.model import QuantizedLinear

FLAG = "saturated"  # name of the column that predict.flag adds
ENDS = ("low", "high")  # of an interval, of one target; of several, TARGET_low and TARGET_high


@dataclass(frozen=True, eq=False)
class Options:
    """The predict group of the configuration.

    Attributes:
        input: A CSV file with a header line, JSON lines, or Parquet; "-" is standard input.
        output: Path for the predictions, one column a target; "-" is standard output. Of Parquet a folder.
        format: "csv", "jsonl", "parquet", or "auto": by the input's file name, else by its first character.
        delimiter: Of CSV, both ways.
        keep: Names of columns that are copied, before the predictions.
        flag: Whether a last column says which rows lie beyond the ranges of the model.
        on_error: What becomes of a row that cannot be read: "fail" ends with its fault, "skip" leaves it
            out, "null" leaves its predictions empty.
        unknown: "baseline" counts a category that the model does not know as the most frequent one; "error"
            is a row that cannot be read.
    """

    input: str
    output: str
    format: str = "auto"
    delimiter: str = ","
    keep: Sequence[str] = ()
    flag: bool = False
    on_error: str = "fail"
    unknown: str = "error"

    @property
    def forgiving(self) -> bool:
        """Whether a row that cannot be read is no error."""
        return self.on_error != "fail"

    def columns(self, model: QuantizedLinear) -> list[str]:
        """Names of the columns of the predictions. Raises MlrqError where two are the same."""
        found = predicted(model)
        made = [*found, FLAG] if self.flag else found
        if self.flag and FLAG in found:
            raise MlrqError(f"predict.flag=true: a target is called {FLAG} already")
        for name in self.keep:
            if name in made:
                raise MlrqError(f"predict.keep={name}: the predictions have a column of that name already")
        return [*self.keep, *made]


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of predicted rows; mergeable in the order of the rows.

    Attributes:
        rows: Number of rows read, those that could not be read among them.
        lost: Number of rows that could not be read.
        first: What is wrong with the first of them.
        beyond: Of the others.
    """

    rows: int
    lost: int
    first: str
    beyond: Beyond

    def __add__(self, other: "Tally") -> "Tally":
        """Of the rows of both."""
        rows, lost, beyond = self.rows + other.rows, self.lost + other.lost, self.beyond + other.beyond
        return replace(self, rows=rows, lost=lost, first=self.first or other.first, beyond=beyond)

    def notes(self, name: str, options: Options, ranges: Ranges) -> list[str]:
        """A line on rows that could not be read, and one on rows beyond the ranges, where there are any."""
        found = []
        if self.lost:
            done = "were left out" if options.on_error == "skip" else "have no prediction"
            counts = f"{self.lost:,} of {self.rows:,} rows could not be read"
            found.append(f"{name}: {counts} and {done}; the first: {self.first}")
        return [*found, *ranges.note(self.beyond)]


def predicted(model: QuantizedLinear) -> list[str]:
    """Names of the numbers that are predicted: the targets, then the ends of the interval of each, if any."""
    if model.interval is None:
        return list(model.targets)
    one = len(model.targets) == 1
    return [*model.targets, *(end if one else f"{name}_{end}" for name in model.targets for end in ENDS)]


def require_names(targets: Sequence[str], level: float) -> None:
    """Raise MlrqError if an end of an interval would have the name of a target."""
    ends = [*ENDS, *(f"{name}_{end}" for name in targets for end in ENDS)]
    taken = [name for name in (ends[:2] if len(targets) == 1 else ends[2:]) if name in targets]
    if taken:
        what = f"quantization.interval={level}: predictions have a column {taken[0]!r}"
        raise MlrqError(f"{what}, as a target is called: rename the target")


def numbers(model: QuantizedLinear, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, columns) float64: what `predicted` names, for (n, features) `rows`."""
    values = model.predict(rows)
    if model.interval is None:
        return values
    ends = np.stack(model.ends(rows), axis=2)
    return np.concatenate([values, ends.reshape(len(rows), -1)], axis=1)
