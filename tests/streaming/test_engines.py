"""Engines: the same bytes from every one of them."""

import socket
from contextlib import suppress

import pytest
from support.streams import CLI, NAMES, WHOLE, made, written


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


SLOW = pytest.mark.slow


@pytest.mark.parametrize("workers", [pytest.param(1, marks=SLOW), 2, pytest.param(3, marks=SLOW)])
@pytest.mark.slow
def test_processes_make_the_same_bytes(command, tmp_path, expected, workers):
    done = command(*WHOLE, "engine=joblib", f"engine.workers={workers}")
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


@pytest.mark.xdist_group("dask")
def test_a_local_dask_cluster_makes_the_same_bytes(command, tmp_path, expected):
    pytest.importorskip("distributed")
    with socket.socket() as taken:
        with suppress(OSError):  # another program has it, which is as good
            taken.bind(("", 8787))  # where dask's dashboard would be
            taken.listen()
        done = command(*WHOLE, "engine=dask", "engine.workers=2")
    assert (done.code, done.err) == (0, "")
    assert made(tmp_path) == expected


@pytest.mark.slow
def test_a_bad_number_is_named_whichever_process_finds_it(command, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    written(tmp_path / "t")
    whole = pq.read_table(tmp_path / "t" / "1.parquet").to_pydict()
    whole["x3"][900] = float("nan")
    pq.write_table(pa.table(whole), tmp_path / "t" / "1.parquet", row_group_size=700)
    message = "1.parquet, row group 1, column 'x3': row 201, nan, is not a finite number"
    command(*CLI, "engine=joblib", "engine.workers=2").refused(message)


@pytest.mark.slow
def test_no_scheduler_is_one_line(command, tmp_path):
    pytest.importorskip("distributed")
    written(tmp_path / "t")
    done = command(*CLI, "engine=dask", "engine.address=tcp://127.0.0.1:1")
    done.refused("engine.address=tcp://127.0.0.1:1: no dask scheduler answers there")


def test_a_cluster_on_this_machine_that_cannot_start_is_one_line(run, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def fail(**_):
        raise OSError("no ports\nare left")

    monkeypatch.setattr(distributed, "LocalCluster", fail)
    written(tmp_path / "t")
    why = "engine=dask: the local cluster cannot start: OSError no ports; engine=joblib needs none"
    run(*CLI, "engine=dask").refused(why)
