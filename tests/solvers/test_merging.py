"""Codes of columns that are whole combinations of others are merged, and the best ones found all the same."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrq.solvers.merging import merged
from mlrq.solvers.ordering import ordered
from mlrq.solvers.problem import Problem
from mlrq.solvers.solve import solve
from mlrq.stats.linear_algebra import triangularise

KINDS = ("category", "sum", "difference", "weighted", "copy", "two", "fraction")


def table(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Centred rows of four or five columns, at least one of which depends on the others."""
    rows = rng.normal(size=(40, 2)) * 10.0 ** rng.integers(-1, 2, 2)
    level = rng.permutation(40) % 3
    flags = (level[:, None] == np.arange(3)).astype(float)
    a, b = rows.T
    more = {
        "category": [rows[:, :1], flags],
        "sum": [rows, flags[:, :1], a + b],
        "difference": [rows, flags[:, :1], a - b],
        "weighted": [rows, 2 * a + 3 * b, flags[:, :1]],
        "copy": [rows, a, -b],
        "two": [flags, rows[:, :1], flags[:, 1] + 2 * flags[:, 2]],
        "fraction": [rows, a / 2 + b / 3, flags[:, :1]],
    }
    found = np.column_stack(more[kind])
    found = found[:, rng.permutation(found.shape[1])]
    return found - found.mean(axis=0)


def triangle(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    whole, size = triangularise(np.column_stack([rows, values])), rows.shape[1]
    return whole[:size, :size], whole[:size, size]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(KINDS),
    st.sampled_from([(-2, 1), (-1, 2), (-3, 0)]),
    st.booleans(),
)
def test_the_best_codes_are_those_of_enumeration(
    seed: int, kind: str, box: tuple[int, int], affine: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows = table(rng, kind)
    r, y = triangle(rows, rows @ rng.normal(size=rows.shape[1]) + rng.normal(size=40))
    low, high = box
    outer = range(low - high, high - low + 1) if affine else range(low, high + 1)
    codes = np.array(list(itertools.product(outer, repeat=rows.shape[1])))
    spans = np.maximum(codes.max(axis=1), 0) - np.minimum(codes.min(axis=1), 0)
    codes = codes[spans <= high - low] if affine else codes
    images = codes @ r.T
    along, square = images @ y, (images**2).sum(axis=1)
    useful = (along > 0) & (square > 1e-18)
    least = float(y @ y - (along[useful] ** 2 / square[useful]).max(initial=0.0))
    found = solve(r, y[None], low, high, affine=affine)
    assert found.certificate.optimal
    assert found.excess == pytest.approx(least, rel=1e-9, abs=1e-12)
    assert found.codes.min() >= low
    assert found.codes.max() <= high


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_merged_codes_predict_what_the_restored_ones_do(kind: str, affine: bool) -> None:
    rng = np.random.default_rng(3)
    rows = table(rng, kind)
    problem = Problem(*triangle(rows, rows @ rng.normal(size=rows.shape[1])), -8, 7, affine)
    _, inner, rank = ordered(problem)
    way = merged(inner, rank)
    assert bool(len(way.left)) == (kind != "fraction")
    free = rng.integers(way.tree.free[0], way.tree.free[1] + 1)
    chosen = rng.integers(-5, 6, len(way.kept))
    codes = way.restored(np.append(chosen, free))
    assert (chosen == codes[way.kept] + way.whole @ codes[way.left]).all()
    assert inner.triangle @ codes == pytest.approx(inner.triangle[:, way.kept] @ chosen, abs=1e-9)
    if len(way.left):  # what is in the box
        shift = free[-1] if affine else 0
        assert (chosen - way.tree.mixing @ free == codes[way.kept] - shift).all()


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_all_columns_of_two_categories_take_a_small_search(bits: int, affine: bool) -> None:
    rng = np.random.default_rng(8)
    kinds = [rng.integers(0, levels, 500) for levels in (4, 5)]
    flags = [kind[:, None] == np.arange(kind.max() + 1) for kind in kinds]
    rows = np.column_stack([rng.normal(size=(500, 5)) * [1, 2, 5, 10, 100], *flags])
    rows -= rows.mean(axis=0)
    half = 1 << bits - 1
    values = rows @ (rng.normal(size=14) / rows.std(axis=0)) + rng.normal(size=500)
    r, y = triangle(rows, values)
    assert solve(r, y[None], -half, half - 1, affine=affine, nodes=20_000).certificate.optimal
