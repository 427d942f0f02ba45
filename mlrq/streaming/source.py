"""`Streamed`: a source whose rows are never all in memory. Every question is a pass, part by part.

Each part is reduced to something small (a summary, a tally) by one function of the part alone, and the
results are merged in the order of the parts. So the outcome is the same to the last bit wherever the
functions run: one process or several change the time, not the numbers.

The first pass reads everything, and what the stages ask afterwards is mostly known by then: the errors of a
linear model on the training rows follow from their summary, and the test rows are kept in files of their
own.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets import Split, skipping
from mlrq.datasets.skipping import Skipped
from mlrq.datasets.stream import Stream
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.clipped import Clipped
from mlrq.quantization.inputs import InputGrid, from_range
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.rows import Divided, See, Table
from mlrq.stats.metrics import Metrics, from_summary
from mlrq.stats.summary import Summary, combine
from mlrq.streaming import passes
from mlrq.streaming.engines import Engine
from mlrq.streaming.protocol import Data, Model, Score
from mlrq.streaming.split import Cut, Numbers

if TYPE_CHECKING:  # see `mlrq.streaming.protocol`
    from mlrq.models.estimators import Fit, Fitted

NEGLIGIBLE = 1e-4  # of a target's standard deviation
TYPICAL_ROWS = 4096  # on which a fitted model is checked to be what it seems

Notify = Callable[[str], None]


@dataclass(frozen=True)
class About:
    """What is said of a stream once it has been read; see `mlrq.streaming.protocol.About`."""

    name: str
    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    sha256: str


class Streamed:
    """A stream and its split; see `mlrq.streaming.protocol.Source`.

    Attributes:
        dataset: What is said of it. Its hash is of the names and of the columns' fingerprints, which do not
            depend on how the rows are cut into files and row groups.
        notices: What was skipped, if anything was.
    """

    def __init__(
        self,
        stream: Stream,
        test_size: float,
        seed: int,
        engine: Engine = map,
        notify: Notify = lambda text: None,
        shelf: Path | None = None,
    ) -> None:
        """Read everything once.

        Args:
            stream: The table.
            test_size: Fraction of test rows, where a hash decides.
            seed: Of the hash.
            engine: Where parts are worked on.
            notify: Told before rows are all read into memory.
            shelf: A folder for the test rows, lest they be read again from among all others.

        Raises:
            MlrqError: For what the stream objects to and does not skip, too few rows, or a constant
                training column.
        """
        self.test_size, self.seed = test_size, seed
        self._stream, self._cut = stream, Cut(stream, test_size, seed, shelf)
        self._engine, self._notify = engine, notify
        self._scores: dict[tuple[int, ...], tuple[tuple[Model, ...], list[Score]]] = {}
        self._found: dict[tuple[Any, ...], Any] = {}
        scan: passes.Scan = reduce(passes.merged_scans, self._pass(passes.scan))
        self._scan = scan
        source = self._leave_out(scan.skipped)
        self.train_count, self.test_count = scan.summary.count, scan.tests
        self._hold_enough()
        self.dataset = About(stream.name, source, stream.features, stream.targets, self._sha256())

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

    def fit(self, spec: dict[str, Any], standardize: bool, fit: "Fit") -> "Fitted":
        """Fit from the summary where that is enough; load all training rows where it is not.

        Raises:
            MlrqError: If they are too many for the memory that is allowed.
        """
        from mlrq.models import closed_form

        if closed_form.suffices(spec):
            about = self.dataset
            return closed_form.fit(self.summary, spec, standardize, about.features, about.targets)
        return self.in_memory(spec["_target_"].rpartition(".")[2]).fit(spec, standardize, fit)

    def training(self, goal: LinearModel | None) -> "StreamedRows":
        """The training rows with what `goal` predicts for them, or with their own targets for None."""
        return StreamedRows(self, goal)

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is, in one pass; the same models are not measured twice.

        Nor are the first few of those of an earlier pass: what is said of them depends on none after them.
        """
        key = tuple(map(id, models))
        if key not in self._scores:
            tests = reduce(passes.merged_marks, self._pass(passes.mark, tuple(models), True))
            trains = self._training_errors(models)
            scores = [
                Score(errors, mark.metrics(), constant, far)
                for (errors, constant), (mark, far) in zip(trains, tests, strict=True)
            ]
            for count in range(len(key) + 1):  # with the models, lest an id be given again
                self._scores.setdefault(key[:count], (tuple(models[:count]), scores[:count]))
        return self._scores[key][1]

    def _training_errors(self, models: Sequence[Model]) -> list[tuple[Metrics, NDArray[np.bool_]]]:
        """Errors on the training rows, and (targets,) whether each prediction is always the same."""
        spread = np.array(self.target_spread())
        linear = [_linear(model, spread) for model in models]
        others = tuple(model for model, known in zip(models, linear, strict=True) if known is None)
        marks = iter(reduce(passes.merged_marks, self._pass(passes.mark, others, False)) if others else [])
        found = []
        for known in linear:
            if known is None:
                mark, _ = next(marks)
                found.append((mark.metrics(), np.asarray(mark.low == mark.high)))
            else:
                see, weights, intercept = known
                summary = self.summarize(see, None) if see else self.summary
                found.append(
                    (from_summary(summary, weights, intercept), np.asarray((weights == 0).all(axis=1)))
                )
        return found

    def saturated(self, inputs: InputGrid) -> tuple[float, float]:
        """Fractions of the training and of the test cells that saturate, 0 to 1."""
        counts = self._once(lambda parts: sum(parts, np.zeros(2)), passes.count_saturated, inputs)
        train, test = counts.tolist()
        return train / self.train_count, test / self.test_count

    def range(self) -> tuple[Numbers, Numbers]:
        """Smallest and largest training numbers, (columns,) each, features first."""
        return self._scan.low, self._scan.high

    def summarize(self, see: See, goal: LinearModel | None) -> Summary:
        """Summary of what `see` makes of the training rows, with the goal."""
        whole: Summary = self._once(combine, passes.summarize_part, see, goal)
        return whole

    def _once(
        self, merge: Callable[[Iterable[Any]], Any], function: Callable[..., Any], *arguments: Any
    ) -> Any:
        """The merged results of a pass; the same pass is not made twice."""
        key = function, *map(_identity, arguments)
        if key not in self._found:
            self._found[key] = merge(self._pass(function, *arguments))
        return self._found[key]

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
        return self._engine(partial(passes.work, function, self._cut, *arguments), self._stream.parts)

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

    def _sha256(self) -> str:
        """Of the names, the number of rows that are training rows by their file, and the fingerprints."""
        names = "\0".join((*self._stream.features, "", *self._stream.targets))
        told = [part.rows for part in self._stream.parts if part.test is False]
        sha = hashlib.sha256(f"{names}\0{sum(told)}\0{self.train_count + self.test_count}\0".encode())
        sha.update(self._scan.prints.astype("<u8").tobytes())
        return sha.hexdigest()

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


def _spread(summary: Summary) -> Numbers:
    """(columns,) standard deviations: the lengths of the columns of the covariance's triangle."""
    return np.asarray(np.sqrt(np.square(summary.covariance_triangle).sum(axis=0)))


def _identity(value: Any) -> Any:
    """What tells a model, a grid or a method of one from others: a hashable value of all its numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value):
        return type(value), *(_identity(getattr(value, item.name)) for item in fields(value))
    if hasattr(value, "__func__"):
        return value.__func__, _identity(value.__self__)
    return value


def _linear(model: Model, spread: Numbers) -> tuple[See | None, Numbers, Numbers] | None:
    """What a linear model sees of raw rows (None: themselves), weights and intercept; None for any other.

    An integer model rounds its exact sum to float32 and the product with the scale again. It is linear where
    that is nothing beside the targets' `spread`, as it is unless they are far from zero.
    """
    match model:
        case LinearModel():
            return None, model.coefficients, model.intercept
        case Clipped():
            return model.inputs.clip, model.model.coefficients, model.model.intercept
        case QuantizedLinear(inputs=None, output_range=None):
            return None, model.weights, model.intercept_value
        case QuantizedLinear(inputs=InputGrid() as inputs, output_range=None):
            largest = float(model.accumulator_bound or 0) * model.scale.astype(np.float64)
            if (largest * np.finfo(np.float32).eps <= NEGLIGIBLE * spread).all():
                unit = model.scale if model.intercept.dtype.kind == "i" else np.float32(1)
                return inputs.encode, model.grid_values, model.intercept * unit.astype(np.float64)
    return None


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
        if isinstance(see, Divided):
            known = (
                self.source.summary
                if self.goal is None
                else self.source.summary.following(self.goal.coefficients, self.goal.intercept)
            )
            return known.divided(see.factor.astype(np.float64))
        return self.source.summarize(see, self.goal)
