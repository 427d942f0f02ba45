"""Rows beyond the ranges of a model are counted as they saturate, and told in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.exporting import artifact, random_model

from mlrq.pipeline.ranges import Beyond, Ranges, ranges


def float_ranges() -> Ranges:
    return Ranges(("a", "b"), np.array([0.0, -1.0]), np.array([4.0, 1.0]), None)


def counted(known: Ranges, rows: np.ndarray) -> Beyond:
    return known.count(rows, known.outside(rows))


def test_a_float_model_knows_the_range_of_its_training_rows_ends_included():
    rows = np.array([[0.0, -1.0], [4.0, 1.0], [50.0, 0.0], [-3.0, 2.0], [5.0, 0.5]])
    found = counted(float_ranges(), rows)
    assert (found.rows, found.count, found.counts.tolist()) == (5, 3, [3, 1])
    assert float_ranges().note(found) == [
        "3 of 5 rows beyond the range of the training rows, so the model extrapolates: "
        "a in 3 rows, down to -3, up to 50 (range 0 to 4); b in 1 row, up to 2 (range -1 to 1)"
    ]


def test_nothing_is_said_where_nothing_lies_beyond():
    known = float_ranges()
    assert known.note(known.nothing()) == []
    assert known.note(counted(known, np.array([[1.0, 0.0]]))) == []


@given(st.lists(st.lists(st.floats(-10, 10), min_size=2, max_size=2), max_size=20), st.integers(0, 20))
def test_tallies_of_parts_add_up_to_that_of_the_whole(table, cut):
    known, rows = float_ranges(), np.array(table).reshape(-1, 2)
    whole, parts = counted(known, rows), counted(known, rows[:cut]) + counted(known, rows[cut:])
    assert (whole.rows, whole.count) == (parts.rows, parts.count)
    for name in ("counts", "low", "high"):
        assert getattr(whole, name).tolist() == getattr(parts, name).tolist()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_model_of_integer_inputs_counts_what_its_codes_cannot_hold(bits):
    model = random_model(np.random.default_rng(bits), input_bits=bits, features=3)
    known, grid = ranges(artifact(model)), model.inputs
    scale, offset = grid.scale.astype(float), grid.offset.astype(float)
    ends = [scale * code + offset for code in (grid.low, grid.high)]
    assert known.low.tolist() == ends[0].tolist()
    assert known.high.tolist() == ends[1].tolist()
    rows = np.array([ends[0], ends[1], ends[0] - 0.4 * scale, ends[1] + 0.4 * scale])
    assert counted(known, rows).count == 0  # the nearest code is the last one
    rows = np.array([ends[0] - scale, ends[1] + scale, ends[1] * [1, 1, 0] + [0, 0, offset[2]]])
    found = counted(known, rows)
    assert (found.count, found.counts.tolist()) == (2, [2, 2, 2])
    assert "predicted as if at its end" in known.note(found)[0]


def test_the_note_names_three_features_the_most_frequent_first_and_stays_one_line():
    names = ("a\x1b[31m", "b" * 300, "c", "d", "e")
    known = Ranges(names, np.zeros(5), np.ones(5), None)
    rows = np.array([[2, 2, 2, 2, 2], [2, 2, 2, 0, 0], [2, 2, 0, 0, 0], [2, 0, 0, 0, 0]], dtype=float)
    (note,) = known.note(counted(known, rows))
    assert note.index(r"a\x1b[31m in 4 rows") < note.index("characters]") < note.index("c in 2 rows")
    assert note.endswith("; and 2 more features")
    assert len(note) < 400
