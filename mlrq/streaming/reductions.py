"""The passes over a table: each reduces one part, by itself, to something small that is merged in order.

They run in whatever thread or process an engine gives them to.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.datasets.faults import Faults
from mlrq.datasets.parts import LARGEST, Batch, Part, Stream, out_of_bounds, require_weights
from mlrq.datasets.skipping import Skipped
from mlrq.errors import DataError
from mlrq.kernel import Scanned
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.solvers import verify
from mlrq.stats import exact_sums, robust
from mlrq.stats.metrics import Tally, merge, tally
from mlrq.stats.robust import Basis
from mlrq.stats.summarize import Summarizer, columns_of, gather, gather_weighted
from mlrq.stats.summary import Summary, combine, empty
from mlrq.streaming.reader import Numbers, Reader
from mlrq.streaming.scores import Model


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


Prints = NDArray[np.uint64]  # a fingerprint of each column
Products = list[list[Fraction]]  # see `exact_sums.products`


@dataclass(frozen=True, eq=False)
class Scan:
    """What the first pass finds.

    Attributes:
        summary: Of the training rows.
        low: (columns,) smallest training numbers; infinity without any.
        high: (columns,) largest training numbers; minus infinity without any.
        tests: Number of test rows.
        aside: Number of calibration rows.
        prints: (columns,) uint64 fingerprints of all rows.
        skipped: Parts that were left out, or of which rows were.
    """

    summary: Summary
    low: Numbers
    high: Numbers
    tests: int
    aside: int
    prints: Prints
    skipped: tuple[Skipped, ...] = ()


def nothing_of(stream: Stream, skipped: tuple[Skipped, ...] = ()) -> Scan:
    """Of no rows of a table, which changes nothing when merged."""
    features, targets = len(stream.features), len(stream.targets)
    low, high = np.full(features + targets, np.inf), np.full(features + targets, -np.inf)
    prints = np.zeros(len(stream.names), dtype=np.uint64)
    return Scan(empty(features, targets), low, high, 0, 0, prints, skipped)


def scan(reader: Reader, part: Part) -> Scan:
    """The first pass, or that the part is to be skipped. Only the data's own faults are forgiven."""
    try:
        return _scan(reader, part)
    except DataError as error:
        if not reader.stream.skip:
            raise
        return nothing_of(reader.stream, (Skipped(part, part.rows, (str(error),), whole=True),))


def _scan(reader: Reader, part: Part) -> Scan:
    names, width, targets = reader.stream.names, len(reader.stream.features), len(reader.stream.targets)
    weighted = len(names) > width + targets
    training = Summarizer(width, targets, weighted)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    prints = np.zeros(len(names), dtype=np.uint64)
    faults, count = Faults(), 0

    def read() -> Iterator[Numbers]:
        nonlocal count
        for start, batch, test, aside in reader.batches(part, faults):
            held = test | aside
            if weighted:
                found, table = _weighed(batch, test, start)
            else:
                pivot = training.pivot(batch, held)
                found = kernel.scan(batch, held, start, LARGEST, pivot, training.triangle)
            if not found.bounded:
                raise out_of_bounds(batch, names, part.where, start - part.start + 1)
            if weighted:
                require_weights(batch[-1], names[-1], part.where, start - part.start + 1)
                training.add_weighted(table[:-1], table[-1])
            else:
                training.add(batch, held, found.triangle)
            np.minimum(low, found.low, out=low)
            np.maximum(high, found.high, out=high)
            np.add(prints, found.prints, out=prints)
            count += int(np.count_nonzero(aside))
            yield found.tests[:, test[held]] if aside.any() else found.tests

    tests = reader.keep(part, read())
    skipped = (Skipped(part, faults.rows, tuple(faults.first), whole=False),) if faults.rows else ()
    numbers = width + targets
    return Scan(training.summary(), low[:numbers], high[:numbers], tests, count, prints, skipped)


def _weighed(batch: Batch, test: NDArray[np.bool_], start: int) -> tuple[Scanned, Numbers]:
    """What a look at a batch with weights finds, and its training rows; rows of weight 0 are of no part.

    The triangle is left out: that of the rows by the roots of their weights is the summarizer's.
    """
    counts = batch[-1] > 0
    found = kernel.scan(batch, test | ~counts, start, LARGEST, *_nothing(len(batch)))
    among = (test & counts)[test | ~counts]
    return replace(found, tests=found.tests[:, among]), kernel.chosen(batch, counts & ~test)


def _nothing(columns: int) -> tuple[Numbers, Numbers]:
    """A pivot and a triangle of no rows."""
    return np.zeros(columns), np.zeros((columns + 1, columns + 1))


def merged_scans(first: Scan, second: Scan) -> Scan:
    """Merge the scans of two parts, the rows of `first` before those of `second`."""
    return Scan(
        combine([first.summary, second.summary]),
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.tests + second.tests,
        first.aside + second.aside,
        first.prints + second.prints,
        first.skipped + second.skipped,
    )


def summarize(
    reader: Reader, inputs: InputGrid, rounded: bool, fit_to: LinearModel | None, part: Part
) -> Summary:
    """Of the training rows' input codes, or clipped features, and the targets or what predicts them.

    Args:
        reader: The table.
        inputs: The grids that features go through.
        rounded: Whether they become codes there, or are only clipped.
        fit_to: The model whose predictions take the targets' place; None for the targets themselves.
        part: Which part.
    """
    through, stream = inputs.encode if rounded else inputs.clip, reader.stream
    width = len(stream.features), len(stream.targets)
    tables = (
        (columns_of(through(rows), values if fit_to is None else fit_to.predict(rows)), weight)
        for rows, values, weight in reader.weighted(part, test=False)
    )
    if stream.weights:
        return gather_weighted(((table, weight) for table, weight in tables if weight is not None), *width)
    return gather((table for table, _ in tables), *width)


def exact_products(
    reader: Reader, model: QuantizedLinear, fit_to: LinearModel | None, part: Part
) -> Products:
    """Sums of products, without rounding, of the training rows as inference sees them, and what codes follow.

    Args:
        reader: The table.
        model: The integer model: how inference sees features.
        fit_to: The model whose predictions take the targets' place; None for the targets themselves.
        part: Which part.
    """
    total = exact_sums.products(np.empty((len(model.features) + len(model.targets), 0)))
    for rows, values in reader.rows(part, test=False):
        seen = model.inputs.encode(rows) if model.inputs else rows / model.factor.astype(np.float64)
        table = columns_of(seen, values if fit_to is None else fit_to.predict(rows))
        total = merged_products(total, exact_sums.products(np.asarray(table)))
    return total


def checked_products(
    reader: Reader, model: dict[str, Any], goal: dict[str, Any] | None, part: Part
) -> Products:
    """The same as the checker finds it, from `quantized.json` and the goal of a certificate."""
    tables = (np.asarray(table).tolist() for table in reader.tables(part, test=False))
    found: Products = verify.exact(verify.seen(model, goal, one) for one in tables if one[0])
    return found


def merged_products(first: Products, second: Products) -> Products:
    """Of the rows of both; none where there are no rows."""
    if not (first and second):
        return first or second
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(first, second, strict=True)]


# For each model: a tally of the rows, and (targets,) largest differences from the first model's predictions.
Errors = list[tuple[Tally, Numbers]]


def errors(reader: Reader, models: Sequence[Model], test: bool, part: Part) -> Errors:
    """How far each of `models` is from the test rows, or from the training rows."""
    nothing = np.empty((0, len(reader.stream.targets)))
    total: Errors = [(tally(nothing, nothing), np.zeros(len(reader.stream.targets)))] * len(models)
    for rows, values, weight in reader.weighted(part, test):
        predictions = [model.predict(rows) for model in models]
        found = [
            (tally(values, predicted, weight), np.abs(predicted - predictions[0]).max(axis=0, initial=0.0))
            for predicted in predictions
        ]
        total = merged_errors(total, found)
    return total


def robust_triangles(reader: Reader, known: Basis, kind: str, part: Part) -> list[Numbers]:
    """See `mlrq.stats.robust.triangles`; of a part's training rows."""
    total = [np.zeros((known.size, known.size))] * len(known.coefficients)
    for rows, values, weight in reader.weighted(part, test=False):
        total = robust.merged(total, robust.triangles(known, kind, rows, values, weight))
    return total


def merged_errors(first: Errors, second: Errors) -> Errors:
    """Merge the tallies of errors of two parts, model by model."""
    return [(merge(a[0], b[0]), np.maximum(a[1], b[1])) for a, b in zip(first, second, strict=True)]


def largest_errors(reader: Reader, model: Model, count: int, part: Part) -> Numbers:
    """(targets, at most count) the largest absolute errors of a model on the part's calibration rows."""
    found = np.empty((len(reader.stream.targets), 0))
    for rows, values in reader.set_aside(part):
        found = merged_largest(found, np.abs(values - model.predict(rows)).T, count)
    return found


def merged_largest(first: Numbers, second: Numbers, count: int) -> Numbers:
    """The `count` largest of each row of two tables, in no order."""
    found = np.concatenate([first, second], axis=1)
    most = found.shape[1]
    return found if most <= count else np.partition(found, most - count, axis=1)[:, most - count :]


def count_covered(reader: Reader, model: QuantizedLinear, part: Part) -> NDArray[np.int64]:
    """(targets,) how many of the part's test rows have a truth within the interval of an integer model."""
    found = np.zeros(len(reader.stream.targets), dtype=np.int64)
    for rows, values in reader.rows(part, test=True):
        low, high = model.ends(rows)
        found += ((low <= values) & (values <= high)).sum(axis=0)
    return found


def count_saturated(reader: Reader, inputs: InputGrid, part: Part) -> Numbers:
    """Saturated cells a feature among the part's (training, test) rows."""
    found = [
        sum(len(rows) * inputs.saturated(rows) for rows, _ in reader.rows(part, test) if len(rows))
        for test in (False, True)
    ]
    return np.array(found, dtype=np.float64)
