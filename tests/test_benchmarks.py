"""The benchmark of scale runs, measures what it says and writes its figures where it says."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT

BENCHMARKS = PROJECT / "benchmarks"
NUMBER = r"[\d,]+(?:\.\d+)?"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from Linux's /proc")


def table(text, name):
    """The cells of the Markdown table between the markers of `name`."""
    section = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return lines[0], [[cell.strip() for cell in line] for line in lines[2:]]


@pytest.mark.slow
def test_a_small_run_measures_every_part_and_writes_it(tmp_path):
    pytest.importorskip("matplotlib")
    readme = tmp_path / "README.md"
    shutil.copy(BENCHMARKS / "README.md", readme)
    command = "--rows 0.02 --text-rows 0.02 --features 4 --cells 0.08 --workers 1 --repeat 1 --intelex no"
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "scale.py", *command.split(), "--folder", tmp_path, "--readme", readme],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text = readme.read_text()
    assert "not measured yet" not in text

    header, lines = table(text, "headline")
    assert header == ["what", "rows", "s", "CPU s", "s/million", "x read", "peak MB"]
    assert [line[0].partition(",")[0] for line in lines] == [
        "read with pyarrow",
        "mlrq",
        "mlrq train",
        "mlrq",
        "read",
        "mlrq",
        "scikit-learn",
    ]
    for line in lines:
        assert line[1] == ("10,000" if "next to nothing" in line[0] else "20,000")
        assert all(re.fullmatch(NUMBER, cell) for cell in line[1:] if cell)
        assert 20 < float(line[-1]) < 2000
    for asked in (
        "peak memory of any process",
        "time against reading",
        "against scikit-learn's load and fit",
    ):
        assert re.search(rf"^- {asked}.*{NUMBER}.*asked", text, re.MULTILINE)
        assert asked in done.stdout

    for name, features in (("growth", "8"), ("width", "4"), ("categories", "4")):
        _, (line,) = table(text, name)
        assert line[:2] == ["20,000", features]
        seconds, rate, read, ratio = (float(line[place].replace(",", "")) for place in (4, 6, 7, 8))
        assert 20_000 / seconds == pytest.approx(rate, rel=0.01)
        assert seconds / read == pytest.approx(ratio, rel=0.1)
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")


def test_a_peak_is_of_one_process_and_the_largest_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import processes

    look = processes.high_water

    def looked(pid):
        peak = look(pid)
        if peak and peak > 200:
            (tmp_path / "seen").touch()
        return peak

    monkeypatch.setattr(processes, "high_water", looked)
    wait = "while not pathlib.Path('seen').exists(): time.sleep(0.001)"
    child = f"import pathlib, time\nkept = bytearray(b'x') * 200_000_000\n{wait}"
    start = f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    parent = f"import subprocess, sys; {start}; print('done')"
    found = processes.run([sys.executable, "-c", parent], tmp_path)
    assert found.output == "done\n"
    assert found.main < 60
    assert [200 < peak < 300 for peak in found.others] == [True]
    assert found.peak >= found.others[0]
    assert found.seconds > 0
    with pytest.raises(RuntimeError, match="no such thing"):
        processes.run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_a_smaller_table_is_the_head_of_a_larger_one(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import scale_jobs

    monkeypatch.setattr(scale_jobs, "GROUP_NUMBERS", 5 * 100)
    for rows in (200, 350):
        scale_jobs.make(str(tmp_path / f"{rows}.parquet"), rows, 3, "snappy", 1)
    small, large = (parquet.read_table(tmp_path / f"{rows}.parquet") for rows in (200, 350))
    assert large.num_rows == 350
    assert small.equals(large.slice(0, 200))
    assert scale_jobs.read(str(tmp_path / "350.parquet"))["rows"] == 350
    scale_jobs.make(str(tmp_path / "numbers.parquet"), 350, 4, "snappy")
    assert scale_jobs.fit(str(tmp_path / "numbers.parquet"), "sklearn")["rows"] == 350


@pytest.mark.slow
def test_the_page_of_quantization_has_what_the_benchmark_of_widths_prints():
    pytest.importorskip("statsmodels")
    done = subprocess.run([sys.executable, BENCHMARKS / "auto_bits.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (PROJECT / "docs" / "quantization.md").read_text()
    _, lines = table(page, "auto bits")
    printed = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert len(lines) == 10
    assert lines == printed[2:]
    assert {line[-1] for line in lines} == {"PROVEN"}


@pytest.mark.slow
def test_the_page_of_statistics_has_what_its_benchmark_prints():
    """Our figures have the same bits everywhere; statsmodels', which are LAPACK's, do not."""
    pytest.importorskip("statsmodels")
    program = BENCHMARKS / "regression_statistics.py"
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (PROJECT / "docs" / "statistics.md").read_text()
    printed = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    _, lines = table(page, "longley")
    assert lines
    assert all(any(line[:3] == cells[:3] for cells in printed) for line in lines)
    _, lines = table(page, "problems")
    assert len(lines) == 16
    assert all(any(line[:3] == cells[:3] for cells in printed) for line in lines)
    assert all(float(digits) >= 13 for _, of, digits, *_ in lines if of != "coefficients")
    _, lines = table(page, "agreement")
    found = [cells for cells in printed if cells[0] in [line[0] for line in lines]]
    assert len(found) == len(lines) == 18
    # Of Longley's leverages statsmodels loses half of its digits: tests/stats/test_robust.py asks fractions.
    lost = {"HC2 standard error", "HC3 standard error"}
    assert all(float(cell) < (1e-10 if name not in lost else 1e-8) for name, cell, *_ in found)
    assert all(float(cell) < 1e-10 for _, _, *cells in found for cell in cells)


@pytest.mark.slow
def test_the_page_of_statistics_has_the_intervals_that_the_benchmark_prints(monkeypatch):
    pytest.importorskip("mapie", reason="MAPIE is the oracle of these figures")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import intervals

    page = (PROJECT / "docs" / "statistics.md").read_text()
    _, lines = table(page, "mapie")
    printed = [line.strip("| ").split(" | ") for line in intervals.beside().splitlines()]
    assert len(lines) == 16
    # How far ends of floats are apart is the rounding of MAPIE's arithmetic.
    assert [line[:5] + line[-1:] for line in lines] == [line[:5] + line[-1:] for line in printed[2:]]


def test_a_certificate_is_measured_and_checked_by_itself(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import certificates

    data, rows = certificates.table(None, "", tmp_path)
    found = certificates.measure(data, rows, certificates.Settings(bits=3))
    assert found.answer == "PROVEN"
    assert certificates.summary([found]).startswith("1 of 1 PROVEN.")
