"""What `scale.py` runs in a process of its own: make a table, read it, fit a rival. Prints one line of JSON.

python benchmarks/scale_jobs.py make PATH ROWS FEATURES COMPRESSION TEXTS
python benchmarks/scale_jobs.py read PATH
python benchmarks/scale_jobs.py fit PATH sklearn|sklearnex

Seconds are those of the work alone: neither the interpreter's start nor the imports are in them.
"""

import importlib
import json
import sys
import time
from pathlib import Path

SEED = 20_240_101
GROUP_NUMBERS = 9_000_000  # doubles in a row group, 72 MB: a million rows of eight features and a target
TARGET = "y"
CATEGORIES = (12, 5)  # of each column of text, in turn


def make(path: str, rows: int, features: int, compression: str, texts: int = 0) -> dict[str, float]:
    """Write a table of correlated normal features, of texts, and a noisy linear target, by row groups.

    A row group's numbers come from a seed and its position, so a smaller table is the head of a larger
    one. The name is given to the file when it is whole: a table that is there is complete.
    """
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    start = time.perf_counter()
    words = [[f"category {place}" for place in range(CATEGORIES[i % len(CATEGORIES)])] for i in range(texts)]
    fields = [(f"x{number}", pyarrow.float64()) for number in range(features)]
    fields += [(f"t{number}", pyarrow.string()) for number in range(texts)]
    schema = pyarrow.schema([*fields, (TARGET, pyarrow.float64())])
    weights = np.random.default_rng([SEED, features]).standard_normal(features)
    group = GROUP_NUMBERS // (features + texts + 1)
    part = Path(f"{path}.part")
    with pyarrow.parquet.ParquetWriter(part, schema, compression=compression) as writer:
        for number, first in enumerate(range(0, rows, group)):
            count = min(group, rows - first)
            generator = np.random.default_rng([SEED, features, number])
            common, target = generator.standard_normal((2, count))
            columns = []
            for weight in weights:
                column = generator.standard_normal(count)
                column += 0.7 * common
                target += weight * column
                columns.append(column)
            for known in words:
                places = generator.integers(len(known), size=count)
                target += places / len(known)
                columns.append(pyarrow.array(known).take(pyarrow.array(places)))
            writer.write_table(pyarrow.table([*columns, target], schema=schema), row_group_size=group)
    part.replace(path)
    return {"seconds": time.perf_counter() - start}


def read(path: str) -> dict[str, float]:
    """Decode every column once, row group after row group, with pyarrow's threads, and drop it."""
    import pyarrow.parquet

    start = time.perf_counter()
    with pyarrow.parquet.ParquetFile(path) as file:
        rows = sum(file.read_row_group(group).num_rows for group in range(file.num_row_groups))
    return {"seconds": time.perf_counter() - start, "rows": rows}


def fit(path: str, package: str) -> dict[str, float]:
    """Load the table into one array, as a user would, and fit scikit-learn's LinearRegression, or Intel's."""
    import numpy as np
    import pyarrow.parquet

    estimator = importlib.import_module(f"{package}.linear_model").LinearRegression()
    start = time.perf_counter()
    table = pyarrow.parquet.read_table(path)
    names = [name for name in table.column_names if name != TARGET]
    features = np.empty((table.num_rows, len(names)), order="F")
    for number, name in enumerate(names):
        features[:, number] = table.column(name).to_numpy()
    target = table.column(TARGET).to_numpy()
    del table
    loaded = time.perf_counter()
    estimator.fit(features, target)
    done = time.perf_counter()
    return {"seconds": done - start, "load": loaded - start, "fit": done - loaded, "rows": len(target)}


def main() -> None:
    job, path, *rest = sys.argv[1:]
    if job == "make":
        result = make(path, int(rest[0]), int(rest[1]), rest[2], int(rest[3]))
    else:
        result = read(path) if job == "read" else fit(path, rest[0])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
