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
from mlrq.linear import LinearModel
from mlrq.quantization.grid import SCHEMES, stored_scale
from mlrq.quantization.inputs import CALIBRATIONS
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.rounding import ROUNDINGS
from mlrq.solvers import Certificate, solve
from mlrq.summary import Summary, fit_least_squares, summarize

SOLVERS = ("babai", "exact")


@dataclass(frozen=True)
class Quantization:
    """An integer model, and how good its codes are.

    Attributes:
        model: The integer model.
        excess: Mean over the training rows of the squared difference from the best float model of the
            same inputs, once the mean error is zero; summed over targets.
        certificate: Whether no codes and no scale have a smaller excess, or how much smaller it may be;
            None where each weight was rounded by itself.
        intercept: (targets,) float64, of raw features, before it was stored in its format.
    """

    model: QuantizedLinear
    excess: float
    certificate: Certificate | None
    intercept: NDArray[np.float64]


def quantize(
    model: LinearModel,
    rows: NDArray[np.float64],
    goal: NDArray[np.float64],
    *,
    bits: int,
    scheme: str,
    granularity: str,
    rounding: str,
    intercept: str,
    refit_intercept: bool,
    inputs: str,
    calibration: str,
    percentile: float,
    feature_scale: str,
    output_range: str | None,
    nodes: int,
    seconds: float,
) -> Quantization:
    """The integer model of a float model.

    Args:
        model: The float model.
        rows: (n, features) float64 training rows.
        goal: (n, targets) float64 that predictions are fitted to: the training targets for ordinary
            least squares, the float model's own predictions for any other.
        bits: Width of a code, 2 to 16.
        scheme: "symmetric", "affine" or "offset"; see `grid`.
        granularity: "per_tensor" (one grid for all targets), "per_channel" (one a target) or
            "per_feature" (one, and a factor for each feature).
        rounding: "nearest" or "truncate", each weight by itself; "babai" or "exact", all together.
        intercept: "float32", "float64", "int32" (a code in units of the scale), or "auto": float32 with
            float inputs, an integer code with integer ones.
        refit_intercept: Whether the mean error on the training rows is made what it was before. Rounding
            the weights moves the mean prediction, and on raw features that is most of the damage.
        inputs: "float", or integers: "int8", "int16".
        calibration: How the range of an integer input is found; see `inputs`.
        percentile: Of the percentile calibration, in percent.
        feature_scale: The factors of per_feature: "std" or "pow2", the nearest power of two to that.
        output_range: "train" clamps predictions to the range of the goal; None does not.
        nodes: Budget of partial solutions for "exact".
        seconds: Time limit for "exact", which makes a result that it cuts short depend on the machine.

    Raises:
        MlrqError: If a scale or an intercept does not fit its format.
    """
    grids = None if inputs == "float" else CALIBRATIONS[calibration](rows, int(inputs[3:]), percentile)
    factor, factor_bits = _factors(rows, granularity, feature_scale)
    seen = rows / factor.astype(np.float64) if grids is None else grids.encode(rows)
    summary = summarize(seen, goal)
    weights = fit_least_squares(summary)[0] if grids else model.coefficients * factor.astype(np.float64)
    codes, certificate = _codes(
        weights, summary, bits, scheme, granularity == "per_channel", rounding, nodes, seconds
    )
    made = QuantizedLinear(
        features=model.features,
        targets=model.targets,
        bits=bits,
        scheme=scheme,
        granularity=granularity,
        rounding=rounding,
        intercept=np.zeros(len(weights), dtype=np.float32),
        factor=factor,
        factor_bits=factor_bits,
        inputs=grids,
        output_range=_limits(goal) if output_range == "train" else None,
        **codes,
    )
    error = summary.feature_triangle @ (weights - made.grid_values).T
    exact = model.intercept
    if grids or refit_intercept:
        count = len(model.features)
        # With float inputs this is b + (w - w_quantized) @ mean, which follows a model that is biased.
        origin = summary.mean[count:] if grids else exact + weights @ summary.mean[:count]
        exact = origin - made.grid_values @ summary.mean[:count]
    kind = ("int32" if grids else "float32") if intercept == "auto" else intercept
    meant = exact - made.weights @ grids.offset.astype(np.float64) if grids else exact
    stored = _with_intercept(made, exact, kind)
    return Quantization(stored, float(np.square(error).sum()), certificate, meant)


def _factors(
    rows: NDArray[np.float64], granularity: str, feature_scale: str
) -> tuple[NDArray[np.float32], int]:
    """What each feature is divided by before inference, (features,) float32, and the bits it takes."""
    if granularity != "per_feature":
        return np.ones(rows.shape[1], dtype=np.float32), 0
    spread = rows.std(axis=0)
    if feature_scale == "pow2":
        return np.exp2(np.rint(np.log2(spread))).astype(np.float32), 8
    return spread.astype(np.float32), 32


def _limits(goal: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.stack([goal.min(axis=0), goal.max(axis=0)]).astype(np.float32)


def _codes(
    weights: NDArray[np.float64],
    summary: Summary,
    bits: int,
    scheme: str,
    per_channel: bool,
    rounding: str,
    nodes: int,
    seconds: float,
) -> tuple[dict[str, Any], Certificate | None]:
    """Codes, scale, zero point and offset of each target, and the certificate if there is one."""
    count = len(weights)
    if rounding in SOLVERS:
        triangle = summary.feature_triangle
        half = 1 << (bits - 1)
        solution = solve(
            triangle,
            weights @ triangle.T,
            -half,
            half - 1,
            rounding=rounding,  # type: ignore[arg-type]
            affine=scheme == "affine",
            shared_scale=not per_channel and count > 1,
            weights=weights,
            nodes=nodes,
            seconds=seconds,
        )
        found = {
            "codes": solution.codes,
            "scale": np.array([stored_scale(step) for step in solution.scale.tolist()]),
            "zero_point": solution.zero_point,
            "offset": np.zeros(count, dtype=np.float32),
        }
        return found, solution.certificate
    channels = [row[None, :] for row in weights] if per_channel else [weights]
    grids = [SCHEMES[scheme](channel, bits) for channel in channels]
    codes = [ROUNDINGS[rounding](*pair) for pair in zip(channels, grids, strict=True)]
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
        if (np.abs(codes) < 2**31).all():
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
