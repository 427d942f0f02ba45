"""The documentation says what the program does: its commands are run, and what they print is compared."""

import csv
import json
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from support.pages import Reader, blocks, commands, rows, words

from mlrq.config import composition, validation

README, CONTRIBUTING = PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"
BENCHMARKS = PROJECT / "benchmarks" / "README.md"
PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), BENCHMARKS]
MAKEFILE = (PROJECT / "Makefile").read_text()
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# How the commands begin that are not run, and why.
NOT_RUN = {
    "python benchmarks/": "measures for minutes, and shows figures of one machine",
    ". .venv/bin/activate": "the Python that runs the tests is used instead",
    "pip install": "changes the environment; what it installs is held by the lock file",
    "python -m mlrq dataset=parquet dataset.path=houses dataset.target=price engine=dask": "needs a cluster",
}


def compiler_of_size() -> str:
    """Version of the cross-compiler; empty without it, or without the emulator."""
    if not shutil.which("arm-none-eabi-gcc") or not shutil.which("qemu-system-arm"):
        return ""
    return subprocess.run(
        ["arm-none-eabi-gcc", "-dumpversion"], capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_command_runs_and_prints_what_the_page_shows(page, run):
    not_run, typed = dict(NOT_RUN), typed_on(page)
    if "make size" in typed and compiler_of_size() not in page.read_text().split():
        not_run["make size"] = "the page shows the bytes that another compiler makes, or there is none"
    if any("dataset=parquet" in command for command in typed):
        pytest.importorskip("pyarrow")
    if any(command.startswith("cc ") for command in typed) and not shutil.which("cc"):
        pytest.skip("no C compiler on this machine")
    Reader(run, not_run).read(page)
    if page.name == "quantization.md":
        hold_the_table_and_the_plot_of_solvers(page)


def typed_on(page: Path) -> list[str]:
    return [command for block in blocks(page) if block.kind == "sh" for command in commands(block.text)]


def hold_the_table_and_the_plot_of_solvers(page: Path) -> None:
    """The page has the numbers and the picture of its sweep `experiment=solvers`."""
    (folder,) = (path for path in Path("outputs/sweeps").iterdir() if (path / "20").is_dir())
    made: dict[str, dict[str, str]] = {}
    for job in csv.DictReader((folder / "sweep.csv").read_text().splitlines()):
        if job["job"]:
            row = made.setdefault(job["bits"], {"bits": job["bits"]})
            row[f"{job['rounding']}: excess"] = f"{float(job['excess']):.4g}"
            row[f"{job['rounding']}: R2"] = f"{float(job['test R2']):.4f}"
            row["gap"] = job["gap"]  # of exact, the last of the three
    assert table_of_solvers(page) == list(made.values())
    image = pytest.importorskip("matplotlib.image")
    plot = page.with_name("excess.png")
    drawn = re.search(rb"Matplotlib version([\d.]+)", plot.read_bytes())
    if drawn and drawn[1].decode() == metadata.version("matplotlib"):  # another one may draw otherwise
        assert np.abs(image.imread(plot) - image.imread(folder / "sweep.png")).mean() < 1 / 255


def table_of_solvers(page: Path) -> list[dict[str, str]]:
    (found,) = (block for block in blocks(page) if block.kind == "table" and "exact: excess" in block.text)
    return rows(found.text)


def test_the_figures_at_the_top_of_the_readme_are_those_of_the_pages():
    readme = " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", README.read_text()).split())
    fewest = table_of_solvers(PROJECT / "docs" / "quantization.md")[0]
    for solver, said in (("nearest", "leaves a test R2 of {:.2f}"), ("exact", "mlrq finds leave {:.2f}")):
        assert said.format(float(fewest[f"{solver}: R2"])) in readme
    (text,) = re.findall(r"fixed point +(\d+) ", (PROJECT / "docs" / "deploy.md").read_text())
    assert f"{text} bytes of code and constants" in readme
    largest = r"^\| mlrq, 2 threads \| 40,000,000 \| ([\d.]+) \|.* (\d+) \|$"
    ((seconds, memory), *_) = re.findall(largest, BENCHMARKS.read_text(), re.MULTILINE)
    assert f"evaluated in {seconds} s and {memory} MB on" in readme


def test_every_option_of_a_group_is_named():
    text = " ".join(page.read_text() for page in PAGES)
    for path in composition.CONF.glob("*/*.yaml"):
        assert re.search(rf"\b{path.stem}\b", text), path


@pytest.mark.parametrize("name", ["float.json", "quantized.json", "evaluation.json", "run.json"])
def test_every_key_of_an_artifact_is_explained(finished, name):
    section = (
        (PROJECT / "docs" / "artifacts.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    )
    explained = set(
        re.findall(
            r"`(\w+)`", " ".join(row["key"] for row in rows(re.search(r"\|.*\|\n(?:\|.*\n)+", section)[0]))
        )
    )
    there = set(json.loads((finished / "outputs" / name).read_text()))
    assert there <= explained
    assert explained - there <= {"interval"}  # of models that have one


def test_every_benchmark_is_in_their_readme():
    programs = {path.name for path in (PROJECT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    found = {words(command)[1].rpartition("/")[2] for command in typed_on(BENCHMARKS)}
    assert programs - found == {"scale_jobs.py", "scip.py"}  # which only scale.py and solvers.py run


def test_every_target_of_make_is_explained_and_phony():
    explained = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert explained >= {
        "all",
        "train",
        "quantize",
        "evaluate",
        "predict",
        "export",
        "sweep",
        "test",
        "clean",
    }
    assert explained <= set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())


def test_the_yaml_that_adds_a_dataset_adds_one(tmp_path):
    (text,) = (block.text for block in blocks(CONTRIBUTING) if block.kind == "yaml")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "houses.yaml").write_text(text)
    found = composition.compose(["dataset=houses"], [tmp_path])
    checked = validation.check(composition.separate(found))
    assert checked.dataset.path == "docs/houses.csv"
    assert checked.dataset.target == ["price"]


@pytest.mark.slow
def test_the_rounding_that_contributing_adds_works_in_all_stages(command):
    function, entry = (block.text for block in blocks(CONTRIBUTING) if block.kind == "py")
    shutil.copytree(PROJECT / "mlrq", command.folder / "mlrq")
    shutil.copytree(PROJECT / "conf", command.folder / "conf")
    code, table = (command.folder / "mlrq" / "quantization" / name for name in ("rounding.py", "options.py"))
    code.write_text(f"{code.read_text()}\n\n{function}")
    table.write_text(table.read_text().replace("ROUNDINGS = {\n", f"ROUNDINGS = {{\n{entry}"))
    command.environment["PYTHONPATH"] = str(command.folder)
    done = command("quantization.rounding=upwards", "dataset=diabetes")
    assert done.code == 0, done.err
    assert "Quantize: 8 bits, symmetric, per_tensor, upwards\n" in done.out


def test_every_path_on_the_map_exists_and_every_package_is_on_it():
    (text,) = (block.text for block in blocks(CONTRIBUTING) if block.kind == "" and "mlrq/cli/" in block.text)
    paths = set(re.findall(r"^([\w./]+)", text, re.MULTILINE))
    assert not [path for path in paths if not (PROJECT / path).exists()]
    packages = {f"mlrq/{path.parent.name}/" for path in (PROJECT / "mlrq").glob("*/__init__.py")}
    assert packages <= paths


def test_every_link_leads_to_a_file_or_a_heading():
    for page in PAGES:
        for target in LINK.findall(page.read_text()):
            if not target.startswith("https://"):
                name, _, heading = target.partition("#")
                other = (page.parent / name).resolve() if name else page
                assert other.exists(), f"{page.name}: {target}"
                assert not heading or heading in headings(other), f"{page.name}: {target}"


def test_every_page_can_be_reached_from_the_readme_which_is_one_page():
    seen, left = set(), {README}
    while left:
        page = left.pop()
        seen.add(page)
        targets = {
            (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(page.read_text())
        }
        left |= {target for target in targets if target.suffix == ".md" and target.exists()} - seen
    assert not set(PAGES) - seen
    assert len(README.read_text().splitlines()) <= 125


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}
