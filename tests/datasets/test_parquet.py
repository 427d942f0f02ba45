"""Parquet: found, checked, read in batches, split by a hash of the row's position."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.tables import hashed

from mlrq.datasets.parquet import load
from mlrq.datasets.parts import rows_per_batch
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.errors import DataError, MlrqError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
LIMIT = 10**9


def table(count=100, seed=0, **columns):
    generator = np.random.default_rng(seed)
    plain = {"a": generator.normal(size=count), "b": np.arange(count), "y": generator.normal(size=count)}
    return pa.table({**plain, **columns})


def numbers(stream):
    return np.concatenate([batch for part in stream.parts for batch in stream.batches(part)], axis=1)


def test_the_batch_size_depends_on_the_width_alone():
    assert [rows_per_batch(k) for k in (1, 9, 257, 10_000)] == [1 << 20, 1 << 16, 4096, 256]


def test_the_numbers_come_back_in_order_features_first(tmp_path):
    for i in range(3):
        pq.write_table(table(seed=i), tmp_path / f"{i}.parquet", row_group_size=30)
    stream = load(str(tmp_path), ["y"], ["b", "a"], None, LIMIT)
    expected = [np.stack([table(seed=i)[name].to_numpy() for name in ("b", "a", "y")]) for i in range(3)]
    assert np.array_equal(numbers(stream), np.concatenate(expected, axis=1))
    assert [part.start for part in stream.parts][:5] == [0, 30, 60, 90, 100]


def test_a_file_a_folder_a_glob_and_a_uri_are_the_same_rows(tmp_path):
    folder = tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    pq.write_table(table(), folder / "one.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".one.parquet.crc").touch()
    (tmp_path / "deep" / "readme.txt").touch()
    expected = numbers(load(str(folder / "one.parquet"), ["y"], None, None, LIMIT))
    for path in ("deep", "deep/", "deep/in/*.parquet", "deep/*/o?e.*", "**/*.parquet"):
        for prefix in (f"{tmp_path}/", f"file://{tmp_path}/"):
            stream = load(prefix + path, ["y"], None, None, LIMIT)
            assert stream.features == ("a", "b")
            assert np.array_equal(numbers(stream), expected), prefix + path


def test_a_test_path_is_told_apart(tmp_path):
    pq.write_table(table(), tmp_path / "train.parquet")
    pq.write_table(table(seed=1), tmp_path / "test.parquet")
    train, test = str(tmp_path / "train.parquet"), str(tmp_path / "test.parquet")
    assert [part.test for part in load(train, ["y"], None, test, LIMIT).parts] == [False, True]


def test_float32_and_integers_are_numbers_and_text_is_not(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(table(c=pa.array(range(100), pa.uint8()), d=np.ones(100, np.float32)), path)
    assert numbers(load(str(path), ["y"], None, None, LIMIT))[2].tolist() == list(range(100))
    for column in (pa.array(["x"] * 100), pa.array([True] * 100), pa.array([[1.0]] * 100)):
        pq.write_table(table(c=column), path)
        with pytest.raises(MlrqError, match=r"column 'c' is .*, not numbers"):
            load(str(path), ["y"], None, None, LIMIT)
        assert load(str(path), ["y"], ["a"], None, LIMIT).features == ("a",)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "t.parquet, row group 1, column 'c': row 25 is null"),
        (np.nan, "t.parquet, row group 1, column 'c': row 25, nan, is not a finite number"),
        (-np.inf, "t.parquet, row group 1, column 'c': row 25, -inf, is not a finite number"),
        (1e200, "t.parquet, row group 1, column 'c': row 25, 1e+200, exceeds 1e+100"),
    ],
)
@pytest.mark.parametrize("seed", [2, 3])  # with them it is a test row, and a training row
def test_a_bad_number_is_named_by_file_row_group_column_and_row(tmp_path, bad, message, seed):
    cells = [1.0] * 100
    cells[74] = bad
    pq.write_table(table(c=pa.array(cells, pa.float64())), tmp_path / "t.parquet", row_group_size=50)
    assert hashed_rows(74, 1, Split("hash", 0.5, seed)).tolist() == [seed == 2]
    with pytest.raises(MlrqError) as caught:
        hashed(load(str(tmp_path / "t.parquet"), ["y"], None, None, LIMIT), 0.5, seed)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "no such file or folder"),
        ("*.nothing", "no file matches"),
        ("empty", "no Parquet file in it"),
        ("text.parquet", "cannot be read as Parquet"),
        ("rowless.parquet", "no rows"),
        ("bare.parquet", "no column 'y'; it has 'a'"),
        ("target.parquet", "every column is a target"),
    ],
)
def test_what_is_no_data_is_one_line(tmp_path, path, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.parquet").write_text("a,y\n1,2\n")
    pq.write_table(table(0), tmp_path / "rowless.parquet")
    pq.write_table(pa.table({"a": [1.0]}), tmp_path / "bare.parquet")
    pq.write_table(pa.table({"y": [1.0]}), tmp_path / "target.parquet")
    with pytest.raises(MlrqError) as caught:
        load(str(tmp_path / path), ["y"], None, None, LIMIT)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_store_is_one_line():
    with pytest.raises(MlrqError, match="cannot be opened"):
        load("nosuch://bucket/folder", ["y"], None, None, LIMIT)


def test_a_row_group_that_is_damaged_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(table(10_000), path, row_group_size=5000)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes(100_000) + whole[101_000:])
    stream = load(str(path), ["y"], None, None, LIMIT)
    with pytest.raises(MlrqError, match=r"t\.parquet, row group 0: "):
        numbers(stream)


def replace(path):
    pq.write_table(table(600_000, seed=9), path, row_group_size=300_000)


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path):
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, 1))


def cut(path):
    path.write_bytes(path.read_bytes()[:2_000_000])


@pytest.mark.few(2)
@pytest.mark.parametrize("change", [replace, append, rewrite, cut, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_found_out(tmp_path, change):
    path = tmp_path / "t.parquet"
    said = "was removed" if change is Path.unlink else "changed"
    message = rf"t\.parquet: {said} while it was being read: run again$"

    def stream():
        replace(path)
        return load(str(path), ["y"], None, None, LIMIT)

    before, between, within = stream(), None, None
    change(path)
    with pytest.raises(DataError, match=message):
        numbers(before)
    between = stream()
    numbers(between)
    change(path)
    with pytest.raises(DataError, match=message):
        numbers(between)
    within = stream()
    batches = within.batches(within.parts[0])
    assert np.shape(next(batches)) == (3, 262_144)  # and there is another batch
    change(path)
    with pytest.raises(DataError, match=message):
        list(batches)


def test_no_memory_is_not_a_fault_of_the_data(tmp_path, monkeypatch):
    pq.write_table(table(), tmp_path / "t.parquet")
    stream = load(str(tmp_path / "t.parquet"), ["y"], None, None, LIMIT)

    def fail(*_, **__):
        raise pa.ArrowMemoryError("no memory")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)
    with pytest.raises(MemoryError):
        numbers(stream)
