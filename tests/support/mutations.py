"""Documents changed at random, with a hash that is right: what anybody could put in their place."""

import json
import math
from pathlib import Path
from random import Random

from conftest import inside

from mlrq.artifacts.documents import FloatArtifact, QuantizedArtifact, read_float, read_quantized
from mlrq.artifacts.json_document import encode
from mlrq.files import digest
from support.hostile import FRAGMENTS

# Runs that together make documents of all sorts.
VARIANTS = (
    ("dataset=diabetes",),
    ("dataset=diabetes", "quantization.inputs=int8", "quantization.output_range=train"),
    (
        "dataset=synthetic", "dataset.features=3", "dataset.targets=2", "model=ridge", "quantization.bits=4",
        "quantization.granularity=per_feature", "quantization.feature_scale=pow2", "dataset.test_size=0",
    ),
    (
        "dataset=synthetic", "dataset.features=3", "dataset.targets=2", "quantization.scheme=offset",
        "quantization.rounding=nearest", "quantization.granularity=per_channel",
    ),
    ("dataset=diabetes", "quantization.interval=0.9", "quantization.inputs=int8"),
    (
        "dataset=synthetic", "dataset.features=3", "dataset.targets=2", "dataset.split=hash",
        "quantization.interval=0.75",
    ),
)  # fmt: skip

DEEP = "deep"  # stands for brackets in brackets
EXTREMES = (
    None, True, False, 0, 1, -1, 2, 3, 7, 8, 16, 17, 32, 64, 127, 128, 255, 2**15, 2**16, 2**31 - 1, 2**31,
    2**32, 2**53, 2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 10**400, -(10**400), 10**4000,
    0.0, -0.0, 0.1, 0.5, -0.5, 1.0, 8.0, 49.9, 1e-45, 5e-324, 2.0**-126, 2.0**-149, 1e-310, 1e10, 1e38,
    3.4028234663852886e38, 3.5e38, 1e100, -1e300, 1.7976931348623157e308, math.nan, math.inf, -math.inf,
    "", "0", "1", "1.0", "true", "null", "float32", "float64", "int32", "int64", "int8", "exact", "nearest",
    "per_feature", "per_channel", "affine", "offset", "hash", "files", "train", "auto", "pow2", "0" * 64,
    "F" * 64, "\ud800", DEEP, [], {}, [[]], [0], [0.5], [None], [""], [[0, 0], [0, 0]], {"": 0}, {"a": {}},
    *FRAGMENTS,
)  # fmt: skip
NAMES = ("", "bits", "codes", "sha256", "schema", "format", "\ud800", "_target_", "\x1b[31m", "a\nb")


def made(folder: Path, overrides: tuple[str, ...]) -> Path:
    """The output folder of a run in `folder`."""
    with inside(folder) as run:
        assert run(*overrides).code == 0
    return folder / "outputs"


def read(kind: str, path: Path) -> FloatArtifact | QuantizedArtifact:
    """The artifact of that kind at `path`."""
    return {"float": read_float, "quantized": read_quantized}[kind](path)


def _places(node: object, found: list[tuple[object, object]]) -> list[tuple[object, object]]:
    """Every container in `node` with each of its keys."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        found.append((node, key))
        _places(value, found)
    return found


def _number(random: Random, value: float) -> object:
    """A number near or unlike `value`, perhaps of another type."""
    try:
        near = math.nextafter(value, random.choice((-math.inf, math.inf)))
        changes = [
            -value,
            value + 1,
            value - 1,
            value * 2,
            value / 3,
            near,
            float(value),
            str(value),
            [value],
        ]
        return random.choice([*changes, int(value), value * 10.0 ** random.randint(-400, 400)])
    except (OverflowError, ValueError):
        return -value


def _changed(random: Random, value: object) -> object:
    """Something in the place of `value`."""
    if random.random() < 0.5:
        return random.choice(EXTREMES)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(random, value)
    if isinstance(value, list) and value:
        other = list(value)
        random.shuffle(other)
        where = random.randrange(len(value))
        return random.choice((other, value[:where], value + value[where:], [*value, None], [value], value[0]))
    if isinstance(value, str):
        return random.choice((value + "\0", value[:-1], value.upper(), [value], random.choice(FRAGMENTS)))
    return [value]


def mutated(text: str, random: Random) -> bytes:
    """The document `text` with up to three changes, and its hash."""
    body = json.loads(text)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if body:
            _mutate(random, body)
    return _sealed(body, random)


def _mutate(random: Random, body: dict) -> None:
    """Change one place in `body`."""
    node, key = random.choice(_places(body, []))
    match random.randrange(8):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[random.choice(NAMES)] = node.pop(key)
        case 2 if isinstance(node, dict):
            node[random.choice(NAMES)] = random.choice(EXTREMES)
        case 3:
            other = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node[key], node[other] = node[other], node[key]
        case _:
            node[key] = _changed(random, node[key])


def _sealed(body: dict, random: Random) -> bytes:
    """`body` as a file, with its hash where it has one."""
    body.pop("sha256", None)
    depth = random.choice((1, 30, 400, 900, 2000, 10**5))
    text = json.dumps(body).replace(f'"{DEEP}"', "[" * depth + "]" * depth)
    try:
        claimed = digest(encode(json.loads(text)))
    except (ValueError, RecursionError):
        claimed = "0" * 64
    # A key that is there twice: what counts is the last.
    twice = random.choice(('"sha256":1,', '"bits":3,', '"format":"mlrq.float",', "", "", "", ""))
    rest = text[1:] if text != "{}" else '"":0}'
    return f'{{{twice}"sha256":"{claimed}",{rest}'.encode()
