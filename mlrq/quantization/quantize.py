"""Choose a grid, round the weights to it, put the intercept right: a `LinearModel` made integer."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.linear import LinearModel
from mlrq.quantization.grid import SCHEMES
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.rounding import ROUNDINGS

INT32 = np.iinfo(np.int32)


def quantize(
    model: LinearModel,
    feature_mean: NDArray[np.float64],
    *,
    bits: int,
    scheme: str,
    granularity: str,
    rounding: str,
    intercept: str,
    refit_intercept: bool,
) -> QuantizedLinear:
    """The integer model of a float model.

    Args:
        model: The float model.
        feature_mean: (features,) float64 means of the training rows.
        bits: Width of a code, 2 to 16.
        scheme: "symmetric", "affine" or "offset"; see `grid`.
        granularity: "per_tensor" (one grid for all targets) or "per_channel" (one a target).
        rounding: "nearest" or "truncate"; see `rounding`.
        intercept: "float32", "float64", or "int32": a code in units of the scale, the accumulator's.
        refit_intercept: Whether to shift the intercept by (w - w_quantized) @ feature_mean, so that on
            the training rows the mean difference from the float model is zero. Rounding the weights
            moves the mean prediction by that much, and on raw features it is most of the damage.

    Raises:
        MlrqError: If a scale or an intercept does not fit its format.
    """
    weights = model.coefficients
    channels = [weights] if granularity == "per_tensor" else [row[None, :] for row in weights]
    grids = [SCHEMES[scheme](channel, bits) for channel in channels]
    codes = np.concatenate([ROUNDINGS[rounding](c, grid) for c, grid in zip(channels, grids, strict=True)])
    per_target = grids if granularity == "per_channel" else grids * len(weights)
    rounded = QuantizedLinear(
        features=model.features,
        targets=model.targets,
        bits=bits,
        scheme=scheme,
        granularity=granularity,
        rounding=rounding,
        codes=codes,
        scale=np.array([grid.scale for grid in per_target], dtype=np.float32),
        zero_point=np.array([grid.zero_point for grid in per_target], dtype=np.int32),
        offset=np.array([grid.offset for grid in per_target], dtype=np.float32),
        intercept=np.zeros(len(weights), dtype=np.float32),
    )
    exact = model.intercept
    if refit_intercept:
        exact = exact + (weights - rounded.weights) @ feature_mean
    return _with_intercept(rounded, exact, intercept)


def _with_intercept(model: QuantizedLinear, exact: NDArray[np.float64], kind: str) -> QuantizedLinear:
    """`model` with the intercept `exact`, rounded to nearest in the format `kind`."""
    if kind == "int32":
        codes = np.rint(exact / model.scale.astype(np.float64))
        if ((codes < INT32.min) | (codes > INT32.max)).any():
            raise MlrqError(
                "the intercept does not fit 32 bits in the accumulator's scale: "
                "use quantization.intercept=float32 or fewer bits"
            )
        return replace(model, intercept=codes.astype(np.int32))
    with np.errstate(over="ignore"):
        stored = exact.astype(kind)
    if not np.isfinite(stored).all():
        raise MlrqError(f"the intercept exceeds {kind}: change the unit of the target")
    return replace(model, intercept=stored)
