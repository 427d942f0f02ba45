"""`Source`: training and test rows as the stages see them, in memory (`Data`, here) or in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlrq.datasets import Dataset, Split
from mlrq.models.linear import LinearModel
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.rows import Table, TrainingRows
from mlrq.stats.metrics import Metrics, measure

if TYPE_CHECKING:  # it brings Hydra, and workers that only read rows need neither
    from mlrq.models.estimators import Fit, Fitted


class Model(Protocol):
    """Anything that predicts (n, targets) from (n, features) float64 rows."""

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64."""


class About(Protocol):
    """What is said of a dataset; see `mlrq.datasets.Dataset`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def features(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def targets(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Score:
    """How good one model is.

    Attributes:
        train: Its errors on the training rows.
        test: Its errors on the test rows.
        constant: (targets,) whether it predicts the same for every training row.
        distance: Largest difference from the first model's predictions on the test rows.
    """

    train: Metrics
    test: Metrics
    constant: NDArray[np.bool_]
    distance: float


class Source(Protocol):
    """A dataset and its split; `notices` say what to know of its rows."""

    @property
    def dataset(self) -> About: ...  # noqa: D102
    @property
    def test_size(self) -> float: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def train_count(self) -> int: ...  # noqa: D102
    @property
    def test_count(self) -> int: ...  # noqa: D102
    @property
    def notices(self) -> list[str]: ...  # noqa: D102

    def target_spread(self) -> list[float]:
        """Standard deviation of each target over the training rows."""

    def first(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features and targets of the first `count` test rows, or of all if there are fewer."""

    def typical(self) -> NDArray[np.float64]:
        """(n, features) training rows on which to check that a model is what it seems."""

    def fit(self, spec: dict[str, Any], standardize: bool, fit: "Fit") -> "Fitted":
        """The model of `spec` fitted to the training rows, by `fit` where it takes the rows themselves."""

    def training(self, goal: LinearModel | None) -> TrainingRows:
        """The training rows with what `goal` predicts for them, or with their own targets for None."""

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is."""

    def saturated(self, inputs: InputGrid) -> tuple[float, float]:
        """Fractions of the training and of the test cells that saturate, 0 to 1."""


@dataclass(frozen=True)
class Data:
    """A dataset in memory and its split; see `Source`."""

    dataset: Dataset
    parts: Split
    test_size: float
    seed: int

    @property
    def train_count(self) -> int:
        """Number of training rows."""
        return len(self.parts.train_rows)

    @property
    def test_count(self) -> int:
        """Number of test rows."""
        return len(self.parts.test_rows)

    @property
    def notices(self) -> list[str]:
        """None."""
        return []

    def target_spread(self) -> list[float]:
        """Standard deviation of each target over the training rows."""
        spread: list[float] = self.parts.train_values.std(axis=0).tolist()
        return spread

    def first(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features and targets of the first `count` test rows."""
        return self.parts.test_rows[:count], self.parts.test_values[:count]

    def typical(self) -> NDArray[np.float64]:
        """All training rows."""
        return self.parts.train_rows

    def fit(self, spec: dict[str, Any], standardize: bool, fit: "Fit") -> "Fitted":
        """What `fit` returns."""
        rows, values = self.parts.train_rows, self.parts.train_values
        return fit(rows, values, spec, standardize, self.dataset.features, self.dataset.targets)

    def training(self, goal: LinearModel | None) -> Table:
        """The training rows with what `goal` predicts for them, or with their own targets for None."""
        rows, values = self.parts.train_rows, self.parts.train_values
        return Table(rows, values, values if goal is None else goal.predict(rows))

    def score(self, models: Sequence[Model]) -> list[Score]:
        """How good each of `models` is."""
        parts, scores = self.parts, []
        reference: NDArray[np.float64] | None = None
        for model in models:
            train, test = model.predict(parts.train_rows), model.predict(parts.test_rows)
            reference = test if reference is None else reference
            scores.append(
                Score(
                    measure(parts.train_values, train),
                    measure(parts.test_values, test),
                    np.asarray(np.ptp(train, axis=0) == 0),
                    float(np.abs(test - reference).max()),
                )
            )
        return scores

    def saturated(self, inputs: InputGrid) -> tuple[float, float]:
        """Fractions of the training and of the test cells that saturate, 0 to 1."""
        return inputs.saturated(self.parts.train_rows), inputs.saturated(self.parts.test_rows)
