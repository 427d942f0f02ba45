"""Verify: check from the training rows, in exact integers, that codes are the best ones; and their files."""

from pathlib import Path
from typing import Any

from mlrq import files
from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact
from mlrq.errors import MlrqError
from mlrq.export import carried
from mlrq.pipeline.certificate import followed, told
from mlrq.pipeline.save import exported
from mlrq.pipeline.train import require_same_training
from mlrq.pipeline.width import is_limit
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
    if data.weights is not None:
        return "INCOMPLETE", f"rows are weighted by {data.weights!r}, and weighted sums are not checked"
    if proof is None:
        return "INCOMPLETE", f"there is no certificate; {MAKE_CERTIFICATE} makes it"
    try:
        if origin and proof["goal"] != followed(origin):
            return "REFUTED", "the codes of the certificate follow another model than float.json"
        below = proof.get("below")
        if origin and below and not is_limit(data, origin.model, below):
            return "REFUTED", "the limit of the excess is not the tolerance of the residual variance"
        if below and integer.excess > float.fromhex(below["limit"]):
            return "REFUTED", "the excess is above the limit that its bits were found by"
        model = told(integer)
        return check(model, proof, data.checked_products(model, proof["goal"]))
    except Answer as why:
        return why.args[0], why.args[1]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as why:
        return "REFUTED", f"the certificate makes no sense: {why!r}"


def check_files(folder: Path, integer: QuantizedArtifact) -> str:
    """Check a folder's list of checksums, and the exports of an integer model there; what holds, in words.

    Raises:
        MlrqError: If a file is not what the list says, or an export does not carry the model.
    """
    if names := files.changed(folder):
        raise MlrqError(f"REFUTED: {', '.join(names)}: not what {files.CHECKSUMS} says")
    told = [f"{files.CHECKSUMS} holds"] if (folder / files.CHECKSUMS).is_file() else []
    if integer.model.inputs:  # reading the artifact has compared the bound with its codes
        bits, bound = integer.model.accumulator_bits, integer.model.accumulator_bound
        told.append(f"no accumulator exceeds {bound:,}, of {bits} bits")
    carry = []
    for name, content in exported(folder).items():
        if name.endswith((".h", ".c", ".onnx")) and not name.endswith("/float.onnx"):
            if wrong := carried.faults(name, content, integer):
                raise MlrqError(f"REFUTED: {name}: {', '.join(wrong)}: not of this model")
            carry.append(name)
    told += [f"{', '.join(carry)} carry this model"] if carry else []
    return "; ".join(told)
