"""dataset.on_error=skip: what is damaged is left out whole, counted and named; nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from support.streams import CLI, LINEAR, ROWS, VALUES, close, written
from support.tables import hashed

from mlrq.datasets.parquet import load
from mlrq.datasets.split import Split
from mlrq.datasets.split import hashed as hashed_rows
from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.pipeline.train import train

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

# What `written` writes: 3 files of 1667, 1667 and 1666 rows, in row groups of 700.
SECOND = slice(1667, 3334)
BROKEN = slice(1667 + 700, 1667 + 1400)  # row group 1 of file 1
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


def loaded(folder, on_error="skip"):
    return load(str(folder), ["y0", "y1"], None, None, 10**9, on_error)


def set_cell(folder, file, row, value):
    path = folder / f"{file}.parquet"
    columns = pq.read_table(path).to_pydict()
    columns["x3"][row] = value
    pq.write_table(pa.table(columns), path, row_group_size=700)


def damage(folder):
    """Zeros over the pages of row group 1 of file 1."""
    path = folder / "1.parquet"
    group = pq.read_metadata(path).row_group(1)
    begin = group.column(0).dictionary_page_offset or group.column(0).data_page_offset
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(group.total_byte_size // 2))


def require_learned_from(source, gone):
    """The fit, the counts and the first test rows are those of the rows that are not `gone`."""
    there = np.ones(len(ROWS), dtype=bool)
    there[gone] = False
    test = hashed_rows(0, len(ROWS), Split("hash", 0.2, 42))  # every row keeps its position
    kept = there & ~test
    assert (source.train_count, source.test_count) == (kept.sum(), (there & test).sum())
    model = train(source, {"name": "m", "standardize": False, "estimator": LINEAR}).artifact.model
    close(model.coefficients, LinearRegression().fit(ROWS[kept], VALUES[kept]).coef_)
    assert np.array_equal(source.first(2000)[0], ROWS[there & test])
    oracle = ((VALUES[kept] - model.predict(ROWS[kept])) ** 2).mean()
    assert source.score((model,))[0].train.mse == pytest.approx(oracle, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "column 'x3': row 201 is null"),
        (float("nan"), "column 'x3': row 201, nan, is not a finite number"),
        (1e200, "column 'x3': row 201, 1e+200, exceeds 1e+100: change its unit"),
    ],
)
def test_a_row_group_with_a_bad_number_is_left_out_whole(tmp_path, value, reason):
    whole = written(tmp_path / "t")
    expected = hashed(whole)
    set_cell(tmp_path / "t", 1, 900, value)
    source = hashed(loaded(tmp_path / "t"))
    require_learned_from(source, BROKEN)
    counted = "1 of 9 row groups skipped (700 of 5,000 rows)"
    assert source.source == f"{expected.source}, {counted}"
    assert source.notices == [f"{counted}: {tmp_path}/t/1.parquet, row group 1, {reason}"]
    assert source.sha256 != expected.sha256
    with pytest.raises(MlrqError, match="row group 1, column 'x3': row 201"):
        hashed(loaded(tmp_path / "t", "fail"))


def test_a_damaged_page_is_left_out_with_its_row_group(tmp_path):
    written(tmp_path / "t")
    damage(tmp_path / "t")
    with pytest.raises(MlrqError, match="row group 1"):
        hashed(loaded(tmp_path / "t", "fail"))
    source = hashed(loaded(tmp_path / "t"))
    require_learned_from(source, BROKEN)
    assert "1.parquet, row group 1: cannot be read: " in source.notices[0]


def test_a_file_that_changed_before_the_first_pass_is_left_out(tmp_path):
    stream = replace(written(tmp_path / "t"), skip=True)
    set_cell(tmp_path / "t", 1, 0, 5.0)
    source = hashed(stream)
    require_learned_from(source, SECOND)
    assert "3 of 9 row groups skipped (1,667 of 5,000 rows)" in source.notices[0]
    assert "1.parquet: changed while it was being read" in source.notices[0]


def test_a_file_whose_footer_is_unreadable_has_no_positions(tmp_path):
    written(tmp_path / "t")
    expected = hashed(loaded(tmp_path / "t", "fail"))
    (tmp_path / "t" / "00.parquet").write_text("no Parquet")
    source = hashed(loaded(tmp_path / "t"))
    require_learned_from(source, slice(0, 0))
    assert source.sha256 == expected.sha256  # the very same rows
    assert source.source == "t (4 Parquet files, 9 row groups), 1 file skipped"
    assert "00.parquet: cannot be read as Parquet" in source.notices[0]


def test_where_nothing_is_wrong_skip_changes_nothing(tmp_path):
    stream = written(tmp_path / "t")
    source = hashed(replace(stream, skip=True))
    expected = hashed(stream)
    assert (source.sha256, source.source) == (expected.sha256, expected.source)
    assert source.notices == []


def test_the_hash_tells_what_was_left_out(tmp_path):
    written(tmp_path / "t")
    hashes = set()
    for row in (0, 700, 1400):
        written(tmp_path / "t")
        set_cell(tmp_path / "t", 1, row, None)
        hashes.add(hashed(loaded(tmp_path / "t")).sha256)
    assert len(hashes) == 3


def test_only_the_first_few_reasons_are_given(tmp_path):
    written(tmp_path / "t")
    for file in (0, 1):
        for row in (0, 700, 1400):
            set_cell(tmp_path / "t", file, row, None)
    (notice,) = hashed(loaded(tmp_path / "t")).notices
    assert notice.startswith("6 of 9 row groups skipped (3,334 of 5,000 rows): ")
    assert notice.count("is null") == 3
    assert notice.endswith("; and 3 more")


@pytest.mark.slow
def test_where_everything_is_skipped_the_run_fails(run, tmp_path):
    written(tmp_path / "t", 700, 1)
    for row in range(0, 5000, 700):
        set_cell(tmp_path / "t", 0, row, None)
    run(*CLI, "dataset.on_error=skip").refused(
        "t: 8 of 8 row groups skipped (5,000 of 5,000 rows), nothing is left", "row 1 is null", "and 5 more"
    )
    (tmp_path / "t" / "0.parquet").write_text("no Parquet")
    run(*CLI, "dataset.on_error=skip").refused(
        "t: no rows; skipped: ", "0.parquet: cannot be read as Parquet"
    )


def test_what_breaks_after_the_first_pass_fails_the_run(tmp_path):
    source = hashed(replace(written(tmp_path / "t"), skip=True))
    model = LinearModel(np.ones((2, 6)), np.zeros(2), source.features, source.targets)
    set_cell(tmp_path / "t", 0, 0, 5.0)
    for ask in (lambda: source.score((model,)), lambda: source.first(5), source.sample):
        with pytest.raises(MlrqError, match=r"0\.parquet: changed .* too late to skip it: run again\)$"):
            ask()


def test_another_exception_is_not_taken_for_a_fault_of_the_data(tmp_path, monkeypatch):
    stream = replace(written(tmp_path / "t"), skip=True)

    def fail(*_):
        raise ValueError("a fault of ours")

    monkeypatch.setattr(type(stream), "read", fail)
    with pytest.raises(ValueError, match="a fault of ours"):
        hashed(stream)


@pytest.mark.slow
def test_every_engine_and_every_stage_skips_the_same(run, tmp_path):
    written(tmp_path / "t")
    damage(tmp_path / "t")
    set_cell(tmp_path / "t", 2, 3, None)

    def made():
        return [(tmp_path / "outputs" / name).read_bytes() for name in NAMES]

    wanted = (*CLI, "dataset.on_error=skip", "samples=2")
    done = run(*wanted)
    assert done.code == 0, done.err
    assert done.err.startswith("mlrq: note: 2 of 9 row groups skipped (1,400 of 5,000 rows): ")
    assert len(done.err.splitlines()) == 1
    serial = made()
    assert b"2 of 9 row groups skipped (1,400 of 5,000 rows)" in serial[1]
    done = run(*wanted, "engine=joblib", "engine.workers=2")
    assert done.code == 0, done.err
    assert made() == serial
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage, *wanted).code == 0
    assert made() == serial
    written(tmp_path / "t")
    run("quantize", *wanted).refused("was trained on t")


def test_another_value_is_refused(run):
    run(*CLI, "dataset.on_error=ignore").refused("dataset.on_error=ignore: must be fail or skip", code=2)
