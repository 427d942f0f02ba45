"""Processes that are killed in mid-run: the same bytes where work can go on, and one line where it cannot."""

import signal
import subprocess
import time

import pytest
from conftest import Outcome, settled
from support.cluster import Cluster
from support.processes import HANG, wait
from support.streams import WHOLE, made, written

pytest.importorskip("distributed")
pytestmark = pytest.mark.xdist_group("dask")  # a cluster for each test: one at a time
GROUP = 500  # rows, of 5000: more parts than workers take at once


@pytest.fixture
def table(tmp_path):
    written(tmp_path / "t", GROUP)


@pytest.fixture
def expected(command, tmp_path, table):
    """What one process makes of the table; nothing is left of it."""
    files = former(command, tmp_path)
    for name in files:
        (tmp_path / "outputs" / name).unlink()
    return files


def former(command, tmp_path, *overrides):
    """The files of an earlier run by one process, which stay where they are."""
    done = command(*WHOLE, *overrides)
    assert done.code == 0, done.err
    return made(tmp_path)


@pytest.fixture
def cluster(command, tmp_path):
    cluster = Cluster(tmp_path, command.settings)
    yield cluster
    cluster.close()


@pytest.fixture
def start(command):
    """Start a run through an engine; it does not outlive the test."""
    started = []

    def start(*engine):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        started.append(command.start(*WHOLE, *engine, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    out, err = process.communicate(timeout=HANG)
    return Outcome(process.returncode, out, settled(err))


def nothing_half_written(folder, files):
    assert made(folder) == files
    assert sorted(path.name for path in (folder / "outputs").iterdir()) == sorted((*files, "run.json"))


@pytest.mark.slow
def test_dask_loses_a_worker_in_mid_run_and_makes_the_same_bytes(start, tmp_path, expected, cluster):
    victim, other = cluster.workers
    for worker in cluster.workers:
        worker.stop()
    run = start("engine=dask", f"engine.address={cluster.address}")
    wait(lambda: all(map(cluster.held, cluster.workers)))
    other.resume()
    wait(lambda: not cluster.held(other))  # all is done but the victim's parts
    other.stop()
    victim.kill()
    wait(lambda: cluster.addresses() == {other.address})
    # The dead worker's parts are the other's now, and the other does nothing yet.
    assert cluster.held(other)
    assert run.poll() is None
    assert not (tmp_path / "outputs" / "evaluation.json").exists()
    other.resume()
    done = ended(run)
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


DIES_AT_WORK = """
import os, pathlib, signal
from contextlib import contextmanager
from functools import partial
from mlrq.cli.main import main
from mlrq.streaming import engines

def dying(work, flag, part):
    result = work(part)
    if part.group == 2 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return result

@contextmanager
def opened(opened=engines.opened, **wanted):
    with opened(**wanted) as engine:
        yield lambda work, parts: engine(partial(dying, work, pathlib.Path("flag").absolute()), parts)

engines.opened = opened
main()
"""


@pytest.mark.slow
def test_joblib_loses_a_worker_in_mid_run_and_makes_the_same_bytes(command, tmp_path, expected):
    done = command.python(DIES_AT_WORK, *WHOLE, "engine=joblib", "engine.workers=2")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "flag").exists()
    assert made(tmp_path) == expected


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line_and_leaves_what_there_was(command, start, tmp_path, table, cluster):
    before = former(command, tmp_path, "quantization.bits=4")
    for worker in cluster.workers:  # so that the first pass cannot end
        worker.stop()
    run = start("engine=dask", f"engine.address={cluster.address}")
    wait(lambda: all(map(cluster.held, cluster.workers)))
    cluster.scheduler.kill()
    ended(run).refused(f"{cluster.address}: the scheduler is lost")
    nothing_half_written(tmp_path, before)


@pytest.mark.slow
def test_a_scheduler_that_hangs_is_given_up(command, start, tmp_path, table, cluster):
    before = former(command, tmp_path, "quantization.bits=4")
    for worker in cluster.workers:
        worker.stop()
    run = start("engine=dask", f"engine.address={cluster.address}", "engine.patience=1")
    wait(lambda: all(map(cluster.held, cluster.workers)))
    cluster.scheduler.send_signal(signal.SIGSTOP)
    ended(run).refused(f"{cluster.address}: the scheduler is lost")
    nothing_half_written(tmp_path, before)


@pytest.mark.slow
def test_without_any_worker_it_waits_and_then_gives_up(command, start, tmp_path, table, cluster):
    before = former(command, tmp_path, "quantization.bits=4")
    for worker in cluster.workers:
        worker.stop()
    run = start("engine=dask", f"engine.address={cluster.address}", "engine.patience=3")
    wait(lambda: all(map(cluster.held, cluster.workers)))
    began = time.monotonic()
    for worker in cluster.workers:
        worker.kill()
    done = ended(run)
    assert time.monotonic() - began >= 3
    assert done.code == 1
    assert done.err.splitlines() == [
        f"mlrq: note: {cluster.address}: no worker is left; waiting 3 s for one (engine.patience)",
        f"mlrq: error: {cluster.address}: no worker came for 3 s (engine.patience): start one",
    ]
    nothing_half_written(tmp_path, before)


@pytest.mark.slow
def test_a_worker_that_comes_in_time_finishes_the_run(start, tmp_path, expected, cluster):
    for worker in cluster.workers:
        worker.stop()
    run = start("engine=dask", f"engine.address={cluster.address}", "engine.patience=600")
    wait(lambda: all(map(cluster.held, cluster.workers)))
    for worker in cluster.workers:
        worker.kill()
    assert any("no worker is left" in line for line in run.stderr)  # reads up to that line
    cluster.start_workers(1)
    done = ended(run)
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


@pytest.mark.slow
def test_slow_work_is_not_taken_for_a_lack_of_workers(command, cluster):
    code = """
import sys, time
from mlrq.streaming import engines
from mlrq.datasets.parts import Part

def work(part):
    time.sleep(0.05)  # many ticks
    return part.group

if __name__ == "__main__":
    engines.TICK = 0.001
    parts = [Part("f", i, i, 1, None) for i in range(4)]
    with engines.opened("dask", None, sys.argv[1], patience=60, notify=print) as engine:
        print(list(engine(work, parts)))
"""
    done = command.python(code, cluster.address)
    assert (done.code, done.out, done.err) == (0, "[0, 1, 2, 3]\n", "")


@pytest.mark.slow
def test_a_scheduler_that_is_lost_between_two_passes_is_one_line(command, cluster):
    code = """
import sys
from mlrq.streaming import engines
from mlrq.datasets.parts import Part

def work(part):
    return part.group

if __name__ == "__main__":
    parts = [Part("f", i, i, 1, None) for i in range(3)]
    with engines.opened("dask", None, sys.argv[1], patience=60) as engine:
        assert list(engine(work, parts)) == [0, 1, 2]
        from distributed import get_client
        get_client().shutdown()
        list(engine(work, parts))
"""
    done = command.python(code, cluster.address)
    assert done.code == 1
    assert done.err.splitlines()[-1] == f"mlrq.errors.MlrqError: {cluster.address}: the scheduler is lost"


DIES_ONCE = """
import os, signal, sys
from mlrq.streaming import engines
from mlrq.datasets.parts import Part

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


@pytest.mark.slow
def test_a_process_that_is_killed_costs_a_retry(command, tmp_path):
    # joblib sends functions of the main script by value
    done = command.python(DIES_ONCE.replace("sys.argv[1]", repr(str(tmp_path / "flag"))))
    assert done.code == 0, done.err
    assert done.out == f"{[10 * i for i in range(12)]}\n"
    assert (tmp_path / "flag").exists()


@pytest.mark.slow
def test_dask_retries_the_part_of_a_worker_that_dies_of_it(command, tmp_path, cluster):
    code = DIES_ONCE.replace("sys.argv[1]", repr(str(tmp_path / "flag")))
    done = command.python(code.replace('"joblib", 2, None', f'"dask", None, {cluster.address!r}'))
    assert done.code == 0, done.err
    assert done.out == f"{[10 * i for i in range(12)]}\n"
    assert (tmp_path / "flag").exists()
    assert len(cluster.addresses()) == 1


@pytest.mark.slow
def test_a_process_that_always_dies_is_one_line(command):
    code = DIES_ONCE.replace("not os.path.exists(flag)", "True").replace("sys.argv[1]", "os.devnull")
    done = command.python(code)
    assert done.code == 1
    assert "worker processes died 4 times in a row near f, row group" in done.err
