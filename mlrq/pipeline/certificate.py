"""The certificate that an integer model's codes are the best ones, as `mlrq.solvers.verify` checks it."""

import json
from typing import Any

import numpy as np

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact, encode_quantized
from mlrq.artifacts.schema import Training
from mlrq.quantization.width import Width
from mlrq.solvers import verify
from mlrq.solvers.certificate import Effort, certify
from mlrq.solvers.problem import Problem
from mlrq.solvers.solve import power_of_two
from mlrq.stats.summary import Summary
from mlrq.streaming.reductions import Products
from mlrq.streaming.train_test import TrainTest

AUTO = Effort(codes=32, bounds=1_000_000, vectors=2_000, tried=40_000, halvings=0)
ALL = Effort(codes=500, bounds=2_000_000, vectors=10_000, tried=300_000, halvings=8)


def is_least_squares(training: Training) -> bool:
    """Whether the float model is the least squares fit of the training rows, with nothing held back."""
    chosen = training.estimator["estimator"]
    plain = chosen.get("fit_intercept", True) and not chosen.get("positive", False)
    return "file" not in training.estimator and plain and chosen["_target_"].endswith(".LinearRegression")


def followed(origin: FloatArtifact) -> dict[str, Any] | None:
    """The float model whose predictions codes are fitted to, as certificates have it; None for the targets.

    Ordinary least squares is fitted to the data once more, as integers; any other model is followed, and so
    is one that was fitted elsewhere, to rows that we do not know.
    """
    if is_least_squares(origin.training):
        return None
    return {
        "coefficients": origin.model.coefficients.tolist(),
        "intercept": origin.model.intercept.tolist(),
    }


def told(integer: QuantizedArtifact) -> dict[str, Any]:
    """`quantized.json` as the checker reads it."""
    found: dict[str, Any] = json.loads(encode_quantized(integer))
    return found


def document(
    data: TrainTest,
    origin: FloatArtifact,
    made: tuple[QuantizedArtifact, Width | None],
    seen: Summary,
    wanted: bool | str,
) -> dict[str, Any] | None:
    """The body of `certificate.json`; None where it is not wanted, or would take too much.

    Args:
        data: What the float model was trained on.
        origin: The float model.
        made: The integer model, and why it has as many bits, where they were found.
        seen: Summary of the features as inference sees them, and of what codes are fitted to.
        wanted: true, false, or auto: where rows are in memory and it takes no more than some seconds.
    """
    integer, width = made
    per_scale, effort = integer.model.codes.size, AUTO if wanted == "auto" else ALL
    if integer.model.granularity == "per_channel":
        per_scale //= len(integer.model.targets)
    if not wanted or integer.model.rounding != "exact" or per_scale > effort.codes:
        return None
    if data.weights is not None:  # the checker counts every row once
        return None
    if wanted == "auto" and not data.in_memory:
        return None
    goal, model = followed(origin), told(integer)
    products = data.exact_products(integer.model, origin.model if goal else None)
    found = problems(model, seen, products, effort)
    if found is None:
        return None
    body = {"goal": goal, "problems": found, "quantized": model["sha256"]}
    below = fewer(model, width, seen, products, effort) if width else None
    return body | ({"below": below} if below else {})


def fewer(
    model: dict[str, Any], width: Width, seen: Summary, products: Products, effort: Effort
) -> dict[str, Any] | None:
    """What a certificate has of one bit less: that no codes come within the limit. None if it is not shown.

    Args:
        model: `quantized.json`.
        width: Its bits, and what is known of one bit less.
        seen: See `document`.
        products: See `problems`.
        effort: What it may cost.
    """
    if width.below is None:
        return None
    less = width.below.model
    codes = {"codes": less.codes.tolist(), "zero_point": less.zero_point.tolist()}
    narrow = {**model, **codes, "bits": less.bits}
    found = problems(narrow, seen, products, effort)
    if found is None:
        return None
    told = {"limit": width.limit.hex(), "quantized": model["sha256"], "tolerance": width.tolerance}
    body = {**codes, **told, "problems": found}
    try:
        verify.check(narrow, body, products)
    except verify.Answer:  # its lower bound is within the limit
        return None
    return body


def problems(
    model: dict[str, Any], seen: Summary, products: Products, effort: Effort
) -> list[dict[str, Any]] | None:
    """What a certificate has of each scale; None where one takes too much.

    Args:
        model: `quantized.json`.
        seen: See `document`.
        products: Of the same, without rounding.
        effort: What one may cost.
    """
    found = []
    for about, group, unit in verify.claims(model, products):
        r = np.asarray(np.kron(np.eye(len(group)), seen.feature_triangle), dtype=np.float64)
        y = seen.target_columns[group].ravel()
        units = power_of_two(r), power_of_two(y)
        problem = Problem(r / units[0], y / units[1], *about[2])
        if (made := certify(problem, about, (*units, unit), effort)) is None:
            return None
        found.append(made)
    return found
