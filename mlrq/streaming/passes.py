"""The passes over a stream: each reduces one part, by itself, to something small that is merged in order.

They run in whatever thread or process an engine gives them to.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.datasets.dataset import LARGEST
from mlrq.datasets.skipping import Skipped
from mlrq.datasets.stream import Part, out_of_bounds
from mlrq.errors import DataError
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.rows import See
from mlrq.stats.metrics import Tally, merge, tally
from mlrq.stats.summarize import Summarizer, columns_of, gather
from mlrq.stats.summary import Summary, combine, empty
from mlrq.streaming.protocol import Model
from mlrq.streaming.split import Cut, Numbers


@cache
def _keep_freed_memory() -> None:
    """Ask glibc not to hand back what is freed: batches are of one size, and come again and again.

    Memory from the system is filled with zeros first, which took a third of the time of a pass.
    """
    trim, map_from, arenas, most = -1, -3, -8, 1 << 30  # M_TRIM_THRESHOLD and so on of malloc.h
    with suppress(OSError, AttributeError, TypeError):  # another C library
        allocator = ctypes.CDLL(None)
        allocator.mallopt(trim, most)
        allocator.mallopt(map_from, most)
        allocator.mallopt(arenas, 1)  # lest each thread keep its own


def work(function: Callable[..., Any], *arguments: Any) -> Any:
    """One part's turn of a pass: `function` of `arguments`, of which the part is the last."""
    _keep_freed_memory()
    return function(*arguments)


@dataclass(frozen=True)
class Scan:
    """What the first pass finds.

    Attributes:
        summary: Of the training rows.
        low: (columns,) smallest training numbers.
        high: (columns,) largest training numbers.
        tests: Number of test rows.
        prints: (columns,) uint64 fingerprints of all rows.
        skipped: Parts that were left out.
    """

    summary: Summary
    low: Numbers
    high: Numbers
    tests: int
    prints: NDArray[np.uint64]
    skipped: tuple[Skipped, ...] = ()


def scan(cut: Cut, part: Part) -> Scan:
    """The first pass, or that the part is to be skipped. Only the data's own faults are forgiven."""
    try:
        return _scan(cut, part)
    except DataError as error:
        if not cut.stream.skip:
            raise
        features, targets = len(cut.stream.features), len(cut.stream.targets)
        low, high = (np.full(features + targets, limit) for limit in (np.inf, -np.inf))
        prints = np.zeros(features + targets, dtype=np.uint64)
        return Scan(empty(features, targets), low, high, 0, prints, (Skipped(part, str(error)),))


def _scan(cut: Cut, part: Part) -> Scan:
    names, width = (*cut.stream.features, *cut.stream.targets), len(cut.stream.features)
    training = Summarizer(width, len(names) - width)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    prints = np.zeros(len(names), dtype=np.uint64)

    def read() -> Iterator[Numbers]:
        start = part.start
        for batch, test in cut.batches(part):
            pivot = training.pivot(batch, test)
            found = kernel.scan(batch, test, start, LARGEST, pivot, training.triangle)
            if not found.bounded:
                raise out_of_bounds(batch, names, part.where, start - part.start + 1)
            training.add(batch, test, found.triangle)
            np.minimum(low, found.low, out=low)
            np.maximum(high, found.high, out=high)
            np.add(prints, found.prints, out=prints)
            start += len(test)
            yield found.tests

    tests = cut.keep(part, read())
    return Scan(training.summary(), low, high, tests, prints)


def summarize_part(cut: Cut, see: See, goal: LinearModel | None, part: Part) -> Summary:
    """Of what `see` makes of the training rows, with what `goal` predicts or their own targets."""
    stream = cut.stream
    tables = (
        columns_of(see(rows), values if goal is None else goal.predict(rows))
        for rows, values in cut.rows(part, test=False)
    )
    return gather(tables, len(stream.features), len(stream.targets))


# For each model: a tally of the rows, and its distance from the first model.
Marks = list[tuple[Tally, float]]


def mark(cut: Cut, models: Sequence[Model], test: bool, part: Part) -> Marks:
    """How good each of `models` is on the test rows, or on the training rows."""
    nothing = np.empty((0, len(cut.stream.targets)))
    marks = [(tally(nothing, nothing), 0.0)] * len(models)
    for rows, values in cut.rows(part, test):
        predictions = [model.predict(rows) for model in models]
        found = [
            (tally(values, predicted), tally(predictions[0], predicted).largest if i else 0.0)
            for i, predicted in enumerate(predictions)
        ]
        marks = merged_marks(marks, found)
    return marks


def merged_marks(first: Marks, second: Marks) -> Marks:
    """Of the rows of both."""
    return [(merge(a[0], b[0]), max(a[1], b[1])) for a, b in zip(first, second, strict=True)]


def merged_scans(first: Scan, second: Scan) -> Scan:
    """Of the rows of both; those of `second` come after those of `first`."""
    return Scan(
        combine([first.summary, second.summary]),
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.tests + second.tests,
        first.prints + second.prints,
        first.skipped + second.skipped,
    )


def count_saturated(cut: Cut, inputs: InputGrid, part: Part) -> Numbers:
    """Saturated cells a feature among the part's (training, test) rows."""
    found = [
        sum(len(rows) * inputs.saturated(rows) for rows, _ in cut.rows(part, test) if len(rows))
        for test in (False, True)
    ]
    return np.array(found, dtype=np.float64)
