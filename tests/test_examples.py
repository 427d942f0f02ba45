"""The notebooks in examples/ run from top to bottom, and show what they say they do."""

import importlib.util
import json

import pytest
from conftest import PROJECT

pytest.importorskip("matplotlib")
pytest.importorskip("onnxruntime")
pytest.importorskip("pandas")

SPEC = importlib.util.spec_from_file_location("execute", PROJECT / "examples" / "execute.py")
assert SPEC
assert SPEC.loader
execute = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(execute)


def shown(notebook) -> list[list[list[str]]]:
    """What each code cell shows as text and HTML; pictures have bytes of their own for each matplotlib."""
    cells = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [
        [
            lines
            for output in outputs
            for kind, lines in sorted(output.get("data", {"text": output.get("text")}).items())
            if kind != "image/png"
        ]
        for outputs in cells
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", execute.notebooks(), ids=lambda path: path.name)
def test_a_notebook_shows_what_it_is_stored_with(path):
    stored = json.loads(path.read_text())
    assert shown(execute.executed(path)) == shown(stored)
    assert path.read_text() == execute.as_text(stored)


def test_there_is_one():
    assert [path.name for path in execute.notebooks()] == ["few_bits.ipynb"]
