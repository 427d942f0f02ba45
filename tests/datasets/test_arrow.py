"""Arrow's arrays as NumPy's are what pyarrow's own functions give."""

import subprocess
import sys

import numpy as np
import pytest

from mlrq.datasets import arrow

pa = pytest.importorskip("pyarrow")
KINDS = ["int8", "uint8", "int16", "uint32", "int64", "uint64", "float", "double"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(("start", "count"), [(0, 40), (3, 17), (8, 9), (5, 0)])
def test_numbers_of_a_piece_are_those_of_pyarrow(kind, holes, start, count):
    cells = [None if holes and i % 3 == 0 else i for i in range(40)]
    column = pa.array(cells, type=kind).slice(start, count)
    expected = column.to_numpy(zero_copy_only=False).astype(np.float64)
    assert arrow.numbers(column).tobytes() == expected.tobytes()
    assert arrow.nulls(column).tolist() == column.is_null().to_pylist()


def test_numbers_are_a_view_where_they_can_be():
    column = pa.array([1.0, 2.0, 3.0])
    assert arrow.numbers(column).ctypes.data == column.buffers()[1].address


@pytest.mark.parametrize("count", [0, 1, 8, 13])
def test_an_array_is_what_pyarrow_makes(count):
    found = np.arange(2.0 * count).reshape(count, 2)
    lost = np.arange(count) % 3 == 1
    assert arrow.array(found[:, 1], lost).equals(pa.array(found[:, 1], mask=lost))
    assert arrow.array(~lost, lost).equals(pa.array(~lost, mask=lost))
    assert arrow.array(~lost).equals(pa.array(~lost))
    arrow.array(found[:, 1], lost).validate(full=True)


PARQUET = """
import sys
from mlrq.cli.main import main
sys.argv = ["mlrq", {arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code
print("pandas" in sys.modules, "pyarrow" in sys.modules)
"""


def test_no_command_imports_pandas(tmp_path):
    pytest.importorskip("pandas")
    import pyarrow.parquet as parquet

    rows = range(60)
    table = {"a": [i % 7 * 1.0 for i in rows], "b": ["xyz"[i % 3] for i in rows]}
    table["y"] = [i % 7 + "xyz".index(table["b"][i]) + i % 2 * 0.1 for i in rows]
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    for arguments in (
        ["dataset=parquet", "dataset.path=t.parquet", "dataset.target=y"],
        ["predict", "predict.input=t.parquet", "predict.output=out"],
    ):
        text = PARQUET.format(arguments=", ".join(map(repr, arguments)))
        done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "False True"
