"""`QuantizedLinear`: the integer model, and how it predicts."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlrq.kernel import Integers, affine
from mlrq.quantization.accumulate import accumulate, bound, predict, predict_codes
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.options import SCHEMES
from mlrq.stats.linear_algebra import product

Intercept = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Interval:
    """How far around a prediction the truth lies, with what probability; see `mlrq.stats.conformal`.

    Attributes:
        level: The probability, as its decimal digits say it.
        half_width: (targets,) not negative: int64 in units of `scale` with integer inputs, float64 in the
            target's unit with float inputs.
    """

    level: float
    half_width: NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuantizedLinear:
    """A linear model whose weights are b-bit codes.

    With float inputs, each divided by its `factor`,

        prediction = sum over features of (scale * (code - zero_point) + offset) * x / factor + intercept

    in float64. With integer inputs everything up to one product is integer,

        accumulator = sum over features of (code - zero_point) * input_code + intercept
        prediction  = float32(accumulator) * scale

    where the product is rounded to float32. Either way the same row gives the same bits on every machine.

    Attributes:
        features: Names, in the order of the columns.
        targets: Names, in the order of the predictions.
        bits: Width of a code, 2 to 16.
        scheme: See `mlrq.quantization.options`, for these three.
        granularity: "per_tensor" (the targets share one grid), "per_channel" (one grid a target) or
            "per_feature" (the targets share one grid, and each feature has a factor).
        rounding: How the codes were chosen.
        codes: (targets, features) int32.
        scale: (targets,) float32, positive.
        zero_point: (targets,) int32; 0 where the scheme has none.
        offset: (targets,) float32; 0 where the scheme has none.
        intercept: (targets,) floats in the target's unit, or integer codes in units of `scale`, the
            accumulator's; always integer where inputs are.
        factor: (features,) float32, positive; 1 unless the granularity is per_feature.
        factor_bits: Bits that storing one factor takes: 32, 8 for a shift, 0 where there are none.
        inputs: The grids of integer inputs; None for float inputs.
        output_range: (2, targets) float32 limits that predictions are clamped to, or None.
        interval: Around each prediction; None without one, as always with an output range.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    bits: int
    scheme: str
    granularity: str
    rounding: str
    codes: NDArray[np.int32]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    offset: NDArray[np.float32]
    intercept: Intercept
    factor: NDArray[np.float32]
    factor_bits: int = 0
    inputs: InputGrid | None = None
    output_range: NDArray[np.float32] | None = None
    interval: Interval | None = None

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """(targets, features) code - zero_point."""
        return self.codes.astype(np.int64) - self.zero_point[:, None]

    @property
    def grid_values(self) -> NDArray[np.float64]:
        """(targets, features) scale * (code - zero_point) + offset, in float64.

        Without an offset it is exact (24 bits times 17). With one it is what the reference system
        computes: one product and one sum, each rounded to float32.
        """
        if SCHEMES[self.scheme].offset:
            single = self.steps.astype(np.float32) * self.scale[:, None] + self.offset[:, None]
            return single.astype(np.float64)
        return self.steps * self.scale.astype(np.float64)[:, None]

    @property
    def weights(self) -> NDArray[np.float64]:
        """(targets, features) float64 weights of raw features that the codes stand for."""
        unit = self.inputs.scale if self.inputs else self.factor
        return self.grid_values / unit.astype(np.float64)

    @property
    def intercept_value(self) -> NDArray[np.float64]:
        """(targets,) the intercept of raw features, in the target's unit."""
        whole = self.intercept.dtype.kind == "i"
        value = self.intercept * (self.scale.astype(np.float64) if whole else 1.0)
        if self.inputs:
            value = value - product(self.weights, self.inputs.offset.astype(np.float64))
        return np.asarray(value, dtype=np.float64)

    @cached_property
    def accumulator_bound(self) -> int | None:
        """The largest magnitude that any partial sum can reach for any input; None with float inputs.

        The ends of an interval are sums too.
        """
        if self.inputs is None:
            return None
        bias = np.abs(self.intercept.astype(np.int64))
        if self.interval:
            bias += self.interval.half_width.astype(np.int64)
        return int(bound(self.steps, bias, self.inputs.low, self.inputs.high).max())

    @property
    def overflows(self) -> bool:
        """Whether a prediction of integer inputs could exceed what float32 holds."""
        largest = float(self.accumulator_bound or 0) * self.scale.astype(np.float64)
        return bool((largest > np.finfo(np.float32).max).any())

    @cached_property
    def integers(self) -> Integers:
        """What turns input codes into predictions; only with integer inputs."""
        if self.accumulator_bound is None:
            raise ValueError("A model of float inputs has no accumulator.")
        return Integers(self.steps, self.intercept.astype(np.int64), self.accumulator_bound, self.scale)

    @property
    def accumulator_bits(self) -> int | None:
        """32, or 64 where the bound asks for it; None with float inputs."""
        if self.accumulator_bound is None:
            return None
        return 32 if self.accumulator_bound < 2**31 else 64

    @property
    def payload_bits(self) -> int:
        """Bits that inference from raw features needs: every code, scale, zero point, offset, factor,
        input grid, intercept, limit and half-width.
        """
        grids = len(self.targets) if self.granularity == "per_channel" else 1
        scheme = SCHEMES[self.scheme]
        grid = 32 + scheme.zero_point * self.bits + scheme.offset * 32
        features = self.factor_bits + (64 if self.inputs else 0)
        limits = 64 * len(self.targets) if self.output_range is not None else 0
        width = 8 * self.interval.half_width.nbytes if self.interval else 0
        counts = (
            self.codes.size * self.bits,
            grids * grid,
            len(self.features) * features,
            8 * self.intercept.nbytes,
            limits,
            width,
        )
        return sum(counts)

    @property
    def float_payload_bits(self) -> int:
        """Bits that the float model needs of the same: a 64-bit number for every weight and intercept."""
        return 64 * (self.codes.size + len(self.targets))

    def accumulators(self, codes: NDArray[np.signedinteger]) -> NDArray[np.int32] | NDArray[np.int64]:
        """(n, targets) exact accumulators of (n, features) input codes; only with integer inputs."""
        return accumulate(codes, self.integers)

    def predict_codes(self, codes: NDArray[np.signedinteger]) -> NDArray[np.float32]:
        """(n, targets) predictions of (n, features) input codes, float32, which holds what `predict` says of
        their rows; only with integer inputs.
        """
        result = predict_codes(codes, self.integers)
        self._clamp(result)
        return result

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 predictions of (n, features) float64 rows."""
        if self.inputs is None:
            result = affine(rows, self.weights, self.intercept_value)
        else:
            result = predict(rows, self.integers, self.inputs.encode)
        self._clamp(result)
        return result

    def _clamp(self, predictions: NDArray[np.floating]) -> None:
        """Clamp predictions to the output range, in place."""
        if self.output_range is not None:
            np.clip(predictions, *self.output_range.astype(predictions.dtype), out=predictions)

    def ends(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, targets) float64 low and high ends of the intervals around the predictions of `rows`.

        They are the predictions of this model with its intercept moved by the half-width: with integer inputs
        one integer operation each, before the one product.

        Raises:
            ValueError: If the model has no interval.
        """
        low, high = self.moved
        return low.predict(rows), high.predict(rows)

    @cached_property
    def moved(self) -> "tuple[QuantizedLinear, QuantizedLinear]":
        """The models that predict the low and the high ends of the intervals; see `ends`."""
        if self.interval is None:
            raise ValueError("The model has no interval.")
        middle = self.intercept.astype(np.int64) if self.inputs else self.intercept_value
        low, high = middle - self.interval.half_width, middle + self.interval.half_width
        return replace(self, intercept=low, interval=None), replace(self, intercept=high, interval=None)
