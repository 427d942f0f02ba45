"""Rounding each weight to the nearest grid point: what every other quantizer does."""

import numpy as np

from mlrq.solvers.problem import Candidate, FloatArray, Problem


def round_codes(problem: Problem, weights: FloatArray, scale: float, zero_point: int) -> FloatArray:
    """Codes less the zero point (n,): `clip(rint(w / s) + z, low, high) - z`.

    ONNX's QuantizeLinear with ties to even.
    """
    codes = np.rint(weights / scale) + zero_point
    return np.asarray(np.clip(codes, problem.low, problem.high) - zero_point)


def conventional_grid(problem: Problem, weights: FloatArray) -> tuple[float, int]:
    """Scale and zero point that cover the range of the weights.

    Symmetric: `s = max|w| / high`, zero point 0, so that the largest weight takes the largest code
    (`-low` when there are no positive codes). Affine (gemmlowp's `ChooseQuantizationParams`): the
    range widened to contain 0 is spread over all codes, and the zero point is the code nearest to
    where 0 falls.

    Args:
        problem: the box of codes.
        weights: (n,) float64.

    Returns:
        scale, 1.0 when all weights are zero, and zero point in low..high.
    """
    most, least = max(weights.max(), 0.0), min(weights.min(), 0.0)
    if most == least:
        return 1.0, 0
    if not problem.sliding:
        return float(max(most, -least) / (problem.high or -problem.low)), 0
    scale = float((most - least) / problem.width)
    zero_point = int(np.clip(np.rint(problem.low - least / scale), problem.low, problem.high))
    return scale, zero_point


def nearest(problem: Problem, weights: FloatArray) -> tuple[Candidate, int]:
    """The conventional scale, each weight rounded on its own.

    Args:
        problem: what the result is measured against; rounding itself does not look at `R`.
        weights: (n,) float64, the float model.

    Returns:
        The candidate at the conventional scale (not the best scale for its codes), and its zero
        point.
    """
    scale, zero_point = conventional_grid(problem, weights)
    codes = round_codes(problem, weights, scale, zero_point)
    excess = problem.excess(codes[:, None], np.array([scale]))
    return Candidate(codes.astype(np.int64), scale, float(excess[0])), zero_point
