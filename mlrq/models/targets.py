"""The estimators that a configuration may name by `_target_`: linear regressors of scikit-learn, listed.

A `_target_` names code to call. So it is looked up in this list, by its whole name, and never imported from
where it says. A regressor of another kind, or of one's own, comes in fitted: by `model_path`.
"""

from typing import Any

from mlrq.errors import MlrqError

MODULE = "sklearn.linear_model"
ESTIMATORS = tuple(
    f"{MODULE}.{name}"
    for name in (
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LinearRegression",
        "MultiTaskElasticNet",
        "MultiTaskElasticNetCV",
        "MultiTaskLasso",
        "MultiTaskLassoCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveRegressor",
        "QuantileRegressor",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
        "TheilSenRegressor",
    )
)


def estimator_class(target: str) -> Any:
    """The scikit-learn class that `target` names.

    Raises:
        MlrqError: If it is not in the list, or this installation does not have it.
    """
    if target not in ESTIMATORS:
        raise MlrqError(f"model.estimator._target_={target}: is no linear regressor of {MODULE}")
    try:
        from sklearn import linear_model
    except ModuleNotFoundError as error:
        raise MlrqError(
            f"model.estimator._target_={target}: needs scikit-learn, and this installation can only predict "
            "and evaluate"
        ) from error
    name = target.rpartition(".")[2]
    if not hasattr(linear_model, name):
        raise MlrqError(f"model.estimator._target_={target}: the installed scikit-learn has no {name}")
    return getattr(linear_model, name)
