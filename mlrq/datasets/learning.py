"""Learning an `Encoding`: what each column is, its categories and its mean, from the training rows.

One pass over the raw columns, part by part; where rows with missing cells are dropped, one before it that
counts them. Sums are exact, so it does not matter how the rows are cut.
"""

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets.column_rules import TEXT, ColumnRules, Raw, incomplete
from mlrq.datasets.encoding import (
    BOOLEAN,
    CATEGORICAL,
    NUMERIC,
    CellFault,
    Cells,
    Column,
    Encoding,
    Texts,
    bad_cell,
    category,
    is_missing,
    missing_texts,
    number,
    numbers,
    parsed,
    rows_of,
    select,
    texts,
)
from mlrq.datasets.parts import LARGEST, Part
from mlrq.datasets.refusals import Refused, all_of, no_number
from mlrq.datasets.split import Split, hashed, set_aside, shuffled
from mlrq.errors import MlrqError, printable
from mlrq.stats.exact_sums import total

MOST_CATEGORIES = 1000  # of a column, each a feature
MOST_DISTINCT = 100_000  # that are counted before the column is refused
DROPPED = "rows dropped, which have missing cells"  # the end of what the source says of them
FEW = 20  # categories that no table is too small for
DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?", re.ASCII)


@dataclass
class _Tally:
    """What is known of a column so far; of training rows where it does not say otherwise."""

    count: int = 0  # of numbers
    sum: Fraction = Fraction(0)
    missing: int = 0
    seen: dict[str, list[int]] = field(default_factory=dict)  # rows of each text, in the training and in all

    def add(self, other: "_Tally") -> None:
        self.count += other.count
        self.sum += other.sum
        self.missing += other.missing
        for text, (train, every) in other.seen.items():
            found = self.seen.setdefault(text, [0, 0])
            found[0] += train
            found[1] += every


@dataclass(frozen=True)
class Learned:
    """How columns become features.

    Attributes:
        encoding: That.
        parts: With the rows that are left, where some are dropped.
        dropped: How many rows are, for the source of the numbers; none where none are.
        notes: What to know of it, that among it.
    """

    encoding: Encoding
    parts: tuple[Part, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]


def learn(table: Raw, kinds: dict[str, str], targets: Sequence[str], rules: ColumnRules) -> Learned:
    """How the columns of a table become features.

    Args:
        table: Its cells.
        kinds: Of each column, or `TEXT`; targets last.
        targets: Names of those that are no features.
        rules: What the configuration says.

    Raises:
        DataError: For a cell that does not fit its column.
        MlrqError: For a column that is refused, with the reason.
    """
    parts, dropped, notes = table.parts, list[str](), list[str]()
    features = {name: kind for name, kind in kinds.items() if name not in targets}
    if rules.missing == "drop":
        parts = _dropped(table, kinds, rules)
        before, after = (sum(part.rows for part in these) for these in (table.parts, parts))
        if not after:
            raise MlrqError(f"{table.name}: every row has a missing cell, and dataset.missing=drop drops it")
        if after < before:
            dropped.append(f"{before - after:,} of {before:,} {DROPPED}")
    if rules.known is not None:
        return Learned(rules.known, parts, tuple(dropped), tuple(dropped))
    held_out = _held_out(parts, rules.split)
    # Numbers without missing cells are what they are, and not read for it.
    plain = {
        name for name, kind in features.items() if rules.missing == "error" and kind in (NUMERIC, BOOLEAN)
    }
    sought = {name: kind for name, kind in features.items() if name not in plain}
    tallies = {name: _Tally() for name in sought}
    read = kinds if rules.missing == "drop" else sought
    work = partial(_tallied, table, read, sought, rules, held_out)
    for found in _over(parts, work) if sought else ():
        for name, one in found.items():
            tallies[name].add(one)
            if len(tallies[name].seen) > MOST_DISTINCT:
                raise _refused(table.name, name, f"over {MOST_DISTINCT:,} distinct values")
    if sought and not any(tally.count or tally.missing or tally.seen for tally in tallies.values()):
        raise MlrqError(f"{table.name}: no training rows")
    columns, refused = [], list[Refused]()
    for name, kind in features.items():
        if name in plain:
            columns.append(Column(name, kind))  # type: ignore[arg-type]
            continue
        try:
            column, unknown = _column(table.name, name, kind, tallies[name], rules)
        except Refused as error:
            refused.append(error)
            continue
        columns.append(column)
        if unknown and rules.unknown == "baseline":
            rows = "1 row has" if unknown == 1 else f"{unknown:,} rows have"
            notes.append(f"{rows} a category of {name!r} that no training row has")
    if refused:
        raise all_of(refused)
    encoding = Encoding(tuple(columns), rules.missing_values)
    every = [*encoding.features, *targets]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise MlrqError(f"{table.name}: two features are both called {twice[0]!r}: rename the column")
    return Learned(encoding, parts, tuple(dropped), (*dropped, *notes))


def _over(parts: Sequence[Part], work: Any) -> Iterator[Any]:
    """The results of `work` on each part, in order; the time goes where the interpreter is not held."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(work, parts)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _dropped(table: Raw, kinds: dict[str, str], rules: ColumnRules) -> tuple[Part, ...]:
    """The parts with the number of their rows that have no missing cell; without those that have none."""

    def count(part: Part) -> int:
        missing = rules.missing_values
        return sum(int((~incomplete(cells, missing)).sum()) for cells in table.cells(part, kinds, missing))

    found, start = [], 0
    for part, rows in zip(table.parts, _over(table.parts, count), strict=True):
        if rows:
            found.append(replace(part, rows=rows, start=start))
        start += rows
    return tuple(found)


def _held_out(parts: Sequence[Part], split: Split) -> Any:
    """A function of a part, a first position and a number of rows: which of them are no training rows."""
    are = _tests(parts, split)

    def held_out(part: Part, start: int, count: int) -> NDArray[np.bool_]:
        test = are(start, count) if part.test is None else np.full(count, part.test)
        return np.asarray(test | set_aside(start, count, split))

    return held_out


def _tests(parts: Sequence[Part], split: Split) -> Any:
    """A function of a first position and a number of rows: which of them are test rows."""
    if split.rule != "shuffle" or any(part.test is not None for part in parts):
        return lambda start, count: hashed(start, count, split)
    order, tests = shuffled(sum(part.rows for part in parts), split)
    are = np.zeros(len(order), dtype=bool)
    are[order[:tests]] = True
    return lambda start, count: are[start : start + count]


def _tallied(
    table: Raw, kinds: dict[str, str], features: dict[str, str], rules: ColumnRules, held_out: Any, part: Part
) -> dict[str, _Tally]:
    """The tally of each column over a part."""
    tallies = {name: _Tally() for name in features}
    read, start = 0, part.start
    for raw in table.cells(part, kinds, rules.missing_values):
        rows, cells = rows_of(raw[0]), raw
        kept = np.ones(rows, dtype=bool)
        if rules.missing == "drop":
            kept = ~incomplete(raw, rules.missing_values)
            cells = [select(column, kept) for column in raw]
        count = int(kept.sum())
        held = held_out(part, start, count)
        try:
            for (name, kind), column in zip(features.items(), cells, strict=False):
                _count(tallies[name], name, kind, column, held, rules)
        except CellFault as fault:
            place = read + int(np.flatnonzero(kept)[fault.row])
            hint = no_number(fault.text, fault.name)
            raise table.located(part, place, fault.name, fault.what + hint) from None
        read += rows
        start += count
    return tallies


def _count(
    tally: _Tally, name: str, kind: str, cells: Cells, held: NDArray[np.bool_], rules: ColumnRules
) -> None:
    """Add consecutive rows to the tally of a column; those that are `held` out are no training rows."""
    if kind in (NUMERIC, BOOLEAN):
        lost = is_missing(cells, rules.missing_values)
        tally.missing += int((lost & ~held).sum())
        values, bad = numbers(kind, cells)
        if (bad & ~lost).any():
            row = int(np.argmax(bad & ~lost))
            raise bad_cell(name, kind, cells, row, LARGEST)
        values = values[~lost & ~held]
        values = values[np.abs(values) <= LARGEST]  # what exceeds it is found when it is encoded
        tally.count += len(values)
        tally.sum += total(values) if rules.missing in ("mean", "indicator") else 0
        return
    found = texts(cells)
    if isinstance(cells, Texts):
        gone = missing_texts(cells.values, rules.missing_values)
    else:
        gone = is_missing(np.unique(cells), rules.missing_values)
    known = len(gone)
    both = np.bincount(found.codes + known * held, minlength=2 * known)  # training rows, and the others
    train, every = both[:known], both[:known] + both[known:]
    tally.missing += int(train[gone].sum())
    for place in np.flatnonzero(~gone & (every > 0)).tolist():
        counts = tally.seen.setdefault(category(found.values[place]), [0, 0])
        counts[0] += int(train[place])
        counts[1] += int(every[place])


def _refused(table: str, name: str, why: str) -> Refused:
    other = "; or make it categorical, with dataset.rare_below=N"
    return Refused(table, name, f"{_column_named(name)} has {why}", more=other)


def _column_named(name: str) -> str:
    return f"column {printable(name, 60)!r}"


def _column(table: str, name: str, kind: str, tally: _Tally, rules: ColumnRules) -> tuple[Column, int]:
    """How a column becomes features, and how many rows have a category that no training row has."""
    filling = rules.missing in ("mean", "indicator")
    indicator = rules.missing == "indicator" and tally.missing > 0
    if kind == TEXT:
        kind = _kind(table, name, tally)
        if kind != CATEGORICAL:
            for text, (train, _) in tally.seen.items():
                value = number(kind, text) or 0.0
                if abs(value) <= LARGEST:
                    tally.count += train
                    tally.sum += Fraction(value) * train
    if not tally.count and not any(train for train, _ in tally.seen.values()):
        raise Refused(table, name, f"{_column_named(name)} has no value in the training rows")
    if kind != CATEGORICAL:
        fill = float(tally.sum / tally.count) if filling else None
        return Column(name, kind, fill=fill, indicator=indicator), 0  # type: ignore[arg-type]
    return _categorical(table, name, tally, rules, (0.0 if filling else None, indicator))


def _kind(table: str, name: str, tally: _Tally) -> str:
    """What a column of text is, all of it seen."""
    found, rows = list(tally.seen), sum(every for _, every in tally.seen.values())
    figures = [text for text in found if parsed(text) is not None]
    if len(figures) == len(found):
        return NUMERIC
    if figures:
        other = next(text for text in found if parsed(text) is None)
        shown = f"numbers such as {figures[0]!r} and text such as {printable(other, 40)!r}"
        raise Refused(table, name, f"{_column_named(name)} has {shown}", CATEGORICAL, no_number(other))
    if {text.lower() for text in found} <= {"true", "false"}:
        return BOOLEAN
    if all(DATE.fullmatch(text) for text in found):
        raise _refused(table, name, f"dates such as {printable(found[0], 40)!r}, which are no numbers yet")
    if len(found) > FEW and 2 * len(found) > rows:
        spoken = sum(" " in text for text in found) * 2 > len(found)
        what = "free text" if spoken else "an identifier"
        raise _refused(table, name, f"{len(found):,} distinct values in {rows:,} rows, so it is {what}")
    return CATEGORICAL


def _categorical(
    table: str, name: str, tally: _Tally, rules: ColumnRules, how: tuple[float | None, bool]
) -> tuple[Column, int]:
    """The column of categories, and how many rows have one that no training row has."""
    known = {text: train for text, (train, _) in sorted(tally.seen.items()) if train}
    often = {text: train for text, train in known.items() if train >= rules.rare_below}
    rare = [text for text in known if text not in often]
    unknown = {text: every for text, (train, every) in tally.seen.items() if not train}
    if rare:  # those of test rows alone are as rare as can be
        rare, unknown = sorted([*rare, *unknown]), {}
    if not often:
        raise _refused(table, name, f"no category of at least {rules.rare_below:,} training rows")
    if len(often) > MOST_CATEGORIES:
        raise _refused(table, name, f"{len(often):,} categories, and at most {MOST_CATEGORIES:,} are learned")
    if len(known) == 1 and not how[1]:
        always = printable(next(iter(known)), 40)
        raise Refused(table, name, f"constant feature in the training rows: {name!r} (always {always!r})")
    first = max(often, key=lambda text: often[text])  # the first of the most frequent
    categories = (first, *(text for text in often if text != first))
    return Column(name, CATEGORICAL, categories, tuple(rare), *how), sum(unknown.values())  # type: ignore[arg-type]
