"""The triangle of rows in batches is as good as Householder's of all of them, whatever the rows are."""

import numpy as np
import pytest

from mlrq.stats.summarize import gather, summarize
from mlrq.stats.summary import combine


def table(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    """Correlated columns, as rows."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(columns, rows)) + generator.normal(size=rows) + 3


def reflected(rows: np.ndarray) -> np.ndarray:
    """The triangle of the centred table by LAPACK, with a positive diagonal."""
    found = np.linalg.qr((rows - rows.mean(axis=1)[:, None]).T, mode="r")
    return found * np.sign(np.diag(found))[:, None]


def hold_as_good_as_reflections(found: np.ndarray, rows: np.ndarray) -> None:
    """What backward stability promises: the error of each column is small beside that column."""
    lengths = np.linalg.norm(rows - rows.mean(axis=1)[:, None], axis=1)
    error = np.abs(found.T @ found - (reflected(rows).T @ reflected(rows)))
    assert (error <= 1e-13 * np.outer(lengths, lengths)).all()
    assert (np.tril(found, -1) == 0).all()


@pytest.mark.few(15)
@pytest.mark.parametrize("columns", [1, 2, 8, 17, 65, pytest.param(130, marks=pytest.mark.slow)])
@pytest.mark.parametrize("rows", [200, 600, 3000])
@pytest.mark.parametrize("size", [100, 256, 1000, 3000])
def test_it_is_the_triangle_of_a_qr_factorisation_however_the_rows_are_cut(columns, rows, size):
    given = table(columns, rows)
    before = given.copy()
    found = gather((given[:, start : start + size] for start in range(0, rows, size)), columns, 0)
    hold_as_good_as_reflections(found.triangle, given)
    np.testing.assert_allclose(found.mean, given.mean(axis=1), rtol=1e-14)
    assert np.array_equal(given, before)


@pytest.mark.parametrize("rows", [200, 4096])
@pytest.mark.parametrize("scale", [1e-120, 1e-8, 1e6, 1e90])
def test_the_unit_of_a_column_costs_nothing(rows, scale):
    given = table(9, rows)
    factor = np.ones(9)
    factor[[2, 5]] = scale
    plain, scaled = (gather([part], 9, 0).triangle for part in (given, given * factor[:, None]))
    np.testing.assert_allclose(scaled / factor, plain, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("rows", [200, 8192])
@pytest.mark.parametrize("apart", [1e-2, 1e-5, 1e-8, 1e-12, 0])
def test_nearly_equal_columns_keep_their_digits(rows, apart):
    given = table(12, rows)
    given[7] = given[6] + apart * given[7]
    hold_as_good_as_reflections(gather([given], 12, 0).triangle, given)
    if apart > 1e-9:
        found, expected = gather([given], 12, 0).triangle[7, 7], reflected(given)[7, 7]
        assert abs(found / expected - 1) < 1e-13 / apart


@pytest.mark.parametrize("order", ["sorted", "constant at first", "rare", "dependent at first", "far away"])
def test_first_rows_that_are_unlike_the_others_cost_no_digits(order):
    given = table(6, 20_000)
    if order == "sorted":
        given = given[:, np.argsort(given[2])]
    elif order == "constant at first":
        given[3, :300] = 5
    elif order == "rare":
        given[3] = np.random.default_rng(2).random(20_000) < 1e-3
    elif order == "far away":
        given[3, 300:] += 1e6
    else:
        given[4, :300] = 2 * given[1, :300] - given[3, :300]
    for size in (20_000, 3000):
        batches = [given[:, start : start + size] for start in range(0, 20_000, size)]
        hold_as_good_as_reflections(gather(batches, 6, 0).triangle, given)


@pytest.mark.parametrize(("columns", "scale"), [(5, 1e3), (7, 1e5), (9, 1e8)])
def test_columns_that_depend_on_each_other_in_a_chain_keep_their_digits(columns, scale):
    """None is explained by those before it, but each by all the others."""
    generator = np.random.default_rng(columns)
    chain = np.eye(columns)
    for j in range(1, columns):
        chain[j, j], chain[j - 1, j] = np.sqrt(0.02), -np.sqrt(0.98)
    first, later = generator.standard_normal((1024, columns)), generator.standard_normal((60_000, columns))
    given = np.concatenate([first, scale * later @ chain]).T.copy()
    found, expected = gather([given], columns, 0).triangle, reflected(given)
    assert np.abs(np.diag(found) / np.diag(expected) - 1).max() < 1e-8


def test_many_rows_cost_no_more_digits_than_few():
    """Of a million rows of whole numbers, whose scatter is known exactly."""
    rows = np.random.default_rng(4).integers(-99, 99, size=(4, 1_000_000))
    sums = rows.sum(axis=1)
    exact = (rows @ rows.T * 1_000_000 - np.outer(sums, sums)) / 1_000_000
    found = gather((rows[:, i : i + 65_536].astype(float) for i in range(0, 1_000_000, 65_536)), 4, 0)
    error = np.abs(found.triangle.T @ found.triangle - exact) / exact.max()
    assert error.max() < 1e-13


@pytest.mark.parametrize("rows", [100, 3000])
def test_the_bits_do_not_depend_on_the_layout_of_the_rows(rows):
    x, y = np.split(table(6, rows).T, [5], axis=1)
    one, two = (summarize(make(x), make(y)) for make in (np.ascontiguousarray, np.asfortranarray))
    assert one.triangle.tobytes() == two.triangle.tobytes()


@pytest.mark.parametrize("cuts", [(), (1,), (7, 8, 90), tuple(range(1, 150))])
def test_few_rows_have_the_same_bits_in_any_parts(cuts):
    x, y = np.split(table(6, 150).T, [5], axis=1)
    whole = summarize(x, y)
    parts = combine(summarize(*part) for part in zip(np.split(x, cuts), np.split(y, cuts), strict=True))
    assert parts.triangle.tobytes() == whole.triangle.tobytes()
    assert (parts.mean + parts.mean_rest).tobytes() == (whole.mean + whole.mean_rest).tobytes()
