"""`Streamed`: a source whose rows are never all in memory. Every question is a pass, part by part.

Each part is reduced to something small (a summary, a tally) by one function of the part alone, and the
results are merged in the order of the parts. So the outcome is the same to the last bit wherever the
functions run: one process or several change the time, not the numbers.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlrq import skipping
from mlrq.datasets import Split
from mlrq.datasets.stream import Part, Stream, are_test
from mlrq.engines import Engine
from mlrq.errors import DataError, MlrqError
from mlrq.linear import LinearModel
from mlrq.metrics import Tally, merge, tally
from mlrq.quantization import InputGrid
from mlrq.quantization.inputs import from_range
from mlrq.quantization.rows import See, Table
from mlrq.skipping import Skipped
from mlrq.source import Data, Fit, Model, Score
from mlrq.summary import Summary, combine, empty, summarize

TYPICAL_ROWS = 4096  # on which a fitted model is checked to be what it seems

Result = TypeVar("Result")
Numbers = NDArray[np.float64]
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Cut:
    """A stream and how its rows are split: all that a worker needs to know.

    Attributes:
        stream: The table.
        test_size: Fraction of test rows, where a hash decides.
        seed: Of the hash.
        settled: Whether the first pass is over, which decides what is skipped.
    """

    stream: Stream
    test_size: float
    seed: int
    settled: bool = False

    def _tables(self, part: Part) -> Iterator[Numbers]:
        try:
            yield from self.stream.batches(part)
        except DataError as error:
            if not (self.settled and self.stream.skip):
                raise
            raise MlrqError(
                f"{error} (the first pass read it whole, so it is too late to skip it: run again)"
            ) from error

    def batches(self, part: Part) -> Iterator[tuple[Numbers, NDArray[np.bool_]]]:
        """(columns, n) numbers, and (n,) which of them are test rows."""
        start = part.start
        for table in self._tables(part):
            count = table.shape[1]
            if part.test is None:
                yield table, are_test(start, count, self.test_size, self.seed)
            else:
                yield table, np.full(count, part.test)
            start += count

    def rows(self, part: Part, test: bool) -> Iterator[tuple[Numbers, Numbers]]:
        """Features (n, features) and targets (n, targets) of the test rows, or of the training rows."""
        if part.test is not None and part.test is not test:
            return
        width = len(self.stream.features)
        for table, are in self.batches(part):
            chosen = table if part.test is not None else table[:, are == test]
            yield chosen[:width].T, chosen[width:].T


@dataclass(frozen=True)
class Scan:
    """What the first pass finds.

    Attributes:
        summary: Of the training rows.
        low: (columns,) smallest training numbers.
        high: (columns,) largest training numbers.
        tests: Number of test rows.
        digests: SHA-256 of each part's numbers, or what stands for it, in order.
        skipped: Parts that were left out.
    """

    summary: Summary
    low: Numbers
    high: Numbers
    tests: int
    digests: tuple[bytes, ...]
    skipped: tuple[Skipped, ...] = ()


def _scan(cut: Cut, part: Part) -> Scan:
    stream = cut.stream
    width, columns = len(stream.features), len(stream.features) + len(stream.targets)
    sha = hashlib.sha256()
    low, high, tests = np.full(columns, np.inf), np.full(columns, -np.inf), 0
    summaries = [empty(width, columns - width)]
    for table, are in cut.batches(part):
        sha.update(np.ascontiguousarray(table, dtype="<f8").data)
        train = table[:, ~are]
        tests += int(are.sum())
        low = np.minimum(low, train.min(axis=1, initial=np.inf))
        high = np.maximum(high, train.max(axis=1, initial=-np.inf))
        summaries.append(summarize(train[:width].T, train[width:].T))
    return Scan(combine(summaries), low, high, tests, (sha.digest(),))


def _attempt(cut: Cut, part: Part) -> Scan:
    """What `_scan` finds, or that the part is to be skipped. Only the data's own faults are forgiven."""
    try:
        return _scan(cut, part)
    except DataError as error:
        if not cut.stream.skip:
            raise
        left_out = Skipped(part, str(error))
        features, targets = len(cut.stream.features), len(cut.stream.targets)
        low, high = (np.full(features + targets, limit) for limit in (np.inf, -np.inf))
        return Scan(empty(features, targets), low, high, 0, (left_out.digest,), (left_out,))


def _summarize(cut: Cut, see: See, goal: LinearModel | None, part: Part) -> Summary:
    stream = cut.stream
    return combine(
        [empty(len(stream.features), len(stream.targets))]
        + [
            summarize(see(rows), values if goal is None else goal.predict(rows))
            for rows, values in cut.rows(part, test=False)
        ]
    )


# For each model: tallies of the training and the test rows, and its distance from the first model.
_Marks = list[tuple[Tally, Tally, float]]


def _mark(cut: Cut, models: Sequence[Model], part: Part) -> _Marks:
    nothing = np.empty((0, len(cut.stream.targets)))
    marks = [(tally(nothing, nothing), tally(nothing, nothing), 0.0)] * len(models)
    width = len(cut.stream.features)
    for table, are in cut.batches(part):
        rows, values = table[:width].T, table[width:].T
        reference = None
        found = []
        for model in models:
            predicted = model.predict(rows)
            reference = predicted if reference is None else reference
            far = float(np.abs(predicted - reference)[are].max(initial=0.0))
            train, test = (tally(values[chosen], predicted[chosen]) for chosen in (~are, are))
            found.append((train, test, far))
        marks = _merged_marks(marks, found)
    return marks


def _merged_marks(first: _Marks, second: _Marks) -> _Marks:
    return [
        (merge(a[0], b[0]), merge(a[1], b[1]), max(a[2], b[2])) for a, b in zip(first, second, strict=True)
    ]


def _count_saturated(cut: Cut, inputs: InputGrid, part: Part) -> Numbers:
    """Saturated cells a feature among the part's (training, test) rows."""
    found = [
        sum(len(rows) * inputs.saturated(rows) for rows, _ in cut.rows(part, test) if len(rows))
        for test in (False, True)
    ]
    return np.array(found, dtype=np.float64)


@dataclass(frozen=True)
class About:
    """What is said of a stream once it has been read; see `mlrq.source.About`."""

    name: str
    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    sha256: str


class Streamed:
    """A stream and its split; see `mlrq.source.Source`.

    Attributes:
        dataset: What is said of it. Its hash is of the names, of each part's numbers and of the split into
            files, and of the places of what was skipped; the same numbers in other row groups have another.
        notices: What was skipped, if anything was.
    """

    def __init__(
        self,
        stream: Stream,
        test_size: float,
        seed: int,
        engine: Engine = map,
        notify: Notify = lambda text: None,
    ) -> None:
        """Read everything once.

        Raises:
            MlrqError: For what the stream objects to and does not skip, too few rows, or a constant
                training column.
        """
        self.test_size, self.seed = test_size, seed
        self._stream, self._cut = stream, Cut(stream, test_size, seed)
        self._engine, self._notify = engine, notify
        self._scores: dict[tuple[int, ...], tuple[tuple[Model, ...], list[Score]]] = {}
        scan: Scan = reduce(_merged_scans, self._pass(_attempt))
        self._scan = scan
        source = self._leave_out(scan.skipped)
        self.train_count, self.test_count = scan.summary.count, scan.tests
        self._hold_enough()
        sha = hashlib.sha256("\0".join((*stream.features, "", *stream.targets)).encode())
        for part, found in zip(stream.parts, scan.digests, strict=True):
            sha.update(str(part.test).encode() + found)
        self.dataset = About(stream.name, source, stream.features, stream.targets, sha.hexdigest())

    @property
    def summary(self) -> Summary:
        """Of the training rows and their targets."""
        return self._scan.summary

    def target_spread(self) -> list[float]:
        """Standard deviation of each target over the training rows."""
        spread: list[float] = _spread(self.summary)[self.summary.features :].tolist()
        return spread

    def first(self, count: int) -> tuple[Numbers, Numbers]:
        """Features and targets of the first `count` test rows, read from the head of the stream."""
        return self._head(count, test=True)

    def typical(self) -> Numbers:
        """The first training rows."""
        return self._head(TYPICAL_ROWS, test=False)[0]

    def fit(self, spec: dict[str, Any], standardize: bool, fit: Fit) -> tuple[bytes, list[str]]:
        """Fit from the summary where that is enough; load all training rows where it is not.

        Raises:
            MlrqError: If they are too many for the memory that is allowed.
        """
        from mlrq import out_of_core

        if out_of_core.suffices(spec):
            return out_of_core.fit(self.summary, spec, standardize, self._stream.features)
        parts = self.in_memory(spec["_target_"].rpartition(".")[2]).parts
        return fit(parts.train_rows, parts.train_values, spec, standardize)

    def training(self, goal: LinearModel | None) -> "StreamedRows":
        """The training rows with what `goal` predicts for them, or with their own targets for None."""
        return StreamedRows(self, goal)

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is, in one pass; the same models are not measured twice."""
        key = tuple(map(id, models))
        if key not in self._scores:
            marks = reduce(_merged_marks, self._pass(_mark, tuple(models)))
            scores = [
                Score(train.metrics(), test.metrics(), np.asarray(train.low == train.high), far)
                for train, test, far in marks
            ]
            self._scores[key] = tuple(models), scores  # with the models, lest an id be given again
        return self._scores[key][1]

    def saturated(self, inputs: InputGrid) -> tuple[float, float]:
        """Fractions of the training and of the test cells that saturate, 0 to 1."""
        train, test = sum(self._pass(_count_saturated, inputs), np.zeros(2)).tolist()
        return train / self.train_count, test / self.test_count

    def range(self) -> tuple[Numbers, Numbers]:
        """Smallest and largest training numbers, (columns,) each, features first."""
        return self._scan.low, self._scan.high

    def summarize(self, see: See, goal: LinearModel | None) -> Summary:
        """Summary of what `see` makes of the training rows, with the goal."""
        whole: Summary = combine(self._pass(_summarize, see, goal))
        return whole

    def in_memory(self, who: str) -> Data:
        """All training rows, for `who`, which is told to the user before they are read.

        Raises:
            MlrqError: If they take more than `memory_limit` bytes.
        """
        columns = len(self.dataset.features) + len(self.dataset.targets)
        size = 8 * columns * self.train_count
        need = f"{who} needs all {self.train_count:,} training rows in memory, {size / 1e6:,.0f} MB"
        limit = self._stream.memory_limit
        if size > limit:
            raise MlrqError(
                f"{need}, more than dataset.memory_limit={limit}; linear_regression, ridge and minmax do not"
            )
        self._notify(f"{need}, and as much again to work on")
        rows, values = self._head(self.train_count, test=False)
        split = Split(rows, values, rows[:0], values[:0])
        # Only the training rows are asked for; the dataset's own table would hold them a second time.
        return Data(self.dataset, split, self.test_size, self.seed)  # type: ignore[arg-type]

    def _leave_out(self, skipped: tuple[Skipped, ...]) -> str:
        """Forget these parts from now on; the source of the data, with what is missing of it.

        Raises:
            MlrqError: If no part is left.
        """
        stream = self._stream
        left_out = {one.part for one in skipped}
        counted = skipping.count(skipped, stream.lost, stream.parts)
        why = skipping.reasons(skipped, stream.lost)
        self._stream = stream.only(tuple(part for part in stream.parts if part not in left_out))
        if not self._stream.parts:
            raise MlrqError(f"{stream.name}: {counted}, nothing is left: {why}")
        self._cut = replace(self._cut, stream=self._stream, settled=True)
        self.notices = [f"{counted}: {why}"] if counted else []
        return f"{stream.source}, {counted}" if counted else stream.source

    def _pass(self, function: Callable[..., Any], *arguments: Any) -> Iterable[Any]:
        """`function` of cut, `arguments` and each part, in the parts' order."""
        return self._engine(partial(function, self._cut, *arguments), self._stream.parts)

    def _head(self, count: int, test: bool) -> tuple[Numbers, Numbers]:
        rows, values = [np.empty((0, len(self._stream.features)))], [np.empty((0, len(self._stream.targets)))]
        batches = (pair for part in self._stream.parts for pair in self._cut.rows(part, test))
        left = count
        for x, y in batches:
            rows.append(x[:left])
            values.append(y[:left])
            left -= len(rows[-1])
            if left <= 0:
                break
        return np.concatenate(rows), np.concatenate(values)

    def _hold_enough(self) -> None:
        """Raise MlrqError unless there are rows to learn from and to test on, and no constant column."""
        name, features = self._stream.name, self._stream.features
        train, test = self.train_count, self.test_count
        needed = max(len(features), 2)
        if train < needed or test < 1:
            raise MlrqError(
                f"{name}: {train + test:,} rows leave {train:,} for training and {test:,} for the test, but "
                f"{len(features)} features need at least {needed} and 1: add rows or drop features"
            )
        low, high = self.range()
        names = (*features, *self._stream.targets)
        same = [f"{names[i]!r} (always {low[i]:g})" for i in np.flatnonzero(low == high)]
        if same:
            raise MlrqError(f"{name}: constant column in the training rows: {', '.join(same)}: drop it")


def _merged_scans(first: Scan, second: Scan) -> Scan:
    return Scan(
        combine([first.summary, second.summary]),
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.tests + second.tests,
        first.digests + second.digests,
        first.skipped + second.skipped,
    )


def _spread(summary: Summary) -> Numbers:
    """(columns,) standard deviations: the lengths of the columns of the covariance's triangle."""
    return np.asarray(np.sqrt(np.square(summary.covariance_triangle).sum(axis=0)))


@dataclass(frozen=True)
class StreamedRows:
    """Training rows and the goal; see `mlrq.quantization.rows.TrainingRows`."""

    source: Streamed
    goal: LinearModel | None

    @cached_property
    def _width(self) -> int:
        return self.source.summary.features

    def spread(self) -> Numbers:
        """(features,) standard deviations."""
        return _spread(self.source.summary)[: self._width]

    def range(self) -> tuple[Numbers, Numbers]:
        """(features,) smallest and largest features."""
        low, high = self.source.range()
        return low[: self._width], high[: self._width]

    def limits(self) -> Numbers:
        """(2, targets) smallest and largest targets."""
        return np.stack(self.source.range())[:, self._width :]

    def grid(self, calibration: str, bits: int, percentile: float) -> InputGrid:
        """The grids of integer inputs: minmax from the first pass, any other from all rows in memory."""
        if calibration == "minmax":
            return from_range(*self.range(), bits)
        parts = self.source.in_memory(f"calibration={calibration}").parts
        table = Table(parts.train_rows, parts.train_values, parts.train_values)
        return table.grid(calibration, bits, percentile)

    def summarize(self, see: See) -> Summary:
        """Summary of what `see` makes of the rows, with the goal."""
        return self.source.summarize(see, self.goal)
