"""What a run prints."""

import json
import re

import pytest
from conftest import Command

from mlrq.cli.layout import number, size
from mlrq.cli.report import share
from mlrq.pipeline.quantize import quantize_model
from mlrq.quantization.settings import Settings


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    done = Command(folder)("quantization=reference_uint16")
    assert (done.code, done.err) == (0, "")
    return done.out


def cells(text: str, label: str) -> list[list[str]]:
    """The cells of every line that starts with `label`."""
    lines = [line.strip() for line in text.splitlines()]
    return [line[len(label) :].split() for line in lines if line.startswith(label)]


def test_the_figures_published_are_those_printed(printed, published):
    exact, ours = published["float"], published["uint16"]
    for label, name in (
        ("R2", "r2"), ("mean squared error", "mse"),
        ("mean absolute error", "mean_absolute_error"), ("maximum error", "max_error"),
    ):  # fmt: skip
        training, comparison = cells(printed, label)
        assert training[-1] == exact[name]
        assert comparison == [exact[name], ours[name]]
    assert cells(printed, "verdict:")[0][0] == "acceptable;"  # that published is on the first five rows
    ((largest, mean),) = re.findall(
        r"^ *difference.*: largest ([\d.]+), mean ([\d.]+)", printed, re.MULTILINE
    )
    for name, value in (("max", largest), ("mean", mean)):
        assert value == ours[f"{name}_prediction_difference_first_5"]


def test_weights_codes_scales_and_errors_are_printed(printed, trained):
    for name, value in zip(
        trained.artifact.model.features, trained.artifact.model.coefficients[0], strict=True
    ):
        float_weights, interval, quantized = cells(printed, name)
        assert abs(float(float_weights[0]) - value) < 1e-8
        assert float(interval[0]) < value < float(interval[1])
        weight, code, dequantized, error = quantized[:4]
        assert code.isdigit()
        assert abs(float(dequantized) - float(weight) - float(error)) < 2e-6


def test_a_pipe_gets_plain_text_without_colours_or_carriage_returns(printed):
    assert "\x1b" not in printed
    assert "\r" not in printed


def test_no_line_is_cut(printed):
    assert "…" not in printed


def test_the_source_of_the_data_and_its_hash_are_printed(printed, data):
    assert data.sha256 in printed
    assert "embedded cal_housing.csv.gz, sha256 12819f136d81" in printed


def test_sizes_are_of_what_inference_needs_of_either_model(finished):
    printed = (finished / "stdout.txt").read_text()
    assert "payload 128 bits, 4.5 times less than the float model's 576 (9 numbers of 64 bits)\n" in printed
    assert cells(printed, "payload")[-1] == ["576", "bits", "128", "bits"]
    assert "size on disk" not in printed


def test_the_verdict_is_on_all_test_rows(finished, data, trained):
    made = quantize_model(data, trained.artifact, Settings())
    printed = (finished / "stdout.txt").read_text()
    assert made.deviations > 0.1  # the first five rows alone would be good
    rows = f"over all 4,128 test rows it is at most {made.deviations:.2f} standard deviations of the target"
    assert f"verdict: acceptable; {rows}\n" in printed


@pytest.mark.parametrize(
    ("fraction", "total", "text"),
    [
        (0.0, 132_096, "0 of 132,096"),
        (21 / 132_096, 132_096, "21 of 132,096"),
        (0.0013, 10_000, "0.13% of the"),
        (1.0, 8, "100.00% of the"),
    ],
)
def test_a_share_that_percent_cannot_show_is_a_count(fraction, total, text):
    assert share(fraction, total) == text


@pytest.mark.parametrize("rows", [0, 3])
def test_as_many_samples_are_printed_as_asked_for(run, outputs, rows):
    done = run("evaluate", f"samples={rows}")
    after = done.out.partition("Sample predictions")[2]
    found = re.findall(r"^ +(\d+) +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d *$", after, re.MULTILINE)
    assert found == [str(i + 1) for i in range(rows)]


def test_the_json_report_is_one_line_with_every_digit(run, outputs, parts, float_score):
    done = run("evaluate", "report=json", "samples=2")
    assert done.out.count("\n") == 1
    body = json.loads(done.out)
    saved = json.loads((outputs / "evaluation.json").read_text())
    assert {key: saved[key] for key in body} == body
    assert body["float"]["test"]["r2"] == float_score.test.r2
    assert body["samples"]["actual"] == parts.test_values[:2].tolist()
    assert body["bytes"] == (outputs / "quantized.json").stat().st_size
    assert (body["payload_bits"], body["float_payload_bits"]) == (128, 576)


@pytest.mark.slow
def test_several_targets_and_many_weights_are_printed(run):
    done = run(
        "dataset=synthetic",
        "dataset.features=30",
        "dataset.targets=3",
        "quantization.granularity=per_channel",
    )
    assert (done.code, done.err) == (0, "")
    assert "... 70 more in float.json" in done.out
    for name in ("y1", "y2", "y3"):
        assert name in done.out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.0000"),
        (1.23456, "1.2346"),
        (-1e-9, "-1.0000e-09"),
        (1e7, "1.0000e+07"),
        (0.0001, "0.0001"),
    ],
)
def test_a_number_is_shown_with_digits_that_say_something(value, text):
    assert number(value) == text


def test_a_size_is_in_bytes():
    assert (size(1234567), size(0), size(None)) == ("1,234,567 B", "0 B", "-")
