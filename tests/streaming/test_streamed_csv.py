"""A CSV file in pieces through the whole program: what the same table gives in Parquet and in memory."""

import json

import numpy as np
import pytest
from support.streams import LINEAR, RIDGE, ROWS, VALUES, close

from mlrq.datasets import Dataset, Split, csv_pieces, parquet
from mlrq.datasets.csv import load
from mlrq.datasets.stream import are_test
from mlrq.models import estimators
from mlrq.pipeline.stages import evaluate, quantize_model, train
from mlrq.quantization.settings import Settings
from mlrq.streaming.protocol import Data
from mlrq.streaming.source import Streamed

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FEATURES, TARGETS = [f"x{i}" for i in range(6)], ["y0", "y1"]
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")
CLI = ("dataset=csv", "dataset.path=t.csv", "dataset.target=[y0,y1]", "dataset.stream_above=0", "samples=2")
TABLE = np.hstack([ROWS, VALUES])


def write(path, table=TABLE, note=""):
    """The table with a column of text, which has no number to learn from."""
    head = ",".join([*FEATURES, "note", *TARGETS])
    lines = (",".join([*map(repr, row[:6]), note, *map(repr, row[6:])]) for row in table.tolist())
    path.write_text("\n".join([head, *lines]) + "\n")


@pytest.fixture(autouse=True)
def pieces(monkeypatch):
    monkeypatch.setattr(csv_pieces, "BLOCK", 1000)
    monkeypatch.setattr(csv_pieces, "PIECE", 100_000)


@pytest.fixture(params=["", '"several ""quoted""\nlines, of text"'], ids=["plain", "quoted"])
def streamed(request, tmp_path):
    write(tmp_path / "t.csv", note=request.param)
    return Streamed(load(str(tmp_path / "t.csv"), TARGETS, FEATURES, ",", 0), 0.2, 42)


def stages(source, spec=LINEAR):
    trained = train(source, {"name": "m", "standardize": False, "estimator": spec}, None)
    made = quantize_model(source, trained.artifact, Settings(inputs="int8"), None)
    return trained, made, evaluate(source, made.artifact, trained.artifact, 5, None)


def test_it_is_what_parquet_with_the_same_row_groups_is(tmp_path, streamed):
    parts = streamed._stream.parts
    assert len(parts) > 5
    schema = pa.schema([(name, pa.float64()) for name in [*FEATURES, *TARGETS]])
    with pq.ParquetWriter(tmp_path / "t.parquet", schema) as writer:
        for part in parts:
            rows = TABLE[part.start : part.start + part.rows]
            writer.write_table(pa.table(list(rows.T), schema=schema), row_group_size=part.rows)
    other = Streamed(parquet.load(str(tmp_path / "t.parquet"), TARGETS, FEATURES, None, 10**9), 0.2, 42)
    assert streamed.dataset.sha256 == other.dataset.sha256
    for spec in (LINEAR, RIDGE):
        here, there = stages(streamed, spec), stages(other, spec)
        assert np.array_equal(here[0].artifact.model.coefficients, there[0].artifact.model.coefficients)
        assert np.array_equal(here[1].artifact.model.codes, there[1].artifact.model.codes)
        assert here[2].test == there[2].test
        assert here[2].train == there[2].train


def test_it_is_what_the_same_split_in_memory_is(tmp_path, streamed):
    table = load(str(tmp_path / "t.csv"), TARGETS, FEATURES, ",", 10**9)
    assert isinstance(table, Dataset)
    test = are_test(0, len(ROWS), 0.2, 42)
    split = Split(table.rows[~test], table.values[~test], table.rows[test], table.values[test])
    memory = Data(table, split, 0.2, 42)
    here, there = stages(streamed), stages(memory)
    close(here[0].artifact.model.coefficients, there[0].artifact.model.coefficients, 1e-12)
    assert np.array_equal(here[1].artifact.model.codes, there[1].artifact.model.codes)
    assert here[2].test.r2 == pytest.approx(there[2].test.r2, rel=1e-12)
    assert np.array_equal(here[2].actual, there[2].actual)


def test_every_engine_and_every_stage_makes_the_same_bytes(run, tmp_path):
    write(tmp_path / "t.csv", note='"a\nb"')
    wanted = (*CLI, "dataset.features=[x0,x1,x2]", "quantization.inputs=int8")

    def made():
        return [(tmp_path / "outputs" / name).read_bytes() for name in NAMES]

    done = run(*wanted)
    assert (done.code, done.err) == (0, "")
    serial = made()
    done = run(*wanted, "engine=joblib", "engine.workers=2")
    assert (done.code, done.err) == (0, "")
    assert made() == serial
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage, *wanted).code == 0
    assert made() == serial


def test_a_bad_piece_fails_the_run_or_is_skipped(run, tmp_path):
    write(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    lines[2500] = lines[2500].replace(",", ",many,", 1).replace(",,", ",", 1)
    (tmp_path / "t.csv").write_text("\n".join(lines))
    wanted = (*CLI, "dataset.features=[x0,x1]")
    run(*wanted).refused("t.csv, line 2501, column 'x1': 'many' is not a number")
    done = run(*wanted, "dataset.on_error=skip")
    assert done.code == 0, done.err
    (note,) = done.err.splitlines()
    assert "t.csv, line 2501, column 'x1': 'many' is not a number" in note
    source = json.loads((tmp_path / "outputs" / "float.json").read_text())["training"]["source"]
    assert " 1 of " in source
    assert "pieces skipped" in source
    # What is left is learned from, at the places that it has.
    stream = load(str(tmp_path / "t.csv"), TARGETS, ["x0", "x1"], ",", 0, on_error="skip")
    (bad,) = [part for part in stream.parts if part.start <= 2499 < part.start + part.rows]
    there = np.ones(len(ROWS), dtype=bool)
    there[bad.start : bad.start + bad.rows] = False
    train_rows = there & ~are_test(0, len(ROWS), 0.2, 42)
    kept = Streamed(stream, 0.2, 42)
    assert kept.train_count == train_rows.sum()
    model = kept.fit(LINEAR, False, estimators.fit).model
    expected = np.linalg.lstsq(
        np.column_stack([np.ones(train_rows.sum()), ROWS[train_rows, :2]]), VALUES[train_rows], rcond=None
    )[0]
    close(model.coefficients, expected[1:].T)


def test_what_cannot_be_skipped_or_streamed_is_one_line(run, tmp_path):
    write(tmp_path / "t.csv")
    run(*CLI[:3], "dataset.on_error=skip").refused("dataset.on_error=skip: only for a stream")
    run(*CLI, "dataset.stream_above=-1").refused("dataset.stream_above=-1: must be 0 or more", code=2)
    run(*CLI, "dataset.on_error=no").refused("dataset.on_error=no: must be one of fail, skip", code=2)
    run(*CLI, "dataset.features=x0", "model=lasso", "dataset.memory_limit=10").refused("dataset.memory_limit")
    run(*CLI).refused("column 'note': is empty")
