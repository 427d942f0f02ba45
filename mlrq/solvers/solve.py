"""One entry to the three solvers."""

import math
import time
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mlrq.solvers.babai import babai
from mlrq.solvers.bounds import separable_bound
from mlrq.solvers.exact import exact
from mlrq.solvers.nearest import nearest
from mlrq.solvers.problem import Candidate, Certificate, FloatArray, Problem
from mlrq.stats.linear_algebra import least_squares

Rounding = Literal["nearest", "babai", "exact"]

# A thousand times what any width of a table of twenty features has needed; some seconds of work.
NODES = 50_000_000
SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Solution:
    """Codes of t targets over n features: `weight = scale * (code - zero_point)`.

    Attributes:
        codes: (t, n) int32, in low..high.
        zero_point: (t,) int32, in low..high; 0 in a symmetric scheme.
        scale: (t,) float64, > 0; for `babai` and `exact` the best for the codes, for `nearest` the
            conventional one.
        excess: mean squared error that quantization adds on the training rows, summed over targets,
            at `scale`.
        stored_scale: (t,) float32, `scale` rounded to nearest: because the excess is a parabola in
            the scale, no float32 is better for these codes.
        stored_excess: the excess at `stored_scale`.
        certificate: about `excess`, over all codes and all real scales.
    """

    codes: npt.NDArray[np.int32]
    zero_point: npt.NDArray[np.int32]
    scale: npt.NDArray[np.float64]
    excess: float
    stored_scale: npt.NDArray[np.float32]
    stored_excess: float
    certificate: Certificate


def solve(
    triangle: npt.ArrayLike,
    targets: npt.ArrayLike,
    low: int,
    high: int,
    *,
    rounding: Rounding = "exact",
    affine: bool = False,
    shared_scale: bool = False,
    weights: npt.ArrayLike | None = None,
    nodes: int = NODES,
    seconds: float = SECONDS,
) -> Solution:
    """Choose integer codes and a scale per target, or one for all targets.

    Minimises `sum over targets of ||y - scale * R (code - zero_point)||^2`.

    Args:
        triangle: (n, n) upper triangular `R`, `R'R` = covariance of the features.
        targets: (n,) or (t, n), `y` of each target: `R @ weights`, or the target's column of the
            triangle to fit the codes to the data.
        low: smallest code, <= 0.
        high: largest code, >= 0, > low; at most 2^17 codes.
        rounding: `nearest`, `babai` (nearest plane, best of many scales) or `exact`.
        affine: codes have a zero point, so the box slides. With a shared scale the zero point is
            shared too.
        shared_scale: one scale for all targets (per tensor) instead of one each (per channel).
        weights: (n,) or (t, n), the float model that `nearest` rounds; least squares when left out.
        nodes: budget of lower bounds for `exact`, in all; one of n > 64 codes counts as n^2 / 64^2. The
            result depends on it and not on the machine.
        seconds: safety net for `exact`; a result that it cut short may differ between machines.

    Returns:
        The solution, with a certificate. `nearest` and `babai` are never certified optimal, but
        their gap to a proven lower bound is given.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or bad limits.
    """
    r, y = _checked_arrays(triangle, targets)
    _check_limits(low, high, rounding, nodes, seconds)
    w = least_squares(r, y) if weights is None else _checked_weights(weights, y.shape)
    count, size = y.shape
    stacked = np.asarray(np.kron(np.eye(count), r) if shared_scale else r, dtype=np.float64)
    rows = [(y.ravel(), w.ravel())] if shared_scale else list(zip(y, w, strict=True))
    deadline = time.monotonic() + seconds
    solved = []
    for index, (target, weight) in enumerate(rows):
        left = len(rows) - index
        until = time.monotonic() + max(0.0, deadline - time.monotonic()) / left
        problem = Problem(stacked, target, low, high, affine)
        solved.append(_solve_one(problem, weight, rounding, nodes // len(rows), until))
    repeat = count if shared_scale else 1
    p = np.concatenate([codes.codes for codes, _, _ in solved]).reshape(count, size)
    zero_point = np.repeat([zero for _, zero, _ in solved], repeat).astype(np.int32)
    scale = np.repeat([found.scale or 1.0 for found, _, _ in solved], repeat)
    limits = np.finfo(np.float32)
    stored = np.clip(scale, limits.tiny, limits.max).astype(np.float32)
    certificates = [certificate for _, _, certificate in solved]
    return Solution(
        codes=(p + zero_point[:, None]).astype(np.int32),
        zero_point=zero_point,
        scale=scale,
        excess=math.fsum(found.excess for found, _, _ in solved),
        stored_scale=stored,
        stored_excess=math.fsum(
            float(Problem(r, target, low, high).excess(codes[:, None], one)[0])
            for target, codes, one in zip(
                y, p.astype(np.float64), stored.astype(np.float64)[:, None], strict=True
            )
        ),
        certificate=Certificate(
            all(one.optimal for one in certificates),
            math.fsum(one.lower_bound for one in certificates),
            math.fsum(one.gap for one in certificates),
            sum(one.nodes for one in certificates),
        ),
    )


def _solve_one(
    problem: Problem, weights: FloatArray, rounding: Rounding, nodes: int, deadline: float
) -> tuple[Candidate, int, Certificate]:
    """Candidate, zero point and certificate of one problem.

    The problem is solved in units in which `R` and `y` are near 1, by powers of two, which changes
    no digit.
    """
    unit_r, unit_y = power_of_two(problem.triangle), power_of_two(problem.target)
    inner = replace(problem, triangle=problem.triangle / unit_r, target=problem.target / unit_y)
    weights = weights * (unit_r / unit_y)
    found, zero_point = nearest(inner, weights)
    certificate = None
    if rounding != "nearest":
        found = babai(inner, weights, found.codes.astype(np.float64))
    if rounding == "exact":
        found, certificate = exact(inner, found, nodes=nodes, deadline=deadline)
    if rounding != "nearest":
        zero_point = _zero_point(problem, found)
    if certificate is None:
        bound = min(separable_bound(inner), found.excess)
        certificate = Certificate(False, bound, found.excess - bound, 0)
    area = unit_y**2
    return (
        replace(found, scale=found.scale * (unit_y / unit_r), excess=found.excess * area),
        zero_point,
        replace(
            certificate,
            lower_bound=certificate.lower_bound * area,
            gap=certificate.gap * area,
        ),
    )


def _zero_point(problem: Problem, found: Candidate) -> int:
    """The zero point nearest to 0 that keeps all codes in low..high."""
    least = problem.low - int(found.codes.min(initial=0))
    most = problem.high - int(found.codes.max(initial=0))
    return min(max(0, least), most) if problem.sliding else 0


def power_of_two(values: FloatArray) -> float:
    """The power of two next above the largest magnitude; 1 when all are zero."""
    largest = float(np.abs(values).max(initial=0.0))
    return 2.0 ** math.frexp(largest)[1] if largest > 0 else 1.0


def _checked_arrays(triangle: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    r = np.asarray(triangle, dtype=np.float64)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or r.shape[0] == 0:
        raise ValueError(f"The triangle must be a square matrix, but its shape is {r.shape}.")
    if np.tril(r, -1).any():
        raise ValueError("The triangle must be zero below its diagonal.")
    y = np.atleast_2d(np.asarray(targets, dtype=np.float64))
    if y.ndim != 2 or y.shape[1] != len(r) or len(y) == 0:
        raise ValueError(
            f"The targets must have shape ({len(r)},) or (t, {len(r)}) to fit the triangle, but "
            f"their shape is {y.shape}."
        )
    if not (np.isfinite(r).all() and np.isfinite(y).all()):
        raise ValueError("The triangle and the targets must be finite.")
    return r, y


def _checked_weights(weights: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    w = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if w.shape != shape or not np.isfinite(w).all():
        raise ValueError(f"The weights must be finite and of shape {shape}, not {w.shape}.")
    return w


def _check_limits(low: int, high: int, rounding: str, nodes: int, seconds: float) -> None:
    if not low <= 0 <= high or not 1 <= high - low < 1 << 17:
        raise ValueError(
            f"The codes must run from low <= 0 to high >= 0 with 2 to 131072 of them, but low is "
            f"{low} and high is {high}."
        )
    if rounding not in get_args(Rounding):
        raise ValueError(f"The rounding must be one of {', '.join(get_args(Rounding))}, not {rounding!r}.")
    if nodes < 0 or not seconds >= 0:
        raise ValueError(f"The budgets must not be negative, but nodes is {nodes} and seconds is {seconds}.")
