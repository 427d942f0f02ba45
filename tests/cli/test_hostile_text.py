"""Names, paths, overrides and keys that are markup, terminal commands or second lines come out as text."""

import csv
import io
import json
import re
import shutil
import sys

import numpy as np
import onnx
import pytest
from conftest import rows_csv
from hydra.core.override_parser.types import Quote, QuotedString
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.hostile import texts

from mlrq.cli import plots
from mlrq.cli.sweep import _markdown, markdown
from mlrq.errors import printable

ROWS = np.random.default_rng(0).normal(size=(40, 3)).round(3)
UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FEW = settings(
    max_examples=3 if settings.default.derandomize else 8,  # `make test-all` looks for more
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a run takes too long to shrink what makes it fail
    suppress_health_check=UNCHECKED,
)


def visible(*outputs: str) -> None:
    """Hold that every line is one, and shows all its characters."""
    for output in outputs:
        assert all(line.isprintable() for line in output.split("\n")), output


def override(key: str, value: str) -> str:
    """`key=value` as Hydra reads it back, whatever the value is."""
    return f"{key}={QuotedString(value, Quote.single).with_quotes()}"


@st.composite
def tables(draw):
    """Distinct names of three columns, as a header can have them, and of a file."""
    name = (
        texts(without="\x00")
        .map(lambda text: ("n" + text).strip()[:2000])
        .filter(lambda text: "${" not in text)
    )
    encoded = name.filter(lambda text: not re.search("[\ud800-\udfff]", text))
    names = draw(st.lists(encoded, min_size=3, max_size=3, unique=True))
    file = draw(name.map(lambda text: text.replace("/", "-").encode(errors="surrogateescape")[:200]))
    return names, file.decode(errors="surrogateescape").replace("\udc80", "")


@given(tables())
@example((["[/red]", "[bold]x", ":smile:|`"], "[red].csv"))
@FEW
@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="files have no names in Unicode here")
@pytest.mark.slow
def test_a_run_a_sweep_a_prediction_and_exports(run, tmp_path, hostile):
    names, file = hostile
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([names, *ROWS.tolist()])
    (tmp_path / file).write_text(text.getvalue(), newline="")
    wanted = ("dataset=csv", override("dataset.path", file), override("dataset.target", names[2]))
    done = run(*wanted, "quantization.inputs=int8")
    assert done.code == 0, done.err
    visible(done.out, done.err)
    assert printable(f"2 features, target {names[2]}", 388) in done.out
    for what in ("export=c", "export=onnx"):
        done = run("export", what)
        assert done.code == 0, done.err
        visible(done.out, done.err)
    for path in (tmp_path / "outputs" / "export").glob("mlrq*"):
        visible(path.read_text(encoding="ascii"))
    made = onnx.load_model(tmp_path / "outputs" / "export" / "model.onnx")
    metadata = {item.key: item.value for item in made.metadata_props}
    visible(*metadata.values(), made.doc_string)
    assert json.loads(metadata["features"]) == names[:2]

    keys = {**dict.fromkeys(names, 0.5), "n" + file: 1}
    done = run("predict", stdin=json.dumps(keys) + "\n")
    assert done.code == 0, done.err
    visible(done.err, done.out)
    done = run("predict", stdin=json.dumps({names[0]: 1, names[2] + "\x1b": 2}) + "\n")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    visible(done.err)


@given(st.lists(texts(), min_size=1, max_size=2))
@FEW
@pytest.mark.slow
def test_overrides_that_are_refused(run, tmp_path, given_overrides):
    done = run(*(text + "=" + text for text in given_overrides), "quantization.bits=99")
    assert done.code
    visible(done.err, done.out)


@given(st.lists(texts("\x00"), min_size=2, max_size=2, unique=True))
@example(["[/red]", ":smile:"])
@FEW
@pytest.mark.slow
def test_a_sweep(run, tmp_path, hostile):
    first, second = ("x" + text.replace("${", "$") for text in hostile)
    values = ",".join(QuotedString(text, Quote.single).with_quotes() for text in (first, second))
    done = run("-m", "dataset=synthetic", "dataset.rows=30", "dataset.features=2", f"model.name={values}")
    assert done.code == 0, done.err
    visible(done.out, done.err)
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    visible((folder / "sweep.md").read_text("utf-8"), (folder / "sweep.csv").read_text("utf-8"))
    shutil.rmtree(folder)


@given(st.lists(st.lists(texts(), min_size=2, max_size=2), min_size=1, max_size=3))
def test_a_markdown_table_shows_its_cells_as_they_are(table):
    header, *rows = [[printable("x" + cell, None).strip() for cell in line] for line in [["a", "b"], *table]]
    text = _markdown(header, rows)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert [token.type for token in tokens].count("tr_open") == 1 + len(rows)
    shown = [token.children for token in tokens if token.type == "inline"]
    assert all(child.type in ("text", "text_special") for children in shown for child in children)
    found = ["".join(child.content for child in children) for children in shown]
    assert found == [cell for line in [header, *rows] for cell in line]


def test_names_of_models_and_numbers_need_no_escapes_in_markdown():
    for cell in (
        "linear_regression",
        "model.estimator.alpha",
        "-0.5",
        "gap 3%",
        "1e-05",
        "[1,2]".strip("[]"),
    ):
        assert markdown(cell) == cell


@given(st.lists(texts(), min_size=2, max_size=2))
@example(["_x", "$\\frac{1}"])
@settings(deadline=None, max_examples=10)
@pytest.mark.slow
def test_a_plot_shows_labels_as_they_are(labels):
    pytest.importorskip("matplotlib")
    outcome = {"rounding": "exact", "scheme": "symmetric", "bits": 4, "excess": 0.1, "overrides": []}
    drawn = [outcome | {"model": label, "bits": bits} for label in labels for bits in (2, 4)]
    assert plots.sweep(drawn).startswith(b"\x89PNG")


def test_a_terminal_that_lacks_a_character_gets_its_escape(command, tmp_path, california, parts):
    text = rows_csv(california, parts.test_rows[:50]).replace("HouseAge", "Größe 日本")
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    command.environment["PYTHONIOENCODING"] = "ascii"
    done = command("dataset=csv", "dataset.path=t.csv", "dataset.target=AveRooms")
    assert done.code == 0, done.err
    assert r"Gr\xf6\xdfe \u65e5\u672c" in done.out


def test_a_column_name_that_closes_markup_is_printed_in_every_table(run, tmp_path, california, parts):
    text = rows_csv(california, parts.test_rows[:200])
    text = text.replace("HouseAge", "[/red]").replace("MedInc", ":smile:")
    (tmp_path / "t.csv").write_text(text)
    done = run("dataset=csv", "dataset.path=t.csv", "dataset.target=AveRooms")
    assert done.code == 0, done.err
    assert done.out.count("[/red]") >= 2
    assert done.out.count(":smile:") >= 2
