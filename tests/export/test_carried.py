"""What an exported file says of its model is read back from the file."""

from dataclasses import replace

import numpy as np
import pytest
from support.exporting import artifact, random_model

from mlrq.export import c, carried, onnx
from mlrq.quantization.model import QuantizedLinear


def files(model: QuantizedLinear, packed: bool) -> dict[str, bytes]:
    made = artifact(model)
    texts = c.export(made, prefix="own", packed=packed)
    return {name: text.encode() for name, text in texts.items()} | {"model.onnx": onnx.export(made)}


@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bits", [2, 5, 8, 11, 16])
@pytest.mark.parametrize(("targets", "input_bits"), [(1, 8), (3, 16)])
def test_exports_carry_their_model_and_no_other(bits, packed, scheme, targets, input_bits):
    rng = np.random.default_rng(bits)
    model = random_model(rng, bits=bits, input_bits=input_bits, scheme=scheme, targets=targets)
    content = files(model, packed)
    assert {name: carried.faults(name, text, artifact(model)) for name, text in content.items()} == {
        name: [] for name in content
    }
    codes = model.codes.copy()
    codes[-1, 2] += 1 if codes[-1, 2] < 0 else -1
    others = {
        "codes": replace(model, codes=codes),
        "scale": replace(model, scale=np.nextafter(model.scale, np.float32(1))),
        "intercept": replace(model, intercept=model.intercept + 1),
        "input_scale": replace(model, inputs=replace(model.inputs, scale=model.inputs.scale * 2)),
        "input_offset": replace(model, inputs=replace(model.inputs, offset=model.inputs.offset + 1)),
    }
    if scheme == "affine":
        others["zero_point"] = replace(model, zero_point=model.zero_point - 1)
    in_onnx = {"input_scale": "step", "input_offset": "minus_offset"}
    for what, other in others.items():
        assert "SHA-256" in carried.faults("own.c", content["own.c"], artifact(other))
        assert what in carried.faults("own.c", content["own.c"], artifact(other))
        found = carried.faults("model.onnx", content["model.onnx"], artifact(other))
        assert in_onnx.get(what, what) in found


def test_a_header_states_the_bound_of_its_accumulator():
    model = random_model(np.random.default_rng(1))
    header = files(model, False)["own.h"]
    bound = str(model.accumulator_bound).encode()
    assert carried.faults("own.h", header.replace(bound, b"7"), artifact(model)) == ["bound"]


def test_a_file_without_codes_carries_nothing():
    model = random_model(np.random.default_rng(1))
    text = files(model, False)["own.c"].replace(b"own_codes[", b"own_others[")
    assert carried.faults("own.c", text, artifact(model)) == ["codes"]
