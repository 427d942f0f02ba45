"""Hold the image to what the host computes: container/check.py ENGINE OUTPUTS.

One line a check; the first that fails ends it, with what was found.
"""

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mlrq.artifacts.json_document import encode
from mlrq.cli import recorded
from mlrq.errors import quoted
from mlrq.files import digest

Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]

SEALED = (
    "--rm",
    "--interactive",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
MODEL = "/app/outputs/quantized.json"
SAMPLE = re.compile(r"^  \d+(?: +-?\d+\.\d+){3}", re.MULTILINE)
ROWS = 10
LARGEST_MB = 100  # of which NumPy is most
LOOK_INSIDE = """
import importlib.util, os
print(os.getuid(), *(n for n in ("sklearn", "scipy", "joblib") if importlib.util.find_spec(n)))
"""


def fail(text: str) -> NoReturn:
    """One line on standard error, and exit code 1."""
    print(f"docker-test: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(1)


def check(name: str, holds: bool, found: str) -> None:
    """Say that `name` holds, or fail with what was found instead."""
    if not holds:
        fail(f"does not hold: {name}: {found}")
    print(f"  ok  {name}", flush=True)


def run(*command: str, rows: str = "") -> Finished:
    """Run it with `rows` on standard input, and keep what it says."""
    try:
        return subprocess.run(command, input=rows, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        fail(f"no end after two minutes: {' '.join(command)}")


def host(*arguments: str, rows: str = "") -> Finished:
    """What mlrq says here, outside of any container."""
    return run(sys.executable, "-m", "mlrq", *arguments, rows=rows)


def lines_apart(image: str, here: str) -> str:
    """The first line in which two outputs differ; empty if they are equal."""
    pairs = zip([*image.splitlines(), "(end)"], [*here.splitlines(), "(end)"], strict=False)
    apart = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    return "" if image == here else f"the image says '{apart[0]}', the host '{apart[1]}'"


def values_apart(image: Any, here: Any, name: str) -> str:
    """The first value in which two JSON trees differ; empty if they are equal."""
    if isinstance(image, dict) and isinstance(here, dict) and image.keys() == here.keys():
        each = (values_apart(image[key], here[key], f"{name}.{key}") for key in here)
        return next(filter(None, each), "")
    return "" if image == here else f"{name} is {image} in the image, {here} on the host"


@dataclass(frozen=True)
class Rows:
    """The rows that a model is evaluated on, here and in the image.

    Attributes:
        here: Overrides that name them on the host.
        there: Overrides that name them in the image.
        flags: What gives them to the image.
    """

    here: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def rows_of(folder: Path, model: dict[str, Any]) -> Rows | None:
    """The rows that the model was made from; None where the image cannot read them."""
    name, *others = recorded.overrides(["stage=evaluate", f"output_dir={quoted(str(folder))}"]) or [""]
    if name == "dataset=california_housing":
        keys = ("split", "test_size", "seed")
        split = [f"dataset.{key}={model['training'][key]}" for key in keys]
        default = ["dataset.split=shuffle", "dataset.test_size=0.2", "dataset.seed=42"]
        return Rows() if split == default else Rows(tuple(split), tuple(split))
    if name != "dataset=csv":
        return None
    run_json = json.loads((folder / "run.json").read_text())["stages"]["evaluate"]
    path = Path(run_json["directory"], run_json["dataset"]["path"])
    kept = [text for text in others if not text.startswith("dataset.path=")]
    inside_it = f"dataset.path={quoted(path.name)}"
    return Rows((name, *others), (name, *kept, inside_it), ("--volume", f"{path}:/app/{path.name}:ro,Z"))


def default_command(sealed: Run, artifact: str, model: dict[str, Any], rows: Rows) -> float:
    """The image run as it is, or told of the rows. Returns the seconds it took, the best of three."""
    took = []
    if rows.flags:
        refused("without the rows of the model, it is", sealed())
    for _ in range(3):
        start = time.perf_counter()
        asked = ("evaluate", "save=false", *rows.there) if rows.there else ()
        there = sealed(*asked, flags=rows.flags)
        took.append(time.perf_counter() - start)
    says = f"exit code {there.returncode}: {there.stderr}"
    check("it evaluates on a read-only root without network", not there.returncode, says)
    printed = len(SAMPLE.findall(there.stdout.partition("Sample predictions")[2]))
    check(f"it prints {ROWS} samples", printed == ROWS, f"{printed} of them")
    if not model["training"]["test_rows"]:
        check("it says that there is no test part", "there is no test part" in there.stdout, there.stdout)
    apart = lines_apart(there.stdout, host("evaluate", "save=false", artifact, *rows.here).stdout)
    check("it prints what the host prints", not apart, apart)
    return min(took)


def metrics(sealed: Run, evaluation: dict[str, Any], rows: Rows) -> None:
    """Every digit of the evaluation that the host saved."""
    there = sealed("evaluate", "save=false", "report=json", *rows.there, flags=rows.flags)
    try:
        found = json.loads(there.stdout)
    except ValueError:
        fail(f"no JSON from evaluate report=json: exit code {there.returncode}: {there.stderr}")
    for part in ("quantized", "samples", *(("interval",) if "interval" in evaluation else ())):
        apart = values_apart(found.get(part), evaluation[part], part)
        check(f"{part}: equal to the host's to the last digit", not apart, apart)


def table(model: dict[str, Any]) -> list[list[str]]:
    """A header and rows that are in no data set, of the columns that the model reads; some cells missing."""
    plain = [{"name": name, "kind": "numeric", "fill": None} for name in model["features"]]
    columns = model["training"].get("columns", {"columns": plain})["columns"]

    def cell(i: int, j: int) -> str:
        column, number = columns[j], 7 * i + 3 * j
        if column["fill"] is not None and number % 5 == 0:
            return ""
        if column["kind"] == "boolean":
            return ("false", "true")[number % 2]
        if column["kind"] == "categorical":
            known = column["categories"] + column["rare"]
            return str(known[number % len(known)])
        return str(1 + number % 11 / 8)

    cells = [[cell(i, j) for j in range(len(columns))] for i in range(ROWS)]
    return [[column["name"] for column in columns], *cells]


def text(rows: list[list[str]]) -> str:
    """Rows as CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def predictions(sealed: Run, artifact: str, model: dict[str, Any]) -> None:
    """Rows through standard input and output."""
    rows = text(table(model))
    there, here = sealed("predict", rows=rows), host("predict", artifact, rows=rows)
    lines = len(there.stdout.splitlines())
    says = f"{lines} lines, exit code {there.returncode}: {there.stderr}"
    check("predict reads rows from standard input", not there.returncode and lines == ROWS + 1, says)
    apart = lines_apart(there.stdout, here.stdout)
    check("its predictions are the host's, byte for byte", not apart, apart)


def inside(sealed: Run) -> None:
    """Who runs, and with what."""
    there = sealed("-c", LOOK_INSIDE, flags=("--entrypoint", "python"))
    user, *packages = there.stdout.split() or [there.stderr]
    check("it runs as a user other than root", user.isdigit() and user != "0", f"user {user}")
    check("it holds nothing to train with", not packages, " ".join(packages))


def refused(name: str, there: Finished) -> None:
    """One line on standard error, nothing on standard output, and an exit code that is not 0."""
    said = [line for line in there.stderr.splitlines() if line.startswith("mlrq:")]
    holds = there.returncode and len(said) == 1 and "Traceback" not in there.stderr and not there.stdout
    says = f"exit code {there.returncode}: {there.stdout} {there.stderr}"
    check(f"{name} refused in one line", bool(holds), says)


def other_models(sealed: Run, model: dict[str, Any]) -> None:
    """A model of the user's own in place of the one inside, and one with a bit changed."""
    body = {key: value for key, value in model.items() if key != "sha256"}
    codes = body["codes"][0]
    codes[:] = codes[1:] + codes[:1]  # of the same size, so that no bound changes
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "quantized.json")
        swap = ("--volume", f"{path}:{MODEL}:ro,Z")
        path.write_bytes(encode({**body, "sha256": digest(encode(body))}))
        path.chmod(0o444)
        sent = text(table(model))
        there, here = sealed("predict", flags=swap, rows=sent), host("predict", f"artifact={path}", rows=sent)
        apart = lines_apart(there.stdout, here.stdout) or ("" if there.stdout else there.stderr)
        check("another model takes its place", not apart, apart)
        path.chmod(0o644)
        path.write_bytes(encode({**body, "sha256": model["sha256"]}))
        path.chmod(0o444)
        refused("a damaged model is", sealed("predict", flags=swap, rows=sent))


def bad_rows(sealed: Run, model: dict[str, Any]) -> None:
    """Rows that cannot be predicted."""
    header, row, *_ = table(model)
    refused("rows that lack a column are", sealed("predict", rows="nothing\n1\n"))
    refused("rows with a bad cell are", sealed("predict", rows=text([header, [*row[:-1], "many"]])))


def size(engine: str, image: str) -> None:
    """Bytes over the base image, which a label names."""
    template = '{{.Size}} {{index .Config.Labels "org.opencontainers.image.base.name"}}'
    bytes_all, base = run(engine, "image", "inspect", "--format", template, image).stdout.split()
    bytes_base = run(engine, "image", "inspect", "--format", "{{.Size}}", base).stdout
    over = (int(bytes_all) - int(bytes_base)) / 1e6
    check(f"it is at most {LARGEST_MB} MB over its base", over <= LARGEST_MB, f"{over:.0f} MB")


def main(engine: str, folder: Path) -> None:
    """All checks, in the order in which a user would meet the faults."""
    if not engine:
        fail("no container engine answers; install Docker or Podman, or name one with CONTAINER_ENGINE=")
    image = (folder / "image.id").read_text().strip()
    if run(engine, "image", "inspect", image).returncode:
        fail(f"{engine} does not have the image; remove {folder / 'image.id'} and try again")
    model = json.loads((folder / "quantized.json").read_text())
    artifact = f"artifact={folder / 'quantized.json'}"

    def sealed(*arguments: str, flags: tuple[str, ...] = (), rows: str = "") -> Finished:
        return run(engine, "run", *SEALED, *flags, image, *arguments, rows=rows)

    told, rows = "", rows_of(folder, model)
    if rows:
        seconds = default_command(sealed, artifact, model, rows)
        metrics(sealed, json.loads((folder / "evaluation.json").read_text()), rows)
        told = f"; from run to printed metrics {seconds:.2f} s"
    else:
        refused("a dataset that it cannot read is", sealed())
    predictions(sealed, artifact, model)
    inside(sealed)
    other_models(sealed, model)
    bad_rows(sealed, model)
    size(engine, image)
    print(f"the image holds{told}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
