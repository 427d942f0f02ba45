"""What the JSON documents hold: the type and the range of every field, declared once.

Reading converts to these types and to nothing else, and `docs/artifact.schema.json` is made of them:

    python -m mlrq.artifacts.schema > docs/artifact.schema.json

What one field says of another is held by `mlrq.artifacts.consistency`.
"""

import json
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from mlrq.datasets.encoding import Encoding
from mlrq.datasets.split import RULES, Split
from mlrq.quantization import keys, options
from mlrq.quantization.keys import Key, OneOf, known
from mlrq.quantization.settings import Settings

SCHEMA, PLAIN_SCHEMA, EVALUATION_SCHEMA = 3, 2, 1  # plain: all columns are features, no row is set aside
FIRST_ROWS = 5  # whose predictions are compared one by one, and kept
HALF_WIDTH_MOST = 2**61  # with an intercept and a sum of products still in 64 bits
FLOAT32_MOST, FLOAT32_LEAST = float.fromhex("0x1.fffffep127"), 2.0**-126  # the least that is normal

NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Float32 = Annotated[float, Meta(ge=-FLOAT32_MOST, le=FLOAT32_MOST)]
Divisor = Annotated[float, Meta(gt=0, le=FLOAT32_MOST)]
Scale = Annotated[float, Meta(ge=FLOAT32_LEAST, le=FLOAT32_MOST)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Code = Annotated[int, Meta(ge=-(2**15), le=2**16 - 1)]
Intercept = Annotated[int, Meta(ge=-(2**62), le=2**62)] | float
HalfWidth = Annotated[int, Meta(ge=0, le=HALF_WIDTH_MOST)] | Annotated[float, Meta(ge=0)]
Hash = Annotated[str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]+$")]
Names = Annotated[list[str], Meta(min_length=1, extra_json_schema={"uniqueItems": True})]

# A parameter of an estimator: JSON whose lists are not deeper than it shows.
if TYPE_CHECKING:
    Parameter = Any
else:
    Plain = None | bool | int | float | str
    Parameter = Plain | list[Plain | list[Plain | list[Plain | list[Plain]]]]
Called = Annotated[
    dict[str, Parameter],
    Meta(extra_json_schema={"required": ["_target_"], "properties": {"_target_": {"type": "string"}}}),
]


class File(TypedDict):
    """Name and hash of a file."""

    name: str
    sha256: Hash


class Estimator(TypedDict):
    """The model group of the configuration; of a model trained elsewhere, its steps and file too."""

    name: str
    standardize: bool
    estimator: Called
    before: NotRequired[list[Called]]
    file: NotRequired[File]


@dataclass(frozen=True)
class Training:
    """Where a float model came from.

    Attributes:
        dataset: Its name.
        source: Where its numbers came from.
        sha256: Hash of its numbers and names.
        split: The rule of it; see `mlrq.datasets.split.Split`.
        test_size: Fraction of the rows held out.
        seed: Of the split.
        train_rows: Number of training rows.
        test_rows: Number of test rows.
        target_spread: Standard deviation of each target over the training rows.
        input_range: (2, features) smallest and largest number of each feature over the training rows.
        estimator: The model group of the configuration; of a model trained elsewhere, the same with
            `before`, the steps of its pipeline, and `file`, the name and hash of what was loaded.
        columns: How the columns of the table became the features; None, and not written, where every column
            is a feature as it is. With it the document has schema 3.
        calibration_rows: Number of rows that were set aside to calibrate an interval on, and are neither
            training nor test rows; None, and not written, where none were. With it the document has schema 3.
    """

    dataset: str
    source: str
    sha256: Hash
    split: Literal[RULES]  # type: ignore[valid-type]
    test_size: Annotated[float, Meta(ge=0, lt=1)]
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    train_rows: Annotated[int, Meta(ge=1, le=2**53)]
    test_rows: Count
    target_spread: list[Positive]
    input_range: Annotated[list[list[float]], Meta(min_length=2, max_length=2)]
    estimator: Estimator
    columns: Encoding | None = None
    calibration_rows: Annotated[int, Meta(ge=1, le=2**53)] | None = None

    @property
    def rows_split(self) -> Split:
        """How the rows were divided into training and test rows."""
        return Split(self.split, self.test_size, self.seed, self.calibration_rows is not None)


class Object(msgspec.Struct, forbid_unknown_fields=True):
    """An object with these keys and no others."""


class Proof(Object):
    """How good codes are proven to be; see `mlrq.solvers.problem.Certificate`."""

    gap: NotNegative
    lower_bound: NotNegative
    nodes: Count
    optimal: bool


class Accumulator(Object):
    """Its bits, and the bound on its magnitude; null with float inputs."""

    bits: Literal[32, 64] | None
    bound: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None


class Inputs(Object):
    """The grids of integer inputs."""

    bits: Literal[8, 16]
    offset: list[Float32]
    scale: list[Divisor]


class Within(Object):
    """The interval around predictions: its level, and half-widths; see `mlrq.quantization.model.Interval`."""

    half_width: list[HalfWidth]
    level: Annotated[float, Meta(gt=0, lt=1)]


class Float(Object):
    """float.json: the float model."""

    format: Literal["mlrq.float"]
    schema: Literal[2, 3]
    coefficients: list[list[float]]
    features: Names
    first_predictions: Annotated[list[list[float]], Meta(max_length=FIRST_ROWS)]
    intercept: list[float]
    targets: Names
    training: Training


class Quantized(Object):
    """quantized.json: the integer model."""

    format: Literal["mlrq.quantized"]
    schema: Literal[2, 3]
    accumulator: Accumulator
    bits: Annotated[int, Meta(ge=2, le=16)]
    certificate: Proof | None
    codes: list[list[Code]]
    excess: NotNegative
    factor: list[Divisor] | None
    factor_bits: Literal[0, 8, 32]
    features: Names
    inputs: Inputs | None
    intercept: list[Intercept]
    intercept_format: Literal["float32", "float64", "int32", "int64"]
    offset: list[Float32]
    output_range: Annotated[list[list[Float32]], Meta(min_length=2, max_length=2)] | None
    scale: list[Scale]
    settings: Settings
    targets: Names
    training: Training
    zero_point: list[Code]
    interval: Within | msgspec.UnsetType = msgspec.UNSET  # or it is not there


class Errors(Object):
    """The errors of one model on some rows; see `mlrq.stats.metrics.Metrics`."""

    max_error: NotNegative | None
    mean_absolute_error: NotNegative | None
    mse: NotNegative
    r2: Annotated[float, Meta(le=1)] | None


class Measured(Object):
    """The errors of one model; null where there are no test rows."""

    test: Errors | None
    train: Errors


class Samples(Object):
    """Actual and predicted targets of the first test rows."""

    actual: list[list[float]]
    predicted: list[list[float]]


class Covered(Object):
    """How many test rows each target's interval covers, and its half-width in the target's unit."""

    covered: list[Count] | None
    half_width: list[NotNegative]
    level: Annotated[float, Meta(gt=0, lt=1)]


class Evaluation(Object):
    """evaluation.json: both models on the same rows."""

    format: Literal["mlrq.evaluation"]
    schema: Literal[1]
    accumulator: Accumulator
    bits: Annotated[int, Meta(ge=2, le=16)]
    bytes: Count
    certificate: Proof | None
    excess: NotNegative
    float: Measured | None
    float_payload_bits: Count
    granularity: Literal[tuple(options.GRANULARITIES)]  # type: ignore[valid-type]
    max_difference: NotNegative | None
    payload_bits: Count
    quantized: Measured
    rounding: Literal[tuple(options.ROUNDINGS)]  # type: ignore[valid-type]
    samples: Samples
    scheme: Literal[tuple(options.SCHEMES)]  # type: ignore[valid-type]
    unclamped: Errors | None
    interval: Covered | msgspec.UnsetType = msgspec.UNSET  # or it is not there


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the three documents."""
    documents = [Float, Quantized, Evaluation]
    references, components = msgspec.json.schema_components(documents, ref_template="#/$defs/{name}")
    for name, one in components.items():
        one["description"] = one["description"].partition("\n")[0]
        one["additionalProperties"] = False
        if {"$ref": f"#/$defs/{name}"} in references:
            one["properties"]["sha256"] = {"$ref": "#/$defs/Hash"}
            one["required"].append("sha256")
    for name in ("Column", "Encoding"):
        components[name]["required"] = list(components[name]["properties"])
    told = components["Training"]["properties"]  # or they are not there
    told["columns"] = {"$ref": "#/$defs/Encoding"}
    told["calibration_rows"] = {"type": "integer", "minimum": 1, "maximum": 2**53}
    settings = components["Settings"]
    settings["required"] = list(settings["properties"])
    for item in fields(Settings):
        settings["properties"][item.name] |= _bounds(known(item))
        del settings["properties"][item.name]["default"]
    pattern = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Artifacts of mlrq",
        "oneOf": list(references),
        "$defs": {**components, "Hash": pattern},
    }


def _bounds(about: Key) -> dict[str, Any]:
    """What a key of the settings may be, beside its type."""
    match about.allowed:
        case OneOf(names):
            return {"enum": [*names, *([None] if about.null else [])]}
        case keys.Within(low, high, below):
            limits = {"minimum": low, "maximum": high, "exclusiveMaximum": below}
            return {key: limit for key, limit in limits.items() if limit < math.inf}
    return {}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, sort_keys=True))
