"""The settings of a quantization, with their defaults: one place for the configuration and the code."""

from dataclasses import dataclass

from mlrq.quantization import options
from mlrq.quantization.keys import OneOf, Within, faults, key

FEWEST, MOST = 2, 16  # bits of a code


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a quantization has to serve whose bits are to be found.

    Attributes:
        tolerance: Excess that is allowed, as a part of the residual variance.
        grids: Names, as in `options.GRIDS`, of those from which the one of least payload is taken; none for
            that of the settings.
    """

    tolerance: float
    grids: tuple[str, ...] = ()


@dataclass
class Settings:
    """How float weights become b-bit codes.

    With float inputs rounding the weights moves the mean prediction, which on raw features is most of the
    damage: `refit_intercept` makes the mean error on the training rows what it was before.
    """

    bits: int = key(8, "bits of a code", Within(FEWEST, MOST))
    scheme: str = key("symmetric", "what the codes stand for", OneOf(options.SCHEMES))
    granularity: str = key("per_tensor", "what shares a grid", OneOf(options.GRANULARITIES))
    rounding: str = key("exact", "how codes are chosen", OneOf(options.ROUNDINGS))
    intercept: str = key("auto", "format of the intercept", OneOf(options.INTERCEPTS))
    refit_intercept: bool = key(True, "make the mean error on the training rows what it was before")
    inputs: str = key("float", "what inference computes with", OneOf(options.INPUTS))
    calibration: str = key("minmax", "range of integer inputs", OneOf(options.CALIBRATIONS))
    percentile: float = key(0.1, "percent left out at each end by percentile", Within(0, below=50))
    feature_scale: str = key("std", "factors of granularity=per_feature", OneOf(options.FEATURE_SCALES))
    output_range: str | None = key(
        None, "limits that predictions are clamped to", OneOf(options.OUTPUT_RANGES), null="none"
    )
    nodes: int = key(
        50_000_000, "most lower bounds for rounding=exact; one of n > 64 codes counts n^2 / 64^2", Within(1)
    )
    seconds: float = key(60.0, "most seconds of rounding=exact; what that cuts short may differ", Within(0))

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed, by itself or with others; `prefix` before its name."""
        return faults(self, prefix) + [prefix + text for text in self._conflicts()]

    def _conflicts(self) -> list[str]:
        """Values that are fine alone, but not together."""
        scheme, rounding = options.SCHEMES.get(self.scheme), options.ROUNDINGS.get(self.rounding)
        found = []
        if scheme and rounding and rounding.together and not scheme.solvable:
            alone = " or ".join(name for name, one in options.ROUNDINGS.items() if not one.together)
            found.append(f"scheme={self.scheme}: not with rounding={self.rounding}; use {alone}")
        if self.inputs == "float":
            return found
        if scheme and scheme.offset:
            plain = " or ".join(name for name, one in options.SCHEMES.items() if not one.offset)
            found.append(f"scheme={self.scheme}: not with integer inputs; use {plain}")
        if self.granularity == "per_feature":
            found.append(
                "granularity=per_feature: not with integer inputs, whose grids scale each feature already; "
                "use per_tensor"
            )
        if not self.refit_intercept:
            found.append("refit_intercept=false: not with integer inputs, to which all is fitted anew")
        if self.intercept not in ("auto", "int32"):
            found.append(f"intercept={self.intercept}: not with integer inputs; use auto or int32")
        return found
