"""Exact integer sums of products, through float BLAS where that cannot round.

A float sum of integers is exact in any order as long as every partial sum is below 2^24 in float32 or 2^53 in
float64. The bound on the accumulator proves it from the codes alone; where it does not hold, NumPy's integer
arithmetic does the work. As nothing is rounded, neither the blocks nor the threads can change a bit.
"""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NUMBERS_PER_BLOCK = 1 << 19  # 2 MiB of float32: cores share it through their cache, and few calls fill it
NUMBERS_PER_PRODUCT = 1 << 13  # OpenBLAS keeps products of less than 9216 numbers on the thread that asks
Sums = NDArray[np.int32] | NDArray[np.int64]
Result = Sums | NDArray[np.float64]
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
    result: Sums = np.empty((len(codes), len(weights)), dtype=kind)
    _fill(result, codes, weights, bias, largest, None)
    return result


def requantize(
    codes: NDArray[np.signedinteger],
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    largest: int,
    scale: NDArray[np.float32],
) -> NDArray[np.float64]:
    """What `accumulate` returns, rounded to float32, times `scale` in float32: (n, targets) float64.

    Args:
        codes: As for `accumulate`, and so the next three.
        weights: (targets, features) int64.
        bias: (targets,) int64.
        largest: The bound.
        scale: (targets,) or (1,) float32, target units for one step of the accumulator.
    """
    result = np.empty((len(codes), len(weights)))
    _fill(result, codes, weights, bias, largest, np.broadcast_to(scale, len(weights)))
    return result


def _fill(
    result: Result,
    codes: NDArray[np.signedinteger],
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    largest: int,
    scale: NDArray[np.float32] | None,
) -> None:
    """Write the sums to `result`, or with a scale what they stand for, block by block on all cores."""
    if largest >= DOUBLE_EXACT:
        sums = codes.astype(np.int64) @ weights.T + bias
        result[...] = sums if scale is None else sums.astype(np.float32) * scale
        return
    real = np.dtype(np.float32 if largest < SINGLE_EXACT else np.float64)
    size = rows_per_block(codes.shape[1])
    starts = iter(range(0, len(codes), size))  # shared: a thread that is done takes the next block
    arguments = (starts, size, codes, weights.astype(real), bias.astype(real), scale, result)
    helpers = min(_cores(), -(-len(codes) // size)) - 1
    if helpers < 1:
        _blocks(*arguments)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(helpers) as pool:
        work = [pool.submit(_blocks, *arguments) for _ in range(helpers)]
        _blocks(*arguments)
        for one in work:
            one.result()


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rows_per_block(features: int) -> int:
    """How many rows are converted at once."""
    return max(1, NUMBERS_PER_BLOCK // features)


def _blocks(
    starts: Iterator[int],
    size: int,
    codes: NDArray[np.signedinteger],
    weights: NDArray[np.floating],
    bias: NDArray[np.floating],
    scale: NDArray[np.float32] | None,
    result: Result,
) -> None:
    """Fill the blocks of `result` that begin at `starts`."""
    features = codes.shape[1]
    block = np.empty((min(len(codes), size), features), dtype=weights.dtype)
    sums = np.empty(len(block), dtype=weights.dtype)
    rows = max(1, NUMBERS_PER_PRODUCT // features)
    for start in starts:
        part = codes[start : start + size]
        count = len(part)
        whole = count - count % rows
        block[:count] = part
        for target, column in enumerate(weights):
            np.matmul(block[:whole].reshape(-1, rows, features), column, out=sums[:whole].reshape(-1, rows))
            np.dot(block[whole:count], column, out=sums[whole:count])
            sums[:count] += bias[target]
            found = sums[:count]
            if scale is not None:
                found = found.astype(np.float32, copy=False) * scale[target]
            result[start : start + size, target] = found
