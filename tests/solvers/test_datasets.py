"""The solvers on real data: the figures that the product promises."""

from dataclasses import dataclass

import numpy as np
import pytest
from support.tables import split_by_scikit_learn

from mlrq.datasets import california_housing
from mlrq.datasets import diabetes as diabetes_dataset
from mlrq.datasets.parts import Stream
from mlrq.solvers.problem import FloatArray
from mlrq.solvers.solve import Rounding, Solution, solve
from mlrq.stats.summarize import summarize
from mlrq.stats.summary import Summary

RAW_EXCESS = {2: 0.04057, 3: 0.02778, 4: 0.01735, 5: 0.01688, 6: 0.00748}


@dataclass(frozen=True)
class Split:
    """Rows of a dataset and the summary of its training rows."""

    train: FloatArray
    train_target: FloatArray
    test: FloatArray
    test_target: FloatArray

    @property
    def summary(self) -> Summary:
        """Summary of the training rows."""
        return summarize(self.train, self.train_target)

    def divided(self) -> "Split":
        """Features in units of their population standard deviation over the training rows."""
        deviation = self.train.std(axis=0)
        return Split(self.train / deviation, self.train_target, self.test / deviation, self.test_target)

    def test_r2(self, solution: Solution) -> float:
        """R2 on the test rows, with the intercept refitted on the training rows."""
        weights = solution.scale[0] * (solution.codes[0] - solution.zero_point[0])
        intercept = self.train_target.mean() - self.train.mean(axis=0) @ weights
        residual = self.test_target - self.test @ weights - intercept
        return float(1 - (residual**2).mean() / self.test_target.var())


def rows(dataset: Stream) -> Split:
    parts = split_by_scikit_learn(dataset)
    return Split(parts.train_rows, parts.train_values[:, 0], parts.test_rows, parts.test_values[:, 0])


@pytest.fixture(scope="module")
def california() -> Split:
    """California Housing: 16,512 training rows, eight raw features."""
    return rows(california_housing.load("embedded"))


@pytest.fixture(scope="module")
def diabetes() -> Split:
    """Diabetes: 353 training rows, ten features."""
    return rows(diabetes_dataset.load())


def quantized(split: Split, bits: int, rounding: Rounding = "exact", **options: bool) -> Solution:
    summary = split.summary
    return solve(
        summary.feature_triangle,
        summary.target_columns,
        -(2 ** (bits - 1)),
        2 ** (bits - 1) - 1,
        rounding=rounding,
        **options,
    )


def test_four_bit_optimum_of_divided_california(california: Split) -> None:
    divided = california.divided()
    solution = quantized(divided, 4)
    assert solution.certificate.optimal
    assert solution.codes.tolist() == [[7, 1, -3, 3, 0, 0, -7, -7]]
    assert solution.excess == pytest.approx(0.004298, abs=1e-6)
    assert round(divided.test_r2(solution), 4) == 0.5776


@pytest.mark.few(24)
@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("units", ["raw", "divided"])
@pytest.mark.parametrize("dataset", ["california", "diabetes"])
def test_every_width_is_certified_and_no_solver_beats_a_better_one(
    dataset: str, units: str, affine: bool, bits: int, request: pytest.FixtureRequest
) -> None:
    table: Split = request.getfixturevalue(dataset)
    table = table.divided() if units == "divided" else table
    nearest = quantized(table, bits, "nearest", affine=affine)
    babai = quantized(table, bits, "babai", affine=affine)
    exact = quantized(table, bits, "exact", affine=affine)
    assert exact.certificate.optimal
    assert exact.certificate.gap == 0
    assert exact.excess <= babai.excess <= nearest.excess
    assert nearest.certificate.lower_bound <= exact.excess
    assert babai.certificate.lower_bound <= exact.excess


@pytest.mark.parametrize("bits", range(2, 17))
def test_raw_california_keeps_its_accuracy_at_every_width(california: Split, bits: int) -> None:
    assert california.test_r2(quantized(california, bits)) > 0.56


@pytest.mark.parametrize(("bits", "excess"), RAW_EXCESS.items())
def test_raw_california_excess(california: Split, bits: int, excess: float) -> None:
    assert quantized(california, bits).excess == pytest.approx(excess, abs=1e-5)


def test_raw_california_excess_at_eight_bits(california: Split) -> None:
    assert quantized(california, 8).excess == pytest.approx(0.000904, abs=1e-6)


def test_excess_is_the_error_added_on_the_training_rows(california: Split) -> None:
    solution = quantized(california, 5)
    centred = california.train - california.train.mean(axis=0)
    target = california.train_target - california.train_target.mean()
    best = np.linalg.lstsq(centred, target)[0]
    weights = solution.scale[0] * solution.codes[0]
    added = ((target - centred @ weights) ** 2).mean() - ((target - centred @ best) ** 2).mean()
    assert solution.excess == pytest.approx(added, rel=1e-9)
