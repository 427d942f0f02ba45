"""The triangle by matrix products is Householder's, or there is none."""

import numpy as np
import pytest

from mlrq.cholesky_qr import ALIGNED, triangle
from mlrq.triangle import triangularise


def table(columns: int, rows: int, seed: int = 0) -> np.ndarray:
    """Correlated columns, as rows, that end in zeros."""
    generator = np.random.default_rng(seed)
    made = generator.normal(size=(columns, rows)) + generator.normal(size=rows) + 3
    made[:, rows - 100 :] = 0
    return made


@pytest.mark.parametrize("columns", [1, 2, 8, 9, 16, 17, 65, 130])
@pytest.mark.parametrize("rows", [ALIGNED, 5 * ALIGNED])
def test_it_is_the_triangle_of_a_qr_factorisation(columns, rows):
    given = table(columns, rows)
    before = given.copy()
    found = triangle(given)
    expected = np.linalg.qr(given.T, mode="r")
    expected *= np.sign(np.diag(expected))[:, None]
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert (np.tril(found, -1) == 0).all()
    assert np.array_equal(given, before)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e6])
def test_the_scale_of_a_column_costs_nothing(scale):
    given = table(9, 4096)
    factor = np.ones(9)
    factor[[2, 5]] = scale
    scaled = triangle(given * factor[:, None])
    assert scaled is not None
    np.testing.assert_allclose(scaled / factor, triangle(given), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-4])
def test_nearly_equal_columns_keep_their_digits_or_are_left_to_reflections(apart):
    given = table(12, 8192)
    given[7] = given[6] + apart * given[7]
    found = triangle(given)
    if found is None:
        assert apart < 1e-2
        return
    # as good as backward stability promises: each column of the residual is small beside that column
    reference = triangularise(given.T)
    error = np.abs(found - reference).max(axis=0)
    assert (error <= 1e-12 * np.linalg.norm(given, axis=1)).all()
    assert abs(found[7, 7] / reference[7, 7] - 1) < 1e-15 / apart**2 + 1e-12


@pytest.mark.parametrize("spoil", ["equal", "zero", "nan", "inf", "huge", "tiny", "late"])
def test_there_is_none_where_it_would_lose_digits(spoil):
    given = table(6, 8192)
    if spoil == "late":  # independent in the head, dependent in almost all other rows
        given[4, 1000:] = given[3, 1000:] * 1e6
        given[3, 1000:] *= 1e6
    else:
        given[4] = {
            "equal": given[3],
            "zero": 0.0,
            "nan": np.nan,
            "inf": np.inf,
            "huge": given[4] * 1e200,
            "tiny": given[4] * 1e-200,
        }[spoil]
    assert triangle(given) is None
