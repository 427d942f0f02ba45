"""The schema of the configuration: one dataclass per group, with its bounds.

Hydra composes YAML onto these schemas; `mlrq.config.validation` then checks what came out.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from mlrq.errors import ConfigError
from mlrq.quantization.keys import key
from mlrq.quantization.settings import Settings

STAGES = ("all", "train", "quantize", "evaluate", "predict", "export")


def _one_of(faults: list[str], key: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        faults.append(f"{key}={value}: must be one of {', '.join(allowed)}")


def _within(faults: list[str], key: str, value: int, low: int, high: float = math.inf) -> None:
    if not low <= value <= high:
        span = f"{low} or more" if high == math.inf else f"from {low} to {high}"
        faults.append(f"{key}={value}: must be {span}")


def _not_negative(faults: list[str], key: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        faults.append(f"{key}={value}: must be a finite number, 0 or more")


def _names(faults: list[str], key: str, value: object) -> list[str]:
    """A column name, or a list of them, as a list of distinct strings."""
    names = [str(name) for name in value] if isinstance(value, list) else [str(value)]
    if not names or "" in names:
        faults.append(f"{key}={value}: must name at least one column")
    if len(set(names)) < len(names):
        faults.append(f"{key}={value}: names a column twice")
    return names


def _delimiter(faults: list[str], key: str, value: str) -> str:
    """One character; the two letters \\t, easier to type in a shell, mean a tab."""
    if value == "\\t":
        return "\t"
    if len(value) != 1 or value in '"\r\n':
        faults.append(f"{key}={value!r}: must be one character, such as ',' or ';' or '\\t'")
    return value


def _raise(faults: list[str]) -> None:
    if faults:
        raise ConfigError(faults)


@dataclass
class DatasetConfig:
    """What every dataset has: its loader, and how rows are split into training and test rows."""

    _target_: str = MISSING
    split: str = "shuffle"
    test_size: float = 0.2
    seed: int = 42

    def _faults(self) -> list[str]:
        faults: list[str] = []
        _one_of(faults, "dataset.split", self.split, ("shuffle", "hash"))
        if not 0 <= self.test_size < 1:
            faults.append(f"dataset.test_size={self.test_size}: must be 0 or more and below 1")
        _within(faults, "dataset.seed", self.seed, 0, 2**32 - 1)
        return faults

    def __post_init__(self) -> None:
        _raise(self._faults())


@dataclass
class CaliforniaHousingConfig(DatasetConfig):
    """California Housing, embedded or from scikit-learn's fetcher."""

    source: str = "embedded"

    def __post_init__(self) -> None:
        faults = self._faults()
        _one_of(faults, "dataset.source", self.source, ("embedded", "sklearn"))
        _raise(faults)


@dataclass
class FileConfig(DatasetConfig):
    """Columns of a file; `target` and `features` are a column name or a list of them."""

    split: str = "hash"
    path: str = MISSING
    target: Any = MISSING
    features: Any = None

    def _faults(self) -> list[str]:
        faults = super()._faults()
        self.target = _names(faults, "dataset.target", self.target)
        if self.features is not None:
            self.features = _names(faults, "dataset.features", self.features)
            both = [name for name in self.features if name in self.target]
            if both:
                faults.append(f"dataset.features={both}: a target cannot be a feature too")
        return faults


@dataclass
class StreamConfig(FileConfig):
    """Rows read in batches, each time anew where their numbers take more than `stream_above` bytes.

    What needs all of them at once may take `memory_limit` bytes for them.
    """

    stream_above: int = 100_000_000
    memory_limit: int = 2_000_000_000
    on_error: str = "fail"

    def _faults(self) -> list[str]:
        faults = super()._faults()
        _within(faults, "dataset.stream_above", self.stream_above, 0)
        _within(faults, "dataset.memory_limit", self.memory_limit, 0)
        _one_of(faults, "dataset.on_error", self.on_error, ("fail", "skip"))
        return faults


@dataclass
class ParquetConfig(StreamConfig):
    """Parquet files."""

    test_path: str | None = None

    def __post_init__(self) -> None:
        faults = self._faults()
        for name in ("path", "test_path"):
            if getattr(self, name) == "":
                faults.append(f"dataset.{name}=: must name a file, a folder, a glob or a URI")
        _raise(faults)


@dataclass
class CsvConfig(StreamConfig):
    """A CSV file with a header line."""

    delimiter: str = ","

    def __post_init__(self) -> None:
        faults = self._faults()
        self.delimiter = _delimiter(faults, "dataset.delimiter", self.delimiter)
        _raise(faults)


@dataclass
class SyntheticConfig(DatasetConfig):
    """A linear model with Gaussian features and noise; `seed` makes the rows and splits them."""

    rows: int = 1000
    features: int = 8
    targets: int = 1
    noise: float = 0.1

    def __post_init__(self) -> None:
        faults = self._faults()
        _within(faults, "dataset.rows", self.rows, 1)
        _within(faults, "dataset.features", self.features, 1)
        _within(faults, "dataset.targets", self.targets, 1)
        _not_negative(faults, "dataset.noise", self.noise)
        _raise(faults)


@dataclass
class ModelConfig:
    """A scikit-learn linear regressor by its `_target_`, and whether features are standardized first."""

    name: str = MISSING
    standardize: bool = False
    estimator: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "_target_" not in self.estimator:
            raise ConfigError(["model.estimator._target_: required, a class of sklearn.linear_model"])


@dataclass
class QuantizationConfig(Settings):
    """How float weights become b-bit codes, and what the guard allows.

    `max_r2_drop` is how much R2 may drop on the training rows; "auto" is 0.01 from eight bits up and any
    drop below. `strict` makes an objection of the guard an error.
    """

    max_r2_drop: int | float | str | None = key("auto", "how much lower R2 may be on the training rows")
    strict: bool = key(False, "whether an objection of the guard is an error")

    def __post_init__(self) -> None:
        faults = self.faults("quantization.")
        if isinstance(self.max_r2_drop, str) and self.max_r2_drop != "auto":
            faults.append(f"quantization.max_r2_drop={self.max_r2_drop}: must be a number, null or auto")
        elif isinstance(self.max_r2_drop, int | float):
            _not_negative(faults, "quantization.max_r2_drop", self.max_r2_drop)
        _raise(faults)


@dataclass
class PredictConfig:
    """Where rows to predict come from and where predictions go; "-" is the standard stream.

    `keep` is the name, or the names, of columns that are copied.
    """

    input: str = "-"
    output: str = "-"
    format: str = "auto"
    delimiter: str = ","
    keep: Any = None
    flag: bool = False
    on_error: str | None = "fail"

    def __post_init__(self) -> None:
        faults: list[str] = []
        self.on_error = self.on_error or "null"  # Hydra reads the word as nothing
        self.keep = _names(faults, "predict.keep", self.keep) if self.keep not in (None, []) else []
        _one_of(faults, "predict.format", self.format, ("auto", "csv", "jsonl", "parquet"))
        _one_of(faults, "predict.on_error", self.on_error, ("fail", "skip", "null"))
        self.delimiter = _delimiter(faults, "predict.delimiter", self.delimiter)
        _raise(faults)


@dataclass
class ExportConfig:
    """What an exported model becomes: C, ONNX or a scikit-learn estimator."""

    format: str = MISSING
    model: str = "quantized"
    prefix: str = "mlrq"
    packed: bool = False

    def __post_init__(self) -> None:
        faults: list[str] = []
        _one_of(faults, "export.format", self.format, ("c", "onnx", "sklearn"))
        _one_of(faults, "export.model", self.model, ("quantized", "float"))
        if self.format == "c" and self.model == "float":
            faults.append("export.model=float: C is integer only; use export=onnx or export=sklearn")
        if self.format == "sklearn" and self.model == "quantized":
            faults.append("export.model=quantized: an estimator has no integers; use export=onnx or export=c")
        _raise(faults)


@dataclass
class EngineConfig:
    """Where the parts of a stream are worked on."""

    name: str = MISSING
    workers: int | None = None
    address: str | None = None
    patience: float = 60.0

    def __post_init__(self) -> None:
        faults: list[str] = []
        _one_of(faults, "engine.name", self.name, ("serial", "threads", "joblib", "dask"))
        if self.workers is not None:
            _within(faults, "engine.workers", self.workers, 1)
        if self.address is not None and self.name != "dask":
            faults.append(f"engine.address={self.address}: only with engine=dask")
        _not_negative(faults, "engine.patience", self.patience)
        _raise(faults)


@dataclass
class Config:
    """The whole configuration. The groups are typed by their own schemas."""

    stage: str = "all"
    output_dir: str = "outputs"
    artifact: str | None = None
    model_path: str | None = None
    save: bool = True
    samples: int = 10
    report: str = "text"
    resume: str | None = None
    dataset: Any = MISSING
    model: Any = MISSING
    quantization: Any = MISSING
    predict: Any = MISSING
    export: Any = MISSING
    engine: Any = MISSING

    def __post_init__(self) -> None:
        faults: list[str] = []
        _one_of(faults, "stage", self.stage, STAGES)
        _one_of(faults, "report", self.report, ("text", "json"))
        _within(faults, "samples", self.samples, 0)
        if self.model_path is not None and self.stage in ("evaluate", "predict"):
            faults.append(
                f"model_path={self.model_path}: only with stage=train, quantize or all; "
                f"{self.stage} never loads an estimator"
            )
        if self.model_path == "":
            faults.append("model_path=: must name a file")
        if not self.output_dir:
            faults.append("output_dir=: must name a folder")
        _raise(faults)


GROUPS = ("dataset", "model", "quantization", "predict", "export", "engine")

SCHEMAS: dict[str, type] = {
    "config": Config,
    "california_housing": CaliforniaHousingConfig,
    "diabetes": DatasetConfig,
    "csv": CsvConfig,
    "parquet": ParquetConfig,
    "synthetic": SyntheticConfig,
    "model": ModelConfig,
    "quantization": QuantizationConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "engine": EngineConfig,
}


def register() -> None:
    """Put the schemas where the YAML files' `defaults` find them. Idempotent."""
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=name, group="schema", node=schema, provider="mlrq")
