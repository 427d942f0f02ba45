"""Predicting Parquet: the same numbers, a file a row group, whole or not there, and nothing done twice."""

import numpy as np
import pytest
from support.streams import CLI, ROWS, written

from mlrq.artifacts.documents import read_quantized

pq = pytest.importorskip("pyarrow.parquet")
PREDICT = ("predict", "predict.input=t", "predict.output=p")


@pytest.fixture
def model(run, tmp_path):
    written(tmp_path / "t")
    assert run(*CLI).code == 0
    return read_quantized(tmp_path / "outputs" / "quantized.json").model


def predictions(folder):
    table = pq.read_table(folder)
    return np.column_stack([table[name].to_numpy() for name in ("y0", "y1")])


@pytest.mark.parametrize("engine", ["serial", "joblib"])
def test_the_predictions_are_the_models_in_the_order_of_the_rows(run, tmp_path, model, engine):
    assert run(*PREDICT, f"engine={engine}").code == 0
    assert np.array_equal(predictions(tmp_path / "p"), model.predict(ROWS))
    assert len(list((tmp_path / "p").glob("part-*.parquet"))) == 9


def test_a_second_run_does_only_what_is_missing(run, tmp_path, model):
    assert run(*PREDICT).code == 0
    files = sorted((tmp_path / "p").glob("part-*.parquet"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    files[4].unlink()
    done = run(*PREDICT)
    assert done.code == 0
    assert "8 of 9 row groups were done before" in done.err
    for path in files:
        assert path.read_bytes() == before[path][0]
        assert (path.stat().st_mtime_ns == before[path][1]) is (path != files[4])


def test_a_folder_of_something_else_is_refused(run, tmp_path, model):
    assert run(*PREDICT).code == 0
    assert run("quantize", *CLI, "quantization.bits=4").code == 0
    run(*PREDICT).refused("p: holds predictions of another model or of other rows")
    run(*PREDICT[:2], "predict.output=t").refused("t: is not empty, and not a folder of predictions")
    run(*PREDICT[:2], "predict.output=outputs/quantized.json").refused("is a file")
    run(*PREDICT[:2]).refused("predict.output=-: predictions of Parquet need a folder")


def test_bad_rows_leave_no_file_of_theirs(run, tmp_path, model):
    table = pq.read_table(tmp_path / "t" / "1.parquet")
    numbers = table["x2"].to_numpy().copy()
    numbers[1000] = np.nan
    place = table.schema.get_field_index("x2")
    pq.write_table(table.set_column(place, "x2", [numbers]), tmp_path / "t" / "1.parquet", row_group_size=700)
    run(*PREDICT, "engine=serial").refused(
        "1.parquet, row group 1, column 'x2': row 301, nan, is not a finite number"
    )
    assert len(list((tmp_path / "p").glob("part-*.parquet"))) == 4
    assert not list((tmp_path / "p").glob(".*"))


def test_a_column_that_is_missing_is_named(run, tmp_path, model):
    pq.write_table(pq.read_table(tmp_path / "t").drop_columns(["x3"]), tmp_path / "less.parquet")
    run("predict", "predict.input=less.parquet", "predict.output=p").refused("no column 'x3'")
