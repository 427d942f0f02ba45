"""What `quantization.bits=auto` has found, in words; and the residual variance that it compares with."""

from dataclasses import asdict
from typing import Any

from mlrq.models.linear import LinearModel
from mlrq.pipeline.results import Quantized
from mlrq.quantization.width import Offer, Width
from mlrq.stats.metrics import from_summary
from mlrq.streaming.train_test import TrainTest


def residual_variance(data: TrainTest, model: LinearModel) -> float:
    """The mean squared error of a float model on the training rows, summed over targets as an excess is."""
    return from_summary(data.summary, model.coefficients, model.intercept).mse * len(model.targets)


def is_limit(data: TrainTest, model: LinearModel, below: dict[str, Any]) -> bool:
    """Whether the limit that a certificate has is its tolerance of the residual variance."""
    limit: float = below["tolerance"] * residual_variance(data, model)
    return limit == float.fromhex(below["limit"])


def told(result: Quantized) -> list[str]:
    """Lines on the bits that were found: their excess as a part of the noise and as R2; and one bit less."""
    width = result.width
    if width is None:
        return []
    part = f"{result.artifact.excess / width.residual:.3%} of the residual variance {width.residual:.6g}"
    r2 = f"training R2 {result.guard.quantized_r2[0]:.4f}, of {result.guard.float_r2[0]:.4f} in floats"
    return [
        f"bits=auto: with {width.bits} bits the excess is {part} (at most {width.tolerance:.3%}); {r2}",
        _one_less(width, certified(result)),
        *([f"bits=auto: payload {'; '.join(map(_offered, width.offers))}"] if width.offers else []),
    ]


def _offered(one: Offer) -> str:
    """A grid, its bits and payload: `per_tensor/affine 120 (7 bits)`."""
    if one.bits is None:
        return f"{one.grid} not within the tolerance"
    fewest = "" if one.excluded else ", fewer not excluded"
    return f"{one.grid} {one.payload_bits:,} ({one.bits} bits{fewest})"


def _one_less(width: Width, is_certified: bool) -> str:
    """The line on one bit less: whether other codes may serve."""
    if width.below is None:
        return f"bits=auto: {width.bits} bits are the fewest that there are"
    proof, bits = width.below.certificate, f"bits=auto: with {width.bits - 1} bits"
    least = f"{proof.lower_bound / width.residual:.3%}" if proof else ""
    if width.excluded:
        how = "certified; verify shows it in integers" if is_certified else "floating point"
        return f"{bits} or fewer it is {least} or more, whatever the codes ({how})"
    found = f"{bits} it is {width.below.excess / width.residual:.3%}, as found"
    why = f"its search proves no more than {least}" if proof else "other codes were not sought"
    return f"{found}; that no codes serve is not proven, for {why}"


def certified(result: Quantized) -> bool:
    """Whether the certificate shows that one bit less does not serve."""
    return bool(result.certificate and result.certificate.get("below"))


def summary(result: Quantized) -> dict[str, Any] | None:
    """The same as JSON, with every digit; None where bits were given."""
    width = result.width
    if width is None:
        return None
    below = width.below
    proof = below.certificate if below else None
    less = below and {
        "bits": below.model.bits,
        "certified": certified(result),
        "excess": below.excess,
        "lower_bound": proof.lower_bound if proof else None,
        "optimal": bool(proof and proof.optimal),
    }
    return {
        "below": less,
        "bits": width.bits,
        "excess": result.artifact.excess,
        "grids": [asdict(one) for one in width.offers],
        "limit": width.limit,
        "proven": width.excluded,
        "residual_variance": width.residual,
        "tolerance": width.tolerance,
    }
