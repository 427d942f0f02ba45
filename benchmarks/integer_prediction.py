"""Rows per second of integer batch prediction, beside scikit-learn's float64 on the same rows.

python benchmarks/integer_prediction.py [ROWS]: best and median of 25 runs of each, in one process: the
exact accumulators, the predictions in the target's unit, float32, and those of real rows, float64, which are
encoded first.
Beside them is what it takes to read the int8 rows at the memory's bandwidth: an eighth of what all cores take
to read eight times as many bytes. Everything is checked before it is timed, against plain int64 arithmetic.

One is measured after the other, not in turn: OpenBLAS's threads, which scikit-learn uses, wait for their next
product in a loop, and for a tenth of a second take a core from whatever comes after them.
"""

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from mlrq.kernel import Integers
from mlrq.quantization.accumulate import _cores, accumulate, bound, predict, predict_codes
from mlrq.quantization.inputs import InputGrid

RUNS, PAUSE, FEATURES = 25, 0.5, 8
Times = tuple[float, float]


def seconds(call: Callable[[], object]) -> Times:
    """The shortest and the median time, after one run that is not counted and a pause."""
    call()
    time.sleep(PAUSE)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times)


def reading(numbers: NDArray[np.float64]) -> Times:
    """Seconds for an eighth of the bytes of `numbers`, read by all cores at once."""
    parts = np.array_split(numbers.view(np.uint64).ravel(), _cores())
    with ThreadPoolExecutor(len(parts)) as pool:
        least, median = seconds(lambda: list(pool.map(np.bitwise_or.reduce, parts)))
    return least / 8, median / 8


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (rows, FEATURES), endpoint=True).astype(np.int8)
    features = codes.astype(np.float64)
    grid = InputGrid(8, np.ones(FEATURES, np.float32), np.zeros(FEATURES, np.float32))
    model = LinearRegression()
    print(f"{rows:,} rows, {FEATURES} features, {RUNS} runs of each: best, median, rows per second")
    print(f"{'weights':>7} {'what':<22} {'rows/s':>14} {'x scikit-learn':>14} {'x read':>12}")
    read = reading(features)

    def line(weights: str, what: str, times: Times, real: Times) -> None:
        speeds = " ".join(f"{rows / time / 1e6:>6.0f}M" for time in times)
        ratios = [
            " ".join(f"{a / b:>6.2f}" for a, b in zip(other, times, strict=True)) for other in (real, read)
        ]
        print(f"{weights:>7} {what:<22} {speeds} {ratios[0]:>14} {ratios[1]:>12}")

    for bits in (8, 16):
        limit = 2 ** (bits - 1) - 1
        weights = generator.integers(-limit, limit, (1, FEATURES), endpoint=True)
        bias, scale = np.array([12345]), np.array([0.001], dtype=np.float32)
        integers = Integers(weights, bias, int(bound(weights, bias, -128, 127).max()), scale)
        sums = codes.astype(np.int64) @ weights.T + bias
        assert (accumulate(codes, integers) == sums).all()
        expected = sums.astype(np.float32) * scale
        assert (predict_codes(codes, integers) == expected).all()
        assert (predict(features, integers, grid.encode) == expected).all()
        model.coef_, model.intercept_ = weights[0].astype(np.float64), 12345.0
        real = seconds(partial(model.predict, features))
        line("float64", "scikit-learn", real, real)
        for name, call in (
            ("accumulators", partial(accumulate, codes, integers)),
            ("predictions", partial(predict_codes, codes, integers)),
            ("predictions of float64", partial(predict, features, integers, grid.encode)),
        ):
            line(f"int{bits}", name, seconds(call), real)
    line("", "reading int8 rows", read, real)


if __name__ == "__main__":
    main()
