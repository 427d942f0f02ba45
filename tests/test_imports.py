"""Which module may know what: start-up stays fast, and inference needs no scikit-learn."""

import ast
import json
from pathlib import Path

import pytest
from conftest import PROJECT, rows_csv
from support.tables import rows_of, values_of

PACKAGE = PROJECT / "mlrq"
MODULES = sorted(PACKAGE.rglob("*.py"))
# From what a person sees down to what needs nothing.
ORDER = (
    "__main__", "api", "cli", "pipeline", "export", "config", "artifacts", "streaming", "quantization",
    "solvers", "datasets", "models", "stats", "kernel", "files", "errors",
)  # fmt: skip
KNOW_HYDRA = {"cli", "config"}

LOADED = """
import json, sys
from mlrq.cli.main import main
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded(outcome) -> set[str]:
    assert outcome.code == 0, outcome.err
    return set(json.loads(outcome.err.splitlines()[-1]))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_door_knows_hydra(path):
    found = {name.split(".")[0] for name in imports(path)}
    if path.relative_to(PACKAGE).parts[0] not in KNOW_HYDRA:
        assert not found & {"hydra", "omegaconf"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_the_list(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    parts = [name.split(".") for name in imports(path) if name.startswith("mlrq.")]
    above = [names for names in parts if names[1] in ORDER and ORDER.index(names[1]) < ORDER.index(own)]
    assert not above


def test_the_root_holds_what_the_list_names():
    found = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("__py")}
    assert found - {"__init__"} <= {*ORDER, "py.typed"}


def test_there_is_no_drawer_for_odds_and_ends():
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "misc", "common"}


def test_the_schema_needs_nothing_scientific(command):
    code = (
        "import sys, mlrq.config.schema as s; "
        "print(sorted({'numpy', 'sklearn', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = command.python(code)
    assert (done.code, done.out) == (0, "[]\n")


def test_predicting_imports_no_scikit_learn(command, outputs, california, parts):
    text = rows_csv(california, parts.test_rows[:10])
    found = loaded(command.python(LOADED, "predict", stdin=text))
    assert "numpy" in found
    assert not found & {"sklearn", "scipy", "joblib", "rich", "matplotlib"}


def test_evaluating_california_imports_no_scikit_learn(command, outputs):
    found = loaded(command.python(LOADED, "evaluate"))
    assert not found & {"sklearn", "scipy", "joblib", "matplotlib"}


@pytest.mark.few(1)
@pytest.mark.parametrize("model", ["linear_regression", "ridge"])
@pytest.mark.parametrize("inputs", ["int8", "float"])
def test_a_run_over_a_stream_imports_no_scikit_learn(command, tmp_path, california, model, inputs):
    (tmp_path / "mine.csv").write_text(rows_csv(california, rows_of(california)[:500]))
    found = loaded(
        command.python(
            LOADED, "dataset=csv", "dataset.path=mine.csv", "dataset.target=HouseAge",
            "dataset.stream_above=0", f"model={model}", "model.standardize=true",
            f"quantization.inputs={inputs}",
        )
    )  # fmt: skip
    assert not found & {"sklearn", "scipy", "joblib", "matplotlib"}
    made = {path.name for path in (tmp_path / "outputs").iterdir()}
    assert made == {"SHA256SUMS", "run.json", "evaluation.json", "float.json", "quantized.json"}


@pytest.mark.slow
def test_a_run_over_parquet_imports_no_scikit_learn(command, tmp_path, california):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = dict(zip(california.features, rows_of(california)[:500].T, strict=True))
    pq.write_table(pa.table(table), tmp_path / "mine.parquet")
    wanted = ("dataset=parquet", "dataset.path=mine.parquet", "dataset.target=HouseAge")
    assert not loaded(command.python(LOADED, *wanted)) & {"sklearn", "scipy", "joblib", "matplotlib"}


@pytest.mark.slow
def test_evaluating_a_csv_imports_no_scikit_learn(command, outputs, tmp_path, california):
    lines = rows_csv(california, rows_of(california)[:200]).splitlines()
    values = ["MedHouseVal", *map(repr, values_of(california)[:200, 0].tolist())]
    text = "\n".join(f"{line},{value}" for line, value in zip(lines, values, strict=True))
    (tmp_path / "mine.csv").write_text(text)
    found = loaded(
        command.python(
            LOADED, "evaluate", "dataset=csv", "dataset.path=mine.csv", "dataset.target=MedHouseVal"
        )
    )
    assert not found & {"sklearn", "scipy", "joblib", "matplotlib"}


def test_the_version_is_printed_before_anything_scientific_is_imported(command):
    found = command.python(LOADED, "--version")
    assert not loaded(found) & {"numpy", "sklearn", "scipy", "rich"}
