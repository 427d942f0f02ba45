"""What the messages say can be done."""

import ast
import re
import tomllib

import pytest
from conftest import PROJECT

from mlrq.errors import DISTRIBUTION, not_installed

PROJECT_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CALLS = [
    node
    for path in (PROJECT / "mlrq").rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "not_installed"
]


def test_a_missing_package_is_installed_in_a_checkout_or_by_the_name_of_the_distribution():
    assert PROJECT_TABLE["name"] == DISTRIBUTION
    said = not_installed("a plot", "matplotlib", "plot")
    assert said.startswith("a plot needs matplotlib, which is not installed: ")
    assert "pip install -e '.[plot]'" in said
    assert f"pip install '{DISTRIBUTION}[plot]'" in said


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.args[2].value)
def test_every_extra_that_a_message_names_brings_the_package(call):
    package, extra = (argument.value for argument in call.args[1:])
    brought = PROJECT_TABLE["optional-dependencies"][extra]
    assert package in [re.match(r"[\w-]+", requirement).group() for requirement in brought]


def test_no_text_installs_the_other_project_of_our_name():
    suffixes = {".py", ".md", ".yaml", ".toml"}
    texts = [path for path in PROJECT.iterdir() if path.suffix in suffixes or path.name == "Makefile"]
    for folder in ("mlrq", "conf", "docs", "benchmarks"):
        texts += [path for path in (PROJECT / folder).rglob("*") if path.suffix in suffixes]
    for path in texts:
        assert not re.search(r"pip install +['\"]?mlrq\b(?!-)", path.read_text()), path
