"""The documentation and the program stay in step."""

import re
import shlex
from itertools import product
from pathlib import Path

import pytest
from conftest import PROJECT, composed
from support.quantizing import quantized

from mlrq.cli import arguments as command_line
from mlrq.config import composition, validation
from mlrq.pipeline.stages import evaluate, quantize_model
from mlrq.stats.metrics import measure

DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "benchmarks" / "README.md"]
LANGUAGES = r"```(?:sh|bash|console|shell)\n(.*?)```"
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def commands(path: Path) -> list[list[str]]:
    """The words of every line of every shell block, without prompts, comments and redirections."""
    found = []
    for block in re.findall(LANGUAGES, path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"\s[<>|].*", "", line.removeprefix("$ ")), comments=True)
            if words:
                found.append(words)
    return found


ALL = [(str(path.relative_to(PROJECT)), words) for path in DOCUMENTS for words in commands(path)]


def those(starts: list[str]) -> list:
    return [
        pytest.param(words, id=f"{name}: {' '.join(words)}")
        for name, words in ALL
        if [word.rpartition("/")[2] for word in words[: len(starts)]] == starts
    ]


def hold(arguments: list[str]) -> None:
    """Every job that the command line asks for composes and passes the check."""
    line = command_line.parse(arguments)
    assert not line.faults
    asked = [composition.asked(text) for text in line.overrides if not text.startswith("resume=")]
    assert "--multirun" in line.switches or not any(one.swept for one in asked)
    for job in product(*(one.values for one in asked)):
        validation.check(composed(*job))


def test_the_readme_shows_commands_of_both_kinds():
    readme = [words for name, words in ALL if name == "README.md"]
    assert len([words for words in readme if "mlrq" in words]) >= 5
    assert ["make", "all"] in readme
    assert ["make", "test"] in readme


def test_every_command_in_the_documents_is_of_a_kind_that_is_held_here():
    known = ("python -m mlrq", "mlrq", "make", "docker run", "podman run", "git clone", "cd", "pip install")
    for name, words in ALL:
        line = " ".join([words[0].rpartition("/")[2], *words[1:]])
        benchmark = words[0] == "python" and words[1].startswith("benchmarks/")
        assert line.startswith(known) or (benchmark and (PROJECT / words[1]).is_file()), f"{name}: {line}"


@pytest.mark.parametrize("words", those(["python", "-m", "mlrq"]))
def test_every_python_command_composes(words):
    hold(words[3:])


@pytest.mark.parametrize("words", those(["make"]))
def test_every_make_command_has_its_target_and_its_overrides_compose(words):
    targets = [word for word in words[1:] if "=" not in word]
    assert targets
    assert set(targets) <= TARGETS
    for word in words[1:]:
        if word.startswith("ARGS="):
            hold([*(["-m"] if "sweep" in targets else []), *shlex.split(word.removeprefix("ARGS="))])


@pytest.mark.parametrize("words", those(["docker", "run"]))
def test_every_container_command_is_one_that_the_program_takes(words):
    # No container is started here: `make docker-test` does that. What follows the image is ours.
    hold(words[words.index("mlrq") + 1 :])
    assert "docker" in TARGETS


def test_every_benchmark_is_in_their_readme():
    programs = {path.name for path in (PROJECT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    shown = {words[1].rpartition("/")[2] for _, words in ALL if words[1].startswith("benchmarks/")}
    assert programs - shown == {"scale_jobs.py"}  # which only scale.py runs


def test_every_target_of_make_is_explained_and_phony_or_a_file():
    explained = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    wanted = {
        "all",
        "train",
        "quantize",
        "evaluate",
        "predict",
        "sweep",
        "docker",
        "docker-test",
        "test",
        "lint",
        "clean",
        "help",
    }
    assert wanted <= explained
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split()
    assert explained <= set(phony)


def test_every_option_is_in_the_readme():
    readme = DOCUMENTS[0].read_text()
    for group in ("dataset", "model", "quantization"):
        for path in (composition.CONF / group).glob("*.yaml"):
            assert path.stem == "default" or f"`{path.stem}`" in readme, f"{group}={path.stem}"


def test_every_key_of_the_artifact_is_in_the_readme(finished):
    import json

    section = DOCUMENTS[0].read_text().partition("## The artifact")[2].partition("\n## ")[0]
    for key in json.loads((finished / "outputs" / "quantized.json").read_text()):
        assert f"`{key}`" in section


def test_the_output_shown_in_the_readme_is_what_the_program_prints(finished):
    (shown,) = re.findall(r"```text\n(Data:.*?)```", DOCUMENTS[0].read_text(), re.DOTALL)
    printed = [line.rstrip() for line in (finished / "stdout.txt").read_text().splitlines()]
    for line in shown.splitlines():
        # Bytes on disk depend on the versions installed.
        if line.strip() and line != "..." and "size on disk" not in line:
            assert line.rstrip() in printed


def test_the_table_of_bit_widths_in_the_readme_is_measured(data, trained):
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (.*) \|$", DOCUMENTS[0].read_text(), re.MULTILINE)
    assert len(rows) >= 6
    for option, bits, rest in rows:
        settings = validation.check(composed(f"quantization={option}")).quantization
        made = quantize_model(data, trained.artifact, settings, None).artifact
        done = evaluate(data, made, trained.artifact, 0, None)
        expected = [
            str(settings.bits), settings.scheme, settings.rounding,
            f"{done.test.r2:.4f}", f"{done.train.r2:.4f}", f"{done.test.mse:.4f}",
            f"{done.max_difference:.4f}", str(done.model.payload_bits),
        ]  # fmt: skip
        assert [bits, *rest.split(" | ")[:7]] == expected


def test_the_table_of_solvers_in_the_readme_is_measured(data):
    rows = re.findall(r"^\| (\d) \| (.*) \| (\w+) \|$", DOCUMENTS[0].read_text(), re.MULTILINE)
    assert [int(bits) for bits, _, _ in rows] == list(range(2, 9))
    for bits, cells, proof in rows:
        expected = []
        for rounding in ("nearest", "babai", "exact"):
            made = quantized(data, bits=int(bits), rounding=rounding)
            test = measure(data.parts.test_values, made.model.predict(data.parts.test_rows))
            expected += [f"{made.excess:.4g}", f"{test.r2:.4f}"]
        assert cells.split(" | ") == expected
        assert proof == ("optimal" if made.certificate.optimal else "gap")


def test_the_r2_beside_a_command_in_the_readme_is_measured(data, trained):
    found = re.findall(r"^python -m mlrq (.*?) +# test R2 ([0-9.]+)$", DOCUMENTS[0].read_text(), re.MULTILINE)
    assert len(found) >= 3
    for overrides, printed in found:
        settings = validation.check(composed(*overrides.split())).quantization
        made = quantize_model(data, trained.artifact, settings, None).artifact.model
        assert f"{measure(data.parts.test_values, made.predict(data.parts.test_rows)).r2:.4f}" == printed


def test_the_yaml_that_adds_a_dataset_adds_one(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCUMENTS[1].read_text(), re.DOTALL)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "houses.yaml").write_text(text)
    found = composition.compose(["dataset=houses"], [tmp_path])
    checked = validation.check(composition.separate(found))
    assert checked.dataset.path == "data/houses.csv"
    assert checked.dataset.target == ["price"]


def test_every_path_on_the_map_exists():
    block = DOCUMENTS[1].read_text().partition("```text\n")[2].partition("```")[0]
    paths = re.findall(r"^([\w./]+)", block, re.MULTILINE)
    assert len(paths) > 10
    for path in paths:
        assert (PROJECT / path).exists(), path
