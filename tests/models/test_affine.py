"""Folding scikit-learn's estimators into coefficients and an intercept on raw features."""

import warnings
from dataclasses import asdict

import numpy as np
import pytest
from conftest import composed
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
    RANSACRegressor,
    Ridge,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVR, LinearSVR

from mlrq.config import composition, validation
from mlrq.errors import MlrqError
from mlrq.models import estimators
from mlrq.models.affine import fold

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
def test_every_model_option_learns_california(name, parts):
    chosen = asdict(validation.check(composed(f"model={name}")).model)
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


AFFINE = {
    "nested": make_pipeline(make_pipeline(StandardScaler()), Ridge()),
    "columns": make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 3])], remainder="passthrough"), Ridge()
    ),
    "PCA": make_pipeline(StandardScaler(), PCA(4), LinearRegression()),
    "PLS": PLSRegression(3),
    "selected": make_pipeline(SelectKBest(f_regression, k=4), LinearRegression()),
    "union": make_pipeline(make_union(StandardScaler(), PCA(2)), Ridge()),
    "target": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "search": GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=3),
    "RANSAC": RANSACRegressor(random_state=0),
    "linear kernel": SVR(kernel="linear"),
    "squares with weight 0": make_pipeline(PolynomialFeatures(2), Lasso(alpha=1e9)),
}


@pytest.mark.parametrize("name", AFFINE)
def test_whatever_is_affine_folds(name):
    assert_folds(AFFINE[name].fit(ROWS, VALUES), ROWS)


def test_regressors_of_several_outputs_fold():
    assert_folds(MultiOutputRegressor(Ridge()).fit(ROWS, TWO), ROWS, targets=2)
    assert_folds(PLSRegression(3).fit(ROWS, TWO), ROWS, targets=2)


def test_columns_chosen_by_name_fold():
    pandas = pytest.importorskip("pandas")
    chosen = ColumnTransformer([("a", StandardScaler(), ["x0", "x3"]), ("b", "passthrough", ["x9"])])
    estimator = make_pipeline(chosen, Ridge()).fit(pandas.DataFrame(ROWS, columns=NAMES), VALUES)
    model = fold(estimator, NAMES, ("y",), ROWS)
    expected = estimator.predict(pandas.DataFrame(ROWS, columns=NAMES))
    assert np.allclose(model.predict(ROWS)[:, 0], expected, rtol=1e-9, atol=0)


def test_features_far_from_zero_and_of_any_size_keep_their_digits():
    sizes = 10.0 ** np.arange(-12, 13)[:, None]
    rows = (np.random.default_rng(0).normal(size=(25, 400)) * sizes + 1e6 * sizes).T
    values = (rows / sizes.T).sum(axis=1)
    assert_folds(make_pipeline(StandardScaler(), LinearRegression()).fit(rows, values), rows)


def test_the_largest_deviation_is_told_with_its_row():
    rows = np.arange(12.0).reshape(6, 2)
    rows[3] = 100.0
    estimator = make_pipeline(MinMaxScaler(clip=True), LinearRegression())
    estimator.fit(rows[[0, 1, 2, 4, 5]], np.arange(5.0))
    with pytest.raises(MlrqError, match=r"is not linear: for row \d it predicts .* away from"):
        fold(estimator, ("a", "b"), ("y",), rows)


NOT_LINEAR = [
    (PoissonRegressor(), "PoissonRegressor"),
    (RandomForestRegressor(n_estimators=2), "RandomForestRegressor"),
    (SVR(kernel="rbf"), "SVR"),
    (make_pipeline(PolynomialFeatures(2), LinearRegression()), "PolynomialFeatures"),
    (make_pipeline(KBinsDiscretizer(), LinearRegression()), "KBinsDiscretizer"),
    (make_pipeline(MinMaxScaler(clip=True), LinearRegression()), "MinMaxScaler"),
    (make_pipeline(FunctionTransformer(np.log1p), LinearRegression()), "FunctionTransformer"),
    (make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=2)), "RandomForestRegressor"),
    (TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), "TransformedTargetRegressor"),
    (LogisticRegression(), "LogisticRegression"),
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
    with pytest.raises(MlrqError, match="Ridge cannot predict: NotFittedError"):
        fold(Ridge(), NAMES, ("y",), ROWS)


def test_an_estimator_of_other_features_is_refused():
    with pytest.raises(MlrqError, match="fitted on 10 features, but the dataset has 4"):
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


def test_a_constant_beside_the_intercept_is_part_of_the_model():
    class Shifted(LinearRegression):
        def predict(self, rows):
            return super().predict(rows) + 1e-5 * np.abs(VALUES).max()

    assert_folds(Shifted().fit(ROWS, VALUES), ROWS)
