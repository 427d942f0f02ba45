"""Exact integer sums of products, through float BLAS where that cannot round.

A float sum of integers is exact in any order as long as every partial sum is below 2^24 in float32 or 2^53 in
float64. The bound on the accumulator proves it from the codes alone; where it does not hold, NumPy's integer
arithmetic does the work.
"""

import numpy as np
from numpy.typing import NDArray

ROWS_PER_BLOCK = 16384  # eight features of a block in float32 are 512 kB: they fit a core's cache
Sums = NDArray[np.int32] | NDArray[np.int64]
SINGLE_EXACT, DOUBLE_EXACT = 2**24, 2**53


def bound(weights: NDArray[np.int64], bias: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
    """(targets,) the largest magnitude that any partial sum can reach, in any order, for any input codes.

    sum |weight| * max(|low|, |high|) + |bias|: it also bounds every subset of the sum's terms.

    Args:
        weights: (targets, features) int64, code - zero_point.
        bias: (targets,) int64.
        low: Smallest input code.
        high: Largest input code.
    """
    magnitude = np.abs(weights).sum(axis=1) * max(abs(low), abs(high)) + np.abs(bias)
    return np.asarray(magnitude, dtype=np.int64)


def accumulate(
    codes: NDArray[np.signedinteger],
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    largest: int,
) -> Sums:
    """codes @ weights.T + bias, exactly.

    Args:
        codes: (n, features) integer input codes.
        weights: (targets, features) int64.
        bias: (targets,) int64.
        largest: What `bound` says for these weights, the maximum over targets.

    Returns:
        (n, targets), int32 where `largest` fits, else int64.
    """
    kind = np.dtype(np.int32 if largest < 2**31 else np.int64)
    if largest >= DOUBLE_EXACT:
        exact: Sums = (codes.astype(np.int64) @ weights.T + bias).astype(kind)
        return exact
    real = np.dtype(np.float32 if largest < SINGLE_EXACT else np.float64)
    rows, features = codes.shape
    result: Sums = np.empty((rows, len(weights)), dtype=kind)
    block = np.empty((min(rows, ROWS_PER_BLOCK), features), dtype=real)
    sums = np.empty(len(block), dtype=real)
    columns, starts = weights.astype(real), bias.astype(real)
    for start in range(0, rows, ROWS_PER_BLOCK):
        part = slice(start, start + ROWS_PER_BLOCK)
        size = len(codes[part])
        block[:size] = codes[part]
        for target, column in enumerate(columns):
            np.dot(block[:size], column, out=sums[:size])
            sums[:size] += starts[target]
            result[part, target] = sums[:size]
    return result
