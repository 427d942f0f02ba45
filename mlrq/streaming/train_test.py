"""`TrainTest`: the training, test and calibration rows of a table. Every question is a pass over its parts.

Each part is reduced to something small (a summary, a tally) by one function of the part alone, and the
results are merged in the order of the parts. So the outcome is the same to the last bit wherever the
functions run, and wherever the rows are: one process or several, kept in memory or read anew, change the
time, not the numbers.

The first pass reads everything, and what the stages ask afterwards is mostly known by then: the errors of an
affine model on the training rows follow from their summary, and test rows are kept in files of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.parts import Stream
from mlrq.datasets.split import Split
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid, check_resolution, from_range
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import CALIBRATIONS, INPUTS
from mlrq.quantization.settings import Settings
from mlrq.stats.metrics import Metrics, from_summary
from mlrq.stats.robust import Basis, merged
from mlrq.stats.summary import Summary, combine
from mlrq.streaming import reductions
from mlrq.streaming.engines import Engine
from mlrq.streaming.first_pass import Notify, first_pass, over_parts, tell_need
from mlrq.streaming.reader import Numbers
from mlrq.streaming.scores import Affine, Model, Score, affine

SAMPLE_ROWS = 4096  # on which a fitted model is checked to be what it seems


class TrainTest:
    """A table and its split.

    Attributes:
        name: What to call it.
        source: Where the numbers came from, with what was left out of them.
        features: Names of the first columns.
        targets: Names of the other columns.
        encoding: How the table's columns became the features; None where they are the features.
        split: Which rows are test rows.
        sha256: Of names and numbers. It does not depend on the split, nor on how the rows are cut into files.
        train_count: Number of training rows.
        test_count: Number of test rows; there may be none.
        calibration_count: Number of calibration rows; none unless the split sets some aside.
        summary: Of the training rows and their targets.
        low: (columns,) smallest training numbers, features first.
        high: (columns,) largest training numbers, features first.
        weights: Name of the column that says what each row counts, by which the summary and all errors are
            weighted; None where all count 1.
        in_memory: Whether the rows are, so that a pass over them costs next to nothing.
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
        """Read everything once; see `first_pass`."""
        found = first_pass(stream, split, engine, notify, cache)
        self._reader, self._engine, self._notify = found.reader, engine, notify
        self._scores: dict[tuple[int, ...], tuple[tuple[Model, ...], list[Score]]] = {}
        self._found: dict[tuple[object, ...], tuple[tuple[object, ...], Any]] = {}
        self.name, self.features, self.targets = stream.name, stream.features, stream.targets
        self.source, self.sha256, self.notices = found.source, found.sha256, found.notices
        self.encoding = stream.encoding
        self.split, self.in_memory = found.split, found.reader.stream.in_memory
        self.summary, self.low, self.high = found.scan.summary, found.scan.low, found.scan.high
        self.weights = stream.weights[0] if stream.weights else None
        self.train_count, self.test_count = found.scan.summary.count, found.scan.tests
        self.calibration_count = found.scan.aside

    @property
    def target_spread(self) -> Numbers:
        """(targets,) standard deviations over the training rows."""
        return self.summary.spread[len(self.features) :]

    def first(self, count: int) -> tuple[Numbers, Numbers]:
        """Features and targets of the first `count` test rows; where there are none, of training rows."""
        return self._head(count, test=self.test_count > 0)

    def sample(self) -> Numbers:
        """(n, features) training rows on which a folded model is compared with its estimator."""
        return self._head(SAMPLE_ROWS, test=False)[0]

    def training_rows(self, who: str) -> tuple[Numbers, Numbers]:
        """Features and targets of all training rows, for `who`, which is told to the user first.

        Raises:
            MlrqError: If they are too many for the memory that is allowed.
        """
        if not self.in_memory:
            need = f"{who} needs all {self.train_count:,} training rows"
            instead = "linear_regression, ridge and minmax do"
            tell_need(need, self._reader.stream, self.train_count, instead, self._notify)
        return self._head(self.train_count, test=False)

    def input_grid(self, settings: Settings) -> InputGrid | None:
        """The grids of integer inputs, calibrated on the training rows; None for float inputs.

        Raises:
            MlrqError: If float32 cannot tell the values of a feature apart, or the calibration needs rows in
                memory and they are too many.
        """
        if not INPUTS[settings.inputs].bits:
            return None
        wanted = (settings.inputs, settings.calibration, settings.percentile)
        grid: InputGrid = self._once(wanted, (), lambda: self._calibrated(settings))
        return grid

    def _calibrated(self, settings: Settings) -> InputGrid:
        width, bits = len(self.features), INPUTS[settings.inputs].bits
        low, high = self.low[:width], self.high[:width]
        check_resolution(low, high, self.features, integer=True)
        if settings.calibration == "minmax":
            return from_range(low, high, bits)
        rows, _ = self.training_rows(f"calibration={settings.calibration}")
        grid: InputGrid = CALIBRATIONS[settings.calibration].load()(rows, bits, settings.percentile)
        return grid

    def summary_through(self, inputs: InputGrid, rounded: bool, fit_to: LinearModel | None) -> Summary:
        """Summary of the training rows through the grids of integer inputs; see `reductions.summarize`."""
        how = (inputs, rounded, fit_to)
        passed = partial(self._pass, reductions.summarize, *how)
        found: Summary = self._once((id(inputs), rounded, id(fit_to)), how, lambda: combine(passed()))
        return found

    def exact_products(self, model: QuantizedLinear, fit_to: LinearModel | None) -> reductions.Products:
        """See `reductions.exact_products`."""
        return reduce(reductions.merged_products, self._pass(reductions.exact_products, model, fit_to))

    def checked_products(self, model: dict[str, Any], goal: dict[str, Any] | None) -> reductions.Products:
        """See `reductions.checked_products`."""
        return reduce(reductions.merged_products, self._pass(reductions.checked_products, model, goal))

    def robust_triangles(self, known: Basis, kind: str) -> list[Numbers]:
        """See `mlrq.stats.robust.triangles`; of all training rows."""
        found: list[Numbers] = reduce(merged, self._pass(reductions.robust_triangles, known, kind))
        return found

    def largest_errors(self, model: Model, count: int) -> Numbers:
        """(targets, at most count) the largest absolute errors of `model` on the calibration rows."""
        passed = self._pass(reductions.largest_errors, model, count)
        found: Numbers = reduce(partial(reductions.merged_largest, count=count), passed)
        return found

    def covered(self, model: QuantizedLinear) -> NDArray[np.int64]:
        """(targets,) how many test rows have a truth within the interval of an integer model."""
        return np.asarray(sum(self._pass(reductions.count_covered, model)))

    def saturated(self, inputs: InputGrid) -> tuple[float, float | None]:
        """Fractions of the training and of the test cells that saturate, 0 to 1; None without test rows."""
        passed = partial(self._pass, reductions.count_saturated, inputs)
        train, test = self._once((id(inputs),), (inputs,), lambda: sum(passed(), np.zeros(2))).tolist()
        return train / self.train_count, test / self.test_count if self.test_count else None

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is, in one pass; the same models are not measured twice.

        Nor are the first few of those of an earlier pass: what is said of them depends on none after them.
        """
        key = tuple(map(id, models))
        if key not in self._scores:
            tests = self._errors(models, test=True) if self.test_count else None
            scores = []
            for i, (train, constant) in enumerate(self._training_errors(models)):
                tally, distance = tests[i] if tests else (None, None)
                scores.append(Score(train, tally.metrics() if tally else None, constant, distance))
            for count in range(len(key) + 1):  # with the models, lest an id be given again
                self._scores.setdefault(key[:count], (tuple(models[:count]), scores[:count]))
        return self._scores[key][1]

    def _errors(self, models: Sequence[Model], test: bool) -> reductions.Errors:
        return reduce(reductions.merged_errors, self._pass(reductions.errors, tuple(models), test))

    def _training_errors(self, models: Sequence[Model]) -> list[tuple[Metrics, NDArray[np.bool_]]]:
        """Errors on the training rows, and (targets,) whether each prediction is always the same."""
        known = [affine(model, self.target_spread) for model in models]
        # Absolute errors follow from no summary: where rows are in memory, all models are measured.
        counted = [model for model, one in zip(models, known, strict=True) if self.in_memory or one is None]
        tallies = iter(self._errors(counted, test=False) if counted else [])
        found = []
        for one in known:
            if one is None:
                tally, _ = next(tallies)
                found.append((tally.metrics(), np.asarray(tally.low == tally.high)))
                continue
            errors = self._summarized_errors(one)
            if self.in_memory:
                whole = next(tallies)[0].metrics()
                absolute, largest = whole.mean_absolute_error, whole.max_error
                errors = replace(errors, mean_absolute_error=absolute, max_error=largest)
            found.append((errors, np.asarray((one.weights == 0).all(axis=1))))
        return found

    def _summarized_errors(self, model: Affine) -> Metrics:
        through = model.inputs and self.summary_through(model.inputs, model.rounded, None)
        return from_summary(through or self.summary, model.weights, model.intercept)

    def _once(self, key: tuple[object, ...], named: tuple[object, ...], find: Callable[[], Any]) -> Any:
        """What `find` found when it was first asked for `key`; `named` lives as long, lest an id return."""
        if key not in self._found:
            self._found[key] = named, find()
        return self._found[key][1]

    def _pass(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return over_parts(self._engine, self._reader, function, *arguments)

    def _head(self, count: int, test: bool) -> tuple[Numbers, Numbers]:
        """Features and targets of the first `count` test rows or training rows."""
        count = min(count, self.test_count if test else self.train_count)
        rows, values = np.empty((count, len(self.features))), np.empty((count, len(self.targets)))
        done = 0
        for x, y in (pair for part in self._reader.stream.parts for pair in self._reader.rows(part, test)):
            if done == count:
                break
            size = min(len(x), count - done)
            rows[done : done + size], values[done : done + size] = x[:size], y[:size]
            done += size
        return rows, values
