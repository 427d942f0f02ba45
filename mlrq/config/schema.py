"""The schema of the configuration: one dataclass for each option of a group, with the bounds of its keys.

Hydra composes YAML onto these schemas; `mlrq.config.validation` then checks what came out. The defaults of
all keys stand here, and those of a quantization in `mlrq.quantization.settings`; the YAML files show them.
Without repr and eq, which nothing calls and Python would compile at every start.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import MISSING, OmegaConf

from mlrq.config.allowed import (
    COLUMNS,
    DELIMITER,
    PROBABILITY,
    TEXTS,
    kinds,
    named,
    number_or,
    some_of,
    switch_or,
    width_or,
)
from mlrq.errors import nearest
from mlrq.models.targets import ESTIMATORS, MODULE
from mlrq.quantization import options
from mlrq.quantization.keys import Key, OneOf, Within, faults, key
from mlrq.quantization.settings import FEWEST, MOST, Settings, Wanted

STAGES = {
    "all": "train, quantize and evaluate, in one process",
    "train": "fit the float model",
    "quantize": "make the integer model",
    "evaluate": "compare the two on the test rows",
    "predict": "predict rows of your own",
    "verify": "show from the training rows that the codes are the best ones",
    "export": "write the model as C, ONNX or a scikit-learn estimator",
}


SPLITS = {
    "shuffle": "by scikit-learn's permutation, for which all rows are in memory",
    "hash": "by a seeded hash of each row's position",
}
SOURCES = {"embedded": "this package", "sklearn": "scikit-learn's fetcher, which downloads it once"}
KINDS = {
    "numeric": "numbers",
    "boolean": "true and false, yes and no, or 1 and 0",
    "categorical": "categories, each against the most frequent one",
    "drop": "left out",
}
MISSING_CELLS = {
    "error": "is an error",
    "mean": "is filled with the mean of the training rows, or their most frequent category",
    "indicator": "as mean, and one more feature is 1 where the cell is missing",
    "drop": "drops the row, in training and in tests",
}
UNKNOWN = {"error": "is an error", "baseline": "counts as the most frequent one"}
ON_ERROR = {"fail": "end the run", "skip": "are left out, which is said"}
UNREADABLE = {"fail": "end the run", "skip": "is left out", "null": "its predictions are left empty"}
ERRORS = {
    "classical": "residuals have one variance",
    "HC0": "any variances; for many rows, and in a pass, as the next",
    "HC1": "HC0 by the share of rows that are degrees of freedom",
    "HC2": "squares of residuals by 1 less the leverage of the row",
    "HC3": "the same by the square of that; for few rows",
}
REPORTS = {"text": "tables", "json": "the evaluation, or what training found, as one line, with every digit"}
FORMATS = {
    "auto": "by the input's name, else by its first character",
    "csv": "cells between delimiters, below a header line",
    "jsonl": "one JSON object a line",
    "parquet": "Parquet, which needs the parquet extra",
}
EXPORTS = {"c": "integer C99", "onnx": "an ONNX file", "sklearn": "a scikit-learn estimator"}
ENGINES = {
    "serial": "one part after the other",
    "threads": "threads of this process",
    "joblib": "processes of this machine",
    "dask": "workers of dask.distributed",
}
PLACES = named("a file, a folder, a glob or a URI")


def _tab(delimiter: str) -> str:
    """The delimiter that is meant: the two letters \\t are easier to type in a shell than a tab."""
    return "\t" if delimiter == "\\t" else delimiter


def _columns(value: object) -> list[str]:
    """A column name, or a list of them, as a list of strings."""
    return [str(name) for name in value] if isinstance(value, list) else [str(value)]


def _kinds(columns: object) -> object:
    """Columns by name, and what each is, of a mapping, or of a list of "name: kind" for any name."""
    columns = [columns] if isinstance(columns, str) else columns
    if isinstance(columns, list) and all(isinstance(one, str) and ":" in one for one in columns):
        pairs = [one.rpartition(":") for one in columns]
        return {name: kind.strip() for name, _, kind in pairs}
    return {str(name): kind for name, kind in columns.items()} if isinstance(columns, dict) else columns


@dataclass(repr=False, eq=False)
class Schema:
    """A set of keys."""

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed; `prefix` before its name."""
        return faults(self, prefix)


@dataclass(repr=False, eq=False)
class DatasetConfig(Schema):
    """What every dataset has: its loader, and how rows are split into training and test rows."""

    LOADER: ClassVar[str] = ""

    _target_: str = key(MISSING, "the loader, and no other")
    split: str = key("shuffle", "how test rows are chosen", OneOf(SPLITS))
    test_size: float = key(0.2, "fraction of the rows to test on", Within(0, below=1))
    seed: int = key(42, "of the split into training and test rows", Within(0, 2**32 - 1))

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed; `prefix` before its name."""
        found = super().faults(prefix)
        if self._target_ != self.LOADER:
            found.append(f"{prefix}_target_={self._target_}: must be {self.LOADER}")
        return found


@dataclass(repr=False, eq=False)
class CaliforniaHousingConfig(DatasetConfig):
    """California Housing."""

    LOADER = "mlrq.datasets.california_housing.load"

    source: str = key("embedded", "where the table is taken from", OneOf(SOURCES))


@dataclass(repr=False, eq=False)
class DiabetesConfig(DatasetConfig):
    """The diabetes table of scikit-learn."""

    LOADER = "mlrq.datasets.diabetes.load"


@dataclass(repr=False, eq=False)
class FileConfig(DatasetConfig):
    """Columns of a file, which is read in batches."""

    split: str = key("hash", "how test rows are chosen", OneOf(SPLITS))
    path: str = key(MISSING, "dataset.path=houses.csv", named("a file"), environment=True)
    target: Any = key(MISSING, "dataset.target=price or dataset.target=[price,rent]", COLUMNS)
    features: Any = key(None, "dataset.features=[area,rooms]", COLUMNS, null="all but the targets")
    weight: str | None = key(None, "what each row counts, 0 or more", named("a column"), null="1")
    stream_above: int = key(100_000_000, "bytes of numbers; more are read in every pass", Within(0))
    memory_limit: int = key(2_000_000_000, "bytes for rows, where all are needed in memory", Within(0))
    on_error: str = key("fail", "what damaged rows (CSV) and row groups (Parquet) do", OneOf(ON_ERROR))
    columns: Any = key(None, "{zip: categorical}", kinds(KINDS), null="as they look")
    missing: str = key("error", "what a missing cell does", OneOf(MISSING_CELLS))
    missing_values: Any = key(None, "missing cells beside empty, NaN and null", TEXTS, null="none")
    rare_below: int = key(0, "training rows below which categories share one feature", Within(0))
    unknown: str = key("error", "what a category does that no training row has", OneOf(UNKNOWN))

    def __post_init__(self) -> None:
        self.target = _columns(self.target)
        self.features = None if self.features is None else _columns(self.features)
        self.missing_values = None if self.missing_values is None else _columns(self.missing_values)
        self.columns = _kinds(self.columns)

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed; `prefix` before its name."""
        found = super().faults(prefix)
        both = [name for name in self.features or [] if name in self.target]
        if both:
            found.append(f"{prefix}features={both}: a target cannot be a feature too")
        if self.weight is not None and self.weight in [*(self.features or []), *self.target]:
            found.append(f"{prefix}weight={self.weight}: cannot be a feature or a target too")
        return found


@dataclass(repr=False, eq=False)
class ParquetConfig(FileConfig):
    """Parquet files."""

    LOADER = "mlrq.datasets.parquet.load"

    path: str = key(MISSING, "dataset.path=houses.parquet", PLACES, environment=True)
    test_path: str | None = key(None, "the test rows", PLACES, null="test_size of path", environment=True)


@dataclass(repr=False, eq=False)
class CsvConfig(FileConfig):
    """A CSV file with a header line."""

    LOADER = "mlrq.datasets.csv.load"

    delimiter: str = key(",", "between cells", DELIMITER)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.delimiter = _tab(self.delimiter)


@dataclass(repr=False, eq=False)
class SyntheticConfig(DatasetConfig):
    """A linear model with Gaussian features and noise; `seed` makes the rows and splits them."""

    LOADER = "mlrq.datasets.synthetic.load"

    rows: int = key(1000, "number of rows", Within(1))
    features: int = key(8, "number of features", Within(1))
    targets: int = key(1, "number of targets", Within(1))
    noise: float = key(0.1, "standard deviation, by that of each target without noise", Within(0))


@dataclass(repr=False, eq=False)
class ModelConfig(Schema):
    """A linear regressor of scikit-learn, and whether features are standardized first."""

    name: str = key(MISSING, "what reports call it")
    standardize: bool = key(False, "first bring each feature to mean 0 and deviation 1")
    estimator: dict[str, Any] = field(
        default_factory=dict, metadata={"key": Key("a regressor of sklearn.linear_model, and its parameters")}
    )

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed; `prefix` before its name."""
        found = super().faults(prefix)
        target = str(self.estimator.get("_target_", "null"))
        if target not in ESTIMATORS:
            names = [one.rpartition(".")[2] for one in ESTIMATORS]
            meant = nearest(target.rpartition(".")[2], names, f"{MODULE}.", 0.75)
            found.append(
                f"{prefix}estimator._target_={target}: must be a linear regressor of {MODULE}"
                f"{meant or '; any other comes in fitted, by model_path'}"
            )
        for name, value in self.estimator.items():
            values = value if isinstance(value, list) else [value]
            if name.startswith("_") and name != "_target_":
                found.append(f"{prefix}estimator.{name}: is no parameter of an estimator")
            elif any(isinstance(one, dict | list) for one in values):
                found.append(f"{prefix}estimator.{name}={value}: must be a value, or a list of values")
        return found


@dataclass(repr=False, eq=False)
class QuantizationConfig(Settings):
    """How float weights become b-bit codes, and what the guard allows."""

    bits: int | str = key(  # type: ignore[assignment]  # in an artifact it is a number
        8, "bits of a code; auto: the fewest that tolerance allows", width_or("auto", FEWEST, MOST)
    )
    tolerance: float = key(
        0.01, "excess that bits=auto allows, as a part of the residual variance", Within(0)
    )
    grids: Any = key(
        None,
        "bits=auto takes the cheapest",
        some_of(options.GRIDS, "any", "GRANULARITY/SCHEME"),
        null="the given one",
    )
    interval: float | None = key(
        None,
        "probability of low to high; train sets rows aside",
        PROBABILITY,
        null="none",
    )
    max_r2_drop: int | float | str | None = key(
        "auto", "drop of training R2; auto: 0.01 from 8 bits, else any", number_or("auto"), null="any"
    )
    strict: bool = key(False, "make what the guard objects to an error")
    certificate: bool | str = key(
        "auto", "write certificate.json; auto: unless it takes too much", switch_or("auto")
    )

    def __post_init__(self) -> None:
        self.grids = [self.grids] if self.grids in options.GRIDS else self.grids

    def faults(self, prefix: str = "") -> list[str]:
        """As of Settings, and of the grids that are listed."""
        found = super().faults(prefix)
        if self.interval is not None and self.output_range is not None:
            found.append(
                f"{prefix}interval={self.interval}: not with output_range={self.output_range}, whose limits "
                "would cut it; leave one out"
            )
        if self.grids is None or found:
            return found
        if self.bits != "auto":
            return [f"{prefix}grids: not with bits={self.bits}; use bits=auto"]
        listed = () if self.grids == "any" else self._of_grids(self.grids)
        return [f"{prefix}grids={name}: {fault}" for name, one in listed for fault in one.faults()]

    def _of_grids(self, names: Collection[str]) -> list[tuple[str, Settings]]:
        """Settings with each of these grids."""
        common = {item.name: getattr(self, item.name) for item in fields(Settings)} | {"bits": MOST}
        pairs = [(name, name.split("/")) for name in names]
        return [(name, Settings(**common | {"granularity": g, "scheme": s})) for name, (g, s) in pairs]

    @property
    def wanted(self) -> Wanted | None:
        """What bits=auto asks for; None where bits are given."""
        if self.bits != "auto":
            return None
        names = options.GRIDS if self.grids == "any" else self.grids or ()
        return Wanted(self.tolerance, tuple(name for name, one in self._of_grids(names) if not one.faults()))


@dataclass(repr=False, eq=False)
class PredictConfig(Schema):
    """Where rows to predict come from and where predictions go."""

    input: str = key("-", "rows to predict; - is standard input", named("a file"), environment=True)
    output: str = key(
        "-", "predictions; - is standard output, Parquet needs a folder", named("a file"), environment=True
    )
    format: str = key("auto", "format of the rows", OneOf(FORMATS))
    delimiter: str = key(",", "between cells of CSV", DELIMITER)
    keep: Any = key(None, "copied beside the predictions", COLUMNS, null="none")
    flag: bool = key(False, "add a column `saturated`, of rows beyond the ranges of the model")
    on_error: str | None = key("fail", "what becomes of a row that cannot be read", OneOf(UNREADABLE))
    unknown: str = key("error", "what a category does that the model does not know", OneOf(UNKNOWN))

    def __post_init__(self) -> None:
        self.delimiter = _tab(self.delimiter)
        self.keep = None if self.keep is None else _columns(self.keep)
        self.on_error = self.on_error or "null"  # Hydra reads the word as nothing


@dataclass(repr=False, eq=False)
class ExportConfig(Schema):
    """What an exported model becomes."""

    format: str = key(MISSING, "format of the export", OneOf(EXPORTS))


@dataclass(repr=False, eq=False)
class ExportCConfig(ExportConfig):
    """Integer C99."""

    model: str = key("quantized", "C has integers only", OneOf(("quantized",)))
    prefix: str = key("mlrq", "name before that of every file, function and macro", named("a C identifier"))
    packed: bool = key(False, "store codes in their own bits, and code to unpack them")


@dataclass(repr=False, eq=False)
class ExportOnnxConfig(ExportConfig):
    """An ONNX file."""

    model: str = key("quantized", "the model to export", OneOf(("quantized", "float")))


@dataclass(repr=False, eq=False)
class ExportSklearnConfig(ExportConfig):
    """A scikit-learn estimator."""

    model: str = key("float", "an estimator has no integers", OneOf(("float",)))


@dataclass(repr=False, eq=False)
class EngineConfig(Schema):
    """Where the parts of a stream are worked on."""

    name: str = key(MISSING, "name of the engine", OneOf(ENGINES))


@dataclass(repr=False, eq=False)
class WorkersConfig(EngineConfig):
    """Several workers."""

    workers: int | None = key(None, "number of workers", Within(1), null="one for each core")


@dataclass(repr=False, eq=False)
class DaskConfig(WorkersConfig):
    """Workers of dask.distributed."""

    address: str | None = key(
        None, "tcp://host:8786", named("a scheduler's address"), null="a cluster here", environment=True
    )
    patience: float = key(60.0, "seconds to wait for a worker where none is left", Within(0))


@dataclass(repr=False, eq=False)
class Config(Schema):
    """The whole configuration. The groups are typed by their own schemas."""

    stage: str = key("all", "what to do", OneOf(STAGES))
    output_dir: str = key("outputs", "everything a run writes goes here", named("a folder"), environment=True)
    artifact: str | None = key(
        None,
        "the integer model that stages begin with",
        named("a file"),
        null="quantized.json in output_dir",
        environment=True,
    )
    model_path: str | None = key(
        None,
        "a fitted estimator, .joblib (runs its code!) or .skops",
        named("a file"),
        null="train one",
        environment=True,
    )
    save: bool = key(True, "write artifacts; false prints only")
    samples: int = key(10, "test rows that evaluate shows", Within(0))
    report: str = key("text", "what is printed", OneOf(REPORTS))
    standard_errors: str = key("classical", "of coefficients, as train reports them", OneOf(ERRORS))
    resume: str | None = key(
        None, "run what a sweep left undone", named("a sweep's folder, last"), null="no", environment=True
    )
    dataset: Any = key(MISSING, "rows to learn from")
    model: Any = key(MISSING, "the float model")
    quantization: Any = key(MISSING, "the integer model")
    predict: Any = key(MISSING, "rows to predict, and where predictions go")
    export: Any = key(MISSING, "what the model becomes")
    engine: Any = key(MISSING, "where the parts of a large dataset are worked on")

    def faults(self, prefix: str = "") -> list[str]:
        """A line for every value that is not allowed; `prefix` before its name."""
        found = super().faults(prefix)
        if self.model_path is not None and self.stage in ("evaluate", "predict"):
            found.append(
                f"{prefix}model_path={self.model_path}: only with stage=train, quantize or all; "
                f"{self.stage} never loads an estimator"
            )
        return found


# Of each group, what the schemas of its options have in common.
GROUPS: dict[str, type] = {
    "dataset": DatasetConfig,
    "model": ModelConfig,
    "quantization": QuantizationConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "engine": EngineConfig,
}

# As the `defaults` of the YAML files call them.
SCHEMAS: dict[str, type] = {
    "config": Config,
    "california_housing": CaliforniaHousingConfig,
    "diabetes": DiabetesConfig,
    "csv": CsvConfig,
    "parquet": ParquetConfig,
    "synthetic": SyntheticConfig,
    "model": ModelConfig,
    "quantization": QuantizationConfig,
    "predict": PredictConfig,
    "export_c": ExportCConfig,
    "export_onnx": ExportOnnxConfig,
    "export_sklearn": ExportSklearnConfig,
    "serial": EngineConfig,
    "threads": WorkersConfig,
    "joblib": WorkersConfig,
    "dask": DaskConfig,
}


class _Files(dict[str, Any]):
    """The schemas as files of Hydra's store, each made when it is asked for: a run needs seven of sixteen."""

    def __getitem__(self, file: str) -> ConfigNode:
        made = super().__getitem__(file)
        if isinstance(made, type):
            self[file] = made = ConfigNode(file, OmegaConf.structured(made), "schema", None, "mlrq")
        node: ConfigNode = made
        return node


def register() -> None:
    """Put the schemas where the YAML files' `defaults` find them. Idempotent."""
    ConfigStore.instance().repo.setdefault(
        "schema", _Files({f"{name}.yaml": one for name, one in SCHEMAS.items()})
    )
