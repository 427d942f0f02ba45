"""Predict Parquet: a folder of predictions, one file for each row group, through any engine.

A file appears only when it is whole, so a run that was stopped goes on where it was: what is there is done.
A file beside them says of which model and rows they are, so that those of others are never taken for done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.artifacts.json_document import encode
from mlrq.datasets import arrow
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.encoding import CellFault
from mlrq.datasets.parquet import ParquetStream, arrow_cells, load
from mlrq.datasets.parts import LARGEST, Part, out_of_bounds
from mlrq.errors import DataError, MlrqError
from mlrq.files import atomic, digest, write
from mlrq.pipeline.predictions import FLAG, Options, Tally, numbers, predicted
from mlrq.pipeline.ranges import Ranges
from mlrq.pipeline.ranges import ranges as ranges_of
from mlrq.pipeline.text_rows import Features, way_out
from mlrq.quantization.model import QuantizedLinear
from mlrq.streaming.engines import Engine

ORIGIN = "_mlrq.json"  # readers of Parquet folders skip what starts so


def predict(
    artifact: QuantizedArtifact,
    identity: str,
    options: Options,
    engine: Engine,
    notify: Callable[[str], None],
) -> int:
    """Predict every row of the input; columns are matched by name, others are not even read.

    Args:
        artifact: The integer model.
        identity: Hash of its artifact.
        options: The input, a file, a folder, a glob or a URI of Parquet files; the output, a folder for files
            whose names are in the order of the rows; and how.
        engine: Where row groups are worked on.
        notify: Told of what was done before, of rows that could not be read and of those beyond the ranges.

    Returns:
        The number of rows predicted now.

    Raises:
        MlrqError: For what reading objects to, or if the folder holds something else.
    """
    folder = Path(options.output).absolute()  # workers may have been started elsewhere
    model, ranges, encoding = artifact.model, ranges_of(artifact), artifact.training.columns
    options.columns(model)
    features = Features(model.features, encoding, options.unknown)
    rules = ColumnRules(known=encoding) if encoding else None
    stream = load(options.input, [], list(features.columns), None, rules=rules)
    _claim(folder, identity, stream, options)
    left = tuple(part for part in stream.parts if not _file(folder, part).exists())
    if len(left) < len(stream.parts):
        skipped = len(stream.parts) - len(left)
        notify(f"{folder}: {skipped:,} of {len(stream.parts):,} row groups were done before")
    work = _Work(stream, model, features, ranges, options, folder)
    tally = sum(engine(work, left), Tally(0, 0, "", ranges.nothing()))
    for note in tally.notes(options.input, options, ranges):
        notify(note)
    return tally.rows


def _file(folder: Path, part: Part) -> Path:
    return folder / f"part-{part.start:015}.parquet"


def _claim(folder: Path, identity: str, stream: ParquetStream, options: Options) -> None:
    """Note in `folder` what its predictions are of; raise MlrqError if they are of something else."""
    files = sorted({part.path for part in stream.parts})
    found = stream.filesystem.get_file_info(files)
    body = {
        "artifact": identity,
        "files": [[info.path, info.size, info.mtime_ns] for info in found],
        "parts": [[part.path, part.group, part.start, part.rows] for part in stream.parts],
        "options": [list(options.keep), options.flag, options.on_error]
        + ([options.unknown] if options.unknown != "error" else []),
    }
    origin = encode({"format": "mlrq.predictions", "sha256": digest(encode(body))})
    place = folder / ORIGIN
    if folder.exists() and not folder.is_dir():
        raise MlrqError(f"{folder}: is a file; predictions of Parquet need a folder")
    if place.exists() and place.read_bytes() != origin:
        raise MlrqError(
            f"{folder}: holds predictions of another model, of other rows or with other options: "
            "name another folder"
        )
    if folder.exists() and not place.exists() and any(folder.iterdir()):
        raise MlrqError(f"{folder}: is not empty, and not a folder of predictions: name another folder")
    write(place, origin)


@dataclass(frozen=True, eq=False)
class _Work:
    """Writes the predictions of one part, and returns its tally; it travels to other processes."""

    stream: ParquetStream
    model: QuantizedLinear
    features: Features
    ranges: Ranges
    options: Options
    folder: Path

    def __call__(self, part: Part) -> Tally:
        """Of the rows of `part`."""
        import pyarrow.parquet as pq

        tally = Tally(0, 0, "", self.ranges.nothing())
        with atomic(_file(self.folder, part)) as sink:
            writer = None
            for batch, fault in self._batches(part):
                made, found = self._predicted(batch, part, tally.rows, fault)
                tally += found
                writer = writer or pq.ParquetWriter(sink, made.schema)
                writer.write_batch(made)
            assert writer is not None  # a part has rows
            writer.close()
        return tally

    def _batches(self, part: Part) -> Iterator[tuple[Any, str]]:
        """Record batches; for what cannot be read, where that is forgiven, one of nulls with the fault."""
        import pyarrow as pa

        columns, done = list(dict.fromkeys([*self.features.columns, *self.options.keep])), 0
        try:
            for batch in self.stream.record_batches(part, columns):
                yield batch, ""
                done += len(batch)
        except DataError as error:
            if not self.options.forgiving or done == part.rows:
                raise
            with self.stream.file(part) as file:  # which tells, too, that it was not changed meanwhile
                types = [file.schema_arrow.field(name).type for name in columns]
            yield pa.record_batch([pa.nulls(part.rows - done, kind) for kind in types], columns), str(error)

    def _predicted(self, batch: Any, part: Part, before: int, fault: str) -> tuple[Any, Tally]:
        """A record batch of predictions, and its tally; `fault` is why there is nothing in it, if it is."""
        import pyarrow as pa

        features, options = self.features.names, self.options
        if self.features.encoding is None:
            rows = np.column_stack([arrow.numbers(batch.column(name)) for name in features])
        else:
            rows, first = _encoded(batch, self.features)
            if fault:  # the batch stands for rows that cannot be read
                rows[:] = np.nan
            if first and not fault:
                row = before + first.row + 1
                fault = f"{part.where}, column {first.name!r}: row {row}, {first.what}{way_out(first)}"
        with np.errstate(invalid="ignore"):
            lost: NDArray[np.bool_] = ~np.all(np.abs(rows) <= LARGEST, axis=1)
        if lost.any():
            fault = fault or _fault(batch, rows, features, part.where, before)
            if not options.forgiving:
                raise DataError(fault)
            rows[lost] = 0.0
        values = numbers(self.model, rows)
        outside = self.ranges.outside(rows)
        outside[lost] = False
        fields = {name: batch.column(name) for name in options.keep}
        fields |= {name: arrow.array(values[:, i], lost) for i, name in enumerate(predicted(self.model))}
        if options.flag:
            fields[FLAG] = arrow.array(np.any(outside, axis=1), lost)
        made = pa.record_batch(list(fields.values()), names=list(fields))
        if options.on_error == "skip":
            made = made.filter(arrow.array(~lost))
        return made, Tally(len(rows), int(lost.sum()), fault, self.ranges.count(rows, outside))


def _encoded(batch: Any, features: Features) -> tuple[NDArray[np.float64], CellFault | None]:
    """The (n, features) of a record batch, not numbers where a cell is at fault, and the first such cell."""
    encoding, faults = features.encoding, list[CellFault]()
    assert encoding
    cells = [arrow_cells(batch.column(column.name), column.kind) for column in encoding.columns]
    rows = encoding.encode(cells, LARGEST, features.unknown, faults).T
    first = min(faults, key=lambda fault: fault.row, default=None)
    return np.ascontiguousarray(rows), first


def _fault(batch: Any, rows: NDArray[np.float64], features: tuple[str, ...], where: str, before: int) -> str:
    """What is wrong with the first row of `batch` that cannot be read.

    Args:
        batch: The record batch.
        rows: (n, features) of its numbers, a null as NaN.
        features: Names.
        where: What to call the part that they are of.
        before: Number of its rows before these.
    """
    first = int(np.flatnonzero(~(np.abs(rows) <= LARGEST).all(axis=1))[0])
    for name in features:
        if not batch.column(name)[first].is_valid:
            return f"{where}, column {name!r}: row {before + first + 1} is null"
    return str(out_of_bounds(rows[first : first + 1].T, features, where, before + first + 1))
