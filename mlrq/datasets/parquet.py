"""Parquet: a file, a folder, a glob or a URI, read row group after row group. Needs the parquet extra."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets import arrow
from mlrq.datasets.column_rules import TEXT, ColumnRules
from mlrq.datasets.columns import encoded, learned
from mlrq.datasets.encoding import BOOLEAN, CATEGORICAL, NUMERIC, Cells, Texts, text_of
from mlrq.datasets.faults import Faults
from mlrq.datasets.parquet_files import find, first_line
from mlrq.datasets.parts import Part, Stamp, Stream, room_for, rows_per_batch, unchanged
from mlrq.datasets.refusals import Refused, all_of, override
from mlrq.datasets.skipping import reasons
from mlrq.datasets.tables import feature_names, present
from mlrq.errors import DataError, MlrqError, not_installed

BUFFER = 1 << 15  # bytes of a column that are read at once from a disk


@dataclass(frozen=True, kw_only=True, eq=False)
class ParquetStream(Stream):
    """The columns of one or more Parquet files.

    Attributes:
        filesystem: pyarrow's, in which the paths of the parts are.
    """

    filesystem: Any = field(repr=False)

    def read(self, part: Part, faults: Faults | None = None) -> Iterator[list[NDArray[np.float64]]]:
        """Columns, (rows,) float64 each, features first, of at most `rows_per_batch` rows.

        Raises:
            DataError: Naming file, row group and column of a null; or the file that cannot be read, or is not
                what it was.
        """
        del faults  # a row group is left out whole
        if self.plan:
            yield from map(list, encoded(self, part, self.plan))
            return
        columns, done = self.names, 0
        for batch in self.record_batches(part, columns):
            yield [_numbers(batch.column(name), name, part.where, done) for name in columns]
            done += len(batch)

    def cells(
        self, part: Part, kinds: dict[str, str], missing_values: Sequence[str]
    ) -> Iterator[list[Cells]]:
        """Columns of consecutive rows: those that `kinds` names, numbers as numbers and others as text.

        Raises:
            DataError: If the file lacks a column, cannot be read, or is not what it was.
        """
        size, whole = rows_per_batch(len(self.names)), replace(part, rows=self.rows(part))
        texts = [name for name, kind in kinds.items() if kind != NUMERIC]
        for batch in self.record_batches(whole, list(kinds), size, texts):
            yield [arrow_cells(batch.column(name), kind) for name, kind in kinds.items()]

    def rows(self, part: Part) -> int:
        """How many rows a part has before any are left out."""
        with self.file(part) as file:
            found: int = file.metadata.row_group(part.group).num_rows
        return found

    def located(self, part: Part, row: int, name: str, what: str) -> DataError:
        """The fault `what` of column `name` in the row `row`, from 0, of a part."""
        return DataError(f"{part.where}, column {name!r}: row {row + 1}, {what}")

    @contextmanager
    def file(self, part: Part, texts: Sequence[str] = ()) -> Iterator[Any]:
        """pyarrow's file of `part`, in which texts are coded. Raises DataError as `record_batches` does."""

        def look() -> Stamp:
            return _stamps(self.filesystem, [part.path])[0]

        with unchanged(part.path, part.stamp, look), _opened(self.filesystem, part.path, texts) as file:
            yield file

    def record_batches(
        self, part: Part, columns: Sequence[str], size: int = 0, texts: Sequence[str] = ()
    ) -> Iterator[Any]:
        """pyarrow's record batches of `columns`, of at most `size` or else `rows_per_batch` rows.

        Those of `texts` that the file has as text come with each text once, as the file mostly has them.

        Raises:
            DataError: If the file lacks a column, cannot be read, or is not what it was.
        """
        import pyarrow

        where, done = part.where, 0
        try:
            with self.file(part, texts) as file:
                present(file.schema_arrow.names, columns, part.path)
                size = size or rows_per_batch(len(columns))
                # One thread: an engine has several.
                for batch in file.iter_batches(size, [part.group], list(columns), use_threads=False):
                    yield batch
                    done += len(batch)
        except (pyarrow.ArrowMemoryError, pyarrow.ArrowCancelled):
            raise
        except (pyarrow.ArrowException, OSError, KeyError, IndexError) as error:
            raise DataError(f"{where}: cannot be read: {first_line(error)}") from error
        if done != part.rows:
            raise DataError(f"{where}: has {done:,} rows, but had {part.rows:,}: it changed meanwhile")


def load(
    path: str,
    target: list[str],
    features: list[str] | None,
    test_path: str | None,
    memory_limit: int = 0,
    on_error: str = "fail",
    stream_above: int = 0,
    rules: ColumnRules | None = None,
) -> ParquetStream:
    """The columns `features` and `target` of Parquet files; reads their footers only.

    Where a column is not numbers, or there are other rules, a pass over all rows learns what columns are.

    Args:
        path: A file, a folder (every Parquet file below it), a glob (`*`, `?`, `**`) or a URI of any of
            them that pyarrow opens. Files follow each other in the order of their paths.
        target: Column names of the targets.
        features: Column names of the features; None for every column that is no target.
        test_path: The same for the test rows; None where a hash of its position tells a test row.
        memory_limit: Bytes that rows may take where all of them are needed at once.
        on_error: "skip" leaves out files whose footer cannot be read, and then row groups that cannot be.
        stream_above: Bytes of numbers above which they are read anew each time instead of being kept.
        rules: What is said of columns; None where all are numbers.

    Raises:
        MlrqError: If pyarrow is missing, there is no such file, one is not Parquet, or lacks a column, or
            has one that is neither numbers nor, where `rules` are given, truth values or text.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:  # another ImportError may be for lack of memory
        raise MlrqError(not_installed("dataset=parquet", "pyarrow", "parquet")) from error
    filesystem, files = find(path)
    wanted = [(file, False if test_path else None) for file in files]
    if test_path:
        other, tests = find(test_path)
        if not filesystem.equals(other):
            raise MlrqError(f"{test_path}: must be in the same store as {path}")
        wanted += [(file, True) for file in tests]
    parts: list[Part] = []
    lost: list[str] = []
    start = 0
    guesses: dict[str, str | None] = {}
    # Before the footers are read: a file that changes from now on is found out.
    stamps = _stamps(filesystem, [file for file, _ in wanted])
    for (file, test), stamp in zip(wanted, stamps, strict=True):
        try:
            with _opened(filesystem, file) as opened:
                metadata, schema = opened.metadata, opened.schema_arrow
        except DataError as error:
            if on_error != "skip":
                raise
            lost.append(str(error))
            continue
        features = feature_names(schema.names, target, features, file)
        if rules:
            features = rules.wanted(features, target, schema.names, file)
        found = _guessed(schema, [*features, *target], file, rules is not None)
        _require_same(guesses, found, features, rules, file)
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if rows:
                parts.append(Part(file, group, start, rows, test, stamp))
            start += rows
    if not parts:
        raise MlrqError(f"{path}: no rows{'; skipped: ' if lost else ''}{reasons([], lost)}")
    count = f"{len(wanted)} Parquet files" if len(wanted) > 1 else "Parquet"
    name = PurePosixPath(path.rstrip("/")).name
    stream = ParquetStream(
        name=name,
        source=f"{name} ({count}, {len(parts)} row groups)",
        features=tuple(features or ()),
        targets=tuple(target),
        parts=tuple(parts),
        memory_limit=memory_limit,
        skip=on_error == "skip",
        lost=tuple(lost),
        kept=room_for(start, len(features or ()) + len(target), stream_above),
        filesystem=filesystem,
    )
    return learned(stream, guesses, rules, stream_above) if rules else stream


def _stamps(filesystem: Any, paths: list[str]) -> list[Stamp]:
    """Of each file. Asked for one way only: a store may round times otherwise where it lists a folder."""
    return [(info.size, info.mtime_ns) for info in filesystem.get_file_info(paths)]


@cache
def _choose_allocator() -> None:
    """Let Arrow use jemalloc, unless the user has chosen: it gives freed buffers out again, still warm.

    Decoding took a tenth less time than with the default, mimalloc.
    """
    import pyarrow

    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        with suppress(NotImplementedError):  # pyarrow was built without it
            pyarrow.set_memory_pool(pyarrow.jemalloc_memory_pool())


def _opened(filesystem: Any, path: str, texts: Sequence[str] = ()) -> Any:
    """The Parquet file, a context manager; columns of `texts` become Arrow's dictionaries.

    Raises:
        DataError: If it is not Parquet, damaged or not there.
    """
    import pyarrow
    import pyarrow.parquet

    _choose_allocator()
    # From a disk in small pieces, lest a row group be in memory whole. A store answers slowly, and has to be
    # asked for much at once.
    local = filesystem.type_name == "local"
    how = {"buffer_size": BUFFER, "pre_buffer": False} if local else {"pre_buffer": True}
    try:
        return pyarrow.parquet.ParquetFile(path, filesystem=filesystem, read_dictionary=list(texts), **how)
    except (pyarrow.ArrowMemoryError, pyarrow.ArrowCancelled):
        raise
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {first_line(error)}") from error


def _guessed(schema: Any, columns: list[str], file: str, several: bool) -> dict[str, str | None]:
    """What each of `columns` is by its type.

    Args:
        schema: pyarrow's.
        columns: Names, each once in the schema.
        file: Its name, for messages.
        several: Whether there may be others than numbers.

    Raises:
        MlrqError: For a type that is none of these.
    """
    from pyarrow import types

    present(schema.names, columns, file)
    found: dict[str, str | None] = {}
    counts, refused = Counter(schema.names), list[Refused]()
    for name in columns:
        if counts[name] > 1:
            raise MlrqError(f"{file}: has column {name!r} twice")
        kind = schema.field(name).type
        cell = kind.value_type if types.is_dictionary(kind) else kind
        if types.is_integer(kind) or types.is_floating(kind):
            found[name] = NUMERIC
        elif several and types.is_boolean(kind):
            found[name] = BOOLEAN
        elif several and (types.is_string(cell) or types.is_large_string(cell)):
            found[name] = TEXT
        elif several and types.is_dictionary(kind) and types.is_integer(cell):
            found[name] = CATEGORICAL
        elif several:
            what = f"column {name!r} is {kind}, neither numbers, truth values nor text"
            refused.append(Refused(file, name, what))
        else:
            raise MlrqError(
                f"{file}: column {name!r} is {kind}, not numbers; name the others by dataset.features"
            )
    if refused:
        raise all_of(refused)
    return found


def _require_same(
    guesses: dict[str, str | None],
    found: dict[str, str | None],
    features: list[str],
    rules: ColumnRules | None,
    file: str,
) -> None:
    """Note in `guesses` what the features of the first file are, and hold the others to it.

    Raises:
        MlrqError: If a column is of another kind, and nobody says of which; or a target is not numbers.
    """
    for name, kind in found.items():
        if name not in features:
            if kind != NUMERIC:
                raise MlrqError(f"{file}: the target {name!r} is not numbers")
        elif guesses.setdefault(name, kind) != kind and not (rules and name in rules.kinds):
            what = f"{kind or 'text'}, and {guesses[name] or 'text'} in the files before"
            raise MlrqError(f"{file}: column {name!r} is {what}: {override({name: CATEGORICAL})} says which")


def arrow_cells(column: Any, kind: str) -> Cells:
    """An Arrow array as numbers, a null as not a number; or as texts, a null as an empty one."""
    from pyarrow import types

    if kind == NUMERIC and (types.is_integer(column.type) or types.is_floating(column.type)):
        return arrow.numbers(column)
    found = column if types.is_dictionary(column.type) else column.dictionary_encode()
    values = [text_of(value) for value in found.dictionary.to_pylist()]
    places = arrow.values(found.indices).astype(np.int64)
    if column.null_count:
        places[arrow.nulls(found.indices)] = len(values)
        values.append("")
    return Texts(values, places)


def _numbers(column: Any, name: str, where: str, done: int) -> NDArray[np.float64]:
    """An Arrow array as float64, a view of it where it can be.

    Raises:
        DataError: For the first null.
    """
    if column.null_count:
        row = int(np.flatnonzero(arrow.nulls(column))[0])
        raise DataError(f"{where}, column {name!r}: row {done + row + 1} is null")
    return arrow.numbers(column)
