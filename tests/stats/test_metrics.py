"""Our measures against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import max_error, mean_absolute_error, mean_squared_error, r2_score

from mlrq.stats.metrics import deviations, merge, tally, verdict

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 6))
TABLES = st.tuples(st.integers(2, 30), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(arrays(float, shape, elements=NUMBERS), arrays(float, shape, elements=NUMBERS))
)


@given(TABLES)
def test_measures_are_those_of_scikit_learn(tables):
    actual, predicted = tables
    found = tally(actual, predicted).metrics()
    assert found.mse == pytest.approx(mean_squared_error(actual, predicted), rel=1e-12)
    assert found.mean_absolute_error == pytest.approx(mean_absolute_error(actual, predicted), rel=1e-12)
    assert found.max_error == max(max_error(a, p) for a, p in zip(actual.T, predicted.T, strict=True))
    expected = r2_score(actual, predicted)
    assert found.r2 == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("predicted", [[3.0, 3.0, 3.0], [3.0, 3.0, 4.0]])
def test_a_target_without_variance_scores_as_in_scikit_learn(predicted):
    actual, predicted = np.full((3, 1), 3.0), np.array(predicted)[:, None]
    assert tally(actual, predicted).metrics().r2 == r2_score(actual, predicted)


def test_r2_is_the_even_mean_over_targets():
    actual = np.array([[0.0, 0.0], [1.0, 1000.0], [2.0, 2000.0]])
    predicted = actual + np.array([[0.5, 0.0]])
    assert tally(actual, predicted).metrics().r2 == (1 - 0.75 / 2 + 1) / 2


def test_tallies_of_batches_are_those_of_all_rows():
    generator = np.random.default_rng(0)
    actual, predicted = generator.normal(size=(2, 5000, 2)) + 1e6
    found = tally(actual[:0], predicted[:0])
    for start in range(0, 5000, 333):
        batch = slice(start, start + 333)
        found = merge(found, tally(actual[batch], predicted[batch]))
    assert found.metrics().r2 == pytest.approx(r2_score(actual, predicted), rel=1e-12)
    assert found.metrics().mse == pytest.approx(mean_squared_error(actual, predicted), rel=1e-12)
    expected = mean_absolute_error(actual, predicted)
    assert found.metrics().mean_absolute_error == pytest.approx(expected, rel=1e-12)
    assert found.metrics().max_error == np.abs(actual - predicted).max()


@pytest.mark.parametrize("shapes", [((3, 1), (2, 1)), ((3, 1), (3,)), ((3, 2), (3, 1))])
def test_shapes_that_do_not_match_are_refused(shapes):
    with pytest.raises(ValueError, match="shapes do not fit"):
        tally(*(np.zeros(shape) for shape in shapes))


def test_no_rows_have_no_errors():
    with pytest.raises(ValueError, match="no rows"):
        tally(np.zeros((0, 1)), np.zeros((0, 1))).metrics()


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0.0, "good"),
        (0.0999, "good"),
        (0.1, "acceptable"),
        (0.999, "acceptable"),
        (1.0, "poor"),
        (9.0, "poor"),
    ],
)
@pytest.mark.parametrize(
    "unit",
    [1.0, 1024.0],  # a power of two, so that the limits themselves stay exact
)
def test_the_verdict_has_the_published_limits_in_units_of_the_spread(largest, expected, unit):
    differences = np.array([[0.0], [-largest * unit], [0.05 * largest * unit]])
    assert verdict(deviations(differences, np.array([unit]))) == expected


def test_the_worst_target_decides_the_verdict():
    differences, spread = np.array([[0.5, 0.5]]), np.array([1.0, 100.0])
    assert verdict(deviations(differences, spread)) == "acceptable"
    assert verdict(deviations(differences, np.array([100.0, 100.0]))) == "good"
