"""Engines: the same bytes from every one of them, and from one that loses a worker."""

import json
import subprocess
import sys
import time

import pytest
from test_streaming import CLI, written

NAMES = ("model.joblib", "float.json", "quantized.json", "evaluation.json", "SHA256SUMS")
WHOLE = (*CLI, "quantization.inputs=int8", "quantization.output_range=train", "dataset.features=[x0,x1,x2]")


def made(folder):
    return {name: (folder / "outputs" / name).read_bytes() for name in NAMES}


@pytest.fixture
def expected(command, tmp_path):
    """What one process makes of the table; nothing is left of it."""
    written(tmp_path / "t")
    done = command(*WHOLE)
    assert done.code == 0, done.err
    files = made(tmp_path)
    for name in NAMES:
        (tmp_path / "outputs" / name).unlink()
    return files


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_make_the_same_bytes(command, tmp_path, expected, workers):
    done = command(*WHOLE, "engine=joblib", f"engine.workers={workers}")
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


def test_a_local_dask_cluster_makes_the_same_bytes(command, tmp_path, expected):
    pytest.importorskip("distributed")
    done = command(*WHOLE, "engine=dask", "engine.workers=2")
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


DIES_ONCE = """
import os, signal, sys
from mlrq import engines
from mlrq.datasets.stream import Part

def work(part):
    flag = sys.argv[1]
    if part.group == 5 and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return part.group * 10

if __name__ == "__main__":
    parts = [Part("f", i, i, 1, None) for i in range(12)]
    with engines.opened("joblib", 2, None) as engine:
        print(list(engine(work, parts)))
"""


def test_a_process_that_is_killed_costs_a_retry(command, tmp_path):
    # joblib sends functions of the main script by value
    done = command.python(DIES_ONCE.replace("sys.argv[1]", repr(str(tmp_path / "flag"))))
    assert done.code == 0, done.err
    assert done.out == f"{[10 * i for i in range(12)]}\n"
    assert (tmp_path / "flag").exists()


def test_a_process_that_always_dies_is_one_line(command):
    code = DIES_ONCE.replace("not os.path.exists(flag)", "True").replace("sys.argv[1]", "os.devnull")
    done = command.python(code)
    assert done.code == 1
    assert "worker processes died 4 times in a row near f, row group" in done.err


def test_a_bad_number_is_named_whichever_process_finds_it(command, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    written(tmp_path / "t")
    whole = pq.read_table(tmp_path / "t" / "1.parquet").to_pydict()
    whole["x3"][900] = float("nan")
    pq.write_table(pa.table(whole), tmp_path / "t" / "1.parquet", row_group_size=700)
    message = "1.parquet, row group 1, column 'x3': row 201, nan, is not a finite number"
    command(*CLI, "engine=joblib", "engine.workers=2").refused(message)


def test_no_scheduler_is_one_line(command, tmp_path):
    pytest.importorskip("distributed")
    written(tmp_path / "t")
    done = command(*CLI, "engine=dask", "engine.address=tcp://127.0.0.1:1")
    done.refused("engine.address=tcp://127.0.0.1:1: no dask scheduler answers there")


@pytest.fixture
def address(command, tmp_path):
    """A scheduler and two workers on the loopback interface, which end with the test."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"

    def start(kind, *arguments):
        code = f"from distributed.cli.dask_{kind} import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", code, "--scheduler-file", str(file), "--no-dashboard", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **command.settings,
        )  # fmt: skip

    started = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        wait(file.exists)
        started += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        where = json.loads(file.read_text())["address"]
        code = f"from distributed import Client; Client({where!r}).wait_for_workers(2, timeout=60)"
        done = command.python(code)
        assert done.code == 0, done.err
        yield where
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_dask_retries_a_dead_workers_part_and_then_runs_on_what_is_left(command, tmp_path, expected, address):
    code = DIES_ONCE.replace("sys.argv[1]", repr(str(tmp_path / "flag")))
    done = command.python(code.replace('"joblib", 2, None', f'"dask", None, {address!r}'))
    assert done.code == 0, done.err
    assert done.out == f"{[10 * i for i in range(12)]}\n"
    assert (tmp_path / "flag").exists()
    done = command(*WHOLE, "engine=dask", f"engine.address={address}")
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected
