"""What a report says of coefficients, how sure they are, and of weight errors beside that."""

import json
import math
import re

import numpy as np
import pytest
from conftest import PROJECT, rows_csv
from support.tables import rows_of

from mlrq.cli.statistics_report import figure, probability

HOUSES = ("dataset=csv", f"dataset.path={PROJECT / 'docs' / 'houses.csv'}", "dataset.target=price")


def line(text: str, label: str) -> list[list[str]]:
    """The cells of every line that begins with `label`."""
    return [row.split()[1:] for row in text.splitlines() if row.split()[:1] == [label]]


def test_train_shows_what_statsmodels_would(run, parts, california):
    sm = pytest.importorskip("statsmodels.api")
    results = sm.OLS(parts.train_values[:, 0], sm.add_constant(parts.train_rows, prepend=False)).fit()
    printed = run("train").out
    for i, name in enumerate((*california.features, "(intercept)")):
        (_, error, t, p), (low, high, *_) = line(printed, name)
        assert float(error) == pytest.approx(results.bse[i], rel=1e-3)
        assert float(t) == pytest.approx(results.tvalues[i], abs=6e-3)
        assert p == probability(float(results.pvalues[i]))
        for shown, expected in zip((low, high), results.conf_int()[i], strict=True):
            assert float(shown) == pytest.approx(expected, rel=1e-3)
    assert f"{results.aic:.2f}   {results.bic:.2f}" in printed
    assert f"8 and 16,503 degrees of freedom; condition number {results.condition_number:.3g}" in printed


def test_no_line_is_wider_than_eighty_columns(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = run("train")
    assert max(len(row.rstrip()) for row in done.out.partition("Train:")[2].splitlines()) <= 80


@pytest.mark.parametrize("stage", ["train", "all"])
@pytest.mark.parametrize("model", ["ridge", "lasso"])
def test_where_they_mean_nothing_the_reason_is_one_line(run, model, stage):
    done = run(f"stage={stage}", f"model={model}", *HOUSES)
    reason = f"{model.capitalize()} is not least squares, whose errors are known"
    assert len(re.findall(f"^  no standard errors: {reason}$", done.out, re.MULTILINE)) == 1
    assert "std error" not in done.out.replace("in standard errors", "")
    assert done.out.count(f"weight errors are not shown in standard errors: {reason}") == (stage == "all")


def test_too_few_rows_are_the_reason(run, tmp_path):
    (tmp_path / "few.csv").write_text("a,b,c,y\n1,2,3,4\n2,3,5,9\n4,1,0,2\n5,5,1,3\n")
    done = run("train", "dataset=csv", "dataset.path=few.csv", "dataset.target=y", "dataset.test_size=0")
    assert "no standard errors: 4 rows leave nothing to tell the errors of 4 coefficients from\n" in done.out


def test_weight_errors_are_in_standard_errors_of_the_weight(run):
    printed = run().out
    shares = []
    for rows in map(
        line, [printed] * 8, ("MedInc", "HouseAge", "AveRooms", "AveOccup", "Latitude", "Longitude")
    ):
        (_, error, *_), _, (*_, off, share) = rows
        assert float(share) == pytest.approx(float(off) / float(error), rel=0.06)
        shares.append(abs(float(share)))
    assert f"largest weight error in standard errors {max(shares):.1f} (AveOccup)" in printed


def test_where_inputs_saturate_weight_errors_are_not_shown_in_them(run):
    done = run("quantization.inputs=int8", "quantization.calibration=percentile", "quantization.percentile=1")
    assert "std errors" not in done.out
    assert "not shown in standard errors: inputs saturate" in done.out
    assert "std errors" in run("quantization.inputs=int8").out


def test_streamed_they_are_the_same_to_the_last_digit(run, tmp_path, california):
    (tmp_path / "mine.csv").write_text(rows_csv(california, rows_of(california)[:3000]))
    wanted = ("train", "report=json", "dataset=csv", "dataset.path=mine.csv", "dataset.target=HouseAge")
    kept, streamed = (
        run(*wanted, f"dataset.stream_above={size}", "model.standardize=true") for size in (10**9, 0)
    )
    found = [json.loads(done.out)["statistics"] for done in (kept, streamed)]
    assert found[0] == found[1]
    assert found[0][0]["coefficients"]["MedInc"]["error"] > 0
    assert [json.loads(done.out)["float"]["train"]["max_error"] is None for done in (kept, streamed)] == [
        False,
        True,
    ]


def test_json_has_null_for_what_is_not_known_and_a_reason_for_nothing(run, tmp_path):
    lines = [f"{i},{2 * i},{i * i % 7},{i + i % 3}" for i in range(20)]
    (tmp_path / "twice.csv").write_text("\n".join(["a,twice,b,y", *lines]) + "\n")
    wanted = ("train", "report=json", "dataset=csv", "dataset.path=twice.csv", "dataset.target=y")
    (one,) = json.loads(run(*wanted).out)["statistics"]
    assert one["coefficients"]["twice"] | {"coefficient": 0.0} == {
        "coefficient": 0.0, "error": None, "t": None, "p": None, "low": None, "high": None, "vif": None
    }  # fmt: skip
    found = json.loads(run(*wanted, "model=ridge").out)
    assert (found["statistics"], found["no_statistics"][:5]) == (None, "Ridge")
    shown = run(*wanted, "report=text").out
    assert line(shown, "twice")[0][1:] == ["-", "-", "-"]


def test_several_targets_and_no_intercept_have_a_row_each(run):
    synthetic = ("dataset=synthetic", "dataset.features=3", "dataset.targets=2")
    printed = run("train", *synthetic, "model.estimator.fit_intercept=false").out
    assert len(line(printed, "y1")) == len(line(printed, "y2")) == 4 + 3 + 1
    assert "R2 and F are about 0, for there is no intercept" in printed


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5000"), (0.00099, "9.9e-04"), (1e-301, "<1e-300"), (math.nan, "-"), (1.0, "1.0000")],
)
def test_a_probability(value, shown):
    assert probability(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.718, "0.7180"), (1234.0, "1234"), (123456.0, "1.235e+05"), (np.nan, "-")]
)
def test_a_figure(value, shown):
    assert figure(value) == shown
