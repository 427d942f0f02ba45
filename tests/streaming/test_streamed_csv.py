"""A CSV file through the whole program: what the same table gives in Parquet, kept in memory or not."""

import json

import numpy as np
import pytest
from support.streams import LINEAR, RIDGE, ROWS, VALUES, close
from support.tables import hashed, shuffled, table_of

from mlrq.datasets import csv_pieces, parquet
from mlrq.datasets.csv import load
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.pipeline.evaluate import evaluate
from mlrq.pipeline.quantize import quantize_model
from mlrq.pipeline.train import train
from mlrq.quantization.settings import Settings

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FEATURES, TARGETS = [f"x{i}" for i in range(6)], ["y0", "y1"]
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")
CSV = ("dataset=csv", "dataset.path=t.csv", "dataset.target=[y0,y1]", "samples=2")
CLI = (*CSV, "dataset.stream_above=0")
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
    return hashed(load(str(tmp_path / "t.csv"), TARGETS, FEATURES, ","))


def stages(source, spec=LINEAR):
    trained = train(source, {"name": "m", "standardize": False, "estimator": spec})
    made = quantize_model(source, trained.artifact, Settings(inputs="int8"))
    return trained, made, evaluate(source, made.artifact, trained.artifact, 5)


def test_it_is_what_parquet_with_the_same_row_groups_is(tmp_path, streamed):
    parts = streamed._reader.stream.parts
    assert len(parts) > 5
    schema = pa.schema([(name, pa.float64()) for name in [*FEATURES, *TARGETS]])
    with pq.ParquetWriter(tmp_path / "t.parquet", schema) as writer:
        for part in parts:
            rows = TABLE[part.start : part.start + part.rows]
            writer.write_table(pa.table(list(rows.T), schema=schema), row_group_size=part.rows)
    other = hashed(parquet.load(str(tmp_path / "t.parquet"), TARGETS, FEATURES, None))
    assert streamed.sha256 == other.sha256
    for spec in (LINEAR, RIDGE):
        here, there = stages(streamed, spec), stages(other, spec)
        assert np.array_equal(here[0].artifact.model.coefficients, there[0].artifact.model.coefficients)
        assert np.array_equal(here[1].artifact.model.codes, there[1].artifact.model.codes)
        assert here[2].test == there[2].test
        assert here[2].train == there[2].train


@pytest.mark.slow
def test_rows_that_are_kept_in_memory_give_the_same_bytes(run, tmp_path):
    write(tmp_path / "t.csv", note='"a\nb"')
    for wanted in ((), ("quantization.inputs=int8", "quantization.output_range=train"), ("model=ridge",)):
        made = []
        for limit in (0, 10**9):
            folder = tmp_path / f"above{limit}"
            arguments = (
                "dataset.features=[x0,x1,x2]",
                f"dataset.stream_above={limit}",
                f"output_dir={folder}",
            )
            done = run(*CSV, *wanted, *arguments)
            assert (done.code, done.err) == (0, "")
            made.append({name: (folder / name).read_bytes() for name in ("float.json", "quantized.json")})
            evaluation = json.loads((folder / "evaluation.json").read_bytes())
            del evaluation["sha256"]
            for model in ("float", "quantized"):  # which only a pass over the training rows tells
                for name in ("mean_absolute_error", "max_error"):
                    known = evaluation[model]["train"].pop(name) is not None
                    assert known or not limit
            made[-1]["evaluation.json"] = evaluation
        assert made[0] == made[1]


def test_rows_that_are_kept_are_read_from_the_file_once(tmp_path):
    write(tmp_path / "t.csv")
    stream = load(str(tmp_path / "t.csv"), TARGETS, FEATURES, ",", stream_above=10**9)
    source = hashed(stream)
    (tmp_path / "t.csv").unlink()
    stages(source)
    assert np.array_equal(table_of(stream), TABLE)


@pytest.mark.slow
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


def damaged(path):
    """The table with three rows that cannot be read; which rows are left."""
    write(path)
    lines = path.read_text().splitlines()
    lines[2500] = lines[2500].replace(",", ",many,", 1).replace(",,", ",", 1)
    lines[7] += ",1"
    lines[4000] = '"' + lines[4000]
    path.write_text("\n".join(lines))
    there = np.ones(len(ROWS), dtype=bool)
    there[[2499, 6, 3999]] = False
    return there


@pytest.mark.few(1)
@pytest.mark.parametrize("piece", [100_000, 10**9])
def test_rows_that_cannot_be_read_fail_the_run_or_are_skipped_alone(run, tmp_path, monkeypatch, piece):
    monkeypatch.setattr(csv_pieces, "PIECE", piece)
    there = damaged(tmp_path / "t.csv")
    wanted = (*CSV, "dataset.features=[x0,x1]")
    run(*wanted).refused("t.csv, line 8: 10 cells, but the header has 9")
    made = []
    for limit in (0, 10**9):
        done = run(*wanted, "dataset.on_error=skip", f"dataset.stream_above={limit}")
        assert done.code == 0, done.err
        (note,) = done.err.splitlines()
        assert note.startswith("mlrq: note: 3 of 5,000 rows skipped: t.csv, line 8: 10 cells, ")
        assert "; t.csv, line 2501, column 'x1': 'many' is not a number; t.csv, line 4001: " in note
        made.append([(tmp_path / "outputs" / name).read_bytes() for name in ("float.json", "quantized.json")])
    assert made[0] == made[1]
    assert b" pieces), 3 of 5,000 rows skipped" in made[0][0] or piece > 10**6
    # What is left is learned from, at the places that it has.
    kept = hashed(load(str(tmp_path / "t.csv"), TARGETS, ["x0", "x1"], ",", on_error="skip"))
    test = hashed_rows(0, len(ROWS), Split("hash", 0.2, 42))
    train_rows = there & ~test
    assert (kept.train_count, kept.test_count) == (train_rows.sum(), (there & test).sum())
    assert np.array_equal(kept.first(2000)[0], ROWS[there & test, :2])
    model = train(kept, {"name": "m", "standardize": False, "estimator": LINEAR}).artifact.model
    expected = np.linalg.lstsq(
        np.column_stack([np.ones(train_rows.sum()), ROWS[train_rows, :2]]), VALUES[train_rows], rcond=None
    )[0]
    close(model.coefficients, expected[1:].T)


def test_skipped_rows_are_those_that_are_not_there_to_a_shuffled_table(tmp_path):
    there = damaged(tmp_path / "t.csv")
    kept = shuffled(load(str(tmp_path / "t.csv"), TARGETS, FEATURES, ",", 10**9, "skip"))
    write(tmp_path / "left.csv", TABLE[there])
    left = shuffled(load(str(tmp_path / "left.csv"), TARGETS, FEATURES, ",", 10**9))
    assert np.array_equal(kept.first(2000)[0], left.first(2000)[0])
    assert kept.train_count == left.train_count


@pytest.mark.slow
def test_every_engine_skips_the_same_rows(run, tmp_path):
    damaged(tmp_path / "t.csv")
    made = []
    for engine in (("engine=threads",), ("engine=joblib", "engine.workers=2")):
        done = run(*CLI, "dataset.features=[x0,x1,x2]", "dataset.on_error=skip", *engine)
        assert done.code == 0, done.err
        made.append([done.err, *((tmp_path / "outputs" / name).read_bytes() for name in NAMES)])
    assert made[0] == made[1]


def test_where_no_row_can_be_read_the_run_fails(run, tmp_path):
    (tmp_path / "t.csv").write_text("x0,y0,y1\n" + "1,2,x\n" * 5)
    run(*CSV, "dataset.on_error=skip").refused(
        "t.csv: 5 of 5 rows skipped, nothing is left: ", "; and 2 more"
    )


def test_what_cannot_be_skipped_or_streamed_is_one_line(run, tmp_path):
    write(tmp_path / "t.csv")
    run(*CLI, "dataset.stream_above=-1").refused("dataset.stream_above=-1: must be 0 or more", code=2)
    run(*CLI, "dataset.on_error=no").refused("dataset.on_error=no: must be fail or skip", code=2)
    run(*CLI, "dataset.features=x0", "model=lasso", "dataset.memory_limit=10").refused("dataset.memory_limit")
    run(*CLI).refused("column 'note': is empty")
