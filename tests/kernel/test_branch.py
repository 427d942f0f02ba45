"""The search in C and the one in Python go the same way, to the last bit."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrq.kernel import branch, build
from mlrq.kernel.tree import Tree, Walk, start, widened
from mlrq.solvers.merging import merged
from mlrq.solvers.ordering import ordered, prepare
from mlrq.solvers.problem import Problem
from mlrq.stats.linear_algebra import triangularise

pytestmark = pytest.mark.skipif(build.compiler() is None, reason="no C compiler on this machine")
ARRAYS = ("floats", "sums", "slopes", "integers", "ends", "found")
NUMBERS = ("best", "reach", "level", "nodes")


def begun(seed: int, size: int, box: tuple[int, int], sliding: bool, kind: str) -> tuple[Tree, Walk]:
    """A search over correlated, differently scaled, dependent or constant columns."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((size + 4, size)) + generator.standard_normal((size + 4, 1))
    if kind == "scaled":
        rows *= 10.0 ** generator.integers(-3, 4, size)
    if kind == "duplicate":
        rows[:, -1] = rows[:, 0]
    if kind == "sum" and size > 2:
        rows[:, -1] = rows[:, 0] - 2.0 * rows[:, 1]
    if kind == "category":
        rows[:, : size // 2] = generator.integers(0, size // 2 + 1, len(rows))[:, None] == np.arange(
            size // 2
        )
        rows[:, -1] = 1.0 - rows[:, : size // 2].sum(axis=1)
        rows -= rows.mean(axis=0)
    if kind == "constant":
        rows[:, 0] = 0.0
    whole = triangularise(np.column_stack([rows, rows @ generator.standard_normal(size)]))
    _, inner, rank = ordered(Problem(whole[:size, :size], whole[:size, size], *box, sliding))
    best = float(np.square(inner.target).sum())
    tree = prepare(inner, rank) if kind == "duplicate" else merged(inner, rank).tree
    return tree, start(tree, best, widened(best, 1e-12), 1e-12, *tree.outer)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.sampled_from([(-2, 1), (0, 3), (-3, 0), (-8, 7), (-128, 127)]),
    st.booleans(),
    st.sampled_from(["plain", "scaled", "duplicate", "constant", "sum", "category"]),
    st.booleans(),
)
def test_the_search_goes_the_same_way_step_by_step(compiled, seed, size, box, sliding, kind, single):
    tree, walk = begun(seed, size, box, sliding, kind)
    other = copy.deepcopy(walk)
    for nodes in (1, 7, 60, 400):
        compiled.search(tree, walk, nodes, single)
        branch.search(tree, other, nodes, single)
        for name in ARRAYS:
            assert getattr(walk, name).tobytes() == getattr(other, name).tobytes(), name
        for name in NUMBERS:
            assert getattr(walk, name) == getattr(other, name), name


def test_a_search_that_is_cut_short_goes_on_to_the_same_end(compiled):
    tree, whole = begun(5, 9, (-8, 7), False, "scaled")
    parts = copy.deepcopy(whole)
    compiled.search(tree, whole, 10**6, False)
    while parts.level < 9:
        compiled.search(tree, parts, parts.nodes + 3, False)
    assert (parts.best, parts.nodes) == (whole.best, whole.nodes)
    assert parts.found.tolist() == whole.found.tolist()
