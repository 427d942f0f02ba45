"""The table of options: what each setting of a quantization may be, what that means, and what computes it.

Configuration, artifact, quantizer, sweep, plot, report and documentation all read it: a new option is one
entry here and the function that it names. No function is imported before it is asked for, so that reading
the table needs no NumPy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, eq=False)
class Option:
    """One value of a setting.

    Attributes:
        text: What it is, in a few words.
        function: What computes it, as "module:name"; empty where the setting's own code tells values apart.
    """

    text: str
    function: str = ""

    def load(self) -> Callable[..., Any]:
        """The function, imported."""
        module, _, name = self.function.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found


@dataclass(frozen=True, eq=False)
class Scheme(Option):
    """A family of grids; its function makes the grid of some weights: (weights, bits) -> Grid.

    Attributes:
        signed: Codes are -2^(bits-1) .. 2^(bits-1)-1; otherwise 0 .. 2^bits-1.
        zero_point: A zero point is stored, of as many bits as a code.
        offset: A float32 is stored that is added to every value.
        solvable: The roundings that choose all codes together can use it.
    """

    signed: bool = True
    zero_point: bool = False
    offset: bool = False
    solvable: bool = True

    def limits(self, bits: int) -> tuple[int, int]:
        """The smallest and the largest code."""
        low = -(1 << (bits - 1)) if self.signed else 0
        return low, low + (1 << bits) - 1


@dataclass(frozen=True, eq=False)
class Rounding(Option):
    """A way to choose codes; its function rounds weights one by one: (weights, grid) -> codes.

    Attributes:
        together: All codes are chosen together, by `mlrq.solvers.solve`, which knows it by its name.
        colour: Of its line in a plot, as matplotlib calls it.
        marker: Of its points in a plot.
    """

    together: bool = False
    colour: str | None = None
    marker: str = "o"


@dataclass(frozen=True, eq=False)
class FeatureScale(Option):
    """How the factors of per_feature are chosen: (standard deviations) -> factors, both (features,).

    Attributes:
        bits: That storing one factor takes.
    """

    bits: int = 32


@dataclass(frozen=True, eq=False)
class Inputs(Option):
    """What inference computes with.

    Attributes:
        bits: Of an integer input; 0 for floats.
    """

    bits: int = 0


SCHEMES = {
    "symmetric": Scheme("signed codes around zero", "mlrq.quantization.grid:symmetric"),
    "affine": Scheme("signed codes and a zero point", "mlrq.quantization.grid:affine", zero_point=True),
    "offset": Scheme(
        "unsigned codes counted up from the smallest weight",
        "mlrq.quantization.grid:offset",
        signed=False,
        offset=True,
        solvable=False,
    ),
}

GRANULARITIES = {
    "per_tensor": Option("one grid for all targets"),
    "per_channel": Option("one grid a target"),
    "per_feature": Option("one grid, and a factor for each feature"),
}

# What shares a grid, and what its codes stand for.
GRIDS = tuple(f"{granularity}/{scheme}" for granularity in GRANULARITIES for scheme in SCHEMES)

# From the simplest to the best: the order of a sweep's table.
ROUNDINGS = {
    "truncate": Rounding(
        "each weight towards zero", "mlrq.quantization.rounding:truncate", colour="tab:purple", marker="v"
    ),
    "nearest": Rounding(
        "each weight to the nearest code", "mlrq.quantization.rounding:nearest", colour="tab:red", marker="s"
    ),
    "babai": Rounding("all weights together, fast", together=True, colour="tab:orange", marker="^"),
    "exact": Rounding("all weights together, the best", together=True, colour="tab:green", marker="o"),
}

INTERCEPTS = {
    "auto": Option("float32, or float64 where that rounds too much; a code with integer inputs"),
    "float32": Option("a float of 32 bits"),
    "float64": Option("a float of 64 bits"),
    "int32": Option("a code in units of the scale"),
}

INPUTS = {
    "float": Inputs("features as they are"),
    "int8": Inputs("integers of 8 bits", bits=8),
    "int16": Inputs("integers of 16 bits", bits=16),
}

# (rows, bits, percentile) -> InputGrid
CALIBRATIONS = {
    "minmax": Option("the whole range", "mlrq.quantization.inputs:minmax"),
    "percentile": Option("the range without the outermost rows", "mlrq.quantization.inputs:percentile"),
    "mse": Option("the range with the least mean squared error", "mlrq.quantization.inputs:mse"),
}

FEATURE_SCALES = {
    "std": FeatureScale("the standard deviation", "mlrq.quantization.quantize:deviation"),
    "pow2": FeatureScale("the nearest power of two to it", "mlrq.quantization.quantize:power_of_two", bits=8),
}

OUTPUT_RANGES = {"train": Option("the smallest and the largest training target")}

# The settings whose values have names.
TABLES: dict[str, Mapping[str, Option]] = {
    "scheme": SCHEMES,
    "granularity": GRANULARITIES,
    "rounding": ROUNDINGS,
    "intercept": INTERCEPTS,
    "inputs": INPUTS,
    "calibration": CALIBRATIONS,
    "feature_scale": FEATURE_SCALES,
    "output_range": OUTPUT_RANGES,
}
