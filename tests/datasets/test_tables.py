"""CSV and JSON lines: columns by name, batches, and every bad input in one line that says where."""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.datasets import tables
from mlrq.datasets.tables import CsvTable, open_text, read_lines
from mlrq.errors import MlrqError

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def csv_rows(text: str, wanted=("a", "b"), delimiter=",") -> list[list[float]]:
    table = CsvTable(io.StringIO(text, newline=""), "f.csv", delimiter)
    return [row for batch in table.batches(wanted) for row in batch.tolist()]


def refused(call, *arguments, **settings) -> str:
    with pytest.raises(MlrqError) as caught:
        call(*arguments, **settings)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        '"a","b"\n"1","2"\n"3","4"\n',
        "\n\na,b\n\n1,2\n\n\n3,4\n\n",
        " a , b \n 1 , 2 \n3,4\n",
        "b,x,a\n2,word,1\n4,,3\n",
        "a,b\n1e0,+2\n3.,4.000\n",
    ],
)
def test_a_csv_is_read_however_it_is_dressed(text):
    assert csv_rows(text) == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_a_csv_may_have_another_delimiter(delimiter):
    text = "a,b\n1,2\n3,4\n".replace(",", delimiter)
    assert csv_rows(text, delimiter=delimiter) == [[1.0, 2.0], [3.0, 4.0]]


def test_a_quoted_name_may_hold_the_delimiter_a_quote_and_a_line_break():
    text = 'a,"b, ""c""\nd"\n1,2\n'
    assert csv_rows(text, ("a", 'b, "c"\nd')) == [[1.0, 2.0]]


@given(st.lists(st.lists(FINITE, min_size=3, max_size=3), min_size=1, max_size=20))
def test_numbers_that_python_wrote_read_back_to_the_same_doubles(rows):
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b", "c"], *rows])
    assert csv_rows(text.getvalue(), ("c", "a", "b")) == [[c, a, b] for a, b, c in rows]


def test_batches_join_to_the_whole(monkeypatch):
    monkeypatch.setattr(tables, "ROWS_PER_BATCH", 3)
    text = "a,b\n" + "".join(f"{i},{-i}\n" for i in range(7))
    table = CsvTable(io.StringIO(text), "f.csv")
    batches = list(table.batches(("b", "a")))
    assert [batch.shape for batch in batches] == [(3, 2), (3, 2), (1, 2)]
    assert np.concatenate(batches).tolist() == [[-i, i] for i in range(7)]
    assert all(batch.dtype == np.float64 for batch in batches)


def test_a_bad_cell_in_a_later_batch_has_its_own_line(monkeypatch):
    monkeypatch.setattr(tables, "ROWS_PER_BATCH", 3)
    text = "a,b\n" + "1,2\n" * 7 + "1,x\n"
    assert refused(csv_rows, text) == "f.csv, line 9, column 'b': 'x' is not a number"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.csv: empty; expected a header line and rows"),
        ("\n\n", "f.csv: empty; expected a header line and rows"),
        ("1,2\n3,4\n", "f.csv: no header line; line 1 must name the columns, but holds numbers"),
        ("-1e5,nan\n3,4\n", "f.csv: no header line; line 1 must name the columns, but holds numbers"),
        ("a,\n1,2\n", "f.csv, line 1: column 2 of the header has no name"),
        ("a,b,a\n1,2,3\n", "f.csv, line 1: the header names 'a' twice"),
        ("a,b\n1,2\n3\n", "f.csv, line 3: 1 cells, but the header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "f.csv, line 4: 3 cells, but the header has 2"),
        ("a,b\n1,2\nx,4\n", "f.csv, line 3, column 'a': 'x' is not a number"),
        ("a,b\n1,2\n3,\n", "f.csv, line 3, column 'b': is empty"),
        ("a,b\n1,2\n ,4\n", "f.csv, line 3, column 'a': is empty"),
        ("a,b\n1,2\n3,nan\n", "f.csv, line 3, column 'b': 'nan' is not a finite number"),
        ("a,b\n1,2\nNA,3\n", "f.csv, line 3, column 'a': 'NA' is not a number"),
        ("a,b\n-inf,2\n", "f.csv, line 2, column 'a': '-inf' is not a finite number"),
        ("a,b\n1,1e999\n", "f.csv, line 2, column 'b': '1e999' is not a finite number"),
        ("a,b\n1,2_000\n", "f.csv, line 2, column 'b': '2_000' is not a number"),
        ('a,b\n1,"2"3\n', "f.csv, line 2: "),
        ('a,b\n1,"2\n', "f.csv, line 2: "),
        ("a,c\n1,2\n", "f.csv: no column 'b'; it has 'a', 'c'"),
        ("c,d\n1,2\n", "f.csv: no columns 'a', 'b'; it has 'c', 'd'"),
        ("a;b\n1;2\n", "f.csv: no columns 'a', 'b'; it has 'a;b' (is another delimiter needed?)"),
        ("a,b\n1,2\nfirst\\nline,3\n", "f.csv, line 3, column 'a': "),
    ],
)  # fmt: skip
def test_a_bad_csv_is_refused_with_file_line_and_column(text, message):
    assert refused(csv_rows, text).startswith(message)


def test_a_line_break_inside_quotes_counts_as_a_line():
    text = 'a,b\n"1\n",2\n3,x\n'
    assert refused(csv_rows, text) == "f.csv, line 4, column 'b': 'x' is not a number"


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_byte_order_mark_is_skipped_and_gz_unpacked(tmp_path: Path, name):
    packed = b"\xef\xbb\xbfa,b\r\n1,2\r\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(packed) if name.endswith(".gz") else packed)
    with open_text(path) as stream:
        table = CsvTable(read_lines(stream, name), name)
        assert table.columns == ("a", "b")
        assert [batch.tolist() for batch in table.batches(("a", "b"))] == [[[1.0, 2.0]]]


def read_file(path: Path) -> list[str]:
    with open_text(path) as stream:
        return list(read_lines(stream, str(path)))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    for name in ("none.csv", "none.csv.gz"):
        assert refused(read_file, tmp_path / name) == f"{tmp_path / name}: no such file"
    (tmp_path / "folder.gz").mkdir()
    for path in (tmp_path, tmp_path / "folder.gz"):
        assert refused(read_file, path).startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize("cut", [0, 5, 12, 30, -9, -4, -1])
def test_a_gz_that_is_cut_or_foreign_is_refused(tmp_path: Path, cut):
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(200)), mtime=0)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(packed[:cut])
    if cut == 0:  # an empty stream is valid gzip of nothing
        assert read_file(path) == []
    else:
        assert refused(read_file, path).startswith(f"{path}: cannot be read: ")
    path.write_bytes(b"a,b\n1,2\n")
    assert refused(read_file, path).startswith(f"{path}: cannot be read: ")


def test_a_gz_with_a_flipped_byte_is_refused_wherever_it_is(tmp_path: Path):
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(60))
    packed = gzip.compress(text, mtime=0)
    path = tmp_path / "t.csv.gz"
    for place in range(10, len(packed), 7):  # the header's flags and time stamp change nothing
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :])
        assert str(path) in refused(read_file, path)


@pytest.mark.parametrize("raw", [b"a,b\n1,\xff\n", "a,b\n1,2\n".encode("utf-16"), b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, raw):
    path = tmp_path / "t.csv"
    path.write_bytes(raw)
    assert refused(read_file, path).startswith(f"{path}")
    assert "UTF-8" in refused(read_file, path)


def test_a_bad_byte_far_into_a_file_is_not_placed_near_its_start(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 50_000 + b"1,\xff\n")
    message = refused(read_file, path)
    (line,) = [int(word.strip("(),:")) for word in message.split() if word.strip("(),:").isdigit()]
    # Text is decoded in chunks, so the reader knows only after which line the chunk began.
    assert "after line" in message
    assert 45_000 < line <= 50_001
