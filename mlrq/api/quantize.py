"""`quantize` and `load`: the stages train and quantize on tables and estimators in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrq.api.model import Kept, QuantizedModel
from mlrq.api.prepare import prepare
from mlrq.api.summary import Rows
from mlrq.artifacts import documents
from mlrq.artifacts.json_document import read_document
from mlrq.config import values
from mlrq.config.schema import QuantizationConfig
from mlrq.datasets.split import Split
from mlrq.pipeline.quantize import quantize_model
from mlrq.pipeline.results import Trained
from mlrq.pipeline.save import CERTIFICATE
from mlrq.pipeline.verify import MAKE_CERTIFICATE
from mlrq.pipeline.width import told
from mlrq.streaming.train_test import TrainTest


def quantize(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
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
    nodes: int = 50_000_000,
    seconds: float = 60.0,
    max_r2_drop: float | str | None = "auto",
    strict: bool = False,
    certificate: bool | str = "auto",
    columns: dict[str, str] | None = None,
    missing: str = "error",
    missing_values: Sequence[str] | None = None,
    rare_below: int = 0,
    unknown: str = "error",
    split: str = "hash",
    test_size: float = 0.0,
    seed: int = 42,
    name: str = "table",
    source: str = "a table in memory",
) -> QuantizedModel:
    """Make the integer model of a linear regressor.

    The artifact is the one that the command writes: for the same numbers, names, split and settings its bytes
    are those of `quantized.json`, but for two texts that say where the numbers came from, `training.dataset`
    and `training.source`, and the hash that seals them. Pass the command's `name` and `source` (of
    `dataset=csv`: "rows.csv" and "rows.csv (CSV, 1 piece)") and all bytes are the same. A fitted estimator is
    recorded as the joblib file that `joblib.dump(model, "model.joblib")` writes, which is what the command
    is given as `model_path=model.joblib`. Two tables with more rows than one batch has (a million numbers)
    may be added up in another order than the pieces of a file: then the last digits of floats may differ.

    Args:
        model: A fitted regressor that is linear in its features (of scikit-learn, a Pipeline of it, results
            of statsmodels), or the name of an option of the model group, such as "ridge", which is fitted
            here.
        X: Rows: NumPy, pandas, polars, Arrow, or nested lists. Names of columns are kept, and have to be
            those that the estimator was fitted on; without names its own are taken, else x0, x1, ...
        y: Targets. None takes the model's own predictions, which is enough for the codes of a fitted model,
            for they follow its predictions and not the targets. What compares with the truth (the guard's R2,
            the spread of the target) is then of the predictions.
        sample_weight: (n,) what each row counts, 0 or more; None is 1. All means that are taken of rows are
            weighted: what is fitted here, what codes minimize, R2 and errors. A row of 0 is as good as
            absent. A fitted estimator is taken as it is.
        bits: See docs/configuration.md for this and all others up to `certificate`: the group `quantization`.
        tolerance: Excess that bits="auto" allows, as a part of the residual variance.
        grids: Of which bits="auto" takes the one of the least payload: "any", or a list of names such as
            "per_tensor/affine"; None for that of granularity and scheme.
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
        interval: Probability that the truth is within the ends of `predict_interval`, such as 0.9; None for
            no interval. A fifth of the rows that are not to test are set aside for it, and a model that is
            fitted here does not see them; one that was fitted elsewhere must not have seen them.
        nodes: Most lower bounds for rounding="exact".
        seconds: Most seconds of rounding="exact".
        max_r2_drop: Drop of training R2 that the guard lets pass.
        strict: Make what the guard objects to an error.
        certificate: Whether to make what `verify` checks.
        columns: What columns of X are, by name: "numeric", "boolean", "categorical" or "drop". Text is
            categories anyway; see docs/data.md for this and the next four. Of a fitted Pipeline, they say
            what the integer model takes, which then has to predict what the Pipeline does.
        missing: What a missing cell does: "error", "mean", "indicator" or "drop".
        missing_values: Texts and numbers that mean one, beside None, NaN, "" and "null".
        rare_below: Categories of fewer training rows share a feature.
        unknown: What a category does that no training row has: "error" or "baseline".
        split: How test rows are chosen; the command's `dataset.split`, as the next two.
        test_size: Fraction of the rows that are held out. The command's default is 0.2, here all rows count.
        seed: Of the split.
        name: What the artifact calls the rows.
        source: Where the artifact says that they came from.

    Raises:
        MlrqError: One line, in the words of the command.

    Example:
        >>> import mlrq
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import Ridge
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> model = mlrq.quantize(Ridge(alpha=0.1).fit(X, y), X, y, bits=4)
        >>> round(model.score(X, y), 2)
        0.51
    """
    settings = values.quantization(
        bits=bits, tolerance=tolerance, grids=grids, scheme=scheme, granularity=granularity,
        rounding=rounding, intercept=intercept, refit_intercept=refit_intercept, inputs=inputs,
        calibration=calibration, percentile=percentile, feature_scale=feature_scale,
        output_range=output_range, interval=interval, nodes=nodes, seconds=seconds, max_r2_drop=max_r2_drop,
        strict=strict, certificate=certificate,
    )  # fmt: skip
    values.require_split(split, test_size, seed)
    rules = values.rules(columns, missing, missing_values, rare_below, unknown)
    divided = Split(split, test_size, seed, interval is not None)
    data, trained = prepare(model, X, y, divided, (name, source), sample_weight, rules)
    return made(data, trained, settings)


def made(data: TrainTest, trained: Trained, settings: QuantizationConfig) -> QuantizedModel:
    """The integer model of a float model, as the stage quantize makes it."""
    limits = settings.max_r2_drop, settings.strict
    result = quantize_model(
        data, trained.artifact, settings, *limits, settings.certificate, settings.wanted, settings.interval
    )
    notices = *data.notices, *trained.notices, *result.guard.notices, *told(result)
    rows = Rows(data.summary, bool(result.guard.saturated[0]))
    return QuantizedModel(Kept(result.artifact, result.certificate), trained.artifact, notices, rows)


def load(path: str | Path) -> QuantizedModel:
    """Read a model that `QuantizedModel.save` or the command wrote.

    Args:
        path: `quantized.json`, or the folder that it is in. What is beside it of `float.json` and
            `certificate.json`, of the same model, is read too.

    Raises:
        MlrqError: If it is missing, damaged, or makes no sense.
    """
    place = Path(path)
    place = place / documents.QUANTIZED if place.is_dir() else place
    artifact = documents.read_quantized(place)
    exact, proof = place.parent / documents.FLOAT, place.parent / CERTIFICATE
    origin = documents.read_float(exact) if exact.exists() else None
    if origin and origin.training != artifact.training:
        origin = None
    found = read_document(proof, "certificate", 1, MAKE_CERTIFICATE) if proof.exists() else None
    if found and found.get("quantized") != documents.sha256(artifact):
        found = None
    return QuantizedModel(Kept(artifact, found), origin)
