"""The settings of a quantization, with their defaults: one place for the configuration and the code."""

from dataclasses import dataclass


@dataclass
class Settings:
    """How float weights become b-bit codes.

    Attributes:
        bits: Width of a code, 2 to 16.
        scheme: "symmetric", "affine" or "offset"; see `mlrq.quantization.grid`.
        granularity: "per_tensor" (one grid for all targets), "per_channel" (one a target) or
            "per_feature" (one, and a factor for each feature).
        rounding: "nearest" or "truncate", each weight by itself; "babai" or "exact", all together.
        intercept: "float32", "float64", "int32" (a code in units of the scale), or "auto": with
            float inputs float32, or float64 where that rounds too much; an integer code with integer ones.
        refit_intercept: Whether the mean error on the training rows is made what it was before. Rounding
            the weights moves the mean prediction, and on raw features that is most of the damage.
        inputs: "float", or integers: "int8", "int16".
        calibration: How the range of an integer input is found: "minmax", "percentile" or "mse"; see
            `mlrq.quantization.inputs`.
        percentile: Of the percentile calibration, in percent.
        feature_scale: The factors of per_feature: "std", or "pow2", the nearest power of two to that.
        output_range: "train" clamps predictions to the range of the training targets; None does not.
        nodes: Budget of lower bounds for "exact"; one of n > 64 codes counts as n^2 / 64^2.
        seconds: Time limit for "exact"; a result that it cuts short depends on the machine.
    """

    bits: int = 8
    scheme: str = "symmetric"
    granularity: str = "per_tensor"
    rounding: str = "exact"
    intercept: str = "auto"
    refit_intercept: bool = True
    inputs: str = "float"
    calibration: str = "minmax"
    percentile: float = 0.1
    feature_scale: str = "std"
    output_range: str | None = None
    nodes: int = 50_000_000
    seconds: float = 60.0
