"""`QuantizedRegressor`: a scikit-learn regressor that predicts with the integer model of another."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from mlrq.api import columns
from mlrq.api.quantize import made, quantize
from mlrq.api.tables import encoded
from mlrq.config import values
from mlrq.datasets.column_rules import ColumnRules
from mlrq.datasets.encoding import Cells, Encoding
from mlrq.datasets.split import Split, set_aside
from mlrq.errors import MlrqError
from mlrq.models import pretrained
from mlrq.models.estimators import build_estimator
from mlrq.pipeline.adopt import adopt

Numbers = NDArray[np.float64]
RULES = ("columns", "missing", "missing_values", "rare_below", "unknown")
OTHERS = ("estimator", *RULES)  # parameters that are no keys of the quantization group


class Varying:
    """A fitted regressor as a function of the columns that vary in the training rows.

    Args:
        estimator: Fitted on all columns.
        rows: (n, features) that it was fitted on; the others keep the values that they have there.
        varies: (features,) whether each column does.
    """

    def __init__(self, estimator: Any, rows: Numbers, varies: NDArray[np.bool_]) -> None:
        self._estimator, self._row, self._varies = estimator, rows[0].copy(), varies

    def predict(self, rows: Numbers) -> Numbers:
        """(n,) or (n, targets) predictions of (n, varying features) rows."""
        whole = np.tile(self._row, (len(rows), 1))
        whole[:, self._varies] = rows
        names = getattr(self._estimator, "feature_names_in_", None)
        return np.asarray(self._estimator.predict(_named(whole, names)), dtype=np.float64)


class QuantizedRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A linear regressor whose predictions are those of its integer model.

    `fit` fits a clone of `estimator`, then quantizes it on the same rows, as `mlrq.quantize` does with the
    same settings, whose words its errors have, as ValueError. Columns that are the same in all rows are left
    out of the integer model. Needs scikit-learn 1.6.

    With sample weights, the estimator is fitted with them, and what codes minimize is weighted too: a row of
    weight 3 counts for three rows, one of weight 0 is as good as absent.

    Args:
        estimator: A regressor that is linear in its features; None is LinearRegression(). Or the name of an
            option of the model group, such as "ridge", for the estimator that its file describes.
        bits: This and all others: see `mlrq.quantize`.
        tolerance: Excess that bits="auto" allows, as a part of the residual variance.
        grids: Of which bits="auto" takes the one of the least payload.
        scheme: What the codes stand for.
        granularity: What shares a grid.
        rounding: How codes are chosen.
        intercept: Format of the intercept.
        refit_intercept: Make the mean error on the training rows what it was before.
        inputs: What inference computes with.
        calibration: Range of integer inputs.
        percentile: Percent left out at each end by calibration="percentile".
        feature_scale: Factors of granularity="per_feature".
        output_range: Limits that predictions are clamped to.
        interval: Probability that the truth is within the ends of `predict_interval`; a fifth of the rows is
            set aside for it, which the estimator is not fitted to either. Not with sample weights.
        nodes: Most lower bounds for rounding="exact"; fewer than elsewhere, for a search fits often.
        seconds: Most seconds of rounding="exact".
        max_r2_drop: Drop of training R2 that the guard lets pass.
        strict: Make what the guard objects to an error.
        certificate: Whether to make what `verify` of `quantized_` checks.
        columns: What columns of X are, by name (x0, x1, ... of an array): "numeric", "boolean",
            "categorical" or "drop". Text in a DataFrame is categories anyway.
        missing: What a missing cell does: "error", "mean", "indicator" or "drop", which drops rows in `fit`.
        missing_values: Texts and numbers that mean one, beside None, NaN, "" and "null".
        rare_below: Categories of fewer training rows share a feature.
        unknown: What a category does in `predict` that no training row has: "error", or "baseline", which
            counts it as the most frequent one.

    Attributes:
        estimator_: The fitted estimator; of categories and missing cells, on the features they became.
        quantized_: The integer model, a `mlrq.QuantizedModel` of the columns that vary.
        coef_: (features,) or (targets, features) weights that the codes stand for; where columns became
            features, those of `quantized_.features`.
        intercept_: The intercept; (targets,) of several.
        n_features_in_: Number of columns of X.

    Example:
        >>> from mlrq import QuantizedRegressor
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import GridSearchCV
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> search = GridSearchCV(QuantizedRegressor(), {"bits": [2, 4, 8]}).fit(X, y)
        >>> [round(float(score), 2) for score in search.cv_results_["mean_test_score"]]
        [0.48, 0.48, 0.48]
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        bits: int | str = 8,
        tolerance: float = 0.01,
        grids: str | list[str] | None = None,
        scheme: str = "symmetric",
        granularity: str = "per_tensor",
        rounding: str = "exact",
        intercept: str = "auto",
        refit_intercept: bool = True,
        inputs: str = "float",
        calibration: str = "minmax",
        percentile: float = 0.1,
        feature_scale: str = "std",
        output_range: str | None = None,
        interval: float | None = None,
        nodes: int = 1_000_000,
        seconds: float = 60.0,
        max_r2_drop: float | str | None = "auto",
        strict: bool = False,
        certificate: bool | str = False,
        columns: dict[str, str] | None = None,
        missing: str = "error",
        missing_values: Sequence[str] | None = None,
        rare_below: int = 0,
        unknown: str = "error",
    ) -> None:
        self.estimator = estimator
        self.bits = bits
        self.tolerance = tolerance
        self.grids = grids
        self.scheme = scheme
        self.granularity = granularity
        self.rounding = rounding
        self.intercept = intercept
        self.refit_intercept = refit_intercept
        self.inputs = inputs
        self.calibration = calibration
        self.percentile = percentile
        self.feature_scale = feature_scale
        self.output_range = output_range
        self.interval = interval
        self.nodes = nodes
        self.seconds = seconds
        self.max_r2_drop = max_r2_drop
        self.strict = strict
        self.certificate = certificate
        self.columns = columns
        self.missing = missing
        self.missing_values = missing_values
        self.rare_below = rare_below
        self.unknown = unknown

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the estimator, and quantize it.

        Args:
            X: (n, features) rows.
            y: (n,) or (n, targets) targets.
            sample_weight: (n,) weights, where the estimator takes some.

        Raises:
            ValueError: If the rows do not serve, the estimator is not linear, or a setting is not allowed.
        """
        self._encoding: Encoding | None = None
        try:
            rules = values.rules(**{name: getattr(self, name) for name in RULES})
            estimator = self._unfitted()
            cells = columns.found(X, rules)
            if cells is not None:
                self._fit_columns(estimator, X, cells, y, sample_weight, rules or ColumnRules())
                return self
        except MlrqError as error:
            raise ValueError(str(error)) from error
        rows, targets = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        weight = self._weights(estimator, sample_weight, rows)
        more = {} if weight is None else {"sample_weight": weight}
        names = getattr(self, "feature_names_in_", None)
        # As `quantize` finds them, by its default split.
        seen = ~set_aside(0, len(rows), self._split())
        if not seen.any():
            raise ValueError(f"interval={self.interval}: needs more samples than {len(rows)}")
        self.estimator_ = estimator.fit(_named(rows[seen], names), targets[seen], **more)
        self._flat = targets.ndim == 1
        if weight is not None:
            kept = weight > 0
            rows, targets, seen, weight = rows[kept], targets[kept], seen[kept], weight[kept]
        try:
            self._quantize(rows, targets, names, weight, seen)
        except MlrqError as error:
            raise ValueError(str(error)) from error
        return self

    def _unfitted(self) -> Any:
        """The estimator to fit."""
        if isinstance(self.estimator, str):
            found = asdict(values.model(self.estimator))
            return build_estimator(found["estimator"], found["standardize"])
        return LinearRegression() if self.estimator is None else clone(self.estimator)

    def _weights(self, estimator: Any, sample_weight: Any, rows: Any) -> Numbers | None:
        """(n,) weights of `rows` that the estimator takes; None where there are none."""
        if sample_weight is None:
            return None
        if not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(f"{type(estimator).__name__} takes no sample weights")
        weight: Numbers = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError("sample_weight: all are 0")
        if self.interval is not None:
            raise ValueError(f"interval={self.interval}: not with sample_weight")
        return weight

    def _split(self) -> Split:
        return Split("hash", 0.0, 42, calibrate=self.interval is not None)

    def _settings(self) -> dict[str, Any]:
        """The keys of the quantization group."""
        return {name: value for name, value in self.get_params(deep=False).items() if name not in OTHERS}

    def _fit_columns(
        self, estimator: Any, X: Any, cells: dict[str, Cells], y: Any, sample_weight: Any, rules: ColumnRules
    ) -> None:
        """Fit to a table whose columns become features: learn these, then fit and quantize on them."""
        settings = values.quantization(**self._settings())
        validate_data(self, X, skip_check_array=True)
        targets = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(X, targets)
        self._flat = targets.ndim == 1
        shaped = targets.reshape(len(targets), -1)
        weight = self._weights(estimator, sample_weight, shaped)
        given = columns.Columns(cells, shaped, weight)
        data, counts = columns.first_pass(given, replace(rules, split=self._split()), type(self).__name__)
        rows, actual = data.training_rows(type(estimator).__name__)
        more = {} if weight is None else {"sample_weight": counts}
        fitted = estimator.fit(_named(rows, data.features), actual[:, 0] if self._flat else actual, **more)
        self.estimator_ = fitted
        trained = adopt(data, pretrained.given(fitted))
        self.quantized_ = made(data, trained, settings)
        self._encoding = data.encoding
        self._keep(np.ones(len(data.features), dtype=bool))

    def _quantize(
        self,
        rows: Numbers,
        targets: Numbers,
        names: Any,
        weight: Numbers | None,
        seen: NDArray[np.bool_],
    ) -> None:
        """Make the integer model, of the columns that vary in the rows that were `seen` in training."""
        varies = rows[seen].min(axis=0) < rows[seen].max(axis=0)
        if len(rows) == 1 or not varies.any():
            what = "1 sample" if len(rows) == 1 else "features that are all constant"
            raise MlrqError(f"{what}: nothing to learn from")
        every = [f"x{i}" for i in range(len(varies))] if names is None else list(map(str, names))
        given = self.estimator_ if varies.all() else Varying(self.estimator_, rows[seen], varies)
        settings = self._settings()
        # As many rows as features are asked for. All of them several times have the same mean squared error.
        times = -(-int(varies.sum()) // len(rows))
        if times > 1 and self.interval is not None:
            raise MlrqError(f"interval={self.interval}: needs more samples than features")
        rows, targets = np.concatenate([rows] * times), np.concatenate([targets] * times)
        settings["sample_weight"] = None if weight is None else np.concatenate([weight] * times)
        table = _Columns([name for name, kept in zip(every, varies, strict=True) if kept], rows[:, varies])
        self.quantized_ = quantize(given, table, targets, name=type(self).__name__, **settings)
        if times > 1:
            self.quantized_._rows = None  # of rows that are there several times, errors would be too small
        self._keep(varies)

    def _keep(self, varies: NDArray[np.bool_]) -> None:
        """Keep the weights of the integer model, 0 for features that do not vary, and its intercept."""
        weights = np.zeros((len(self.quantized_.targets), len(varies)))
        weights[:, varies] = self.quantized_.weights
        self._varies = varies
        self.coef_ = weights[0] if self._flat else weights
        self.intercept_ = float(self.quantized_.intercept[0]) if self._flat else self.quantized_.intercept

    def predict(self, X: Any) -> Numbers:
        """(n,) or (n, targets) predictions of the integer model, as the targets were."""
        check_is_fitted(self)
        rows = self._rows(X)
        predicted = self.quantized_.artifact.model.predict(rows)
        return predicted[:, 0] if self._flat else predicted

    def predict_interval(self, X: Any) -> tuple[Numbers, Numbers]:
        """Low and high ends of the intervals around the predictions, each as `predict` returns them.

        Raises:
            ValueError: If `interval` was None.
        """
        check_is_fitted(self)
        model, rows = self.quantized_.artifact.model, self._rows(X)
        if model.interval is None:
            raise ValueError("the model has no interval: make it with interval=0.9, say")
        low, high = model.ends(rows)
        return (low[:, 0], high[:, 0]) if self._flat else (low, high)

    def _rows(self, X: Any) -> Numbers:
        """(n, features) inputs of the integer model.

        Raises:
            ValueError: If columns are others, or a cell does not fit its column.
        """
        if self._encoding is None:
            rows: Numbers = validate_data(self, X, dtype=np.float64, reset=False)
            return rows[:, self._varies]
        validate_data(self, X, reset=False, skip_check_array=True)
        try:
            return encoded(X, self._encoding, unknown=self.unknown)
        except MlrqError as error:
            raise ValueError(str(error)) from error

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


class _Columns:
    """An array with names for its columns."""

    def __init__(self, names: list[str], cells: Numbers) -> None:
        self.columns, self._cells = names, cells

    def __getitem__(self, name: str) -> Numbers:
        return self._cells[:, self.columns.index(name)]


def _named(rows: Numbers, names: Any) -> Any:
    """A DataFrame where there are names and pandas is installed: what selects columns by name needs one."""
    if names is None:
        return rows
    try:
        import pandas
    except ImportError:
        return rows
    return pandas.DataFrame(rows, columns=list(names))
