"""From float weights to integer codes: grids, rounding, and the integer model they make."""

from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.quantize import quantize

__all__ = ["QuantizedLinear", "quantize"]
