"""Local search: change one or two codes at a time while that helps, at the best scale."""

import itertools

import numpy as np

from mlrq.solvers.problem import FloatArray, Problem
from mlrq.stats.linear_algebra import product, summed

# Pairs of codes are tried up to this many columns; their number grows with the square.
PAIRS_UP_TO = 128


def descend(problem: Problem, codes: FloatArray) -> FloatArray:
    """Improve each column of codes until no step helps.

    A step changes one code by 1, or two codes by 1 each when the box does not slide and there are
    at most `PAIRS_UP_TO` columns.

    At its best scale a vector leaves `||y||^2 - <y, Rp>^2 / ||Rp||^2`, so a move is judged by that
    quotient alone, from `h = R'y` and `G = R'R`: adding `a` to code i changes `<y, Rp>` by `a h_i`
    and `||Rp||^2` by `2 a (Gp)_i + a^2 G_ii`. This steers the search only; the excess of what comes
    out is computed from its residual.

    Args:
        problem: n codes.
        codes: (n, N) float64.

    Returns:
        (n, N) float64, none worse than what it came from.
    """
    gram = product(problem.triangle.T, problem.triangle)
    pull = product(problem.triangle.T, problem.target)
    columns = [_descend_one(problem, gram, pull, column) for column in codes.T]
    improved = np.column_stack(columns)
    before, after = problem.fit(codes)[0], problem.fit(improved)[0]
    return np.where(after < before, improved, codes)


def _descend_one(problem: Problem, gram: FloatArray, pull: FloatArray, start: FloatArray) -> FloatArray:
    codes = start.copy()
    diagonal = np.diag(gram)
    image = summed(gram * codes, axis=1)
    along, length = float(summed(pull * codes)), float(summed(image * codes))
    quality = along * abs(along) / length if length > 0 else 0.0
    for _ in range(8 * problem.size + 64):
        least, most = problem.room(codes)
        moves = []
        allowed = {step: (codes + step >= least) & (codes + step <= most) for step in (-1, 1)}
        for step in (-1, 1):
            a = along + step * pull
            c = length + 2 * step * image + diagonal
            moves.append((np.where(allowed[step], _quotient(a, c), -np.inf), step, 0))
        if max(value.max() for value, _, _ in moves) <= quality * (1 + 1e-12) and (
            problem.size <= PAIRS_UP_TO and not problem.sliding
        ):
            for first, second in itertools.product((-1, 1), repeat=2):
                a = along + first * pull[:, None] + second * pull
                c = (length + 2 * first * image + diagonal)[:, None] + (
                    2 * second * image + diagonal + 2 * first * second * gram
                )
                both = allowed[first][:, None] & allowed[second]
                np.fill_diagonal(both, False)
                moves.append((np.where(both, _quotient(a, c), -np.inf), first, second))
        value, first, second = max(moves, key=lambda move: float(move[0].max()))
        if value.max() <= quality * (1 + 1e-12):
            break
        quality = float(value.max())
        place = np.unravel_index(int(value.argmax()), value.shape)
        for index, step in zip(place, (first, second), strict=False):
            along += step * pull[index]
            length += step * (2 * image[index] + step * diagonal[index])
            image = image + step * gram[:, index]
            codes[index] += step
    return codes


def _quotient(along: FloatArray, length: FloatArray) -> FloatArray:
    return np.where(length > 0, along * np.abs(along) / np.where(length > 0, length, 1.0), 0.0)
