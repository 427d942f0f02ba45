"""Whether exported files carry a model: read from what was written, not from what wrote it."""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from mlrq.artifacts.documents import QuantizedArtifact, sha256
from mlrq.export.raw_columns import raw_model
from mlrq.quantization.model import QuantizedLinear

ARRAY = r"static const (\w+) {prefix}_(\w+)\[[^=]*\] = \{{(.*?)\}};"
NUMBER = re.compile(r"-?[0-9][0-9.]*(?:e[-+]?[0-9]+)?", re.ASCII)
BOUND = re.compile(r"No partial sum exceeds ([0-9]+) in magnitude", re.ASCII)

Numbers = dict[str, list[float]]


def faults(name: str, content: bytes, artifact: QuantizedArtifact) -> list[str]:
    """What an exported file has that the model has not, one name each; nothing where it carries the model.

    Args:
        name: Of the file: <prefix>.h, <prefix>.c, <prefix>_self_test.c or *.onnx.
        content: Of the file.
        artifact: The model.

    Raises:
        MlrqError: If it takes a package that is not installed.
    """
    found = [] if sha256(artifact).encode() in content else ["SHA-256"]
    model, place = artifact.model, PurePath(name)
    if place.suffix == ".onnx":
        return found + _of_onnx_faults(content, artifact)
    text = content.decode("ascii")
    if place.suffix == ".h":
        bound = BOUND.search(text)
        return found + ([] if bound and int(bound[1]) == model.accumulator_bound else ["bound"])
    if place.stem.endswith("_self_test"):
        return found
    carried, columns = _of_c(text, place.stem, model), _expected_columns(artifact)
    return (
        found
        + _unequal(carried, _expected_c(model))
        + [name for name, numbers in columns.items() if carried.get(name) != numbers]
    )


def _of_onnx_faults(content: bytes, artifact: QuantizedArtifact) -> list[str]:
    """What an ONNX file has that the model has not."""
    from mlrq.export.onnx_columns import constants_of, narrowed

    carried, columns = _of_onnx(content), constants_of(artifact)
    if not columns:
        return _unequal(carried, _expected_onnx(artifact.model))
    expected = _expected_onnx(narrowed(artifact))
    del expected["intercept"]  # is in the base
    if not expected["codes"]:  # there are no columns of numbers
        kept = {name: expected[name] for name in ("scale", "half_width") if name in expected}
        expected = kept | {"zero_point": []}
    wrong = _unequal(carried, expected, [name for name in ("codes", "scale") if name in expected])
    return wrong + [name for name, values in columns.items() if carried.get(name) != _flat(values)]


def _unequal(
    carried: Numbers, expected: Numbers, needed: Sequence[str] = ("codes", "scale", "intercept")
) -> list[str]:
    """Names of what is not as expected; zeros, and what no file of this kind has, may be left out."""
    every = (*needed, *(("zero_point",) if any(expected["zero_point"]) else ()))
    every += tuple(name for name in ("half_width", "intercept_low", "intercept_high") if name in expected)
    absent = [name for name in every if name not in carried]
    return absent + [name for name in expected if name in carried and carried[name] != expected[name]]


def _flat(values: Any) -> list[float]:
    flat: list[float] = np.asarray(values).ravel().tolist()
    return flat


def _expected_c(model: QuantizedLinear) -> Numbers:
    assert model.inputs
    interval = {"half_width": _flat(model.interval.half_width)} if model.interval else {}
    return interval | {
        "codes": _flat(model.codes),
        "zero_point": _flat(model.zero_point),
        "intercept": _flat(model.intercept),
        "scale": _flat(model.scale),
        "multiplier": _flat(np.frexp(model.scale)[0]),
        "input_scale": _flat(model.inputs.scale),
        "input_offset": _flat(model.inputs.offset),
    }


def _expected_columns(artifact: QuantizedArtifact) -> Numbers:
    """The constants of the columns of a table, where there are some."""
    raw = raw_model(artifact)
    if raw is None:
        return {}
    steps = artifact.model.steps[:, [one.feature for one in raw.numbers]]
    found = {"base": _flat(raw.base), **({"number_steps": _flat(steps)} if raw.numbers else {})}
    if any(one.fill is not None for one in raw.numbers):
        found["number_fill"] = [float(one.fill or 0) for one in raw.numbers]
    return found | {f"by_{one.name}": _flat(one.table) for one in raw.columns if one.table is not None}


def _of_c(text: str, prefix: str, model: QuantizedLinear) -> Numbers:
    """The arrays of constants, row after row: codes unpacked, multipliers as mantissas of the scales."""
    found: Numbers = {}
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for kind, name, body in re.findall(ARRAY.format(prefix=prefix), plain, re.DOTALL):
        numbers = NUMBER.findall(body)
        if name == "codes" and kind == "uint8_t":
            rows = [NUMBER.findall(row) for row in re.findall(r"\{([^{}]*)\}", body)]
            found[name] = [code for row in rows for code in _unpacked(list(map(int, row)), model)]
        elif kind == "float":
            found[name] = _flat(np.array(numbers, dtype=np.float64).astype(np.float32))
        else:
            found[name] = [int(number) for number in numbers]
    if "multiplier" in found:
        found["multiplier"] = _flat(np.frexp(found["multiplier"])[0])
    return found


def _unpacked(row: list[int], model: QuantizedLinear) -> list[int]:
    """Codes of one target from bytes: the first in the lowest bits of the first, in two's complement."""
    stream, bits = int.from_bytes(bytes(row), "little"), model.bits
    codes = [stream >> bits * i & (1 << bits) - 1 for i in range(len(model.features))]
    return [code - (1 << bits) if code >> bits - 1 else code for code in codes]


def _expected_onnx(model: QuantizedLinear) -> Numbers:
    found = {
        "codes": _flat(model.codes.T),
        "zero_point": _flat(model.zero_point),
        "scale": _flat(model.scale),
        "offset": _flat(model.offset),
        "factor": _flat(model.factor),
        "intercept": _flat(model.intercept if model.inputs else model.intercept_value),
    }
    if model.interval and model.inputs:
        found["half_width"] = _flat(model.interval.half_width)
    elif model.interval:
        low, high = model.moved
        found |= {"intercept_low": _flat(low.intercept), "intercept_high": _flat(high.intercept)}
    if model.inputs:
        found |= {"step": _flat(model.inputs.scale), "minus_offset": _flat(-model.inputs.offset)}
    return found


def _of_onnx(content: bytes) -> Numbers:
    from mlrq.export.onnx import constants

    return {name: _flat(values) for name, values in constants(content).items()}
