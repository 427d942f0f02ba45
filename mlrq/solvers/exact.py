"""The best codes and the best scale, with the proof."""

import time
from dataclasses import replace

import numpy as np

from mlrq.solvers.babai import geometric, search_scales
from mlrq.solvers.beam import beam
from mlrq.solvers.bounds import round_down, separable_bound
from mlrq.solvers.descent import descend
from mlrq.solvers.ordering import decision_order, reorder
from mlrq.solvers.problem import (
    Candidate,
    Certificate,
    FloatArray,
    Problem,
    best_candidate,
    candidate,
)
from mlrq.solvers.sphere import Outcome, search
from mlrq.stats.linear_algebra import least_squares

# Problems up to this size are searched in less time than a beam takes.
SMALL = 12
# Numbers that the beam may hold.
BEAM = 1 << 17
# Share of the budget that is kept for a bound in case the search does not end.
RESERVE = 1 / 4


def exact(
    problem: Problem, start: Candidate, *, nodes: int, deadline: float
) -> tuple[Candidate, Certificate]:
    """Codes and scale of least excess, or the best found and how far from the best they may be.

    A good solution first (nearest plane and beams over many scales, then local search), then a
    search of everything that could beat it (`mlrq.solvers.sphere`).

    Args:
        problem: n codes.
        start: any candidate; the result is never worse.
        nodes: budget of partial vectors examined.
        deadline: value of `time.monotonic()` at which to stop.

    Returns:
        The candidate and its certificate. With the same input and no deadline in sight, always the
        same.
    """
    if not problem.triangle.any() or not problem.target.any():
        zero = candidate(problem, np.zeros(problem.size))
        return zero, Certificate(True, zero.excess, 0.0, 0)
    order = decision_order(problem.triangle)
    ordered = reorder(problem, order)
    best = start

    def offer(codes: FloatArray) -> float:
        nonlocal best
        restored = np.empty_like(codes)
        restored[order] = codes
        found = best_candidate(problem, restored)
        best = found if found.beats(best) else best
        return best.excess

    offer(good_codes(ordered))
    now = time.monotonic()
    outcome = search(
        ordered,
        best.excess,
        offer,
        nodes=nodes - int(nodes * RESERVE),
        deadline=deadline - (deadline - now) * RESERVE,
    )
    if outcome.complete:
        return best, Certificate(True, best.excess, 0.0, outcome.nodes)
    bound, spent = projected_bound(ordered, best.excess, nodes=nodes - outcome.nodes, deadline=deadline)
    bound = max(bound, round_down(outcome.lower_bound), separable_bound(ordered))
    bound = min(bound, best.excess)
    return best, Certificate(False, bound, best.excess - bound, outcome.nodes + spent)


def good_codes(problem: Problem) -> FloatArray:
    """Codes (n, N) worth starting from, found quickly."""
    size = problem.size
    weights = least_squares(problem.triangle, problem.target[None])[0]
    if not weights.any():
        return np.zeros((size, 1))
    codes = search_scales(problem, weights)[:, : 16 if size <= 64 else 4]
    if size > SMALL:
        around = problem.fit(codes[:, :1])[1] * geometric(0.6, 1.6, 5)
        kept = int(np.clip(BEAM // (len(around) * size), 2, 128))
        found = beam(problem, around, kept) if around.all() else codes
        best = np.argsort(problem.fit(found)[0], kind="stable")
        codes = np.column_stack([codes, found[:, best[: codes.shape[1]]]])
    return np.column_stack([codes, descend(problem, codes)])


def projected_bound(problem: Problem, threshold: float, *, nodes: int, deadline: float) -> tuple[float, int]:
    """Lower bound from the last rows alone, as many of them as the budget allows.

    The last k rows contain the last k codes only, so they are a smaller problem of the same kind,
    and its least excess is at most that of the whole.

    Returns:
        The bound, and the nodes spent.
    """
    bound, spent = 0.0, 0
    for size in range(4, problem.size, 4):
        part = replace(problem, triangle=problem.triangle[-size:, -size:], target=problem.target[-size:])
        least = min(threshold, float(part.fit(good_codes(part))[0].min()))

        def offer(codes: FloatArray, part: Problem = part) -> float:
            nonlocal least
            least = min(least, float(part.fit(codes)[0].min()))
            return least

        outcome: Outcome = search(part, least, offer, nodes=nodes - spent, deadline=deadline)
        spent += outcome.nodes
        bound = max(bound, round_down(min(least, outcome.lower_bound)))
        if not outcome.complete:
            break
    return bound, spent
