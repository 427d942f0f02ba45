"""Hold the image to what the host computes: container/check.py ENGINE OUTPUTS.

One line a check; the first that fails ends it, with what was found.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mlrq.artifacts.json_document import encode
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


def split_of(model: dict[str, Any]) -> list[str]:
    """The overrides that name the split of the model's dataset; none where it is the default."""
    keys = ("split", "test_size", "seed")
    named = [f"dataset.{key}={model['training'][key]}" for key in keys]
    return [] if named == ["dataset.split=shuffle", "dataset.test_size=0.2", "dataset.seed=42"] else named


def default_command(sealed: Run, artifact: str, model: dict[str, Any]) -> float:
    """The image run as it is, or told the model's split. Returns the seconds it took, the best of three."""
    took, split = [], split_of(model)
    for _ in range(3):
        start = time.perf_counter()
        there = sealed(*(["evaluate", "save=false", *split] if split else []))
        took.append(time.perf_counter() - start)
    says = f"exit code {there.returncode}: {there.stderr}"
    check("the default command succeeds on a read-only root without network", not there.returncode, says)
    printed = len(SAMPLE.findall(there.stdout.partition("Sample predictions")[2]))
    check(f"it prints {ROWS} samples", printed == ROWS, f"{printed} of them")
    if not model["training"]["test_rows"]:
        check("it says that there is no test part", "there is no test part" in there.stdout, there.stdout)
    apart = lines_apart(there.stdout, host("evaluate", "save=false", artifact, *split).stdout)
    check("it prints what the host prints", not apart, apart)
    return min(took)


def metrics(sealed: Run, evaluation: dict[str, Any], model: dict[str, Any]) -> None:
    """Every digit of the evaluation that the host saved."""
    there = sealed("evaluate", "save=false", "report=json", *split_of(model))
    try:
        found = json.loads(there.stdout)
    except ValueError:
        fail(f"no JSON from evaluate report=json: exit code {there.returncode}: {there.stderr}")
    for part in ("quantized", "samples", *(("interval",) if "interval" in evaluation else ())):
        apart = values_apart(found.get(part), evaluation[part], part)
        check(f"{part}: equal to the host's to the last digit", not apart, apart)


def predictions(sealed: Run, artifact: str, features: list[str]) -> None:
    """Rows that are in no data set, through standard input and output."""
    cells = [[str(1 + (7 * i + 3 * j) % 11 / 8) for j in range(len(features))] for i in range(ROWS)]
    rows = "".join(",".join(row) + "\n" for row in [features, *cells])
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
    body["codes"][0][0] ^= 1
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "quantized.json")
        swap = ("--volume", f"{path}:{MODEL}:ro,Z")
        wanted = ("evaluate", "save=false", "report=json", *split_of(model))
        path.write_bytes(encode({**body, "sha256": digest(encode(body))}))
        path.chmod(0o444)
        there, here = sealed(*wanted, flags=swap), host(*wanted, f"artifact={path}")
        pair = [json.loads(done.stdout or "{}").get("quantized") for done in (there, here)]
        apart = values_apart(pair[0], pair[1], "quantized") or ("" if pair[0] else there.stderr)
        check("another model takes its place", not apart, apart)
        path.chmod(0o644)
        path.write_bytes(encode({**body, "sha256": model["sha256"]}))
        path.chmod(0o444)
        refused("a damaged model is", sealed(flags=swap))


def bad_rows(sealed: Run, features: list[str]) -> None:
    """Rows that cannot be predicted."""
    refused("rows that lack a column are", sealed("predict", rows="nothing\n1\n"))
    cells = ",".join(["1"] * (len(features) - 1) + ["many"])
    refused("rows with a bad cell are", sealed("predict", rows=f"{','.join(features)}\n{cells}\n"))


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

    seconds = default_command(sealed, artifact, model)
    metrics(sealed, json.loads((folder / "evaluation.json").read_text()), model)
    predictions(sealed, artifact, model["features"])
    inside(sealed)
    other_models(sealed, model)
    bad_rows(sealed, model["features"])
    size(engine, image)
    print(f"the image holds; from run to printed metrics {seconds:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
