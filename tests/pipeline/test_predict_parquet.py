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


@pytest.mark.slow
def test_a_folder_of_something_else_is_refused(run, tmp_path, model):
    assert run(*PREDICT).code == 0
    assert run("quantize", *CLI, "quantization.bits=4").code == 0
    run(*PREDICT).refused("p: holds predictions of another model, of other rows")
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


def with_faults(path, rows=100):
    """Two row groups of features and an id, with a null in the first and an infinity in the second."""
    pa = pytest.importorskip("pyarrow")
    table = {f"x{i}": ROWS[:rows, i].copy() for i in range(6)}
    table["x1"][70] = np.inf
    columns = {name: pa.array(values) for name, values in table.items()}
    columns["x0"] = pa.array([None if i == 3 else value for i, value in enumerate(table["x0"].tolist())])
    columns["id"] = pa.array([f"row {i}" for i in range(rows)])
    pq.write_table(pa.table(columns), path, row_group_size=50)
    return np.column_stack(list(table.values()))


@pytest.mark.parametrize("on_error", ["skip", "null"])
@pytest.mark.parametrize("engine", ["serial", "joblib"])
@pytest.mark.slow
def test_bad_rows_are_left_out_or_null_columns_are_copied_and_all_is_counted(
    run, tmp_path, model, engine, on_error
):
    rows = with_faults(tmp_path / "bad.parquet")
    done = run(
        "predict", "predict.input=bad.parquet", "predict.output=b", "predict.keep=id", "predict.flag=true",
        f"predict.on_error={on_error}", f"engine={engine}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "bad.parquet: 2 of 100 rows could not be read" in done.err
    assert "column 'x0': row 4 is null" in done.err
    table = pq.read_table(tmp_path / "b")
    assert table.column_names == ["id", "y0", "y1", "saturated"]
    good = [i for i in range(100) if i not in (3, 70)]
    found = table.to_pylist()
    if on_error == "null":
        assert [found[i] for i in (3, 70)] == [
            {"id": f"row {i}", "y0": None, "y1": None, "saturated": None} for i in (3, 70)
        ]
        found = [found[i] for i in good]
    assert [row["id"] for row in found] == [f"row {i}" for i in good]
    assert [[row["y0"], row["y1"]] for row in found] == model.predict(rows[good]).tolist()


def test_a_bad_row_of_parquet_is_an_error_without_being_told_otherwise(run, tmp_path, model):
    with_faults(tmp_path / "bad.parquet")
    done = run("predict", "predict.input=bad.parquet", "predict.output=b", "engine=serial")
    done.refused("bad.parquet, row group 0, column 'x0': row 4 is null")


def test_a_damaged_row_group_is_so_many_rows_that_cannot_be_read(run, tmp_path, model):
    pa = pytest.importorskip("pyarrow")
    half = pa.table({f"x{i}": ROWS[:50, i] for i in range(6)})
    pq.write_table(half, tmp_path / "d.parquet", row_group_size=25, compression="none", use_dictionary=False)
    data = bytearray((tmp_path / "d.parquet").read_bytes())
    data[10:60] = b"\xff" * 50  # the first page's header
    (tmp_path / "d.parquet").write_bytes(data)
    wanted = ("predict.input=d.parquet", "predict.output=b", "predict.keep=x2", "predict.on_error=null")
    done = run("predict", *wanted)
    assert done.code == 0, done.err
    assert "25 of 50 rows could not be read and have no prediction" in done.err
    found = pq.read_table(tmp_path / "b").to_pylist()
    assert found[:25] == [{"x2": None, "y0": None, "y1": None}] * 25
    assert [[row["y0"], row["y1"]] for row in found[25:]] == model.predict(ROWS[25:50]).tolist()


def test_other_options_are_other_predictions(run, tmp_path, model):
    assert run(*PREDICT).code == 0
    run(*PREDICT, "predict.flag=true").refused("with other options", "name another folder")


def test_a_column_to_copy_that_is_not_there_is_refused(run, tmp_path, model):
    run(*PREDICT, "predict.keep=gone", "engine=serial").refused("no column 'gone'")
