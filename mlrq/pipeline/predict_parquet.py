"""Predicting Parquet: a folder of predictions, one file for each row group, through any engine.

A file appears only when it is whole, so a run that was stopped goes on where it was: what is there is done.
A file beside them says of which model and rows they are, so that those of others are never taken for done.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from mlrq import kernel
from mlrq.artifacts.json_document import encode
from mlrq.datasets.parquet import ParquetStream, load
from mlrq.datasets.parquet_files import SUFFIXES
from mlrq.datasets.parts import LARGEST, Part, out_of_bounds
from mlrq.errors import MlrqError
from mlrq.files import atomic, digest, write
from mlrq.quantization.model import QuantizedLinear
from mlrq.streaming.engines import Engine

ORIGIN = "_mlrq.json"  # readers of Parquet folders skip what starts so


def is_parquet(source: str, kind: str) -> bool:
    """Whether `source` is to be read as Parquet: because `kind` says so, or by its name."""
    if kind != "auto":
        return kind == "parquet"
    return source.lower().endswith(SUFFIXES) or "://" in source or Path(source).is_dir()


def predict(
    model: QuantizedLinear,
    identity: str,
    source: str,
    destination: Path,
    engine: Engine,
    notify: Callable[[str], None],
) -> int:
    """Predict every row of `source`; columns are matched by name, others are not even read.

    Args:
        model: The integer model.
        identity: Hash of its artifact.
        source: A file, a folder, a glob or a URI of Parquet files.
        destination: Folder for the predictions, one column a target, in files whose names are in the order
            of the rows.
        engine: Where row groups are worked on.
        notify: Told of what was done before.

    Returns:
        The number of rows predicted now.

    Raises:
        MlrqError: For what reading objects to, or if the folder holds something else.
    """
    stream = load(source, [], list(model.features), None)
    _claim(destination, identity, stream)
    left = tuple(part for part in stream.parts if not _file(destination, part).exists())
    if len(left) < len(stream.parts):
        skipped = len(stream.parts) - len(left)
        notify(f"{destination}: {skipped:,} of {len(stream.parts):,} row groups were done before")
    return sum(engine(partial(_predict_part, stream, model, destination), left))


def _file(folder: Path, part: Part) -> Path:
    return folder / f"part-{part.start:015}.parquet"


def _claim(folder: Path, identity: str, stream: ParquetStream) -> None:
    """Note in `folder` what its predictions are of; raise MlrqError if they are of something else."""
    files = sorted({part.path for part in stream.parts})
    found = stream.filesystem.get_file_info(files)
    body = {
        "artifact": identity,
        "files": [[info.path, info.size, info.mtime_ns] for info in found],
        "parts": [[part.path, part.group, part.start, part.rows] for part in stream.parts],
    }
    origin = encode({"format": "mlrq.predictions", "sha256": digest(encode(body))})
    place = folder / ORIGIN
    if folder.exists() and not folder.is_dir():
        raise MlrqError(f"{folder}: is a file; predictions of Parquet need a folder")
    if place.exists() and place.read_bytes() != origin:
        raise MlrqError(f"{folder}: holds predictions of another model or of other rows: name another folder")
    if folder.exists() and not place.exists() and any(folder.iterdir()):
        raise MlrqError(f"{folder}: is not empty, and not a folder of predictions: name another folder")
    write(place, origin)


def _predict_part(stream: ParquetStream, model: QuantizedLinear, folder: Path, part: Part) -> int:
    """Write the predictions of one part; the number of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.float64()) for name in model.targets])
    with atomic(_file(folder, part)) as sink, pq.ParquetWriter(sink, schema) as writer:
        row = 1
        for batch in stream.batches(part):
            if not kernel.bounded(batch, LARGEST):
                raise out_of_bounds(batch, stream.features, part.where, row)
            row += len(batch[0])
            columns = [pa.array(column) for column in model.predict(np.stack(list(batch), axis=1)).T]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return part.rows
