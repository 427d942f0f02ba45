"""Split conformal intervals: the rank in rational numbers, MAPIE's numbers, coverage over many splits."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import mlrq
from mlrq.stats.conformal import half_width, rank

# MAPIE 1.6.0, SplitConformalRegressor(LinearRegression().fit(rows[:200]), prefit=True) of scikit-learn 1.9.1,
# conformalized on rows 200 to 329 of diabetes: the half-widths.
MAPIE = {
    0.5: 40.10554597560639,
    0.8: 75.23855731529738,
    0.9: 101.79388614482195,
    0.95: 111.85185595506033,
}


@pytest.mark.parametrize("digits", ["0.5", "0.8", "0.9", "0.95", "0.99", "0.7", "0.3"])
def test_the_rank_is_that_of_the_decimal_digits(digits):
    level = Fraction(digits)
    for count in range(1, 400):
        place = next(k for k in range(1, count + 2) if k >= (count + 1) * level)
        if place <= count:
            assert rank(float(digits), count) == place
            continue
        needed = next(n for n in range(count, 10**6) if math.ceil((n + 1) * level) <= n)
        with pytest.raises(mlrq.MlrqError, match=rf"needs {needed} rows to calibrate on, and has {count}$"):
            rank(float(digits), count)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(mlrq.MlrqError, match=r"level=.*: must be above 0 and below 1"):
        rank(level, 100)


def test_the_half_width_is_a_multiple_of_the_step_and_the_least_that_is_enough():
    rng = np.random.default_rng(0)
    for _ in range(200):
        errors, step = rng.normal(size=50), float(np.float32(rng.uniform(1e-4, 1)))
        exact, wide = half_width(errors, 0.9), half_width(errors, 0.9, step)
        assert exact == sorted(map(abs, errors.tolist()))[45]
        assert Fraction(wide) % Fraction(step) == 0
        assert Fraction(wide) - Fraction(step) < Fraction(exact) <= Fraction(wide)


@pytest.mark.parametrize("level", MAPIE)
def test_half_widths_are_those_of_mapie(level):
    rows, target = load_diabetes(return_X_y=True)
    fitted = LinearRegression().fit(rows[:200], target[:200])
    errors = target[200:330] - fitted.predict(rows[200:330])
    assert half_width(errors, level) == pytest.approx(MAPIE[level], rel=1e-12)


@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_the_ends_are_predictions_less_and_more_the_half_width(inputs):
    rows, target = load_diabetes(return_X_y=True)
    targets = np.column_stack([target, rows[:, 2] * 1000 - target])
    model = mlrq.quantize("linear_regression", rows[:250], targets[:250], bits=4, inputs=inputs)
    low, high = model.predict_interval(rows[350:], calibration=(rows[250:350], targets[250:350]), level=0.8)
    predicted = model.predict(rows[350:])
    assert low.shape == high.shape == predicted.shape
    errors = np.sort(np.abs(targets[250:350] - model.predict(rows[250:350])), axis=0)
    wide = errors[math.ceil(Fraction("80.8")) - 1]
    if inputs == "int8":
        wide = np.array(
            [
                math.ceil(Fraction(a) / Fraction(b)) * float(b)
                for a, b in zip(wide, model.scale.tolist(), strict=True)
            ]
        )
    assert (low == predicted - wide).all()
    assert (high == predicted + wide).all()
    with pytest.raises(mlrq.MlrqError, match="needs 9 rows to calibrate on, and has 8"):
        model.predict_interval(rows[:1], calibration=(rows[:8], targets[:8]))


@pytest.mark.slow
@pytest.mark.parametrize("inputs", ["float", "int8"])
def test_coverage_over_a_thousand_splits_is_within_its_binomial_limits(inputs):
    """One new row a split: a thousand independent draws of all rows."""
    rng, level, inside = np.random.default_rng(1), 0.9, 0
    for _ in range(1000):
        rows = rng.normal(size=(80, 3))
        target = rows @ [1.0, -2.0, 0.5] + rng.standard_t(3, size=80)
        model = mlrq.quantize(
            "linear_regression", rows[:40], target[:40], bits=3, inputs=inputs, certificate=False
        )
        low, high = model.predict_interval(rows[79:], calibration=(rows[40:79], target[40:79]), level=level)
        inside += int(low[0] <= target[79] <= high[0])
    # 39 rows: the rank is 36 of 40, exactly the level.
    least, most = binom.ppf([1e-4, 1 - 1e-4], 1000, level)
    assert least <= inside
    assert inputs == "int8" or inside <= most  # rounding up to the grid may add
