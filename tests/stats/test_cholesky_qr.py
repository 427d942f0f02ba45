"""Rows through a basis give Householder's triangle, or are found not to suit it."""

import numpy as np
import pytest

from mlrq import kernel
from mlrq.stats import cholesky_qr, summarize
from mlrq.stats.cholesky_qr import Basis, basis, head_rows, suits
from mlrq.stats.summarize import Seen, gather, settle


def table(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    """Correlated columns, as rows."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(columns, rows)) + generator.normal(size=rows) + 3


def seen(rows: np.ndarray, own: Basis) -> Seen:
    return Seen(own, kernel.gram(rows, own.pivot, own.upper))


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


@pytest.mark.parametrize("columns", [1, 2, 8, 9, 16, 17, 65, 130])
@pytest.mark.parametrize("rows", [600, 3000])
def test_it_is_the_triangle_of_a_qr_factorisation(columns, rows):
    given = table(columns, rows)
    before = given.copy()
    through = seen(given, basis(given))
    assert suits(through.gram)
    found = through.summary(columns)
    expected = reflected(given)
    np.testing.assert_allclose(found.triangle, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(found.mean, given.mean(axis=1), rtol=1e-14)
    assert np.array_equal(given, before)


def test_any_basis_gives_the_same_triangle():
    given = table(7, 5000)
    generator = np.random.default_rng(1)
    for _ in range(20):
        own = basis(given[:, generator.integers(0, 5000, 400)])
        hold_as_good_as_reflections(seen(given, own).summary(7).triangle, given)


@pytest.mark.parametrize("scale", [1e-120, 1e-8, 1e6, 1e120])
def test_the_scale_of_a_column_costs_nothing(scale):
    given = table(9, 4096)
    factor = np.ones(9)
    factor[[2, 5]] = scale
    plain, scaled = (gather([rows], 9, 0).triangle for rows in (given, given * factor[:, None]))
    np.testing.assert_allclose(scaled / factor, plain, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("apart", [1e-2, 1e-5, 1e-8, 1e-12, 0])
def test_nearly_equal_columns_keep_their_digits(apart):
    given = table(12, 8192)
    given[7] = given[6] + apart * given[7]
    hold_as_good_as_reflections(gather([given], 12, 0).triangle, given)
    if apart > 1e-9:
        found, expected = gather([given], 12, 0).triangle[7, 7], reflected(given)[7, 7]
        assert abs(found / expected - 1) < 1e-13 / apart


@pytest.mark.parametrize("order", ["sorted", "constant at first", "rare", "dependent at first"])
def test_first_rows_that_are_unlike_the_others_cost_no_digits(order):
    given = table(6, 20_000)
    first = head_rows(6)
    if order == "sorted":
        given = given[:, np.argsort(given[2])]
    elif order == "constant at first":
        given[3, :first] = 5
    elif order == "rare":
        given[3] = np.random.default_rng(2).random(20_000) < 1e-3
    else:
        given[4, :first] = 2 * given[1, :first] - given[3, :first]
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
    assert not suits(seen(given, basis(given)).gram)
    found, expected = gather([given], columns, 0).triangle, reflected(given)
    assert np.abs(np.diag(found) / np.diag(expected) - 1).max() < 1e-8


def test_the_bits_do_not_depend_on_the_layout_of_the_rows():
    x, y = np.split(table(6, 3000).T, [5], axis=1)
    one, two = (summarize.summarize(make(x), make(y)) for make in (np.ascontiguousarray, np.asfortranarray))
    assert one.triangle.tobytes() == two.triangle.tobytes()


def test_a_batch_that_does_not_suit_gets_a_basis_of_its_own_and_the_next_ones_too():
    given, other = table(5, 2000), table(5, 2000, 1)
    other[4] = other[3] * 1000 + other[4]  # all but explained in the basis of `given`
    first = basis(given)
    assert settle(seen(given, first), given, None, 5).basis is first
    assert not suits(seen(other, first).gram)
    again = settle(seen(other, first), other, None, 5)
    assert isinstance(again, Seen)
    assert again.basis is not first
    assert suits(again.gram)


@pytest.mark.parametrize("spoil", ["equal", "late"])
def test_rows_that_suit_no_basis_are_reflected(spoil):
    given = table(6, 8192)
    if spoil == "equal":  # as many of them as columns
        given = given[:, :6]
    else:  # independent in the first rows, dependent in almost all others
        given[4, 1000:] = given[3, 1000:] * 1e6
        given[3, 1000:] *= 1e6
    own = basis(given)
    assert not suits(seen(given, own).gram)
    found = settle(seen(given, own), given, None, 6)
    assert isinstance(found, summarize.Summary)
    hold_as_good_as_reflections(found.triangle, given)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_a_number_that_squares_to_no_number_suits_nothing(value):
    given = table(4, 1000)
    own = basis(given)
    given[2, 900] = value
    assert not suits(seen(given, own).gram)


def test_columns_of_zeros_have_rows_of_zeros():
    gram = np.array([[4.0, 0, 2], [0, 0, 0], [2, 0, 5]])
    assert suits(gram)
    assert cholesky_qr.root(gram).tolist() == [[2, 0, 1], [0, 0, 0], [0, 0, 2]]
