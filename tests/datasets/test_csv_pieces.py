"""CSV in pieces: the rows, numbers and faults of the same file read from end to end, wherever it is cut."""

import csv
import gzip
import io
import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrq.datasets import csv_pieces
from mlrq.datasets.csv import load
from mlrq.datasets.csv_numbers import parse
from mlrq.datasets.faults import Faults
from mlrq.datasets.parts import rows_per_batch
from mlrq.datasets.tables import CsvTable, feature_names, open_text, read_lines
from mlrq.errors import DataError, MlrqError

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small(monkeypatch):
    """Blocks and pieces of a few bytes, so that every cut that there can be is made."""

    def shrink(block, piece):
        monkeypatch.setattr(csv_pieces, "BLOCK", block)
        monkeypatch.setattr(csv_pieces, "PIECE", piece)

    shrink(5, 20)
    return shrink


def numbers(stream):
    return np.concatenate([batch for part in stream.parts for batch in stream.batches(part)], axis=1)


def streamed(path, target=("y",), features=None, delimiter=",", **settings):
    return load(str(path), list(target), features, delimiter, **settings)


def whole(path, target=("y",), features=None, delimiter=","):
    """The numbers of the file read by Python's reader from end to end."""
    with open_text(path) as text:
        table = CsvTable(read_lines(text, str(path)), str(path), delimiter)
        names = feature_names(table.columns, list(target), features, str(path))
        return np.concatenate([np.empty((0, len(names) + len(target))), *table.batches([*names, *target])]).T


ROWS = "".join(f"{i},{i / 7!r},{-i}\n" for i in range(40))
QUOTED = "".join(f'"{i}","{i / 7!r}",{-i}\n' for i in range(40))


@pytest.mark.parametrize(
    "text",
    [
        "a,b,y\n" + ROWS,
        "a,b,y\n" + ROWS[:-1],
        "a,b,y\r\n" + ROWS.replace("\n", "\r\n"),
        "a,b,y\r" + ROWS.replace("\n", "\r"),
        "\ufeffa,b,y\n" + ROWS,
        "\n\r\n\na,b,y\n\n\n" + ROWS.replace("\n", "\n\r\n\n"),
        "a,b,y\r\n" + ROWS.replace("\n", "\r\r\n\r\n"),
        '"a","b",y\n' + QUOTED,
        '"a","b",y\r\n' + QUOTED.replace("\n", "\r\n"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_rows_however_they_are_dressed(tmp_path, small, text, packed):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    expected = np.array([[i, i / 7, -i] for i in range(40)]).T
    assert np.array_equal(whole(path), expected)
    for block in (1, 2, 5, 10_000):
        small(block, 20)
        stream = streamed(path)
        assert np.array_equal(numbers(stream), expected)
        assert len(stream.parts) == 1 if packed else len(stream.parts) >= 1
        if block < 10 and not packed:
            assert len(stream.parts) > 10
    small(10_000, 10_000)
    assert len(streamed(path).parts) == 1


CELLS = st.one_of(st.just(""), st.text('a",\n\r é', max_size=6), st.floats(-9, 9).map(repr))


@FUZZ
@given(
    rows=st.lists(st.tuples(st.floats(-1e9, 1e9), CELLS, st.floats(-1e9, 1e9)), min_size=1, max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),  # minimal leaves a bare \r unquoted
    block=st.integers(1, 40),
    piece=st.integers(1, 60),
)
@pytest.mark.slow
def test_what_pythons_writer_writes_is_read_back(tmp_path, small, rows, end, quoting, block, piece):
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["x", 'a "text"\nof lines', "y"], *rows])
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode())
    small(block, piece)
    stream = streamed(path, features=["x"])
    assert numbers(stream).T.tolist() == [[x, y] for x, _, y in rows]
    assert [part.start for part in stream.parts] == np.cumsum([0, *(p.rows for p in stream.parts)])[
        :-1
    ].tolist()
    bounds = [(part.span.begin, part.span.end) for part in stream.parts]
    assert [end for _, end in bounds[:-1]] == [begin for begin, _ in bounds[1:]]
    assert bounds[-1][1] == path.stat().st_size


@FUZZ
@given(text=st.text('12,"\n\r', max_size=60), block=st.integers(1, 20), piece=st.integers(1, 20))
def test_any_text_has_the_rows_that_it_has_read_whole_or_is_refused(tmp_path, small, text, block, piece):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,y\n" + text.encode())
    small(block, piece)
    expected = found = None
    with suppress(MlrqError):
        expected = whole(path)
        if not expected.size:  # a table without rows is refused when it is opened
            expected = None
    with suppress(MlrqError):
        found = numbers(streamed(path))
    assert found is None or (expected is not None and np.array_equal(found, expected))
    if '"' not in text:  # nothing but a stray quote is refused for its being streamed
        assert (found is None) == (expected is None)


@pytest.mark.parametrize(
    "end",
    [
        "1,2\n", "1,2,3,4\n", "1,2,nan\n", "inf,2,3\n", ",2,3\n", "1, ,3\n", "1,many,3\n", "1,1_0,3\n",
        "1,1e999,3\n", '1,"2"3,4\n', '1,"2,3\n', '"1\n",2,x\n', "\n\r\n\n1,2,x\n", "1,2,x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [ROWS, QUOTED])
def test_a_fault_is_told_as_it_is_of_a_file_that_is_read_whole(tmp_path, small, end, rows):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf\r\na,b,y\r\n\n" + rows.encode() + end.encode())
    messages = []
    for read in (whole, lambda path: numbers(streamed(path))):
        with pytest.raises(DataError) as caught:
            read(path)
        messages.append(str(caught.value))
    # Of the data of a model, what helps is told as well.
    categories = [f"; if it is a category: 'dataset.columns={{{name}: categorical}}'" for name in "ab"]
    ways = ["", ": dataset.missing=mean, indicator or drop says what becomes of it", *categories]
    assert messages[1] in [messages[0] + way for way in ways]
    assert str(path) in messages[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header line and rows"),
        ("a,y\n", "a header line, but no rows"),
        ("a,y\n\n\r\n", "a header line, but no rows"),
        ("1,2\n3,4\n", "no header line"),
        ("a,b\n1,2\n", "no column 'y'; it has 'a', 'b'"),
        ("y\n1\n", "every column is a target"),
    ],
)
def test_a_bad_header_is_found_before_anything_is_read(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(MlrqError, match=message):
        streamed(tmp_path / "t.csv")


def test_what_is_no_text_and_what_is_too_large_are_named(tmp_path, small):
    path = tmp_path / "t.csv"
    for last, message in (
        (b"1,2,\xff\n", "t.csv: not UTF-8 text in or after line "),
        (b"1,2,3e100\n", "t.csv, line 42, column 'y': '3e100' exceeds 1e+100: change its unit"),
    ):
        path.write_bytes(b"a,b,y\n" + ROWS.encode() + last)
        with pytest.raises(DataError) as caught:
            numbers(streamed(path))
        assert message in str(caught.value)
    path.write_bytes(b"a,town,y\n1,K\xf6ln,2\n")  # not even in a column that is not asked for
    for read in (whole, lambda *arguments: numbers(streamed(*arguments))):
        with pytest.raises(DataError, match="not UTF-8 text"):
            read(path, ["y"], ["a"])


def test_a_quote_in_a_cell_that_is_not_quoted_is_read_where_it_cannot_mislead(tmp_path, small):
    path = tmp_path / "t.csv"
    path.write_text('a,town,y\n1,5" pipe,2\n' + "3,x,4\n" * 20 + '5,6" pipe,6\n' + "7,x,8\n" * 20)
    small(10_000, 10_000)
    assert np.array_equal(numbers(streamed(path, features=["a"])), whole(path, features=["a"]))
    small(5, 20)
    with pytest.raises(DataError, match=r"rows from line 2 were counted, not found: a cell with a quote"):
        numbers(streamed(path, features=["a"]))


@pytest.mark.parametrize("packed", [False, True])
def test_each_row_that_cannot_be_read_is_skipped_alone(tmp_path, small, packed):
    bad = [
        b'"1,2,3', b"1,2", b"1,2,3,4", b"1,,3", b"1,x,3", b"1,nan,3", b"1,2e100,3", b"1,1_0,3", b"1,\xff,3",
        b'1,"2"3,3', b'"', b'1,2,"3',
    ]  # fmt: skip
    lines = [b"a,b,y"]
    for i in range(60):
        lines += [b"%d,%d.5,%d" % (i, i, -i), bad[i % len(bad)] if i < 24 else b""]
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(b"\n".join(lines)) if packed else b"\n".join(lines))
    for block, piece in ((5, 20), (10_000, 20), (10_000, 10_000)):
        small(block, piece)
        stream, faults = streamed(path, on_error="skip"), Faults()
        read = [batch for part in stream.parts for batch in stream.batches(part, faults)]
        table = np.concatenate(read, axis=1)
        assert table.shape[1] == sum(part.rows for part in stream.parts) == 84
        assert faults.rows == 24
        assert f"{path}, line 3: " in faults.first[0]
        assert f"{path}, line 7: 4 cells" in faults.first[2]
        kept = np.concatenate([stream.without_faulty(batch)[0] for batch in read], axis=1)
        assert kept.T.tolist() == [[i, i + 0.5, -i] for i in range(60)]


@FUZZ
@given(text=st.text('12,x"\n\r', max_size=60), block=st.integers(1, 20), piece=st.integers(1, 20))
def test_what_is_skipped_does_not_depend_on_where_a_text_is_cut(tmp_path, small, text, block, piece):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,y\n" + text.encode())
    small(10_000, 10_000)
    try:
        expected = numbers(streamed(path, on_error="skip"))
    except MlrqError as error:
        assert "but no rows" in str(error)  # noqa: PT017
        return
    with suppress(MlrqError):
        assert np.array_equal(whole(path), expected)
    if '"' not in text:
        lines = [line.split(",") for line in text.replace("\r", "\n").split("\n") if line]
        readable = [list(map(float, row)) for row in lines if len(row) == 2 and all(map(str.isdigit, row))]
        assert expected.T[~np.isnan(expected[0])].tolist() == readable
    small(block, piece)
    assert np.array_equal(numbers(streamed(path, on_error="skip")), expected, equal_nan=True)


def test_a_gz_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b,y\n" + ROWS.encode() * 500)[:-20])
    with pytest.raises(MlrqError, match=r"t\.csv\.gz: cannot be read"):
        streamed(path)


@pytest.mark.slow
def test_batches_have_the_size_that_parquets_have(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    count = rows_per_batch(3) + 1000
    path.write_text("a,b,y\n" + "".join(f"{i},{i % 7},1\n" for i in range(count)))
    for missing in (False, True):
        if missing:
            monkeypatch.setitem(sys.modules, "pyarrow", None)
        stream = streamed(path)
        batches = list(stream.batches(stream.parts[0]))
        assert [batch.shape for batch in batches] == [(3, rows_per_batch(3)), (3, 1000)]
        assert all(batch.flags.c_contiguous for batch in batches)
        assert np.concatenate(batches, axis=1)[0].tolist() == list(range(count))


def parsed(cells):
    data = "".join(f"{cell}|1\n" for cell in cells).encode()
    return parse(data, "|", 2, [0])


EVEN = (
    "1", "+1", "-1", " 1 ", "\t1", "1.", ".5", "1e5", "1E+5", "5e-324", "2.5e-324", "1e-400", "00001", "-0",
    "9007199254740993", "179769313486231580793e79", "0.1e1",
)  # fmt: skip
ODD = (
    "1e400", "nan", "NaN(1)", "inf", "Infinity", "", "  ", "0x10", "1_0", "5e", "1d5", "1,5", "--1", "1.0.0",
    "1f", "true", "null", "NA", "\u0661", "1\x0b", "\xa01", "1\x00", "\ufeff1",
)  # fmt: skip


def hold_python_agrees(cell):
    pytest.importorskip("pyarrow")
    found = parsed([cell])
    if found is not None:
        assert "_" not in cell
        assert repr(found.tolist()) == repr([[float(cell)]])
        assert np.isfinite(found).all()


@pytest.mark.parametrize("cell", EVEN + ODD)
def test_what_pyarrow_takes_python_takes_for_the_same_number(cell):
    hold_python_agrees(cell)
    assert (parsed([cell]) is not None) == (cell in EVEN)  # and the quick way is taken where it can be


@FUZZ
@given(
    st.one_of(
        st.from_regex(r"[-+]?\d{1,25}\.?\d{0,25}([eE][-+]?\d{1,2})?", fullmatch=True),
        st.text("0159.eE+-_ infax"),
    )
)
@pytest.mark.slow
def test_the_quick_way_rounds_as_python_does(cell):
    hold_python_agrees(cell)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1))
def test_every_double_is_read_back(numbers):
    pytest.importorskip("pyarrow")
    assert parsed(map(repr, numbers)).tolist() == [numbers]


def test_without_pyarrow_the_numbers_are_the_same(tmp_path, small, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + ROWS)
    quick = numbers(streamed(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert np.array_equal(numbers(streamed(path)), quick)


def append(path):
    with path.open("a") as file:
        file.write("1,2,3\n")


def rewrite(path):
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, 1))


def cut(path):
    path.write_text("a,b,y\n1,2\n")


@pytest.mark.parametrize("change", [append, rewrite, cut, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_found_out(tmp_path, small, change):
    path = tmp_path / "t.csv"
    said = "was removed" if change is Path.unlink else "changed"
    message = rf"t\.csv: {said} while it was being read: run again$"

    def stream():
        path.write_text("a,b,y\n" + ROWS)
        return streamed(path)

    before = stream()
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
    next(batches)
    change(path)
    with pytest.raises(DataError, match=message):
        list(batches)
