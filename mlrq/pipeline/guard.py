"""The guard: compare the integer model with the float model on the training rows, and object to a loss.

Integer inputs saturate at the ends of their ranges. That changes the model by itself, and may even improve
it where outliers ruin the fit; so it is measured apart, with a float model of the same inputs, clipped but
not rounded. What is left is the doing of the integers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlrq.models.linear import LinearModel
from mlrq.quantization.clipped import Clipped
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import ROUNDINGS
from mlrq.stats.summary import fit_least_squares
from mlrq.streaming.scores import Score
from mlrq.streaming.train_test import TrainTest

SATURATION_LIMIT = 0.01  # of all input cells
R2_DROP_LIMIT, GENEROUS_BITS = 0.01, 8  # the default limit, and the bits from which it holds

Pair = tuple[float, float | None]  # on training and test rows


@dataclass(frozen=True)
class Guard:
    """R2 on training and test rows of three models, and what is wrong with the last.

    Attributes:
        float_r2: (training, test) of the float model; the second is None where there is no R2.
        clipped_r2: Of a float model fitted and evaluated on clipped inputs; that of the float model
            where inputs are float.
        quantized_r2: Of the integer model, without its output range.
        saturated: Fractions of the (training, test) inputs beyond their range, 0 to 1.
        notices: One line for each thing that is wrong.
    """

    float_r2: Pair
    clipped_r2: Pair
    quantized_r2: Pair
    saturated: Pair
    notices: list[str]


def _limit(max_r2_drop: float | str | None, bits: int) -> float | None:
    if max_r2_drop == "auto":
        return R2_DROP_LIMIT if bits >= GENEROUS_BITS else None
    return None if max_r2_drop is None else float(max_r2_drop)


def check(
    model: QuantizedLinear,
    origin: LinearModel,
    data: TrainTest,
    fit_to: LinearModel | None,
    max_r2_drop: float | str | None,
) -> Guard:
    """Compare an integer model with the float model that it was made from.

    Args:
        model: The integer model.
        origin: The float model.
        data: Training and test rows.
        fit_to: The model whose predictions the codes were fitted to; None if to the targets themselves.
        max_r2_drop: How much lower the training R2 may be; None for any, "auto" for 0.01 from eight bits
            up and any below.
    """
    free = model if model.output_range is None else replace(model, output_range=None)
    exact, quantized = data.score((origin, free))
    clipped: Score = exact
    saturated: Pair = (0.0, 0.0 if data.test_count else None)
    if model.inputs is not None:
        saturated = data.saturated(model.inputs)
        coefficients, intercept = fit_least_squares(data.summary_through(model.inputs, False, fit_to))
        ideal = LinearModel(coefficients, intercept, model.features, model.targets)
        (clipped,) = data.score((Clipped(ideal, model.inputs),))
    made = Guard(_r2(exact), _r2(clipped), _r2(quantized), saturated, [])
    made.notices.extend(_objections(made, quantized.constant, model, _limit(max_r2_drop, model.bits)))
    return made


def _r2(score: Score) -> Pair:
    assert score.train.r2 is not None  # of at least two rows
    return score.train.r2, score.test.r2 if score.test else None


def _objections(
    guard: Guard, same: NDArray[np.bool_], model: QuantizedLinear, limit: float | None
) -> list[str]:
    found = []
    constant = [model.targets[i] for i in np.flatnonzero(same)]
    if constant:
        found.append(f"predictions of {', '.join(constant)} are constant: use more bits")
    if guard.saturated[0] > SATURATION_LIMIT:
        found.append(f"{guard.saturated[0]:.1%} of the training inputs saturate: widen the calibration")
    models = zip(guard.float_r2, guard.clipped_r2, guard.quantized_r2, strict=True)
    for part, (exact, clipped, quantized) in zip(("training", "test"), models, strict=True):
        if limit is None or exact is None or clipped is None or quantized is None:
            continue
        if (drop := max(exact, clipped) - quantized) > limit:
            found.append(
                f"{part} R2 drops by {drop:.4f}, more than max_r2_drop={limit:g}: use {_advice(model)}"
            )
            break
    return found


def _advice(model: QuantizedLinear) -> str:
    """What may help a model that lost too much, the likeliest first."""
    options = []
    if len(model.targets) > 1 and model.granularity != "per_channel":
        options.append("granularity=per_channel (a scale for each target)")
    if not ROUNDINGS[model.rounding].together:
        options.append("rounding=exact")
    if model.inputs is None and model.granularity == "per_tensor":
        options.append("granularity=per_feature")
    if model.bits < 16:
        options.append("more bits")
    return " or ".join(options) or "another unit for the features"
