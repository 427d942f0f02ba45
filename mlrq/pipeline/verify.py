"""Verify: show from the training rows themselves, in exact integers, that the codes are the best ones."""

from typing import Any

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.pipeline.certificate import followed, told
from mlrq.pipeline.train import require_same_training
from mlrq.solvers.verify import Answer, check
from mlrq.streaming.train_test import TrainTest

MAKE_CERTIFICATE = "`mlrq quantize quantization.certificate=true`"


def verify(
    data: TrainTest, origin: FloatArtifact | None, integer: QuantizedArtifact, proof: dict[str, Any] | None
) -> tuple[str, str]:
    """PROVEN, REFUTED or INCOMPLETE, and why.

    Args:
        data: What the float model was trained on.
        origin: The float model, if it is at hand; then what codes follow has to be its predictions.
        integer: The integer model that was made of it.
        proof: The certificate, if there is one.

    Raises:
        MlrqError: If `data` is not the training data.
    """
    require_same_training(integer.training, data)
    if integer.model.rounding != "exact":
        return "INCOMPLETE", "the codes are not claimed to be the best ones"
    if proof is None:
        return "INCOMPLETE", f"there is no certificate; {MAKE_CERTIFICATE} makes it, whatever its size"
    try:
        if origin and proof["goal"] != followed(origin):
            return "REFUTED", "the codes of the certificate follow another model than float.json"
        model = told(integer)
        return check(model, proof, data.checked_products(model, proof["goal"]))
    except Answer as why:
        return why.args[0], why.args[1]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as why:
        return "REFUTED", f"the certificate makes no sense: {why!r}"
