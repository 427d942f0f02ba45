"""The folder for a stream's test rows: gone when the run ends, and no reason for a run to fail."""

import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.streams import CLI, written
from support.tables import hashed

from mlrq.errors import MlrqError
from mlrq.streaming import test_row_cache

NAMES = ("float.json", "quantized.json", "evaluation.json")


def left(folder):
    return list(folder.glob(f"{test_row_cache.PREFIX}*"))


def test_it_goes_with_the_run_and_takes_only_an_empty_folder_along(tmp_path):
    with test_row_cache.opened(tmp_path / "out") as made:
        (made / "0.rows").write_bytes(b"rows")
    assert not (tmp_path / "out").exists()
    with test_row_cache.opened(tmp_path / "out"):
        (tmp_path / "out" / "float.json").write_bytes(b"made")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["float.json"]


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_is_not(tmp_path):
    code = (
        "import os, pathlib\nfrom mlrq.streaming import test_row_cache\n"
        "with test_row_cache.opened(pathlib.Path('.')): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert len(left(tmp_path)) == 1
    with test_row_cache.opened(tmp_path) as first:
        assert left(tmp_path) == [first]
        with test_row_cache.opened(tmp_path) as second:
            assert sorted(left(tmp_path)) == sorted([first, second])


COLUMN = st.one_of(
    st.lists(st.floats(), min_size=200, max_size=200),
    st.lists(st.sampled_from([0.0, 1.0, 255.0]), min_size=200, max_size=200),
    st.integers(0, 199).flatmap(
        lambda i: st.sampled_from([-0.0, 0.5, 256.0, -1.0, np.nan, np.inf]).map(
            lambda odd: [*[1.0] * i, odd, *[0.0] * (199 - i)]
        )
    ),
)


@given(st.lists(st.lists(COLUMN, min_size=1, max_size=4), max_size=3), st.integers(0, 200))
def test_what_is_written_is_read_bit_by_bit(tables, rows):
    made = [np.array(columns, dtype=np.float64)[:, :rows] for columns in tables]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0.rows")
        assert test_row_cache.write(path, iter(made)) == rows * len(made)
        again = [np.array(table) for table in test_row_cache.read(path)]
    assert [table.shape for table in again] == [table.shape for table in made]
    assert [table.tobytes() for table in again] == [table.tobytes() for table in made]


def test_columns_of_bytes_take_an_eighth(tmp_path):
    table = np.vstack([np.linspace(0, 1, 8000), np.arange(8000) % 2, np.arange(8000) % 256])
    test_row_cache.write(tmp_path / "0.rows", iter([table]))
    assert (tmp_path / "0.rows").stat().st_size == 16 + 8 + 8000 * (8 + 1 + 1)


def test_a_place_that_is_none_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(MlrqError, match="file/out: cannot be written"),
        test_row_cache.opened(tmp_path / "file" / "out"),
    ):
        pass


def test_a_run_that_fails_leaves_nothing(run, tmp_path):
    written(tmp_path / "t")
    run(*CLI, "dataset.target=[y0,nothing]").refused("nothing")
    run(*CLI, "quantization=int2", "quantization.strict=true", "quantization.max_r2_drop=0").refused("strict")
    assert left(tmp_path / "outputs") == []
    run("evaluate", *CLI, "output_dir=typo").refused("typo/quantized.json: no such file")
    assert not (tmp_path / "typo").exists()


@pytest.mark.slow
def test_a_run_that_is_terminated_leaves_nothing(tmp_path):
    written(tmp_path / "t", row_group_size=1)
    started = subprocess.Popen(
        [sys.executable, "-m", "mlrq", *CLI], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "outputs").glob(f"{test_row_cache.PREFIX}*/*.rows")):
        assert started.poll() is None
        time.sleep(0.01)
    started.terminate()
    error = started.communicate()[1]
    assert started.returncode == 143
    assert error.splitlines()[-1] == "mlrq: error: terminated; what was written before is whole"
    assert left(tmp_path / "outputs") == []


def test_a_full_disk_costs_time_and_not_the_run(run, tmp_path):
    """A limit on the size of files stands for the disk; artifacts are smaller than the test rows."""
    written(tmp_path / "t", row_group_size=5000, pieces=1)
    assert run(*CLI).code == 0
    expected = [(tmp_path / "outputs" / name).read_bytes() for name in NAMES]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        done = run(*CLI)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert done.code == 0, done.err
    assert [(tmp_path / "outputs" / name).read_bytes() for name in NAMES] == expected


def test_a_worker_that_may_not_write_there_does_without(tmp_path, monkeypatch):
    stream = written(tmp_path / "t")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(test_row_cache.tempfile, "NamedTemporaryFile", refuse)
    kept = tmp_path / "cache"
    kept.mkdir()
    source = hashed(stream, cache=kept)
    assert not list(kept.iterdir())
    assert source.test_count == hashed(stream).test_count


def test_rows_that_cannot_be_read_back_are_named(tmp_path):
    path = tmp_path / "0.rows"
    with path.open("wb") as file:
        assert test_row_cache._added(file, np.arange(2000.0).reshape(2, 1000))
        assert test_row_cache._added(file, np.empty((2, 0)))
        assert test_row_cache._added(file, np.ones((2, 3)))
    kept = list(test_row_cache.read(path))
    assert [table.tolist() for table in kept] == [
        np.arange(2000.0).reshape(2, 1000).tolist(),
        [[], []],
        [[1] * 3] * 2,
    ]
    whole = path.read_bytes()
    for size in (5, 16, 5000, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(MlrqError, match=r"0\.rows: the test rows kept there cannot be read back"):
            list(test_row_cache.read(path))
