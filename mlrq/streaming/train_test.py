"""`TrainTest`: the training and test rows of a table. Every question is a pass over its parts.

Each part is reduced to something small (a summary, a tally) by one function of the part alone, and the
results are merged in the order of the parts. So the outcome is the same to the last bit wherever the
functions run, and wherever the rows are: one process or several, kept in memory or read anew, change the
time, not the numbers.

The first pass reads everything, and what the stages ask afterwards is mostly known by then: the errors of an
affine model on the training rows follow from their summary, and test rows are kept in files of their own.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from mlrq.datasets import Split, Stream, memory, skipping
from mlrq.datasets.skipping import Skipped
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import CALIBRATIONS, InputGrid, check_resolution, from_range
from mlrq.quantization.settings import Settings
from mlrq.stats.metrics import Metrics, Tally, from_summary
from mlrq.stats.summary import Summary, combine
from mlrq.streaming import reductions
from mlrq.streaming.engines import Engine
from mlrq.streaming.reader import Numbers, Reader
from mlrq.streaming.scores import Model, Score, affine

LEAST_TEST_ROWS = 2  # for an R2
SAMPLE_ROWS = 4096  # on which a fitted model is checked to be what it seems

Notify = Callable[[str], None]


class TrainTest:
    """A table and its split.

    Attributes:
        name: What to call it.
        source: Where the numbers came from, with what was left out of them.
        features: Names of the first columns.
        targets: Names of the other columns.
        split: Which rows are test rows.
        sha256: Of names and numbers. It does not depend on the split, nor on how the rows are cut into files.
        train_count: Number of training rows.
        test_count: Number of test rows; there may be none.
        summary: Of the training rows and their targets.
        low: (columns,) smallest training numbers, features first.
        high: (columns,) largest training numbers, features first.
        notices: What to know of its rows.
    """

    def __init__(
        self,
        stream: Stream,
        split: Split,
        engine: Engine = map,
        notify: Notify = lambda text: None,
        cache: Path | None = None,
    ) -> None:
        """Read everything once.

        Args:
            stream: The table.
            split: Which rows are test rows, unless the files themselves say so.
            engine: Where parts are worked on.
            notify: Told before rows are all read into memory.
            cache: A folder for the test rows, lest they be read again from among all others.

        Raises:
            MlrqError: For what the stream objects to and does not skip, too few rows, or a constant
                training column.
        """
        by_file = [part.rows for part in stream.parts if part.test is False]
        self.split = replace(split, rule="files") if by_file else split
        self.name, self.features, self.targets = stream.name, stream.features, stream.targets
        self._engine, self._notify = engine, notify
        self._scores: dict[tuple[int, ...], tuple[tuple[Model, ...], list[Score]]] = {}
        self._found: dict[tuple[object, ...], tuple[tuple[object, ...], Any]] = {}
        if self.split.rule == "shuffle":
            # All rows are training rows to the first pass: the second has them in their order.
            self._reader = Reader(self._kept(stream), replace(split, rule="hash", test_size=0.0))
        else:
            self._reader = Reader(stream, self.split, cache)
        first = scan = self._scan()
        self.source = self._leave_out(first.skipped)
        if self.split.rule == "shuffle":
            self._reader = Reader(memory.shuffle(self._stream, self.split), self.split, settled=True)
            scan = self._scan()
        self.summary, self.low, self.high = scan.summary, scan.low, scan.high
        self.train_count, self.test_count = scan.summary.count, scan.tests
        self._hold_enough()
        self.sha256 = self._hash(sum(by_file), first.prints)

    @property
    def _stream(self) -> Stream:
        return self._reader.stream

    @property
    def in_memory(self) -> bool:
        """Whether the rows are, so that a pass over them costs next to nothing."""
        return self._stream.in_memory

    @property
    def target_spread(self) -> Numbers:
        """(targets,) standard deviations over the training rows."""
        width = self.summary.features
        return np.asarray(np.sqrt(np.square(self.summary.covariance_triangle[:, width:]).sum(axis=0)))

    def first(self, count: int) -> tuple[Numbers, Numbers]:
        """Features and targets of the first `count` test rows; where there are none, of training rows."""
        return self._head(count, test=self.test_count > 0)

    def sample(self) -> Numbers:
        """(n, features) training rows on which to check that a model is what it seems."""
        return self._head(SAMPLE_ROWS, test=False)[0]

    def training_rows(self, who: str) -> tuple[Numbers, Numbers]:
        """Features and targets of all training rows, for `who`, which is told to the user first.

        Raises:
            MlrqError: If they are too many for the memory that is allowed.
        """
        if not self.in_memory:
            instead = "linear_regression, ridge and minmax do"
            self._tell_need(who, self._stream, self.train_count, instead)
        return self._head(self.train_count, test=False)

    def input_grid(self, settings: Settings) -> InputGrid | None:
        """The grids of integer inputs, calibrated on the training rows; None for float inputs.

        Raises:
            MlrqError: If float32 cannot tell the values of a feature apart, or the calibration needs rows in
                memory and they are too many.
        """
        if settings.inputs == "float":
            return None

        def calibrate() -> InputGrid:
            width, bits = len(self.features), int(settings.inputs[3:])
            low, high = self.low[:width], self.high[:width]
            check_resolution(low, high, self.features, integer=True)
            if settings.calibration == "minmax":
                return from_range(low, high, bits)
            rows, _ = self.training_rows(f"calibration={settings.calibration}")
            return CALIBRATIONS[settings.calibration](rows, bits, settings.percentile)

        wanted = (settings.inputs, settings.calibration, settings.percentile)
        grid: InputGrid = self._once((InputGrid, *wanted), (), calibrate)
        return grid

    def summary_through(self, inputs: InputGrid, rounded: bool, fit_to: LinearModel | None) -> Summary:
        """Summary of the training rows through the grids of integer inputs; see `reductions.summarize`."""
        how = (inputs, rounded, fit_to)

        def summarize() -> Summary:
            return combine(self._pass(reductions.summarize, *how))

        found: Summary = self._once((Summary, id(inputs), rounded, id(fit_to)), how, summarize)
        return found

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is, in one pass; the same models are not measured twice.

        Nor are the first few of those of an earlier pass: what is said of them depends on none after them.
        """
        key = tuple(map(id, models))
        if key not in self._scores:
            tests = self._errors(models, test=True) if self.test_count else None
            scores = [
                Score(train, tests[i][0].metrics() if tests else None, constant, tests[i][1] if tests else None)
                for i, (train, constant) in enumerate(self._training_errors(models))
            ]
            for count in range(len(key) + 1):  # with the models, lest an id be given again
                self._scores.setdefault(key[:count], (tuple(models[:count]), scores[:count]))
        return self._scores[key][1]

    def _errors(self, models: Sequence[Model], test: bool) -> reductions.Errors:
        return reduce(reductions.merged_errors, self._pass(reductions.errors, tuple(models), test))

    def _training_errors(self, models: Sequence[Model]) -> list[tuple[Metrics, Any]]:
        """Errors on the training rows, and (targets,) whether each prediction is always the same."""
        known = [affine(model, self.target_spread) for model in models]
        counted = [model for model, one in zip(models, known, strict=True) if self.in_memory or one is None]
        tallies = iter(self._errors(counted, test=False) if counted else [])
        found = []
        for one in known:
            tally: Tally | None = next(tallies)[0] if self.in_memory or one is None else None
            if one is None:
                assert tally is not None
                found.append((tally.metrics(), np.asarray(tally.low == tally.high)))
                continue
            summary = (
                self.summary_through(one.inputs, one.rounded, None) if one.inputs is not None else self.summary
            )
            errors = from_summary(summary, one.weights, one.intercept)
            if tally is not None:
                whole = tally.metrics()
                errors = replace(
                    errors, mean_absolute_error=whole.mean_absolute_error, max_error=whole.max_error
                )
            found.append((errors, np.asarray((one.weights == 0).all(axis=1))))
        return found

    def saturated(self, inputs: InputGrid) -> tuple[float, float | None]:
        """Fractions of the training and of the test cells that saturate, 0 to 1; None without test rows."""

        def count() -> Numbers:
            return np.asarray(sum(self._pass(reductions.count_saturated, inputs), np.zeros(2)))

        train, test = self._once((float, id(inputs)), (inputs,), count).tolist()
        return train / self.train_count, test / self.test_count if self.test_count else None

    def _once(self, key: tuple[object, ...], named: tuple[object, ...], find: Callable[[], Any]) -> Any:
        """What `find` found when it was first asked for `key`; `named` lives as long, lest an id return."""
        if key not in self._found:
            self._found[key] = named, find()
        return self._found[key][1]

    def _scan(self) -> reductions.Scan:
        nothing = reductions.no_scan(len(self.features), len(self.targets))
        return reduce(reductions.merged_scans, self._pass(reductions.scan), nothing)

    def _pass(self, function: Callable[..., Any], *arguments: Any) -> Iterable[Any]:
        """`function` of the reader, `arguments` and each part, in the parts' order."""
        return self._engine(partial(reductions.work, function, self._reader, *arguments), self._stream.parts)

    def _head(self, count: int, test: bool) -> tuple[Numbers, Numbers]:
        """Features and targets of the first `count` test rows or training rows."""
        count = min(count, self.test_count if test else self.train_count)
        rows, values = np.empty((count, len(self.features))), np.empty((count, len(self.targets)))
        done = 0
        for x, y in (pair for part in self._stream.parts for pair in self._reader.rows(part, test)):
            if done == count:
                break
            size = min(len(x), count - done)
            rows[done : done + size], values[done : done + size] = x[:size], y[:size]
            done += size
        return rows, values

    def _tell_need(self, who: str, stream: Stream, rows: int, instead: str) -> None:
        """Tell the user that `who` needs so many rows in memory.

        Raises:
            MlrqError: If they take more than is allowed, with what does `instead`.
        """
        size, limit = 8 * (len(self.features) + len(self.targets)) * rows, stream.memory_limit
        need = f"{who} needs all {rows:,} rows in memory, {size / 1e6:,.0f} MB"
        if size > limit:
            raise MlrqError(f"{need}, more than dataset.memory_limit={limit}; {instead} not")
        self._notify(f"{need}, and as much again to work on")

    def _kept(self, stream: Stream) -> Stream:
        """`stream` with its rows kept in memory, which shuffling needs."""
        if stream.in_memory:
            return stream
        rows = sum(part.rows for part in stream.parts)
        self._tell_need("dataset.split=shuffle", stream, rows, "dataset.split=hash does")
        return replace(stream, kept={})

    def _leave_out(self, skipped: tuple[Skipped, ...]) -> str:
        """Forget these parts from now on; the source of the data, with what is missing of it.

        Raises:
            MlrqError: If no part is left.
        """
        stream = self._stream
        left_out = {one.part for one in skipped}
        counted = skipping.count(skipped, stream.lost, stream.parts)
        why = skipping.reasons(skipped, stream.lost)
        left = stream.only(tuple(part for part in stream.parts if part not in left_out))
        if not left.parts:
            raise MlrqError(f"{stream.name}: {counted}, nothing is left: {why}")
        self._reader = replace(self._reader, stream=left, settled=True)
        self.notices = [f"{counted}: {why}"] if counted else []
        return f"{stream.source}, {counted}" if counted else stream.source

    def _hash(self, by_file: int, prints: reductions.Prints) -> str:
        """Of the names, the number of rows that are training rows by their file, and the fingerprints."""
        names = "\0".join((*self.features, "", *self.targets))
        sha = hashlib.sha256(f"{names}\0{by_file}\0{self.train_count + self.test_count}\0".encode())
        sha.update(prints.astype("<u8").tobytes())
        return sha.hexdigest()

    def _hold_enough(self) -> None:
        """Raise MlrqError unless there are rows to learn from, and no constant column; note a lack of tests."""
        train, test = self.train_count, self.test_count
        rows = "1 row leaves" if train + test == 1 else f"{train + test:,} rows leave"
        needed = max(len(self.features), 2)
        if train < needed:
            raise MlrqError(
                f"{self.name}: {rows} {train:,} for training, but {len(self.features)} features need at least "
                f"{needed}: add rows or drop features"
            )
        width = len(self.features)
        for kind, names, low, high in (
            ("feature", self.features, self.low[:width], self.high[:width]),
            ("target", self.targets, self.low[width:], self.high[width:]),
        ):
            same = [f"{names[i]!r} (always {low[i]:g})" for i in np.flatnonzero(low == high)]
            if same:
                raise MlrqError(f"{self.name}: constant {kind} in the training rows: {', '.join(same)}: drop it")
        if self.split.test_size and test < LEAST_TEST_ROWS:
            self.notices.append(
                f"{self.name}: {rows} {test} for the test, but R2 needs {LEAST_TEST_ROWS}: "
                "add rows or raise dataset.test_size"
            )
