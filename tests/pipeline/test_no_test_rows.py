"""Without test rows, or with a single one, everything works and says so, wherever the rows are."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import rows_csv
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score
from support.tables import rows_of, values_of

from mlrq.artifacts.documents import read_float

CSV = ("dataset=csv", "dataset.path=mine.csv", "dataset.target=MedHouseVal")
WHERE = {
    "shuffled": ("dataset.split=shuffle",),
    "in memory": (),
    "read anew": ("dataset.stream_above=0",),
}
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


@pytest.fixture
def table(tmp_path, california):
    """The first 400 rows, in mine.csv."""
    rows, values = rows_of(california)[:400], values_of(california)[:400]
    lines = rows_csv(california, rows).splitlines()
    cells = ["MedHouseVal", *map(repr, values[:, 0].tolist())]
    text = "\n".join(f"{line},{cell}" for line, cell in zip(lines, cells, strict=True))
    (tmp_path / "mine.csv").write_text(text + "\n")
    return rows, values


@pytest.mark.few(2)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("inputs", ["int8", "float"])
def test_all_rows_are_learned_from_and_every_part_of_the_report_says_so(run, tmp_path, table, where, inputs):
    wanted = (*CSV, *WHERE[where], "dataset.test_size=0", f"quantization.inputs={inputs}")
    done = run(*wanted)
    assert (done.code, done.err) == (0, "")
    for text in (
        "400 to train, no test part",
        "First predictions on training rows",
        "Evaluate: training rows (there is no test part)",
        "Sample predictions of the quantized model",
    ):
        assert text in done.out, text
    assert "test rows" not in done.out
    training = read_float(tmp_path / "outputs" / "float.json").training
    assert (training.train_rows, training.test_rows, training.test_size) == (400, 0, 0.0)
    model = read_float(tmp_path / "outputs" / "float.json").model
    rows, values = table
    assert model.coefficients == pytest.approx(LinearRegression().fit(rows, values).coef_, rel=1e-9)
    evaluation = json.loads((tmp_path / "outputs" / "evaluation.json").read_bytes())
    assert evaluation["float"]["test"] is evaluation["quantized"]["test"] is None
    assert evaluation["max_difference"] is None
    assert evaluation["float"]["train"]["r2"] == pytest.approx(r2_score(values, model.predict(rows)))
    made = [(tmp_path / "outputs" / name).read_bytes() for name in NAMES]
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage, *wanted).code == 0
    assert [(tmp_path / "outputs" / name).read_bytes() for name in NAMES] == made
    if where != "shuffled":
        assert evaluation["samples"]["actual"] == values[:10].tolist()
    if where != "read anew":  # rows in memory are looked at
        expected = mean_absolute_error(values, model.predict(rows))
        assert evaluation["float"]["train"]["mean_absolute_error"] == pytest.approx(expected)


@pytest.mark.slow
def test_a_sweep_leaves_the_cells_of_the_test_rows_empty(run, tmp_path, table):
    done = run("-m", *CSV, "dataset.test_size=0", "quantization.bits=4,8", "hydra.sweep.dir=s")
    assert (done.code, done.err) == (0, "")
    for row in csv.DictReader(io.StringIO((tmp_path / "s" / "sweep.csv").read_text())):
        assert (row["test R2"], row["MSE"]) == ("", "")
        assert float(row["train R2"]) > 0.5
    markdown = (tmp_path / "s" / "sweep.md").read_text().splitlines()
    assert len({line.count("|") for line in markdown}) == 1
    assert "quantization.bits=4: train R2 0." in done.out


def test_a_model_that_was_not_tested_predicts_and_is_exported(run, tmp_path, table, california):
    wanted = (*CSV, "dataset.test_size=0", "quantization.inputs=int8")
    assert run(*wanted).code == 0
    done = run("predict", stdin=rows_csv(california, table[0][:3]))
    assert (done.code, len(done.out.splitlines())) == (0, 4)
    for target in ("c", "sklearn"):
        assert run("export", f"export={target}").code == 0
    # Test rows that the model was trained on are none.
    run("evaluate", *CSV).refused("test_size 0, ", "test_size 0.2")


@pytest.mark.parametrize("where", WHERE)
def test_a_single_test_row_has_errors_but_no_r2(run, tmp_path, table, where):
    size, seed = ("0.001", 42) if where == "shuffled" else ("0.004", 1)
    done = run(*CSV, *WHERE[where], f"dataset.test_size={size}", f"dataset.seed={seed}")
    assert done.code == 0
    lack = "mine.csv: 400 rows leave 1 for the test, but R2 needs 2: add rows or raise dataset.test_size"
    assert done.err == f"mlrq: note: {lack}\n"
    lines = [line.split() for line in done.out.splitlines() if line.startswith("  R2 ")]
    assert [line[-1] for line in lines] == ["-", "-"]
    evaluation = json.loads((tmp_path / "outputs" / "evaluation.json").read_bytes())
    for model in ("float", "quantized"):
        found = evaluation[model]["test"]
        assert found["r2"] is None
        assert found["mean_absolute_error"] == found["max_error"] == pytest.approx(np.sqrt(found["mse"]))
