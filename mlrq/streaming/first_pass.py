"""The first pass over a table: everything is read once, checked, counted and summarized.

It decides which parts are left out. A table that is shuffled is read twice, the first time in its own order,
which is that of its hash.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from mlrq.datasets import memory, skipping
from mlrq.datasets.parts import SMALLEST, Stream
from mlrq.datasets.split import Split
from mlrq.errors import MlrqError
from mlrq.streaming import reductions
from mlrq.streaming.engines import Engine
from mlrq.streaming.reader import Reader
from mlrq.streaming.reductions import Scan

LEAST_TEST_ROWS = 2  # for an R2
MOST_FEATURES = 10_000  # memory grows with their square, time with their cube

Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FirstPass:
    """What the first pass finds.

    Attributes:
        reader: Reads the table again, without what was left out.
        split: Which rows are test rows.
        scan: Counts, summary and ranges.
        source: Where the numbers came from, with what was left out of them.
        sha256: Of names and numbers.
        notices: What was left out and why, and a lack of test rows.
    """

    reader: Reader
    split: Split
    scan: Scan
    source: str
    sha256: str
    notices: list[str]


def first_pass(stream: Stream, split: Split, engine: Engine, notify: Notify, cache: Path | None) -> FirstPass:
    """Read everything once.

    Args:
        stream: The table.
        split: Which rows are test rows, unless the files themselves say so.
        engine: Where parts are worked on.
        notify: Told before rows are all read into memory.
        cache: A folder for the test rows, lest they be read again from among all others.

    Raises:
        MlrqError: For what the stream objects to and does not skip, too few rows, too many features, or a
            constant training column.
    """
    _require_room(stream)
    if split.calibrate and stream.weights:
        raise MlrqError(
            f"{stream.name}: quantization.interval: not with weights ({stream.weights[0]!r}), for it is of "
            "rows that are drawn alike"
        )
    by_file = [part.rows for part in stream.parts if part.test is False]
    if by_file:
        split = replace(split, rule="files")
    shuffled = split.rule == "shuffle"
    if shuffled:  # all are training rows as long as they are in their own order
        reader = Reader(_kept(stream, notify), Split("hash", 0.0, split.seed))
    else:
        reader = Reader(stream, split, cache)
    found = scan = _scan(reader, engine)
    reader, source, notices = _leave_out(reader, scan)
    if shuffled:
        reader = Reader(memory.shuffle(reader.stream, split), split, first_pass_done=True)
        scan = _scan(reader, engine)
    _require_enough(stream, scan)
    if split.test_size and scan.tests < LEAST_TEST_ROWS:
        left = f"{_rows(scan)} {scan.tests} for the test, but R2 needs {LEAST_TEST_ROWS}"
        notices = [*notices, f"{stream.name}: {left}: add rows or raise dataset.test_size"]
    return FirstPass(
        reader, split, scan, source, _sha256(stream, sum(by_file), found), [*stream.notes, *notices]
    )


def over_parts(
    engine: Engine, reader: Reader, function: Callable[..., Any], *arguments: Any
) -> Iterable[Any]:
    """`function` of the reader, `arguments` and each part, in the parts' order."""
    return engine(partial(reductions.work, function, reader, *arguments), reader.stream.parts)


def tell_need(need: str, stream: Stream, rows: int, instead: str, notify: Notify) -> None:
    """Tell the user of a `need` for so many rows in memory.

    Raises:
        MlrqError: If they take more than is allowed, with what does not need them, `instead`.
    """
    size, limit = 8 * len(stream.names) * rows, stream.memory_limit
    need = f"{need} in memory, {size / 1e6:,.0f} MB"
    if size > limit:
        raise MlrqError(f"{need}, more than dataset.memory_limit={limit}; {instead} not")
    notify(f"{need}, and as much again to work on")


def _kept(stream: Stream, notify: Notify) -> Stream:
    """`stream` with its rows kept in memory, which shuffling needs."""
    if stream.in_memory:
        return stream
    rows = sum(part.rows for part in stream.parts)
    need = f"dataset.split=shuffle needs all {rows:,} rows"
    tell_need(need, stream, rows, "dataset.split=hash does", notify)
    return replace(stream, kept={})


def _scan(reader: Reader, engine: Engine) -> Scan:
    nothing = reductions.nothing_of(reader.stream)
    return reduce(reductions.merged_scans, over_parts(engine, reader, reductions.scan), nothing)


def _leave_out(reader: Reader, scan: Scan) -> tuple[Reader, str, list[str]]:
    """A reader of what was not skipped, the source of the data with what is missing of it, and why.

    Raises:
        MlrqError: If no part is left.
    """
    stream = reader.stream
    left_out = {one.part for one in scan.skipped if one.whole}
    counted = skipping.count(scan.skipped, stream.lost, stream.parts)
    why = skipping.reasons(scan.skipped, stream.lost)
    left = stream.only(tuple(part for part in stream.parts if part not in left_out))
    if scan.skipped and not _count(scan):
        raise MlrqError(f"{stream.name}: {counted}, nothing is left: {why}")
    source = f"{stream.source}, {counted}" if counted else stream.source
    return (
        replace(reader, stream=left, first_pass_done=True),
        source,
        [f"{counted}: {why}"] if counted else [],
    )


def _sha256(stream: Stream, by_file: int, scan: Scan) -> str:
    """Of the names, the number of rows that are training rows by their file, and the fingerprints."""
    weights = ("", *stream.weights) if stream.weights else ()
    names = "\0".join((*stream.features, "", *stream.targets, *weights))
    sha = hashlib.sha256(f"{names}\0{by_file}\0{_count(scan)}\0".encode())
    sha.update(scan.prints.astype("<u8").tobytes())
    return sha.hexdigest()


def _count(scan: Scan) -> int:
    """Number of all rows."""
    return scan.summary.count + scan.tests + scan.aside


def _rows(scan: Scan) -> str:
    count = _count(scan)
    return "1 row leaves" if count == 1 else f"{count:,} rows leave"


def _require_room(stream: Stream) -> None:
    """Raise MlrqError for too few rows, or too many features, where that is known before any row is read."""
    width = len(stream.features)
    if width > MOST_FEATURES:
        raise MlrqError(
            f"{stream.name}: {width:,} features, and at most {MOST_FEATURES:,} are fitted: use fewer of them"
        )
    rows = sum(part.rows for part in stream.parts if not part.test)
    if rows < max(width, 2):
        there = f"{rows:,} row" if rows == 1 else f"{rows:,} rows"
        raise MlrqError(f"{stream.name}: {there}, but {_needed(width)}")


def _needed(width: int) -> str:
    needs = "1 feature needs" if width == 1 else f"{width:,} features need"
    return f"{needs} at least {max(width, 2):,}: add rows or drop features"


def _require_enough(stream: Stream, scan: Scan) -> None:
    """Raise MlrqError unless there are rows to learn from, and no constant column."""
    width, train = len(stream.features), scan.summary.count
    if stream.weights and not _count(scan):
        raise MlrqError(f"{stream.name}: no row counts: every weight in column {stream.weights[0]!r} is 0")
    if train < max(width, 2):
        raise MlrqError(f"{stream.name}: {_rows(scan)} {train:,} for training, but {_needed(width)}")
    names, same = (*stream.features, *stream.targets), np.flatnonzero(scan.low == scan.high)
    if stream.plan and stream.plan.known:  # of a model that learned from other rows
        same = same[same >= width]
    for kind, places in (("feature", same[same < width]), ("target", same[same >= width])):
        if len(places):
            listed = ", ".join(f"{names[i]!r} (always {scan.low[i]:g})" for i in places)
            raise MlrqError(f"{stream.name}: constant {kind} in the training rows: {listed}: drop it")
    close = np.flatnonzero((scan.high - scan.low < SMALLEST) & (scan.high != scan.low))
    if len(close):
        listed = ", ".join(repr(names[i]) for i in close)
        raise MlrqError(f"{stream.name}: values less than {SMALLEST:g} apart: {listed}: change the unit")
