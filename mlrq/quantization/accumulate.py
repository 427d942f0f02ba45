"""Integer inference over all rows, in pieces, on all cores: sums are exact, so neither can change a bit."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq import kernel
from mlrq.kernel import Integers
from mlrq.kernel.inference import Codes, Sums

BYTES_PER_PIECE = 1 << 22  # more than a call costs, and the codes of so many float64 stay in a core's cache


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


def accumulate(codes: Codes, model: Integers) -> Sums:
    """(n, targets) exact sums of codes (n, features): int32 where that holds each of them, else int64."""
    result: Sums = np.empty((len(codes), len(model.bias)), dtype=model.sums)
    _in_pieces(codes, lambda piece: kernel.infer(codes[piece], model, result[piece]))
    return result


def predict_codes(codes: Codes, model: Integers) -> NDArray[np.float32]:
    """(n, targets) predictions of codes (n, features), which are numbers of float32."""
    result = np.empty((len(codes), len(model.bias)), dtype=np.float32)
    _in_pieces(codes, lambda piece: kernel.infer(codes[piece], model, result[piece]))
    return result


def predict(
    rows: NDArray[np.float64], model: Integers, encode: Callable[[NDArray[np.float64]], Codes]
) -> NDArray[np.float64]:
    """(n, targets) float64 predictions of real rows (n, features), which `encode` makes codes."""
    result = np.empty((len(rows), len(model.bias)))

    def work(piece: slice) -> None:
        told = np.empty(result[piece].shape, dtype=np.float32)
        kernel.infer(encode(rows[piece]), model, told)
        result[piece] = told

    _in_pieces(rows, work)
    return result


def _in_pieces(rows: NDArray[Any], work: Callable[[slice], None]) -> None:
    """Call `work` with slices that cover the rows, on all cores."""
    size = max(1, BYTES_PER_PIECE // (rows.itemsize * rows.shape[1]))
    starts = iter(range(0, len(rows), size))  # shared: a thread that is done takes the next piece

    def worker() -> None:
        for start in starts:
            work(slice(start, start + size))

    helpers = min(_cores(), -(-len(rows) // size)) - 1
    if helpers < 1:
        worker()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(helpers) as pool:
        others = [pool.submit(worker) for _ in range(helpers)]
        worker()
        for one in others:
            one.result()


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
