"""Verify: show from the training rows themselves, in exact integers, that the codes are the best ones."""

import json
from typing import Any

import numpy as np

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact, encode_quantized
from mlrq.artifacts.json_document import seal
from mlrq.pipeline.quantize import is_least_squares
from mlrq.pipeline.train import require_same_training
from mlrq.solvers.certificate import document
from mlrq.solvers.verify import Answer, check, exact
from mlrq.stats.summarize import summarize
from mlrq.streaming.train_test import TrainTest

Verdict = tuple[str, str, dict[str, Any] | None]


def verify(data: TrainTest, origin: FloatArtifact, integer: QuantizedArtifact) -> Verdict:
    """PROVEN, REFUTED or INCOMPLETE, why, and the certificate, which is made and checked here.

    Args:
        data: What the float model was trained on; all training rows are taken into memory.
        origin: The float model.
        integer: The integer model that was made of it.

    Raises:
        MlrqError: If `data` is not the training data, or too much for the memory that is allowed.
    """
    require_same_training(origin.training, data)
    if not (integer.certificate and integer.certificate.optimal):
        return "INCOMPLETE", "the codes are not claimed to be the best ones", None
    rows, values = data.training_rows("verify")
    model, followed = integer.model, None if is_least_squares(origin.training) else origin.model
    factor = model.factor.astype(np.float64)
    seen = model.inputs.encode(rows).astype(np.float64) if model.inputs else rows / factor
    goal = followed.predict(rows) if followed else values
    summary = summarize(seen, goal)
    told = json.loads(encode_quantized(integer))
    named = None
    if followed:
        named = {"coefficients": followed.coefficients.tolist(), "intercept": followed.intercept.tolist()}
    sums = len(rows), *exact([*seen.T.tolist(), *goal.T.tolist()])
    try:
        body = document(told, named, sums, summary.feature_triangle, summary.target_columns)
        if body is None:
            return (
                "INCOMPLETE",
                "a certificate would be too large: more bits or features than it is for",
                None,
            )
        certificate = seal("certificate", 1, body)
        return "PROVEN", check(told, certificate, *sums), certificate
    except Answer as why:
        return why.args[0], why.args[1], None
