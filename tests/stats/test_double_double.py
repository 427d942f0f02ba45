"""Twice the precision, against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.stats.double_double import add, divide, multiply, refined, two_product, two_sum

NUMBERS = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100)


def exact(value):
    return Fraction(float(value[0])) + Fraction(float(value[1]))


def double(high, low):
    """A number of twice the precision: `low` is made small beside `high`."""
    return two_sum(np.float64(high), np.float64(low) * abs(np.float64(high)) * 2.0**-400)


@given(NUMBERS, NUMBERS)
def test_a_sum_and_a_product_of_floats_lose_nothing(a, b):
    assert exact(two_sum(np.float64(a), np.float64(b))) == Fraction(a) + Fraction(b)
    assert exact(two_product(np.float64(a), np.float64(b))) == Fraction(a) * Fraction(b)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_sums_products_and_quotients_have_a_hundred_bits(a, b, c, d):
    one, two = double(a, b), double(c, d)
    sizes = abs(exact(one)) + abs(exact(two))
    assert abs(exact(add(one, two)) - exact(one) - exact(two)) <= sizes / 2**100
    product = exact(one) * exact(two)
    assert abs(exact(multiply(one, two)) - product) <= abs(product) / 2**100
    if c:
        quotient = exact(one) / Fraction(c)
        assert abs(exact(divide(one, np.float64(c))) - quotient) <= abs(quotient) / 2**100


@pytest.mark.parametrize("exponent", [0, 4, 8])
def test_a_refined_triangle_is_the_exact_one_rounded(exponent):
    """The least squares weights of nearly equal columns, whose exact values are known, say so."""
    generator = np.random.default_rng(exponent)
    table = generator.integers(-1000, 1000, size=(3, 40)) * 2.0**20
    table[1] = table[0] + np.rint(table[1] * 10.0**-exponent)
    table[2] += 3 * table[0] - 2 * table[1]
    rough = np.linalg.qr(table.T, mode="r")
    rough *= np.sign(np.diag(rough))[:, None]
    found = refined((table, np.zeros_like(table)), rough)
    columns = [[Fraction(x) for x in row] for row in table.tolist()]
    gram = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in columns] for p in columns]
    for i in range(3):  # Cholesky's algorithm, but for the root of the pivot
        for j in range(i, 3):
            expected = float(gram[i][j]) / np.sqrt(float(gram[i][i]))
            assert abs(found[i, j] - expected) <= 4 * np.spacing(abs(expected)), (i, j)
        for p in range(i + 1, 3):
            ratio = gram[p][i] / gram[i][i]
            gram[p] = [a - ratio * b for a, b in zip(gram[p], gram[i], strict=True)]
