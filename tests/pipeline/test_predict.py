"""Predicting a user's own rows."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import rows_csv, settled
from support.processes import wait

from mlrq.artifacts.documents import read_quantized
from mlrq.pipeline.predict import Writer


@pytest.fixture
def rows(parts) -> np.ndarray:
    return parts.test_rows[:20]


@pytest.fixture
def expected(outputs, rows) -> list[list[float]]:
    return read_quantized(outputs / "quantized.json").model.predict(rows).tolist()


def jsonl(features, rows) -> str:
    return "".join(json.dumps(dict(zip(features, row, strict=True))) + "\n" for row in rows.tolist())


def read_csv(text: str) -> list[list[float]]:
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["MedHouseVal"]
    return [[float(cell) for cell in line] for line in lines]


def read_jsonl(text: str) -> list[list[float]]:
    objects = [json.loads(line) for line in text.splitlines()]
    assert all(list(found) == ["MedHouseVal"] for found in objects)
    return [list(found.values()) for found in objects]


@pytest.mark.parametrize("target", ["-", "predicted.txt"])
@pytest.mark.parametrize("source", ["-", "file"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_predictions_are_the_models_own_to_the_last_bit(
    run, tmp_path, california, rows, expected, kind, source, target
):
    text = rows_csv(california, rows) if kind == "csv" else jsonl(california.features, rows)
    (tmp_path / f"rows.{kind}").write_text(text)
    place = "-" if source == "-" else f"rows.{kind}"
    done = run("predict", f"predict.input={place}", f"predict.output={target}", stdin=text)
    assert (done.code, done.err) == (0, "")
    found = done.out if target == "-" else (tmp_path / target).read_text()
    assert (read_csv if kind == "csv" else read_jsonl)(found) == expected
    assert target == "-" or done.out == ""


def test_columns_may_come_in_any_order_and_extra_ones_are_noticed(run, outputs, california, rows, expected):
    names = ["note", *reversed(california.features), "more"]
    lines = [",".join(names)]
    lines += [",".join(["a word", *map(repr, reversed(row)), ""]) for row in rows.tolist()]
    done = run("predict", stdin="\n".join(lines))
    assert done.code == 0
    assert read_csv(done.out) == expected
    assert done.err == ("mlrq: note: standard input: ignored what the model does not use: more, note\n")
    objects = "".join(
        json.dumps({"note": "a word", **dict(zip(reversed(california.features), row[::-1], strict=True))})
        + "\n"
        for row in rows.tolist()
    )
    done = run("predict", stdin=objects)
    assert read_jsonl(done.out) == expected
    assert "note" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz", "rows.ndjson", "rows.json", "rows.txt"])
def test_the_format_follows_from_the_name_or_from_the_first_character(
    run, tmp_path, california, rows, expected, name
):
    is_json = "json" in name or name == "rows.txt"
    text = jsonl(california.features, rows) if is_json else rows_csv(california, rows)
    packed = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    (tmp_path / name).write_bytes(packed)
    done = run("predict", f"predict.input={name}")
    assert done.code == 0
    assert (read_jsonl if is_json else read_csv)(done.out) == expected


def test_a_byte_order_mark_other_line_ends_and_another_delimiter_change_nothing(
    run, california, rows, expected
):
    text = "\ufeff" + rows_csv(california, rows).replace(",", ";").replace("\n", "\r\n")
    done = run("predict", "predict.delimiter=';'", stdin=text)
    assert (done.code, done.err) == (0, "")
    assert read_csv(done.out) == expected


def test_a_header_without_rows_predicts_none(run, outputs, california):
    done = run("predict", stdin=",".join(california.features) + "\n")
    assert (done.code, done.out, done.err) == (0, "MedHouseVal\n", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["standard input", "empty"]),
        ("MedInc,HouseAge\n1,2\n", ["no columns 'AveRooms', 'AveBedrms'", "it has 'MedInc', 'HouseAge'"]),
        ('{"MedInc": 1}\n', ["line 1: no columns 'HouseAge'"]),
        ("1,2,3,4,5,6,7,8\n", ["no header line"]),
    ],
)  # fmt: skip
def test_input_that_does_not_fit_the_model_is_refused(run, outputs, text, words):
    done = run("predict", stdin=text)
    done.refused(*words)
    assert done.out == ""


@pytest.mark.parametrize("cell", ["", "x", "nan", "inf"])
def test_a_bad_cell_is_named_and_the_old_output_file_stays(run, tmp_path, outputs, california, rows, cell):
    lines = rows_csv(california, rows).splitlines()
    lines[7] = ",".join([*lines[7].split(",")[:7], cell])
    (tmp_path / "out.csv").write_text("old")
    done = run("predict", "predict.output=out.csv", stdin="\n".join(lines))
    done.refused("standard input, line 8, column 'Longitude'")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "outputs"]


def test_a_missing_model_or_input_is_refused(run, tmp_path):
    run("predict", stdin="").refused("outputs/quantized.json: no such file", "mlrq quantize")
    run("predict", "artifact=gone.json").refused("gone.json: no such file")


def test_a_missing_input_is_refused(run, outputs):
    run("predict", "predict.input=gone.csv").refused("gone.csv: no such file")


def test_several_targets_are_one_column_each(run, tmp_path):
    assert run("dataset=synthetic", "dataset.targets=2", "dataset.features=2", "dataset.rows=50").code == 0
    done = run("predict", stdin="x1,x2\n1,2\n3,4\n")
    model = read_quantized(tmp_path / "outputs" / "quantized.json").model
    header, *lines = done.out.splitlines()
    assert header == "y1,y2"
    assert [list(map(float, line.split(","))) for line in lines] == model.predict(
        np.array([[1.0, 2.0], [3.0, 4.0]])
    ).tolist()
    done = run("predict", stdin='{"x1": 1, "x2": 2}\n')
    assert list(json.loads(done.out)) == ["y1", "y2"]


def test_the_artifact_may_lie_anywhere(command, finished, tmp_path, california, rows):
    text = rows_csv(california, rows)
    done = command("predict", f"artifact={finished / 'outputs' / 'quantized.json'}", stdin=text)
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 21


# Not ru_maxrss: that begins with what the process had that started this one.
MEASURED = """
import re, sys
from pathlib import Path
from mlrq.cli.main import main
try:
    main()
finally:
    peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    print(peak, file=sys.stderr)  # kilobytes
"""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says in a file how much a process had")


@LINUX
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(command, outputs, tmp_path, california, parts, kind):
    block = parts.test_rows
    peaks = []
    for repeats in (4, 24):
        with (tmp_path / f"rows.{kind}").open("w") as stream:
            if kind == "csv":
                head, _, body = rows_csv(california, block).partition("\n")
                stream.write(head + "\n")
            else:
                body = jsonl(california.features, block)
            for _ in range(repeats):
                stream.write(body)
        done = command.python(MEASURED, "predict", f"predict.input=rows.{kind}", "predict.output=out")
        assert done.code == 0
        with (tmp_path / "out").open() as stream:
            assert sum(1 for _ in stream) == repeats * len(block) + (kind == "csv")
        peaks.append(int(done.err.splitlines()[-1]) / 1024)
    size = (tmp_path / f"rows.{kind}").stat().st_size / 2**20
    assert size > 8  # megabytes; held at once they would show
    assert peaks[1] - peaks[0] < 4


def start_predicting(command, california, parts, tmp_path):
    """A `predict` that has read more than a batch and waits for more."""
    process = command.start(
        "predict", "predict.output=out.csv", stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    text = rows_csv(california, parts.train_rows[:9000]).encode()
    process.stdin.write(text)
    process.stdin.flush()
    wait(lambda: any(path.stat().st_size for path in tmp_path.glob(".out.csv.*")))
    return process


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_prediction_leaves_the_old_file(
    command, outputs, tmp_path, california, parts, sent, code
):
    (tmp_path / "out.csv").write_text("old")
    process = start_predicting(command, california, parts, tmp_path)
    process.send_signal(sent)
    _, err = process.communicate()
    assert process.returncode == code
    assert (tmp_path / "out.csv").read_text() == "old"
    if sent == signal.SIGINT:
        assert settled(err.decode()) == "mlrq: error: interrupted; what was written before is whole\n"
        assert list(tmp_path.glob(".out.csv.*")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipe")
def test_a_reader_that_leaves_early_is_no_error_worth_a_word(command, outputs, tmp_path, california, parts):
    (tmp_path / "rows.csv").write_text(rows_csv(california, parts.train_rows))
    process = command.start(
        "predict", "predict.input=rows.csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"MedHouseVal\n"
    process.stdout.close()
    assert settled(process.stderr.read().decode()) == ""
    process.stderr.close()
    assert process.wait() != 0


def test_the_output_never_replaces_the_input(run, tmp_path, outputs, california, rows):
    text = rows_csv(california, rows)
    (tmp_path / "rows.csv").write_text(text)
    done = run("predict", "predict.input=rows.csv", "predict.output=./rows.csv")
    done.refused("rows.csv", "would replace the rows")
    assert (tmp_path / "rows.csv").read_text() == text


def test_a_prediction_that_no_double_holds_is_refused_with_its_row(run, tmp_path):
    lines = ["a,b,y", *(f"{i},{i * i},{2 * i + i * i}" for i in range(12))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    assert run("dataset=csv", "dataset.path=t.csv", "dataset.target=y").code == 0
    done = run("predict", stdin='{"a": 1, "b": 1}\n{"a": 1.7e308, "b": 1.7e308}\n')
    done.refused("standard input, row 2", "exceeds what a double holds")
    assert done.out == ""


TRAINED_ON = "a,b,y\n" + "".join(f"{i},{i * i % 17},{2 * i - i * i % 17}\n" for i in range(40))


@pytest.fixture
def small(run, tmp_path):
    """Trains on two features, a from 0 to 39 and b from 0 to 16, with the inputs that are asked for."""

    def made(inputs: str) -> None:
        (tmp_path / "t.csv").write_text(TRAINED_ON)
        wanted = ("dataset=csv", "dataset.path=t.csv", "dataset.target=y", f"quantization.inputs={inputs}")
        assert run(*wanted).code == 0

    return made


def test_rows_beyond_the_range_of_integer_inputs_are_counted_and_told(run, small):
    small("int8")
    done = run("predict", stdin="a,b\n5,5\n50,5\n-3,40\n45,0\n")
    assert done.code == 0
    (note,) = done.err.splitlines()
    assert note.startswith(
        "mlrq: note: 3 of 4 rows beyond the range of the inputs, predicted as if at its end: "
        "a in 3 rows, down to -3, up to 50 (range 0 to "
    )
    assert "; b in 1 row, up to 40 (range 0 to 16)" in note
    inside = run("predict", stdin="a,b\n5,5\n39,16\n0,0\n")
    assert (inside.code, inside.err) == (0, "")


def test_rows_beyond_the_training_rows_are_counted_for_float_inputs(run, small):
    small("float")
    done = run("predict", "predict.flag=true", stdin="a,b\n5,5\n50,5\n")
    assert done.err == (
        "mlrq: note: 1 of 2 rows beyond the range of the training rows, so the model extrapolates: "
        "a in 1 row, up to 50 (range 0 to 39)\n"
    )
    assert [line.split(",")[1] for line in done.out.splitlines()] == ["saturated", "false", "true"]


def test_the_flag_is_a_column_of_json_too(run, small):
    small("int16")
    done = run("predict", "predict.flag=true", stdin='{"a": 5, "b": 5}\n{"a": 1e6, "b": 5}\n')
    assert [json.loads(line)["saturated"] for line in done.out.splitlines()] == [False, True]


BAD_CSV = 'id,a,b\nx,1,2\n\'y,one,2\n"z,1",3,4\nw,5\nv,6,7\n'
BAD_JSON = """{"id": "x", "a": 1, "b": 2}
{"id": "'y", "a": "one", "b": 2}
{"id": "z,1", "a": 3, "b": 4}
nonsense
{"id": [1, {"n": null}], "a": 6, "b": 7}
"""


@pytest.mark.few(2)
@pytest.mark.parametrize("on_error", ["skip", "null"])
@pytest.mark.parametrize("text", [BAD_CSV, BAD_JSON], ids=["csv", "jsonl"])
def test_rows_that_cannot_be_read_are_left_out_or_left_empty_and_counted(run, small, text, on_error):
    small("float")
    clean = run("predict", stdin="a,b\n1,2\n3,4\n6,7\n").out.splitlines()[1:]
    done = run("predict", f"predict.on_error={on_error}", "predict.keep=id", stdin=text)
    assert done.code == 0
    (note,) = done.err.splitlines()
    outcome = "were left out" if on_error == "skip" else "have no prediction"
    assert note.startswith(
        f"mlrq: note: standard input: 2 of 5 rows could not be read and {outcome}; "
        f"the first: standard input, line {3 if text == BAD_CSV else 2}, "
    )
    if text == BAD_CSV:
        header, *rows = csv.reader(io.StringIO(done.out))
        assert header == ["id", "y"]
        expected = [["x", clean[0]], ["'y", ""], ["z,1", clean[1]], ["", ""], ["v", clean[2]]]
        assert rows == [row for row in expected if on_error == "null" or row[1]]
    else:
        rows = [json.loads(line) for line in done.out.splitlines()]
        ids = ["x", "'y", "z,1", None, [1, {"n": None}]]
        values = [float(clean[0]), None, float(clean[1]), None, float(clean[2])]
        expected = [{"id": one, "y": value} for one, value in zip(ids, values, strict=True)]
        assert rows == [row for row in expected if on_error == "null" or row["y"] is not None]


def test_without_being_told_otherwise_a_bad_row_is_an_error(run, small):
    small("float")
    done = run("predict", "predict.keep=id", stdin=BAD_CSV)
    done.refused("standard input, line 3, column 'a': 'one' is not a number")
    assert done.out == ""


def test_several_columns_are_copied_a_feature_among_them_whatever_their_text(run, small):
    small("float")
    done = run("predict", "predict.keep=[id,a]", stdin='id,a,b\n"x\ny;""z""",1.50,2\n0017,3,4\n')
    assert done.err == ""
    header, *rows = csv.reader(io.StringIO(done.out))
    assert header == ["id", "a", "y"]
    assert [row[:2] for row in rows] == [['x\ny;"z"', "1.50"], ["0017", "3"]]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["predict.keep=y"], "predict.keep=y: the predictions have a column of that name already"),
        (["predict.keep=saturated", "predict.flag=true"], "predict.keep=saturated: the predictions have"),
        (["predict.keep=id"], "standard input: no column 'id'; it has 'a', 'b', 'y'"),
    ],
)
def test_columns_that_cannot_be_copied_are_refused(run, small, overrides, words):
    small("float")
    run("predict", *overrides, stdin="a,b,y\n1,2,3\n").refused(words)


def test_options_that_make_no_sense_are_refused(run):
    done = run("predict", "predict.on_error=ignore", "predict.keep=[id,id]")
    assert done.code == 2
    assert done.faults == [
        "predict.keep=['id', 'id']: must be one or more columns, each once, or null (none)",
        "predict.on_error=ignore: must be fail, skip or null",
    ]


@pytest.mark.few(1)
@LINUX
@pytest.mark.parametrize("kind", ["gzip of one line", "device", "line", "brackets", "wide"])
def test_input_without_an_end_is_refused_in_bounded_memory(command, outputs, tmp_path, california, kind):
    path = {"device": "/dev/zero"}.get(kind, "rows.csv.gz" if "gzip" in kind else "rows.jsonl")
    if kind == "gzip of one line":
        block = gzip.compress(b"1" * (1 << 24))
        with (tmp_path / path).open("wb") as stream:
            for _ in range(64):  # a gigabyte, in one megabyte
                stream.write(block)
    elif kind == "line":
        with (tmp_path / path).open("wb") as stream:
            stream.write(b'{"MedInc": "')
            stream.truncate(1 << 30)  # zeros that take no room
    elif kind == "brackets":
        (tmp_path / path).write_text("[" * 100_000 + "\n" + '{"MedInc": ' * 100_000)
    elif kind == "wide":
        (tmp_path / path).write_text("{" + ", ".join(f'"k{i}": {i}' for i in range(900_000)) + "}\n")
    code = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n{MEASURED}"
    done = command.python(code, "predict", f"predict.input={path}", "predict.output=out")
    error, peak = done.err.splitlines()
    assert done.code == 1
    assert error.startswith(f"mlrq: error: {path}")
    assert len(error) <= 500
    assert int(peak) < 700 * 1024
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipe")
def test_a_pipe_to_which_nobody_writes_is_refused_and_another_is_read(run, tmp_path, small, monkeypatch):
    small("float")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("mlrq.pipeline.predict.PATIENCE", 0.1)
    run("predict", "predict.input=pipe").refused("pipe: a pipe to which nobody wrote for 0.1 seconds")
    monkeypatch.setattr("mlrq.pipeline.predict.PATIENCE", 60.0)
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("a,b\n1,2\n"))
    writer.start()
    done = run("predict", "predict.input=pipe")
    writer.join()
    assert (done.code, len(done.out.splitlines())) == (0, 2)


@pytest.mark.slow
def test_gzip_that_unpacks_to_far_more_than_data_do_is_refused(run, tmp_path, small, monkeypatch):
    small("float")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" + b"\n" * 8_000_000))
    monkeypatch.setattr("mlrq.datasets.gunzip.BOMB", 1_000_000)
    done = run("predict", "predict.input=rows.csv.gz", "predict.output=out.csv")
    done.refused("rows.csv.gz: cannot be read: unpacks to over 200 times its size")
    assert not (tmp_path / "out.csv").exists()


def test_a_cell_with_a_line_end_of_any_kind_is_read_back():
    rows = [["a\rb", "1"], ["c\nd", "2"], ["e\r\nf", "3"], ["g", "4"]]
    text = Writer(["x\ry", "z"], ",").header + Writer(["x\ry", "z"], ",").lines(rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["x\ry", "z"], *rows]
