"""Rows to predict: bad ones are told apart, copied cells stay what they were, and memory is bounded."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.datasets import tables
from mlrq.datasets.tables import read_lines
from mlrq.errors import DataError, MlrqError
from mlrq.pipeline import text_rows
from mlrq.pipeline.text_rows import Counted, CsvRows, Features, JsonRows, batches


def lines(text: str) -> Counted:
    return Counted(read_lines(io.StringIO(text, newline=""), "f"))


def json_rows(text: str, wanted=("a", "b")) -> tuple[list[list[float]], set[str]]:
    rows = JsonRows(lines(text), "f.jsonl", Features(tuple(wanted)), ())
    return [row for batch in batches(rows, False) for row in batch.rows.tolist()], rows.extra


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2]", "f.jsonl, line 2: not a JSON object"),
        ("3", "f.jsonl, line 2: not a JSON object"),
        ('{"a": 1', "f.jsonl, line 2: not valid JSON"),
        ("[" * 100_000, "f.jsonl, line 2: not valid JSON"),
        ('{"a": 1}', "f.jsonl, line 2: no column 'b'; it has 'a'"),
        ('{"a": 1, "b": "2"}', "f.jsonl, line 2, key 'b': \"2\" is not a finite number"),
        ('{"a": 1, "b": null}', "f.jsonl, line 2, key 'b': null is not a finite number"),
        ('{"a": 1, "b": true}', "f.jsonl, line 2, key 'b': true is not a finite number"),
        ('{"a": NaN, "b": 2}', "f.jsonl, line 2, key 'a': NaN is not a finite number"),
        ('{"a": 1, "b": 1e999}', "f.jsonl, line 2, key 'b': Infinity is not a finite number"),
        ('{"a": 1, "b": [2]}', "f.jsonl, line 2, key 'b': [2] is not a finite number"),
        ('{"a": 1, "b": 1%s}' % ("0" * 400), "f.jsonl, line 2, key 'b': "),
        ('{"a": 1, "b": 1%s}' % ("0" * 5000), "f.jsonl, line 2"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_bad_json_lines_are_refused_with_line_and_key(line, message):
    text = '{"a": 1, "b": 2}\n' + line + "\n"
    with pytest.raises(MlrqError) as caught:
        json_rows(text)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


def test_json_lines_may_have_any_order_blank_lines_and_extra_keys():
    text = '{"b": 2, "a": 1}\n\n  \n{"c": "word", "a": 3, "b": 4.0}\n'
    assert json_rows(text) == ([[1.0, 2.0], [3.0, 4.0]], {"c"})


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3)))
def test_numbers_written_as_json_are_read_back_in_any_order(rows):
    text = "".join(json.dumps(dict(zip("abc", row, strict=True))) + "\n" for row in rows)
    assert json_rows(text, ("c", "a", "b")) == ([[c, a, b] for a, b, c in rows], set())


MIXED = ["1,2,x", "oops,2,y", "3,4", '"5"6,7,z', "8,9,é", ",1,w", "1e999,1,v", "10,11,'u"]


def test_rows_of_csv_that_cannot_be_read_are_faults_and_the_others_are_not():
    rows = CsvRows(lines("a,b,id\n" + "\n".join(MIXED)), "f.csv", ",", Features(("a", "b")), ("id",))
    (batch,) = batches(rows, True)
    assert {i: str(fault) for i, fault in batch.faults.items()} == {
        1: "f.csv, line 3, column 'a': 'oops' is not a number",
        2: "f.csv, line 4: 2 cells, but the header has 3",
        3: "f.csv, line 5: ',' expected after '\"'",
        5: "f.csv, line 7, column 'a': is empty",
        6: "f.csv, line 8, column 'a': '1e999' is not a finite number",
    }
    assert batch.rows[[0, 4, 7]].tolist() == [[1.0, 2.0], [8.0, 9.0], [10.0, 11.0]]
    assert [kept[0] for kept in batch.kept] == ["x", "y", None, None, "é", "w", "v", "'u"]
    with pytest.raises(DataError, match="line 3, column 'a'"):
        list(
            batches(
                CsvRows(lines("a,b,id\n" + "\n".join(MIXED)), "f.csv", ",", Features(("a", "b")), ()), False
            )
        )


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 7))
def test_the_first_fault_of_the_text_is_raised_wherever_batches_are_cut(good, size):
    text = "a,b\n" + "".join("1,2\n" if one else ("x,2\n" if i % 2 else "1\n") for i, one in enumerate(good))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_PER_BATCH", size)
        found = list(batches(CsvRows(lines(text), "f", ",", Features(("a", "b")), ()), True))
        assert [len(batch.rows) for batch in found[:-1]] == [size] * (len(found) - 1)
        assert [i not in batch.faults for batch in found for i in range(len(batch.rows))] == good
        if all(good):
            return
        with pytest.raises(DataError, match=f"line {good.index(False) + 2}[,:]"):
            list(batches(CsvRows(lines(text), "f", ",", Features(("a", "b")), ()), False))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
@pytest.mark.slow
def test_what_is_copied_from_json_reads_back_the_same(value):
    text = json.dumps({"a": 1, "id": value})
    (batch,) = batches(JsonRows(lines(text), "f", Features(("a",)), ("id",)), False)
    assert json.loads(batch.kept[0][0]) == value


@pytest.mark.parametrize("value", ["NaN", "[Infinity]", "1e999", "[" * 200_000 + "]" * 200_000])
def test_what_cannot_be_copied_as_json_is_a_fault(value):
    text = f'{{"a": 1, "id": {value}}}\n{{"a": 2, "id": 3}}\n'
    (batch,) = batches(JsonRows(lines(text), "f", Features(("a",)), ("id",)), True)
    assert list(batch.faults) == [0]
    assert batch.kept[1] == ["3"]


def test_a_line_without_an_end_is_refused_where_it_gets_too_long(monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_LINE", 100)
    assert next(iter(lines("x" * 99 + "\n"))) == "x" * 99 + "\n"
    with pytest.raises(DataError, match="f, line 2: longer than 100 characters"):
        list(lines("a\n" + "x" * 101))


def test_long_rows_make_small_batches(monkeypatch):
    monkeypatch.setattr(text_rows, "CHARACTERS_PER_BATCH", 1000)
    text = "a,b\n" + f"1,{'2' * 300}\n" * 10
    rows = [
        len(batch.rows) for batch in batches(CsvRows(lines(text), "f", ",", Features(("a",)), ("b",)), False)
    ]
    assert sum(rows) == 10
    assert max(rows) <= 4


def test_keys_that_the_model_does_not_use_are_remembered_up_to_a_number():
    text = "".join(json.dumps({"a": 1, f"key{i}": 2}) + "\n" for i in range(1000))
    rows = JsonRows(lines(text), "f", Features(("a",)), ())
    assert sum(len(batch.rows) for batch in batches(rows, False)) == 1000
    assert len(rows.extra) <= 2 * text_rows.EXTRA_NAMED
