"""What one field of a document says of another: shapes, counts, settings, limits, excess and certificate.

Each function raises ValueError, which says what is wrong in a few words.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mlrq.artifacts.schema import FIRST_ROWS, FLOAT32_MOST, Float, Quantized, Training, Within
from mlrq.datasets.encoding import CATEGORICAL, Encoding, category
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import FEATURE_SCALES, INPUTS, ROUNDINGS, SCHEMES

# Of rounding, as fractions: of an excess that was added up in another order; of predictions, twice, squared.
SUMMED, ROUNDED = 1e-6, 1e-12


def require(rules: Iterable[tuple[Any, str]]) -> None:
    """Raise ValueError with the text of the first of `rules` that does not require."""
    for holds, text in rules:
        if not holds:
            raise ValueError(text)


def array(name: str, values: list[Any], shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """`values` as finite numbers of `shape` and `dtype`; whether that rounds them is not asked here."""
    kind = np.dtype(dtype)
    try:
        with np.errstate(all="ignore"):
            made = np.array(values, dtype=kind)
    except (ValueError, OverflowError):  # ragged, or more than fits
        made = np.empty(0)
    require([(made.shape == shape and np.isfinite(made).all(), f"{name}: expected {kind} of shape {shape}")])
    return made


def distinct(name: str, names: list[str]) -> tuple[str, ...]:
    """`names`, each once."""
    require([(len(set(names)) == len(names), f"{name}: expected distinct names")])
    return tuple(names)


def require_training(told: Training, features: list[str], count: int) -> None:
    """Require where a model came from to fit its features and `count` targets, and itself."""
    width = len(features)
    low, high = array("training.input_range", told.input_range, (2, width), np.float64)
    called = [told.estimator["estimator"], *told.estimator.get("before", [])]
    require(
        [
            (len(told.target_spread) == count, "training.target_spread: expected one for each target"),
            ((low <= high).all(), "training.input_range: expected the low ends before the high ones"),
            (
                told.split == "files" or told.test_size or not told.test_rows,
                "training.test_rows: expected none",
            ),
            (
                all(isinstance(one.get("_target_"), str) for one in called),
                "training.estimator: names no class",
            ),
        ]
    )
    if told.columns is not None:
        require_columns(told.columns, features)


def require_columns(told: Encoding, features: list[str]) -> None:
    """Require columns that make sense by themselves, and become `features`."""
    where = "training.columns"
    for one in told.columns:
        texts = (*one.categories, *one.rare)
        require(
            [
                (
                    bool(one.categories) == (one.kind == CATEGORICAL),
                    f"{where}: categories are not of the kind",
                ),
                (one.kind == CATEGORICAL or not one.rare, f"{where}: rare categories are not of the kind"),
                (len(set(texts)) == len(texts), f"{where}: expected distinct categories"),
                (all(text == category(text) for text in texts), f"{where}: has what is never a category"),
                (one.fill is not None or not one.indicator, f"{where}: an indicator needs a fill"),
                (one.kind != CATEGORICAL or not one.fill, f"{where}: categories are filled with 0"),
            ]
        )
    distinct(where, list(told.names))
    require([(told.features == tuple(features), f"{where}: do not become the features")])


def require_first(told: Float) -> None:
    """Require one first prediction for each of the first rows."""
    training = told.training
    count = min(FIRST_ROWS, training.test_rows or training.train_rows)
    require([(len(told.first_predictions) == count, f"first_predictions: expected those of {count} rows")])


def require_interval(told: Within, model: Quantized) -> None:
    """Require an interval that the calibration rows can give, in the units of the model."""
    from mlrq.stats.conformal import rank  # and the fractions that few artifacts need

    kind, rows = int if model.inputs else float, model.training.calibration_rows
    alike = all(type(one) is kind for one in told.half_width)
    require(
        [
            (rows is not None, "interval: no rows were set aside to calibrate it on"),
            (rank(told.level, rows or 0) is not None, "interval.level: takes more calibration rows"),
            (alike, f"interval.half_width: expected {kind.__name__} numbers"),
            (model.output_range is None, "interval: not with an output range"),
        ]
    )


def require_settings(told: Quantized) -> None:
    """Require that a document fits the settings that it says it was made with."""
    settings = told.settings
    require((False, f"settings.{fault}") for fault in settings.faults())
    factor_bits = FEATURE_SCALES[settings.feature_scale].bits if settings.granularity == "per_feature" else 0
    formats = {"auto": ("float32", "float64")}.get(settings.intercept, (settings.intercept,))
    formats = ("int32", "int64") if told.inputs else formats
    proof, input_bits = told.certificate, told.inputs.bits if told.inputs else 0
    require(
        [
            (told.bits == settings.bits, "bits: are not those of the settings"),
            (told.factor_bits == factor_bits, "factor_bits: are not those of the settings"),
            (bool(told.factor_bits) == (told.factor is not None), "factor: is not that of the settings"),
            (input_bits == INPUTS[settings.inputs].bits, "inputs.bits: are not those of the settings"),
            (told.intercept_format in formats, "intercept_format: is not that of the settings"),
            (
                (told.output_range is None) == (settings.output_range is None),
                "output_range: is not that of the settings",
            ),
            (
                (proof is not None) == ROUNDINGS[settings.rounding].together,
                "certificate: is not that of the rounding",
            ),
            (not (proof and proof.optimal and proof.gap), "certificate: is optimal, and has a gap"),
        ]
    )


def require_model(model: QuantizedLinear) -> None:
    """Require codes, zero points, offsets, factors and limits to fit their scheme and granularity."""
    scheme = SCHEMES[model.scheme]
    low, high = scheme.limits(model.bits)
    zero, grids = model.zero_point, (model.scale, model.zero_point, model.offset)
    shared = model.granularity != "per_channel"
    limits = model.output_range
    with np.errstate(all="ignore"):
        finite = np.isfinite(model.weights).all() and np.isfinite(model.intercept_value).all()
    require(
        [
            (((model.codes >= low) & (model.codes <= high)).all(), f"codes: expected {low} to {high}"),
            (((zero >= min(low, 0)) & (zero <= high)).all(), f"zero_point: expected {min(low, 0)} to {high}"),
            (scheme.zero_point or not zero.any(), "zero_point: expected 0 in this scheme"),
            (scheme.offset or not model.offset.any(), "offset: expected 0 in this scheme"),
            (
                not shared or all((grid == grid[0]).all() for grid in grids),
                "scale: expected one grid for all targets",
            ),
            (
                model.factor_bits != 8 or (np.frexp(model.factor)[0] == 0.5).all(),
                "factor: expected powers of two",
            ),
            (limits is None or (limits[0] <= limits[1]).all(), "output_range: expected low before high"),
            (finite, "scale: expected weights that are finite"),
            (not model.overflows, "scale: expected predictions that float32 can hold"),
            (_resolved(model), "inputs.scale: expected ranges that float32 can hold"),
        ]
    )


def _resolved(model: QuantizedLinear) -> bool:
    """Whether both ends of each integer input are float32 numbers, or next to one."""
    grid = model.inputs
    if grid is None:
        return True
    ends = [grid.scale.astype(np.float64) * end + grid.offset for end in (grid.low, grid.high)]
    return bool((np.abs(ends) <= 2 * FLOAT32_MOST).all())


def require_excess(model: QuantizedLinear, told: Quantized) -> None:
    """Require an excess not below the certificate's bound, nor above it by more than its gap and storing.

    The certificate is of real scales and of the best intercept. Storing the scale moves predictions by
    2^-24 of themselves, storing the intercept by half a unit of its format; one that was not refitted may be
    anywhere.
    """
    if told.certificate is None:
        return
    low, high = np.array(told.training.input_range)
    with np.errstate(all="ignore"):
        span = high - low + (model.inputs.scale if model.inputs else 0.0)
        reach = float(np.square((np.abs(model.weights) * span).sum(axis=1)).sum())
        unit = model.scale if model.intercept.dtype.kind == "i" else 2.0**-23 * np.abs(model.intercept)
        stored = float(np.square(unit.astype(np.float64)).sum())
    least, excess = told.certificate.lower_bound, told.excess
    slack = ROUNDED * reach
    most = (least + told.certificate.gap) * (1 + SUMMED) + slack + stored
    require(
        [
            (not least * (1 - SUMMED) - slack > excess, "excess: is below the certificate's lower bound"),
            (
                not told.settings.refit_intercept or not excess > most,
                "excess: is above the certificate's lower bound and gap",
            ),
        ]
    )
