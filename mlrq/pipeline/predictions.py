"""Options of a prediction, whatever its format, and the tally of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlrq.errors import MlrqError
from mlrq.pipeline.ranges import Beyond, Ranges

FLAG = "saturated"  # name of the column that predict.flag adds


@dataclass(frozen=True)
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

    def columns(self, targets: Sequence[str]) -> list[str]:
        """Names of the columns of the predictions. Raises MlrqError where two are the same."""
        made = [*targets, FLAG] if self.flag else list(targets)
        if self.flag and FLAG in targets:
            raise MlrqError(f"predict.flag=true: a target is called {FLAG} already")
        for name in self.keep:
            if name in made:
                raise MlrqError(f"predict.keep={name}: the predictions have a column of that name already")
        return [*self.keep, *made]


@dataclass(frozen=True)
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
