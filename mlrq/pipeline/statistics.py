"""Standard errors and what follows from them, for the models that have any: least squares, fitted here."""

from mlrq.artifacts.documents import FloatArtifact
from mlrq.stats.regression import Regression, regressions
from mlrq.stats.summary import Summary


def statistics(summary: Summary, origin: FloatArtifact) -> list[Regression] | str:
    """The statistics of a float model, one for each target, or why there are none.

    Args:
        summary: Of its training rows.
        origin: The model.
    """
    described = origin.training.estimator
    parameters = described["estimator"]
    name = str(parameters["_target_"]).rpartition(".")[2]
    if "file" in described:
        return f"{name} was fitted elsewhere, to rows that are not known"
    if name != "LinearRegression" or parameters.get("positive"):
        held = "LinearRegression with positive=true" if name == "LinearRegression" else name
        return f"{held} is not least squares, whose errors are known"
    has_intercept = parameters.get("fit_intercept", True)
    if described["standardize"] and not has_intercept:
        return "standardized features without an intercept have one that was not estimated"
    return regressions(summary, origin.model.coefficients, origin.model.intercept if has_intercept else None)
