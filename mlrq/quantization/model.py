"""`QuantizedLinear`: the integer model, and how it predicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrq.linear import affine

Intercept = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int32]


@dataclass(frozen=True)
class QuantizedLinear:
    """A linear model whose weights are b-bit codes: weight = scale * (code - zero_point) + offset.

    Attributes:
        features: Names, in the order of the columns.
        targets: Names, in the order of the predictions.
        bits: Width of a code, 2 to 16.
        scheme: "symmetric", "affine" or "offset".
        granularity: "per_tensor" (the targets share one grid) or "per_channel" (one grid a target).
        rounding: How the codes were chosen.
        codes: (targets, features) int32.
        scale: (targets,) float32, positive.
        zero_point: (targets,) int32; 0 unless the scheme is affine.
        offset: (targets,) float32; 0 unless the scheme is offset.
        intercept: (targets,) float32 or float64, or int32 codes in units of `scale`, the accumulator's.
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

    @property
    def weights(self) -> NDArray[np.float64]:
        """(targets, features) dequantized weights: float64 numbers that hold the float32 arithmetic's values.

        scale * (code - zero_point) is exact in float64 (24 bits times 17). With an offset it is what
        the reference system computes: one product and one sum, each rounded to float32.
        """
        steps = self.codes - self.zero_point[:, None]
        if self.scheme == "offset":
            single = steps.astype(np.float32) * self.scale[:, None] + self.offset[:, None]
            return single.astype(np.float64)
        return steps * self.scale.astype(np.float64)[:, None]

    @property
    def intercept_value(self) -> NDArray[np.float64]:
        """(targets,) the intercept in the target's unit."""
        unit = self.scale if self.intercept.dtype == np.int32 else np.ones_like(self.scale)
        return self.intercept.astype(np.float64) * unit.astype(np.float64)

    @property
    def payload_bits(self) -> int:
        """Bits that inference needs: every code, scale, zero point, offset and intercept."""
        grids = 1 if self.granularity == "per_tensor" else len(self.targets)
        grid = 32 + (self.bits if self.scheme == "affine" else 32 if self.scheme == "offset" else 0)
        return self.codes.size * self.bits + grids * grid + 8 * self.intercept.nbytes

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, targets) float64 predictions of (n, features) float64 rows, the same bits on every machine."""
        return affine(rows, self.weights, self.intercept_value)
