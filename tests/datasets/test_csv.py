"""CSV files as datasets."""

import gzip
import os
from pathlib import Path

import pytest
from support.tables import rows_of, table_of, values_of

from mlrq.datasets.csv import load
from mlrq.errors import MlrqError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    path.write_text("area,price,rooms,rent\n1,2,3,4\n5,6,7,8\n")
    return path


def test_every_column_but_the_target_is_a_feature(path):
    table = load(str(path), ["price"], None, ",")
    assert table.features == ("area", "rooms", "rent")
    assert table.targets == ("price",)
    assert rows_of(table).tolist() == [[1, 3, 4], [5, 7, 8]]
    assert values_of(table).tolist() == [[2], [6]]
    # No path of this machine: it goes into the artifacts.
    assert (table.name, table.source) == ("houses.csv", "houses.csv (CSV, 1 piece)")


def test_a_list_of_features_keeps_its_order(path):
    table = load(str(path), ["price"], ["rooms", "area"], ",")
    assert table.features == ("rooms", "area")
    assert rows_of(table).tolist() == [[3, 1], [7, 5]]


def test_there_may_be_several_targets(path):
    table = load(str(path), ["rent", "price"], None, ",")
    assert table.targets == ("rent", "price")
    assert values_of(table).tolist() == [[4, 2], [8, 6]]
    assert table.features == ("area", "rooms")


def test_columns_that_are_not_asked_for_need_not_hold_numbers(path):
    path.write_text("area,town,price\n1,Bonn,2\n3,,4\n")
    assert rows_of(load(str(path), ["price"], ["area"], ",")).tolist() == [[1], [3]]


def test_quotes_byte_order_mark_line_ends_blank_lines_and_gz_change_nothing(path):
    plain = table_of(load(str(path), ["price"], None, ",")).tolist()
    dressed = b'\xef\xbb\xbf"area","price","rooms","rent"\r\n\r\n"1",2,3,4\r\n\r\n5,6,"7",8\r\n'
    path.write_bytes(dressed)
    assert table_of(load(str(path), ["price"], None, ",")).tolist() == plain
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(dressed))
    assert table_of(load(str(packed), ["price"], None, ",")).tolist() == plain
    path.write_bytes(dressed.replace(b",", b";"))
    assert table_of(load(str(path), ["price"], None, ";")).tolist() == plain


@pytest.mark.parametrize(
    ("text", "target", "features", "message"),
    [
        ("", ["y"], None, "empty; expected a header line and rows"),
        ("a,y\n", ["y"], None, "a header line, but no rows"),
        ("1,2\n3,4\n", ["y"], None, "no header line"),
        ("a,b\n1,2\n", ["y"], None, "no column 'y'; it has 'a', 'b'"),
        ("a,y\n1,2\n", ["y", "z"], None, "no column 'z'"),
        ("a,y\n1,2\n", ["y"], ["b", "c"], "no columns 'b', 'c'"),
        ("y\n1\n", ["y"], None, "every column is a target"),
        ("a,y\n1,2\n3\n", ["y"], None, "line 3: 1 cells, but the header has 2"),
        ("a,y\n1,2\n3,nan\n", ["y"], None, "line 3, column 'y': 'nan' is not a finite number"),
        ("a,y\n1,2\ninf,3\n", ["y"], None, "line 3, column 'a': 'inf' is not a finite number"),
        ("a,y\n1,2\n,3\n", ["y"], None, "line 3, column 'a': is empty"),
        ("a,y\n1,2\n1,many\n", ["y"], None, "line 3, column 'y': 'many' is not a number"),
        ("a;y\n1;2\n", ["y"], None, "no column 'y'; it has 'a;y' (is another delimiter needed?)"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_one_line_that_says_where(path, text, target, features, message):
    path.write_text(text)
    with pytest.raises(MlrqError) as caught:
        table_of(load(str(path), target, features, ","))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MlrqError, match=r"none\.csv: no such file"):
        load(str(tmp_path / "none.csv"), ["y"], None, ",")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(MlrqError, match="/dev/null: is no file"):
        load("/dev/null", ["y"], None, ",")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(MlrqError, match=r"pipe\.csv: is no file but a pipe or a device"):
        load(str(tmp_path / "pipe.csv"), ["y"], None, ",")


def test_a_small_table_is_kept_in_memory_and_a_larger_one_is_not(path):
    numbers = 8 * 4 * 2
    for limit in (0, numbers - 1, numbers):
        assert load(str(path), ["price"], None, ",", stream_above=limit).in_memory == (limit == numbers)
