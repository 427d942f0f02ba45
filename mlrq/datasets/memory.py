"""Streams of arrays: a table that a loader has in memory, and any table shuffled."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.parts import Batch, Part, Stream, rows_per_batch
from mlrq.datasets.split import Split, set_aside, shuffled


class Block(Part):
    """A part of a table of arrays: as many rows as a batch has."""

    unit: ClassVar[str] = "block"


def of_arrays(
    name: str,
    source: str,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    rows: NDArray[np.float64],
    values: NDArray[np.float64],
) -> Stream:
    """A stream of features (n, f) and targets (n, t), float64."""
    table = np.concatenate([rows.T, values.T])
    parts = _blocks(name, 0, table.shape[1], len(table), None)
    empty = Stream(name=name, source=source, features=features, targets=targets, parts=parts)
    return replace(empty, kept=_kept(table, parts))


def shuffle(stream: Stream, split: Split) -> Stream:
    """The rows of a table as a permutation has them, in memory: test, calibration and training rows.

    Args:
        stream: A table whose numbers have been checked.
        split: Of the rule "shuffle".
    """
    table = np.empty((len(stream.names), sum(part.rows for part in stream.parts)))
    place = 0
    for part in stream.parts:
        for held in stream.batches(part):
            batch, _ = stream.without_faulty(held)
            for row, column in zip(table, batch, strict=True):
                row[place : place + len(column)] = column
            place += len(batch[0])
    order, tests = shuffled(place, split)
    aside = set_aside(0, place, split)[rest := order[tests:]]
    order = np.concatenate([order[:tests], rest[aside], rest[~aside]])
    table = table[:, :place]
    for row in table:
        row[:] = row[order]
    columns, first = len(table), tests + int(aside.sum())
    parts = (
        *_blocks(stream.name, 0, tests, columns, True),
        *_blocks(stream.name, tests, first, columns, False, aside=True),
        *_blocks(stream.name, first, place, columns, False, aside=False),
    )
    empty = Stream(
        name=stream.name,
        source=stream.source,
        features=stream.features,
        targets=stream.targets,
        parts=parts,
        weights=stream.weights,
        plan=stream.plan,
        notes=stream.notes,
    )
    return replace(empty, kept=_kept(table, parts))


def _blocks(
    name: str, begin: int, end: int, columns: int, test: bool | None, aside: bool | None = None
) -> tuple[Part, ...]:
    """The rows at positions begin..end - 1 in parts of the size of a batch."""
    step = rows_per_batch(columns)
    starts = range(begin, end, step)
    return tuple(
        Block(name, i, start, min(step, end - start), test, aside=aside) for i, start in enumerate(starts)
    )


def _kept(table: NDArray[np.float64], parts: tuple[Part, ...]) -> dict[int, list[Batch]]:
    """Each part's one batch, a view of a (columns, rows) table."""
    return {part.start: [table[:, part.start : part.start + part.rows]] for part in parts}
