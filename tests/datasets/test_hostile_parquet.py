"""Parquet of somebody who means ill: changed bytes are one line, a few bytes do not fill memory."""

import random
import subprocess
import sys

import numpy as np
import pytest

from mlrq.datasets import parquet
from mlrq.errors import MlrqError

pyarrow = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def rows(path) -> int:
    """How many rows are read of a Parquet file."""
    stream = parquet.load(str(path), ["y"], None, None)
    return sum(len(columns[0]) for part in stream.parts for columns in stream.read(part))


def written(path, **how) -> bytes:
    numbers = np.random.default_rng(0).normal(size=(300, 3))
    pq.write_table(pyarrow.table(dict(zip("aby", numbers.T, strict=True))), path, row_group_size=100, **how)
    return path.read_bytes()


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "none"])
@pytest.mark.parametrize("place", ["footer", "anywhere"])
def test_changed_bytes_are_rows_or_one_line(tmp_path, compression, place):
    whole, found = (
        written(tmp_path / "t.parquet", compression=compression),
        random.Random(place + compression),
    )
    length = int.from_bytes(whole[-8:-4], "little")
    start = len(whole) - 8 - length if place == "footer" else 0
    faults = []
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(found.randint(1, 4)):
            changed[found.randrange(start, len(whole))] = found.randrange(256)
        (tmp_path / "t.parquet").write_bytes(changed)
        try:
            assert rows(tmp_path / "t.parquet") <= 300
        except MlrqError as error:
            faults.append(str(error))
    assert faults
    assert all("t.parquet" in text and len(text.splitlines()) == 1 for text in faults)


@pytest.mark.parametrize("claimed", [0, 1, 1 << 20, (1 << 31) - 1, (1 << 32) - 1])
def test_a_footer_of_another_length_is_one_line(tmp_path, claimed):
    whole = written(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(whole[:-8] + claimed.to_bytes(4, "little") + b"PAR1")
    with pytest.raises(MlrqError, match=r"t\.parquet: cannot be read as Parquet: "):
        rows(tmp_path / "t.parquet")


COUNT = 50_000_000  # of rows, 800 MB
MAKE = f"""
import numpy as np, pyarrow, pyarrow.parquet as pq
zeros = np.zeros({COUNT})
table = pyarrow.table({{"a": zeros, "y": zeros}})
pq.write_table(table, "t.parquet", row_group_size={COUNT}, compression="zstd")
"""
BOUNDED = """
from pathlib import Path
from mlrq.datasets import parquet
stream = parquet.load("t.parquet", ["y"], None, None)
print(sum(len(columns[0]) for part in stream.parts for columns in stream.read(part)))
# Not the peak of rusage, which begins with that of the process that started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) << 10)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere memory is counted otherwise")
def test_columns_that_unpack_to_more_than_the_memory_are_read_in_pieces(command, tmp_path):
    subprocess.run([sys.executable, "-c", MAKE], cwd=tmp_path, check=True)
    assert (tmp_path / "t.parquet").stat().st_size < 1_000_000
    count, taken = map(int, command.python(BOUNDED).out.split())
    assert count == COUNT
    assert taken < 8 * COUNT
