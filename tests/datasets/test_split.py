"""Which rows are test rows, by either rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.intervals import set_aside as documented
from support.tables import hashed, shuffled, split_by_scikit_learn

from mlrq.datasets.memory import of_arrays, shuffle
from mlrq.datasets.parts import Part, Stream
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.datasets.split import shuffled as permuted
from mlrq.errors import MlrqError
from mlrq.streaming.reader import Reader


def table(rows, features=2, targets=1, seed=0):
    generator = np.random.default_rng(seed)
    return of_arrays(
        "t", "made here", tuple(f"x{i}" for i in range(features)), tuple(f"y{i}" for i in range(targets)),
        generator.normal(size=(rows, features)), generator.normal(size=(rows, targets)),
    )  # fmt: skip


def changed(stream, row, column, value):
    """`stream` with another number in one of its cells."""
    (batch,) = stream.kept[stream.parts[0].start]
    batch[column, row] = value
    return stream


def hold_split_as_scikit_learn(stream, test_size, seed):
    found = shuffled(stream, test_size, seed)
    expected = split_by_scikit_learn(stream, test_size, seed)
    count = len(expected.test_rows)
    assert (found.train_count, found.test_count) == (len(expected.train_rows), count)
    for ours, theirs in zip(
        (*found.training_rows("this test"), *found.first(count)),
        (expected.train_rows, expected.train_values, expected.test_rows, expected.test_values),
        strict=True,
    ):
        assert ours.tolist() == theirs.tolist()


@given(st.integers(3, 300), st.floats(0.001, 0.999), st.integers(0, 2**32 - 1))
def test_shuffled_rows_are_those_of_scikit_learn_one_by_one(rows, test_size, seed):
    stream = table(rows)
    if rows - np.ceil(test_size * rows) < 2:
        with pytest.raises(MlrqError, match="for training"):
            shuffled(stream, test_size, seed)
    else:
        hold_split_as_scikit_learn(stream, test_size, seed)


@given(
    rows=st.integers(20, 400),
    groups=st.lists(st.integers(1, 90), min_size=1, max_size=6),
    size=st.integers(1, 100),
    test_size=st.floats(0.0, 0.9),
    seed=st.integers(0, 2**32 - 1),
)
def test_calibration_rows_are_those_of_the_position_in_any_batch_and_split(
    rows, groups, size, test_size, seed
):
    split = Split("hash", test_size, seed, calibrate=True)
    count, tests = sum(groups), hashed_rows(0, sum(groups), split)
    train, test = numbers(groups, size, split)
    aside = np.flatnonzero(documented(count, tests, seed)).tolist()
    assert test == np.flatnonzero(tests).tolist()
    assert sorted([*train, *test, *aside]) == list(range(count))
    # The same hash decides among the training rows of a permutation.
    numbered = of_arrays("t", "", ("x",), ("y",), np.arange(float(rows))[:, None], np.ones((rows, 1)))
    order, first = permuted(rows, Split("shuffle", test_size, seed))
    held = shuffle(numbered, Split("shuffle", test_size, seed, calibrate=True))
    chosen = np.zeros(rows, dtype=bool)
    chosen[order[:first]] = True
    kinds = [(part.test, part.aside, held.kept[part.start][0][0].astype(int)) for part in held.parts]
    kept = [found for test, aside, found in kinds if aside]
    assert (
        sorted(np.concatenate(kept).tolist() if kept else [])
        == np.flatnonzero(documented(rows, chosen, seed)).tolist()
    )


@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.25, 0.3, 0.5])
@pytest.mark.parametrize("seed", [0, 42])
def test_the_split_of_california_is_that_of_scikit_learn(california, test_size, seed):
    hold_split_as_scikit_learn(california, test_size, seed)


@pytest.mark.parametrize("how", [shuffled, hashed])
def test_without_a_test_size_every_row_is_a_training_row(how):
    stream = table(101)
    found = how(stream, 0.0)
    assert (found.train_count, found.test_count, found.notices) == (101, 0, [])
    together = np.hstack(found.training_rows("this test"))
    assert sorted(together.tolist()) == sorted(stream.kept[0][0].T.tolist())


@pytest.mark.parametrize("how", [shuffled, hashed])
@pytest.mark.parametrize(("rows", "features"), [(0, 1), (1, 1), (1, 2), (5, 8), (8, 9), (10, 10)])
def test_too_few_rows_are_refused(how, rows, features):
    told = r"leaves? \d for training" if rows == 10 else "but"
    with pytest.raises(MlrqError, match=rf"t: {rows} rows?,? {told}.* at least {max(2, features)}") as caught:
        how(table(rows, features), 0.2, 42)
    assert len(str(caught.value).splitlines()) == 1


def test_as_many_training_rows_as_features_are_enough():
    assert shuffled(table(10, 8), 0.2, 42).train_count == 8


@pytest.mark.parametrize(("how", "test_size"), [(shuffled, 0.01), (hashed, 0.02)])
def test_a_single_test_row_is_noted_and_has_no_r2(how, test_size):
    found = how(table(50), test_size, 13)
    assert found.test_count == 1
    assert found.notices == [
        "t: 50 rows leave 1 for the test, but R2 needs 2: add rows or raise dataset.test_size"
    ]


@pytest.mark.parametrize("how", [shuffled, hashed])
@pytest.mark.parametrize(("kind", "column", "name"), [("feature", 2, "x2"), ("target", 4, "y1")])
def test_a_constant_column_is_refused_by_name(how, kind, column, name):
    stream = changed(table(50, 3, 2), slice(None), column, 7.5)
    with pytest.raises(MlrqError, match=rf"constant {kind} .*'{name}' \(always 7\.5\)"):
        how(stream)


@pytest.mark.parametrize("how", [shuffled, hashed])
def test_a_column_that_is_constant_only_in_the_training_rows_is_refused(how):
    stream = changed(table(50), slice(None), 0, np.arange(50.0))
    test = how(stream).first(1)[0][0, 0]
    changed(stream, slice(None), 0, 1.0)
    changed(stream, int(test), 0, 2.0)
    with pytest.raises(MlrqError, match="constant feature"):
        how(stream)


def test_the_hash_of_the_data_tells_every_change_and_no_split():
    stream = table(5, seed=3)
    rows, values = stream.kept[0][0][:2].T, stream.kept[0][0][2:].T
    same = of_arrays(
        "other name", "other source", stream.features, stream.targets, rows.copy(), values.copy()
    )
    known = shuffled(stream).sha256
    for other in (shuffled(same), shuffled(stream, 0.3, 5), hashed(stream, 0.0), shuffled(stream, 0.0)):
        assert other.sha256 == known
    other = changed(table(5, seed=3), 3, 1, np.nextafter(rows[3, 1], np.inf))
    hashes = {known, shuffled(other).sha256}
    hashes.add(shuffled(of_arrays("t", "", ("x0", "z"), stream.targets, rows, values)).sha256)
    hashes.add(shuffled(of_arrays("t", "", stream.features, ("z",), rows, values)).sha256)
    assert len(hashes) == 4


def test_a_row_is_a_test_row_whatever_batch_it_is_in():
    split = Split("hash", 0.2, 42)
    whole = hashed_rows(0, 10_000, split)
    pieces = [hashed_rows(i, 700, split) for i in range(0, 10_000, 700)]
    assert np.array_equal(np.concatenate(pieces)[:10_000], whole)
    assert not np.array_equal(hashed_rows(0, 10_000, Split("hash", 0.2, 43)), whole)
    # Five standard deviations of a binomial count.
    assert abs(whole.sum() - 2000) < 5 * np.sqrt(10_000 * 0.2 * 0.8)


class Numbered(Stream):
    """A table of row numbers in batches of any size."""

    def __init__(self, size):
        super().__init__(name="n", source="", features=("row",), targets=("half",), parts=())
        object.__setattr__(self, "size", size)

    def read(self, part, faults=None):
        for start in range(part.start, part.start + part.rows, self.size):
            rows = np.arange(start, min(start + self.size, part.start + part.rows), dtype=float)
            yield np.stack([rows, rows / 2])


def numbers(groups, size, split):
    """Of the training and of the test rows of a table in row groups, read in batches of `size`."""
    starts = np.cumsum([0, *groups]).tolist()
    parts = [Part("f", i, starts[i], rows, None) for i, rows in enumerate(groups)]
    reader = Reader(Numbered(size), split)
    found = []
    for test in (False, True):
        pairs = [pair for part in parts for pair in reader.rows(part, test)]
        assert all(np.array_equal(x / 2, y) for x, y in pairs)
        found.append(np.concatenate([x[:, 0] for x, _ in pairs]).astype(int).tolist())
    return found


@given(
    groups=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    others=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    sizes=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    test_size=st.floats(0.0, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_hash_is_of_rows_and_not_of_batches_or_row_groups(groups, others, sizes, test_size, seed):
    split = Split("hash", test_size, seed)
    train, test = numbers(groups, sizes[0], split)
    assert sorted(train + test) == list(range(sum(groups)))
    both = min(sum(groups), sum(others))  # as far as the two tables are the same rows
    for one, two in zip((train, test), numbers(others, sizes[1], split), strict=True):
        assert [row for row in one if row < both] == [row for row in two if row < both]
