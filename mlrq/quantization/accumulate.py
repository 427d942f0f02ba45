"""Exact integer sums of products, through float BLAS where that cannot round.

A float sum of integers is exact in any order as long as every partial sum is below 2^24 in float32 or 2^53 in
float64. The bound on the accumulator proves it from the codes alone; where it does not hold, NumPy's integer
arithmetic does the work.
"""

import numpy as np
from numpy.typing import NDArray

ROWS_PER_BLOCK = 8192  # eight features of a block in float32 are 256 kB: they fit a core's cache
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
) -> NDArray[np.int64] | NDArray[np.int32]:
    """codes @ weights.T + bias, exactly.

    Args:
        codes: (n, features) integer input codes.
        weights: (targets, features) int64.
        bias: (targets,) int64.
        largest: What `bound` says for these weights, the maximum over targets.

    Returns:
        (n, targets), int32 where `largest` fits, else int64.
    """
    kind: type[np.int32] | type[np.int64] = np.int32 if largest < 2**31 else np.int64
    if largest >= DOUBLE_EXACT:
        return (codes.astype(np.int64) @ weights.T + bias).astype(np.int64)
    real: type[np.float32] | type[np.float64] = np.float32 if largest < SINGLE_EXACT else np.float64
    transposed = np.ascontiguousarray(weights.T, dtype=real)
    result = np.empty((len(codes), len(weights)), dtype=kind)
    block = np.empty((ROWS_PER_BLOCK, codes.shape[1]), dtype=real)
    for start in range(0, len(codes), ROWS_PER_BLOCK):
        part = result[start : start + ROWS_PER_BLOCK]
        filled = block[: len(part)]
        filled[:] = codes[start : start + ROWS_PER_BLOCK]
        part[:] = filled @ transposed + bias
    return result
