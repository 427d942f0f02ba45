"""The fixed-point output: what the exported C computes after the accumulator, in integers alone.

    output = round(clamp(accumulator * scale, output_range) * 2^-exponent)
    real   = output * 2^exponent

exactly: the product is not rounded, the one rounding is to nearest, ties away from zero, and no accumulator
can overflow the int32 output (only limits that none can reach saturate, to 2^31 - 1 of either sign). As in
gemmlowp's `doc/quantization.md` the scale becomes a multiplier in [2^30, 2^31) and a right shift; a float32
has 24 bits, so that here the multiplier is the scale, not an approximation of it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mlrq.errors import MlrqError
from mlrq.quantization.model import QuantizedLinear

LARGEST = 2**31 - 1  # of an output, either sign
ACCUMULATOR_LIMIT = 2**62  # so that a sign, a sum and the rounding never leave 64 bits
PART = 30  # bits of the lower part of a 64-bit accumulator's magnitude: its product stays below 2^61


@dataclass(frozen=True)
class FixedPoint:
    """Requantization of accumulators to int32 outputs.

    Attributes:
        accumulator_bits: 32 or 64, as the bounds ask for.
        bounds: The largest magnitude of each target's accumulator, for any input codes.
        multipliers: Of each target, 2^30 <= multiplier < 2^31.
        shift: Common to all targets: the smallest for which no output overflows; at least 1, and at
            least 31 with 64-bit accumulators, whose product is computed in two parts.
        exponents: Of each target: an output of 1 means 2^exponent.
        limits: (smallest, largest) output of each target, or None without an output range.
    """

    accumulator_bits: int
    bounds: tuple[int, ...]
    multipliers: tuple[int, ...]
    shift: int
    exponents: tuple[int, ...]
    limits: tuple[tuple[int, int], ...] | None

    def outputs(self, accumulators: NDArray[np.signedinteger]) -> NDArray[np.int32]:
        """(n, targets) outputs of (n, targets) accumulators, step by step as in C."""
        magnitude = np.abs(accumulators.astype(np.int64)).astype(np.uint64)
        multiplier = np.array(self.multipliers, dtype=np.uint64)
        if self.accumulator_bits == 32:
            rounded = _shifted(magnitude * multiplier, self.shift)
        else:
            upper = (magnitude >> np.uint64(PART)) * multiplier
            lower = (magnitude & np.uint64(2**PART - 1)) * multiplier
            rounded = _shifted(upper + (lower >> np.uint64(PART)), self.shift - PART)
        result = np.where(accumulators < 0, -rounded, rounded)
        if self.limits is not None:
            low, high = np.array(self.limits, dtype=np.int64).T
            result = np.clip(result, low, high)
        return result.astype(np.int32)


def _shifted(product: NDArray[np.uint64], shift: int) -> NDArray[np.int64]:
    """product / 2^shift, to nearest, ties up; shift is at least 1."""
    return ((product + np.uint64(1 << (shift - 1))) >> np.uint64(shift)).astype(np.int64)


def nearest(value: Fraction) -> int:
    """The nearest integer, ties away from zero."""
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return -magnitude if value < 0 else magnitude


def accumulator_bounds(model: QuantizedLinear) -> tuple[int, ...]:
    """The largest magnitude that any partial sum of each target can reach, from the codes, in exact integers.

    The ends of an interval are sums too.

    Raises:
        MlrqError: For a model of float inputs, with a code wider than its bits, or whose accumulator could
            reach 2^62.
    """
    if model.inputs is None:
        raise MlrqError(
            "the model has float inputs, and integer C starts from integers: "
            "quantize it with quantization.inputs=int8 (or int16)"
        )
    half = 1 << (model.bits - 1)
    numbers = np.concatenate([model.codes.ravel(), model.zero_point])
    if ((numbers < -half) | (numbers >= half)).any() or model.intercept.dtype.kind != "i":
        raise MlrqError(
            f"the model makes no sense: with integer inputs, codes and zero points are {-half} .. {half - 1} "
            "and intercepts are integers"
        )
    largest = -model.inputs.low
    widths = model.interval.half_width.tolist() if model.interval else [0] * len(model.targets)
    bounds = tuple(
        sum(map(abs, row)) * largest + abs(bias) + width
        for row, bias, width in zip(model.steps.tolist(), model.intercept.tolist(), widths, strict=True)
    )
    if max(bounds) >= ACCUMULATOR_LIMIT:
        target = model.targets[bounds.index(max(bounds))]
        raise MlrqError(
            f"the accumulator of {target!r} could reach {max(bounds)}, which overflows 64 bits: "
            "use fewer quantization.bits or quantization.inputs=int8"
        )
    return bounds


def fixed_point(model: QuantizedLinear) -> FixedPoint:
    """The fixed-point output of `model`, as fine as int32 allows for every possible input.

    Raises:
        MlrqError: For a model of float inputs, or whose accumulator could overflow.
    """
    bounds = accumulator_bounds(model)
    bits = 32 if max(bounds) < 2**31 else 64
    parts = [math.frexp(scale) for scale in model.scale.tolist()]  # scale = mantissa * 2^power, exactly
    multipliers = tuple(int(math.ldexp(mantissa, 31)) for mantissa, _ in parts)
    shift = 1 if bits == 32 else PART + 1
    while any(
        bound * multiplier + (1 << (shift - 1)) >> shift > LARGEST
        for bound, multiplier in zip(bounds, multipliers, strict=True)
    ):
        shift += 1
    exponents = tuple(power - 31 + shift for _, power in parts)
    limits = None
    if model.output_range is not None:
        limits = tuple(
            (_saturated(low, exponent), _saturated(high, exponent))
            for low, high, exponent in zip(*model.output_range.tolist(), exponents, strict=True)
        )
    return FixedPoint(bits, bounds, multipliers, shift, exponents, limits)


def _saturated(value: float, exponent: int) -> int:
    """`value` as an output, where an output can reach it."""
    return min(max(nearest(Fraction(value) / Fraction(2) ** exponent), -LARGEST), LARGEST)
