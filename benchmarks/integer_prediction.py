"""Rows per second of integer batch prediction, beside scikit-learn's float64 on the same rows.

python benchmarks/integer_prediction.py [ROWS]: best and median of 25 runs of each, in one process: the
exact accumulators, and the predictions in the target's unit. The integers are checked against plain int64
arithmetic before anything is timed.

One is measured after the other, not in turn: OpenBLAS's threads, which scikit-learn uses, wait for their next
product in a loop, and for a tenth of a second take a core from whatever comes after them.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.linear_model import LinearRegression

from mlrq.quantization.accumulate import accumulate, bound, requantize

RUNS, PAUSE = 25, 0.5


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """The shortest and the median time, after one run that is not counted and a pause."""
    call()
    time.sleep(PAUSE)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (rows, 8), endpoint=True).astype(np.int8)
    features = codes.astype(np.float64)
    model = LinearRegression()
    print(f"{rows:,} rows, 8 features, {RUNS} runs of each: best, median, rows per second")
    print(f"{'weights':>7} {'result':<12} {'scikit-learn float64':>25} {'mlrq':>14} {'ratio':>11}")
    # int8 weights: float32 sums are exact; int16 weights: float64 sums are
    for bits in (8, 16):
        limit = 2 ** (bits - 1) - 1
        weights = generator.integers(-limit, limit, (1, 8), endpoint=True)
        bias, scale = np.array([12345]), np.array([0.001], dtype=np.float32)
        largest = int(bound(weights, bias, -128, 127).max())
        sums = codes.astype(np.int64) @ weights.T + bias
        assert (accumulate(codes, weights, bias, largest) == sums).all()
        model.coef_, model.intercept_ = weights[0].astype(np.float64), 12345.0
        real = seconds(partial(model.predict, features))
        for name, call in (
            ("accumulators", partial(accumulate, codes, weights, bias, largest)),
            ("predictions", partial(requantize, codes, weights, bias, largest, scale)),
        ):
            found = seconds(call)
            speeds = [" ".join(f"{rows / time / 1e6:>5.0f}M" for time in times) for times in (real, found)]
            ratios = " ".join(f"{a / b:>5.2f}" for a, b in zip(real, found, strict=True))
            print(f"{'int' + str(bits):>7} {name:<12} {speeds[0]:>25} {speeds[1]:>14} {ratios:>11}")


if __name__ == "__main__":
    main()
