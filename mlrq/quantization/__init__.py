"""From float weights to integer codes: grids, rounding, and the integer model they make."""

from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear

__all__ = ["InputGrid", "QuantizedLinear"]
