"""Folding scikit-learn's estimators into coefficients and an intercept on raw features."""

import warnings
from dataclasses import asdict

import numpy as np
import pytest
from conftest import composed
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVR, LinearSVR

from mlrq.config import composition, validation
from mlrq.errors import MlrqError
from mlrq.kernel import affine
from mlrq.kernel.reference import ROWS_PER_PIECE
from mlrq.models import estimators
from mlrq.models.linear import fold

MODELS = sorted(path.stem for path in (composition.CONF / "model").glob("*.yaml"))
ROWS, VALUES = load_diabetes(return_X_y=True, scaled=False)
NAMES = tuple(f"x{i}" for i in range(ROWS.shape[1]))
TWO = np.column_stack([VALUES, np.sqrt(VALUES)])


def assert_folds(estimator, rows, targets=1):
    """The folded model meets the estimator within 1e-9 of the magnitude of the terms."""
    names = tuple(f"x{i}" for i in range(rows.shape[1]))
    outputs = tuple(f"y{i}" for i in range(targets))
    model = fold(estimator, names, outputs, rows)
    assert (model.features, model.targets) == (names, outputs)
    assert model.coefficients.dtype == model.intercept.dtype == np.float64
    assert model.coefficients.shape == (targets, len(names))
    assert model.intercept.shape == (targets,)
    expected = estimator.predict(rows).reshape(len(rows), -1)
    terms = np.abs(rows) @ np.abs(model.coefficients).T + np.abs(model.intercept)
    assert (np.abs(model.predict(rows) - expected) <= 1e-9 * terms).all()
    return model


@pytest.mark.parametrize("standardize", ["true", "false"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_option_folds_with_and_without_standardizing(name, standardize):
    # Gradient descent diverges on raw units, so the features are of one unit here.
    rows = load_diabetes().data
    chosen = validation.check(composed(f"model={name}", f"model.standardize={standardize}")).model
    fitted, _ = estimators.estimate(rows, VALUES[:, None], chosen.estimator, chosen.standardize)
    last = fitted.steps[-1][1] if chosen.standardize else fitted
    assert type(last).__name__ == chosen.estimator["_target_"].rpartition(".")[2]
    for parameter, value in chosen.estimator.items():
        if parameter != "_target_":
            assert last.get_params()[parameter] == value
    assert_folds(fitted, rows)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_option_learns_california(name, data):
    chosen = asdict(validation.check(composed(f"model={name}")).model)
    parts = data.parts
    fitted, _ = estimators.estimate(
        parts.train_rows, parts.train_values, chosen["estimator"], chosen["standardize"]
    )
    model = assert_folds(fitted, parts.train_rows)
    error = model.predict(parts.test_rows) - parts.test_values
    # Gradient descent is thrown by the table's few wild rows of the test, not on the training rows.
    learned = model.predict(parts.train_rows) - parts.train_values
    assert np.square(learned).mean() < 0.8 * np.square(parts.train_values.std())
    assert np.isfinite(error).all()


@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), Ridge(), Lasso(), ElasticNet(), MultiTaskLasso()],
    ids=lambda e: type(e).__name__,
)
def test_several_targets_fold(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these need not converge to be linear
        assert_folds(estimator.fit(ROWS, TWO), ROWS, targets=2)


@pytest.mark.parametrize(
    "scalers",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [StandardScaler(with_mean=False, with_std=False)],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [RobustScaler(with_scaling=False)],
        [RobustScaler(unit_variance=True)],
        [MinMaxScaler()],
        [MinMaxScaler(feature_range=(-3, 5))],
        [MaxAbsScaler()],
        [StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()],
        ["passthrough", StandardScaler(), None],
    ],
    ids=lambda scalers: "+".join(str(scaler) for scaler in scalers),
)
def test_scalers_fold_alone_and_in_a_row(scalers):
    assert_folds(make_pipeline(*scalers, Ridge()).fit(ROWS, VALUES), ROWS)


def test_an_estimator_without_intercept_folds_to_zero():
    model = assert_folds(LinearRegression(fit_intercept=False).fit(ROWS, VALUES), ROWS)
    assert model.intercept.tolist() == [0.0]


def test_a_pipeline_inside_a_pipeline_is_refused_by_name():
    nested = make_pipeline(make_pipeline(StandardScaler()), Ridge()).fit(ROWS, VALUES)
    with pytest.raises(MlrqError, match=r"^Pipeline, a step of the pipeline, cannot be folded"):
        fold(nested, NAMES, ("y",), ROWS)


NOT_LINEAR = [
    (PoissonRegressor(), "PoissonRegressor"),
    (RandomForestRegressor(n_estimators=2), "RandomForestRegressor"),
    (SVR(kernel="rbf"), "SVR"),
    (make_pipeline(PolynomialFeatures(2), LinearRegression()), "PolynomialFeatures"),
    (make_pipeline(PCA(3), LinearRegression()), "PCA"),
    (make_pipeline(StandardScaler(), PCA(), LinearRegression()), "PCA"),
    (make_pipeline(MinMaxScaler(clip=True), LinearRegression()), "MinMaxScaler"),
    (make_pipeline(FunctionTransformer(np.log1p), LinearRegression()), "FunctionTransformer"),
    (make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=2)), "RandomForestRegressor"),
    (TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), "TransformedTargetRegressor"),
    (LogisticRegression(), "LogisticRegression"),
    (StandardScaler(), "StandardScaler"),
]  # fmt: skip


@pytest.mark.parametrize(("estimator", "name"), NOT_LINEAR, ids=[str(name) for _, name in NOT_LINEAR])
def test_what_is_not_linear_is_refused_by_name(estimator, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody needs these to converge
        scaled = StandardScaler().fit_transform(ROWS)
        estimator.fit(np.abs(scaled), VALUES > 150 if name == "LogisticRegression" else VALUES)
    with pytest.raises(MlrqError, match=name) as caught:
        fold(estimator, NAMES, ("y",), np.abs(scaled))
    assert "\n" not in str(caught.value)


def test_an_estimator_that_was_not_fitted_is_refused_by_name():
    with pytest.raises(MlrqError, match="Ridge is not a fitted linear regressor"):
        fold(Ridge(), NAMES, ("y",), ROWS)


def test_an_estimator_of_other_features_is_refused():
    with pytest.raises(MlrqError, match="fitted on 10 features and 1 targets"):
        fold(Ridge().fit(ROWS, VALUES), NAMES[:4], ("y",), ROWS[:, :4])


def test_coefficients_that_are_not_finite_are_refused():
    estimator = Ridge().fit(ROWS, VALUES)
    estimator.coef_[3] = np.nan
    with pytest.raises(MlrqError, match="has coefficients that are not finite"):
        fold(estimator, NAMES, ("y",), ROWS)


def test_a_linear_support_vector_machine_folds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_folds(LinearSVR(max_iter=50).fit(ROWS, VALUES), ROWS)


def test_a_constant_that_coefficients_do_not_explain_is_noticed():
    class Shifted(LinearRegression):
        def predict(self, rows):
            return super().predict(rows) + 1e-5 * np.abs(VALUES).max()

    with pytest.raises(MlrqError, match="Shifted is not linear"):
        fold(Shifted().fit(ROWS, VALUES), NAMES, ("y",), ROWS)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6), st.integers(1, 3))
def test_the_affine_map_is_the_sum_in_the_order_of_the_features(seed, rows, features, targets):
    generator = np.random.default_rng(seed)
    table, weights = generator.normal(size=(rows, features)), generator.normal(size=(targets, features))
    intercept = generator.normal(size=targets)
    expected = []
    for row in table.tolist():
        line = []
        for weight_row, shift in zip(weights.tolist(), intercept.tolist(), strict=True):
            total = 0.0
            for cell, weight in zip(row, weight_row, strict=True):
                total += cell * weight
            line.append(total + shift)
        expected.append(line)
    assert affine(table, weights, intercept).tolist() == expected


def test_a_row_predicts_the_same_bits_alone_and_among_many():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(2 * ROWS_PER_PIECE + 3, 5))
    weights, intercept = generator.normal(size=(2, 5)), generator.normal(size=2)
    together = affine(table, weights, intercept)
    for row in (0, ROWS_PER_PIECE - 1, ROWS_PER_PIECE, 2 * ROWS_PER_PIECE, len(table) - 1):
        assert affine(table[row : row + 1], weights, intercept)[0].tolist() == together[row].tolist()
    assert affine(np.asfortranarray(table), weights, intercept).tolist() == together.tolist()


def test_no_rows_predict_nothing():
    assert affine(np.empty((0, 3)), np.ones((2, 3)), np.zeros(2)).shape == (0, 2)
