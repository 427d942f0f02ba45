"""Choose grids, codes and the intercept: a `LinearModel` made integer.

What inference sees of a feature is x / factor, or an integer code. Everything is fitted to that: with the
summary of those inputs, the mean squared difference that codes add on the training rows is the quadratic
form ||R (w - scale * step)||^2, whatever the units of the features.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization.grid import stored_scale
from mlrq.quantization.inputs import InputGrid, check_resolution
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import FEATURE_SCALES, ROUNDINGS, SCHEMES
from mlrq.quantization.settings import Settings
from mlrq.solvers.problem import Certificate
from mlrq.solvers.solve import solve
from mlrq.stats.linear_algebra import product, summed
from mlrq.stats.summary import Summary, fit_least_squares

INT32 = np.iinfo(np.int32)
NEGLIGIBLE = 1e-6  # of the variance of a target


@dataclass(frozen=True, eq=False)
class TrainingStatistics:
    """What quantizing needs to know of the training rows.

    Attributes:
        summary: Of the raw features with the targets that codes are fitted to: the rows' own, or a float
            model's predictions.
        low: (columns,) float64 smallest features, then the rows' own smallest targets.
        high: (columns,) float64 largest, likewise.
        inputs: The grids of integer inputs; None for float inputs.
        coded: Summary of the input codes with the same targets, where inputs are integers.
    """

    summary: Summary
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    inputs: InputGrid | None = None
    coded: Summary | None = None


@dataclass(frozen=True, eq=False)
class Quantization:
    """An integer model, and how good its codes are.

    Attributes:
        model: The integer model.
        excess: Mean over the training rows of the squared difference from the best float model of the
            same inputs, summed over targets.
        intercept_excess: The part of it that the intercept has: all but nothing where it is refitted.
        certificate: Whether no codes and no scale have a smaller excess with the intercept refitted, or
            how much smaller it may be; None where each weight was rounded by itself.
        intercept: (targets,) float64, of raw features, before it was stored in its format.
    """

    model: QuantizedLinear
    excess: float
    intercept_excess: float
    certificate: Certificate | None
    intercept: NDArray[np.float64]


def quantize(model: LinearModel, training: TrainingStatistics, settings: Settings) -> Quantization:
    """The integer model of a float model.

    Args:
        model: The float model.
        training: Of the rows that it was fitted to.
        settings: How.

    Raises:
        MlrqError: If a scale, an intercept or a feature does not fit its format.
    """
    width, inputs = len(model.features), training.inputs
    factor, factor_bits = _factors(training, model.features, settings)
    summary = training.coded or training.summary.divided(factor.astype(np.float64))
    weights = fit_least_squares(summary)[0] if inputs else model.coefficients * factor.astype(np.float64)
    codes, certificate = _codes(weights, summary, settings)
    made = QuantizedLinear(
        features=model.features,
        targets=model.targets,
        bits=settings.bits,
        scheme=settings.scheme,
        granularity=settings.granularity,
        rounding=settings.rounding,
        intercept=np.zeros(len(weights), dtype=np.float32),
        factor=factor,
        factor_bits=factor_bits,
        inputs=inputs,
        output_range=_target_range(training, width) if settings.output_range == "train" else None,
        **codes,
    )
    feature_mean, target_mean = np.split(summary.mean, [width])
    # The mean prediction to keep. With float inputs it is the float model's, which may be biased.
    middle = target_mean if inputs else model.intercept + product(weights, feature_mean)
    refitted = middle - product(made.grid_values, feature_mean)
    intercept = refitted if inputs or settings.refit_intercept else model.intercept
    stored = _with_intercept(made, intercept, _intercept_kind(settings, intercept, summary))
    if stored.overflows:
        raise MlrqError("predictions of integer inputs may exceed float32: change the unit of the target")
    unit = made.scale.astype(np.float64) if stored.intercept.dtype.kind == "i" else 1.0
    shift = float(summed(np.square(stored.intercept * unit - refitted)))
    moved = product(summary.feature_triangle, (weights - made.grid_values).T)
    spread = float(summed(summed(np.square(moved))))
    meant = intercept - product(made.weights, inputs.offset.astype(np.float64)) if inputs else intercept
    return Quantization(stored, spread + shift, shift, certificate, meant)


def _intercept_kind(settings: Settings, intercept: NDArray[np.float64], summary: Summary) -> str:
    """The format of the intercept: what the settings say, or what suits."""
    if settings.intercept != "auto":
        return settings.intercept
    if settings.inputs != "float":
        return "int32"
    # Features far from zero need a large intercept, whose rounding to float32 may then be all the loss.
    with np.errstate(over="ignore"):
        lost = np.square(intercept.astype(np.float32) - intercept)
    variance = np.square(summary.spread[summary.features :])
    return "float64" if (lost > NEGLIGIBLE * variance).any() else "float32"


def _target_range(training: TrainingStatistics, width: int) -> NDArray[np.float32]:
    """(2, targets) smallest and largest targets."""
    return np.stack([training.low[width:], training.high[width:]]).astype(np.float32)


def _factors(
    training: TrainingStatistics, features: tuple[str, ...], settings: Settings
) -> tuple[NDArray[np.float32], int]:
    """What each feature is divided by before inference, (features,) float32, and the bits it takes."""
    width = len(features)
    if settings.granularity != "per_feature":
        return np.ones(width, dtype=np.float32), 0
    check_resolution(training.low[:width], training.high[:width], features, integer=False)
    chosen = FEATURE_SCALES[settings.feature_scale]
    return chosen.load()(training.summary.spread[:width]), chosen.bits


def deviation(spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """(features,) factors: the standard deviations themselves."""
    return spread.astype(np.float32)


def power_of_two(spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """(features,) factors: the power of two nearest to each standard deviation, on a logarithmic scale."""
    fraction, exponent = np.frexp(spread)  # from a half to one, of which sqrt(1/2) is the middle
    return np.asarray(np.ldexp(np.float32(1), exponent - (fraction < np.sqrt(0.5))), dtype=np.float32)


def _codes(
    weights: NDArray[np.float64], summary: Summary, settings: Settings
) -> tuple[dict[str, Any], Certificate | None]:
    """Codes, scale, zero point and offset of each target, and the certificate if there is one."""
    count = len(weights)
    per_channel = settings.granularity == "per_channel"
    scheme, rounding = SCHEMES[settings.scheme], ROUNDINGS[settings.rounding]
    if rounding.together:
        triangle = summary.feature_triangle
        solution = solve(
            triangle,
            product(weights, triangle.T),
            *scheme.limits(settings.bits),
            rounding=settings.rounding,  # type: ignore[arg-type]
            affine=scheme.zero_point,
            shared_scale=not per_channel and count > 1,
            weights=weights,
            nodes=settings.nodes,
            seconds=settings.seconds,
        )
        found = {
            "codes": solution.codes,
            "scale": np.array([stored_scale(step) for step in solution.scale.tolist()]),
            "zero_point": solution.zero_point,
            "offset": np.zeros(count, dtype=np.float32),
        }
        return found, solution.certificate
    channels = [row[None, :] for row in weights] if per_channel else [weights]
    grids = [scheme.load()(channel, settings.bits) for channel in channels]
    codes = [rounding.load()(*pair) for pair in zip(channels, grids, strict=True)]
    each = grids if per_channel else grids * count
    found = {
        "codes": np.concatenate(codes),
        "scale": np.array([grid.scale for grid in each], dtype=np.float32),
        "zero_point": np.array([grid.zero_point for grid in each], dtype=np.int32),
        "offset": np.array([grid.offset for grid in each], dtype=np.float32),
    }
    return found, None


def _with_intercept(model: QuantizedLinear, exact: NDArray[np.float64], kind: str) -> QuantizedLinear:
    """`model` with the intercept `exact`, rounded to nearest in the format `kind`."""
    if kind == "int32":
        codes = np.rint(exact / model.scale.astype(np.float64))
        if ((codes >= INT32.min) & (codes <= INT32.max)).all():
            return replace(model, intercept=codes.astype(np.int32))
        if model.inputs and (np.abs(codes) < 2**62).all():
            return replace(model, intercept=codes.astype(np.int64))
        raise MlrqError(
            "the intercept does not fit 32 bits in the accumulator's scale: "
            "use quantization.intercept=float32 or fewer bits"
        )
    with np.errstate(over="ignore"):
        stored = exact.astype(kind)
    if not np.isfinite(stored).all():
        raise MlrqError(f"the intercept exceeds {kind}: change the unit of the target")
    return replace(model, intercept=stored)
