"""Full disks, pipes, devices, bombs and numbers beyond reason: one line each, an end, and bounded memory."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import rows_csv, settled

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")

CSV = ("dataset=csv", "dataset.target=y", "dataset.path=t.csv")
ROWS = np.random.default_rng(0).normal(size=(60, 4))


def table(path: Path, features: float = 1.0, target: float = 1.0) -> None:
    """Write a table whose columns have these units."""
    scaled = ROWS * [features, features, features, target]
    np.savetxt(path, scaled, "%.17g", ",", header="a,b,c,y", comments="")


@pytest.mark.parametrize("typed", ["--version", "--help", "--cfg job", "", "-m quantization.bits=2,3"])
def test_a_full_standard_output_is_named_in_one_line(command, typed):
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "mlrq", *typed.split()],
            stdout=full, stderr=subprocess.PIPE, encoding="utf-8", **command.settings,
        )  # fmt: skip
    assert done.returncode == 1
    assert settled(done.stderr) == "mlrq: error: standard output: No space left on device\n"


def test_a_device_is_written_to_and_not_replaced(run, outputs, tmp_path, california, parts):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert run("predict", "predict.output=pipe", stdin=rows_csv(california, parts.test_rows[:3])).code == 0
    assert os.read(reader, 1 << 16).startswith(b"MedHouseVal\n")
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_size_limit_names_the_file(command, tmp_path):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
    done = command.python(code + "from mlrq.__main__ import main; main()", "samples=0")
    done.refused("outputs/float.json: cannot be written: File too large")
    assert list((tmp_path / "outputs").glob(".*")) == []


def test_a_working_directory_that_was_removed_is_one_line(command, tmp_path):
    (tmp_path / "gone").mkdir()
    code = "import os; os.chdir('gone'); os.rmdir('../gone')\nfrom mlrq.__main__ import main; main()"
    command.python(code).refused("the working directory was removed")


@pytest.mark.parametrize("typed", [CSV, ("model_path=t.csv",), ("predict", "artifact=t.csv")], ids=str)
@pytest.mark.parametrize("kind", ["pipe", "device", "giant"])
def test_what_is_no_file_to_be_read_whole_is_refused(run, tmp_path, typed, kind):
    path = tmp_path / "t.csv"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, 1 << 34)  # it takes no place on a disk
    run(*typed).refused("t.csv", "")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{" * 100_000])
def test_brackets_without_end_are_no_artifact(run, tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    run("predict", "artifact=a.json").refused("a.json: not an mlrq quantized file")


def test_a_table_that_unpacks_to_far_more_than_data_do_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mlrq.datasets.gunzip.BOMB", 1_000_000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 4_000_000))
    run(*CSV, "dataset.path=t.csv.gz").refused("t.csv.gz: cannot be read: unpacks to over 200 times its size")


@pytest.mark.parametrize("cell", ["١٢", "\uff11\uff12", "1_000", "\u00a012", "²", "½", "0x10"])
def test_other_digits_than_those_of_ascii_are_refused(run, tmp_path, cell):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(20)) + f"{cell},3\n")
    run(*CSV).refused("t.csv, line 22, column 'a'", "is not a number")


@pytest.mark.few(6)
@pytest.mark.parametrize("inputs", ["float", "int8"])
@pytest.mark.parametrize(
    ("features", "target"),
    [
        *[(1, 1e-310), (1, 1e-160), (1, 1e90), (1e90, 1), (1e90, 1e90), (1e-310, 1), (1e-310, 1e-310)],
        *[(1e-90, 1), (1, 1e37), (1, 8e37), (1, 1e39), (1e-40, 1), (1e38, 1), (1e-45, 1e-45)],
    ],
)
def test_numbers_near_the_limits_of_floating_point_work_or_are_one_line(
    run, tmp_path, features, target, inputs
):
    table(tmp_path / "t.csv", features, target)
    done = run(*CSV, f"quantization.inputs={inputs}")  # a warning of NumPy would be an error
    if done.code:
        done.refused("change the unit")
        assert "a fault of mlrq" not in done.err


def test_a_feature_with_a_single_cell_beyond_reason_is_one_line_or_works(run, tmp_path):
    table(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a") as stream:
        stream.write("1e100,1,1,1\n")
    done = run(*CSV)
    assert done.code == 0 or len(done.faults) == 1
    run(*CSV, "quantization.inputs=int8").refused("change the unit")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("features", "why"),
    [
        (9_999, "1 row, but 9,999 features need at least 9,999"),
        (20_000, "20,000 features, and at most 10,000 are fitted"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_more_features_than_can_be_fitted_are_refused_before_a_row_is_read(
    run, tmp_path, monkeypatch, features, why, kind
):
    monkeypatch.delattr("mlrq.streaming.first_pass._scan")
    names = [*(f"x{i}" for i in range(features)), "y"]
    if kind == "csv":
        (tmp_path / "t.csv").write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    else:
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(
            pa.table([pa.array([1.0])] * len(names), names), tmp_path / "t.parquet"
        )
    run(f"dataset={kind}", f"dataset.path=t.{kind}", "dataset.target=y").refused(f"t.{kind}: {why}")


def test_temporary_files_of_a_killed_run_are_removed_by_the_next(run, outputs):
    (outputs / ".float.json.abcdefgh.mlrq.tmp").write_bytes(b"half")
    (outputs / ".float.json.tmp").write_bytes(b"somebody's own")
    assert run("quantize", "dataset=california_housing").code == 0
    assert [path.name for path in outputs.glob(".*")] == [".float.json.tmp"]


MEMORY = """
import resource, sys
bytes = int(sys.argv.pop(1)) << 20
resource.setrlimit(resource.RLIMIT_AS, (bytes, bytes))
from mlrq.__main__ import main
main()
"""


@pytest.mark.parametrize("limit", [64, 128, 200])
def test_a_limit_of_memory_below_what_is_needed_is_one_line(command, limit):
    done = command.python(MEMORY, limit, "dataset=synthetic")
    done.refused(f"out of memory: {limit} MiB of memory are allowed, and 256 are needed: see ulimit -v")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [260, 330, 600])
@pytest.mark.parametrize("typed", ["dataset=synthetic", "model=lasso", "-m quantization.bits=2,3 save=false"])
def test_a_run_within_a_limit_of_memory_works_or_is_one_line(command, typed, limit):
    done = command.python(MEMORY, limit, *typed.split())
    if done.code:  # OpenBLAS has no other way than to say it and to end the process
        assert done.code == 1, done
        assert len(done.err.splitlines()) == 1, done
        assert re.match("mlrq: error: out of memory: |OpenBLAS error: Memory allocation", done.err), done


@pytest.mark.slow
@pytest.mark.parametrize("limit", [260, 280, 300, 400])
def test_parquet_within_a_limit_of_memory_works_or_is_one_line(command, tmp_path, limit):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": ROWS[:, 0], "y": ROWS[:, 1]}), tmp_path / "t.parquet")
    done = command.python(MEMORY, limit, "dataset=parquet", "dataset.path=t.parquet", "dataset.target=y")
    if done.code:
        assert re.match("mlrq: error: out of memory: |OpenBLAS error: Memory allocation", done.err), done
        assert len(done.err.splitlines()) == 1, done


@pytest.mark.slow
def test_rows_beyond_a_limit_of_memory_are_one_line(command):
    command.python(MEMORY, 450, "dataset=synthetic", "dataset.rows=20000000").refused("out of memory")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("trian", "trian: neither a stage nor key=value; did you mean train?"),
        ("dataset.path=x.csv", "dataset.path: only with dataset=csv or dataset=parquet"),
        ("dataset=csv dataset.path=x.csv", "dataset.target: required; add dataset.target=VALUE"),
        ("--foo", "--foo: no such flag; did you mean --info?"),
        ("-z", "-z: no such flag; mlrq has --help, "),
    ],
)
def test_what_is_nearly_a_command_line_is_told_what_is_wrong_or_missing(run, typed, told):
    run(*typed.split()).refused(told, code=2)
