"""Standard errors and what follows from them, for the models that have any: least squares on these rows."""

import numpy as np
from numpy.typing import NDArray

from mlrq.artifacts.documents import FloatArtifact
from mlrq.models.closed_form import fit
from mlrq.models.linear import LinearModel
from mlrq.stats.regression import Regression, regressions
from mlrq.stats.robust import CLASSICAL, basis, with_errors
from mlrq.stats.summary import Summary
from mlrq.streaming.train_test import TrainTest

LEAST_SQUARES = {"_target_": "sklearn.linear_model.LinearRegression"}
SAME = 1e-6  # standard errors by which a fit elsewhere may differ from ours: rounding, and far from a penalty


def statistics(summary: Summary, origin: FloatArtifact) -> list[Regression] | str:
    """The statistics of a float model, one for each target, or why there are none.

    A model that was fitted elsewhere has them where its weights are those of least squares on the same rows.

    Args:
        summary: Of its training rows.
        origin: The model.
    """
    described = origin.training.estimator
    parameters = described["estimator"]
    name = str(parameters["_target_"]).rpartition(".")[2]
    if "file" in described:
        return _fitted_elsewhere(summary, origin.model, name)
    if name != "LinearRegression" or parameters.get("positive"):
        held = "LinearRegression with positive=true" if name == "LinearRegression" else name
        return f"{held} is not least squares, whose errors are known"
    has_intercept = parameters.get("fit_intercept", True)
    if described["standardize"] and not has_intercept:
        return "standardized features without an intercept have one that was not estimated"
    return regressions(summary, origin.model.coefficients, origin.model.intercept if has_intercept else None)


def robust(data: TrainTest, found: list[Regression] | str, kind: str) -> list[Regression] | str:
    """`found`, of `statistics`, with standard errors of `kind` (see `mlrq.stats.robust`), in one pass."""
    if isinstance(found, str) or kind == CLASSICAL:
        return found
    width, first = len(data.features), found[0]
    known = basis(data.summary, np.stack([one.coefficients[:width] for one in found]), first.has_intercept)
    return with_errors(found, known, kind, data.robust_triangles(known, kind))


def _fitted_elsewhere(summary: Summary, model: LinearModel, name: str) -> list[Regression] | str:
    """The statistics of a model whose weights are those of least squares; else that they are not."""
    has_intercept = bool(model.intercept.any())
    spec = LEAST_SQUARES | {"fit_intercept": has_intercept}
    best = fit(summary, spec, False, model.features, model.targets).model
    found = regressions(summary, model.coefficients, model.intercept if has_intercept else None)
    if isinstance(found, str):
        return found
    pairs = zip(found, _all(best, has_intercept), strict=True)
    if all(_same(one.coefficients, own, one.errors) for one, own in pairs):
        return found
    return f"{name} was fitted elsewhere, and its weights are not those of least squares on these rows"


def _all(model: LinearModel, has_intercept: bool) -> NDArray[np.float64]:
    """(targets, p) weights, then the intercept where there is one."""
    return np.column_stack([model.coefficients, *([model.intercept] if has_intercept else [])])


def _same(given: NDArray[np.float64], best: NDArray[np.float64], errors: NDArray[np.float64]) -> bool:
    """Whether weights differ by rounding; where features explain each other (NaN errors), none of them do."""
    return bool((np.abs(given - best) <= SAME * errors).all())
