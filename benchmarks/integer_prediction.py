"""Rows per second of integer batch prediction, beside scikit-learn's float64 on the same rows.

python benchmarks/integer_prediction.py [ROWS]: the best of nine runs of each, taken in turn, in one process.
The integers are checked against plain int64 arithmetic before anything is timed.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.linear_model import LinearRegression

from mlrq.quantization.accumulate import accumulate, bound

RUNS = 9


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    generator = np.random.default_rng(0)
    codes = generator.integers(-128, 127, (rows, 8), endpoint=True).astype(np.int8)
    features = codes.astype(np.float64)
    model = LinearRegression()
    print(f"{rows:,} rows, 8 features, best of {RUNS}")
    print(f"{'accumulator bound':>18} {'integer':>12} {'float64':>12} {'ratio':>7}")
    # int8 weights: float32 sums are exact; int16 weights: float64 sums are
    for largest_weight in (127, 32767):
        weights = generator.integers(-largest_weight, largest_weight, (1, 8), endpoint=True)
        bias = np.array([12345])
        largest = int(bound(weights, bias, -128, 127).max())
        model.coef_, model.intercept_ = weights[0].astype(np.float64), 12345.0
        assert (accumulate(codes, weights, bias, largest) == codes.astype(np.int64) @ weights.T + bias).all()
        times = [
            (
                seconds(partial(accumulate, codes, weights, bias, largest)),
                seconds(lambda: model.predict(features)),
            )
            for _ in range(RUNS)
        ]
        integer, real = (min(column) for column in zip(*times, strict=True))
        speeds = f"{rows / integer / 1e6:>10.0f}M/s {rows / real / 1e6:>10.0f}M/s"
        print(f"{largest:>18,} {speeds} {real / integer:>7.2f}")


if __name__ == "__main__":
    main()
