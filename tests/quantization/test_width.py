"""bits=auto takes the fewest bits that the tolerance allows, and says truly what is known of one bit less."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.quantizing import statistics

from mlrq.errors import MlrqError
from mlrq.models.linear import LinearModel
from mlrq.quantization import options
from mlrq.quantization.quantize import quantize
from mlrq.quantization.settings import Settings, Wanted
from mlrq.quantization.width import cheapest, narrowest
from mlrq.stats.summary import fit_least_squares

WIDEST = 5  # of what is enumerated


def least_excess(rows, target, bits, affine):
    """Of all codes of so many bits, each at its best scale: enumerated."""
    half, size = 1 << (bits - 1), rows.shape[1]
    outer = (-2 * half + 1, 2 * half - 1) if affine else (-half, half - 1)
    codes = np.array(list(itertools.product(range(outer[0], outer[1] + 1), repeat=size)), dtype=np.float64)
    if affine:
        span = np.maximum(codes.max(axis=1), 0) - np.minimum(codes.min(axis=1), 0)
        codes = codes[span <= 2 * half - 1]
    codes = codes[codes.any(axis=1)]
    centred = rows - rows.mean(axis=0)
    best = centred @ np.linalg.lstsq(centred, target - target.mean(), rcond=None)[0]
    made = codes @ centred.T
    along = np.maximum(made @ best, 0)
    return float((best @ best - along**2 / (made**2).sum(axis=1)).min()) / len(rows)


def problem(seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) * rng.uniform(0.2, 3, 3)
    target = rows @ rng.normal(size=3) + rng.normal(size=40) * rng.uniform(0.1, 2)
    return rows, target


def narrow(rows, targets, tolerance, **settings):
    known = statistics(rows, targets)
    names = tuple(f"x{i}" for i in range(rows.shape[1])), tuple(f"y{i}" for i in range(targets.shape[1]))
    model = LinearModel(*fit_least_squares(known.summary), *names)
    residual = float(np.square(targets - model.predict(rows)).mean(axis=0).sum())
    return narrowest(model, known, Settings(**settings), (tolerance, residual)), model, known, residual


@pytest.mark.few(6)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_fewest_bits_are_those_that_enumeration_finds(seed, affine):
    rows, target = problem(seed)
    scheme, widths = ("affine", range(2, WIDEST)) if affine else ("symmetric", range(2, WIDEST + 1))
    least = {bits: least_excess(rows, target, bits, affine) for bits in widths}
    residual = narrow(rows, target[:, None], 1e9)[3]
    for bits in widths:
        # Just within reach of this width, by more than storing a scale in float32 costs.
        tolerance = least[bits] * (1 + 1e-6) / residual
        fewest = min(width for width in widths if least[width] <= tolerance * residual)
        (made, found), *_ = narrow(rows, target[:, None], tolerance, scheme=scheme)
        assert (found.bits, made.model.bits) == (fewest, fewest)
        assert made.excess <= found.limit
        assert found.excluded
        assert (found.below is None) == (fewest == 2)
        if found.below:
            assert found.below.model.bits == fewest - 1
            assert found.below.certificate.lower_bound == pytest.approx(least[fewest - 1], rel=1e-9)


@pytest.mark.few(2)
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel", "per_feature"])
@pytest.mark.parametrize("rounding", ["exact", "babai", "nearest", "truncate"])
def test_it_is_the_first_width_of_all_that_is_within_the_limit(granularity, rounding):
    rows, target = problem(99)
    targets = np.column_stack([target, target * 0.3 + rows[:, 0]])
    for tolerance in (0.5, 0.05, 1e-3, 1e-6):
        how = {"granularity": granularity, "rounding": rounding}
        (made, found), model, known, residual = narrow(rows, targets, tolerance, **how)
        every = [quantize(model, known, Settings(bits=bits, **how)) for bits in range(2, 17)]
        first = next(one for one in every if one.excess <= tolerance * residual)
        assert found.bits == first.model.bits
        assert made.excess == first.excess
        assert (made.model.codes == first.model.codes).all()
        if rounding in ("nearest", "truncate") and found.below:
            assert not found.excluded


@pytest.mark.few(1)
@pytest.mark.parametrize("tolerance", [0.1, 0.01, 1e-4, 1e-7])
@pytest.mark.parametrize("feature_scale", ["std", "pow2"])
def test_of_several_grids_the_least_payload_wins_each_with_its_fewest_bits(tolerance, feature_scale):
    rows, target = problem(7)
    targets = np.column_stack([target, target * 0.3 + rows[:, 0], rows[:, 1] ** 2])
    grids = tuple(f"{g}/{s}" for g in options.GRANULARITIES for s in ("symmetric", "affine"))
    _, model, known, residual = narrow(rows, targets, 0.5)
    common = Settings(feature_scale=feature_scale)
    chosen, made, found = cheapest(model, known, common, Wanted(tolerance, grids), residual)
    best = {}
    for name in grids:
        granularity, scheme = name.split("/")
        one = replace(common, granularity=granularity, scheme=scheme)
        every = (quantize(model, known, replace(one, bits=bits)) for bits in range(2, 17))
        best[name] = next((each for each in every if each.excess <= tolerance * residual), None)
    offers = {one.grid: (one.bits, one.payload_bits) for one in found.offers}
    assert offers == {
        name: (one.model.bits, one.model.payload_bits) if one else (None, None) for name, one in best.items()
    }
    least = min((one.model.payload_bits, one.excess) for one in best.values() if one)
    assert (made.model.payload_bits, made.excess) == least
    assert f"{chosen.granularity}/{chosen.scheme}" in grids
    assert (chosen.bits, chosen.scheme, chosen.granularity) == (
        made.model.bits, made.model.scheme, made.model.granularity
    )  # fmt: skip


def test_what_cannot_be_reached_is_refused_with_what_may_help():
    rows, target = problem(1)
    with pytest.raises(
        MlrqError, match=r"with 16 bits the excess is .* more than tolerance=0: use .*per_feature"
    ):
        narrow(rows, target[:, None], 0.0)
    with pytest.raises(
        MlrqError, match="use rounding=exact or granularity=per_feature or a larger tolerance"
    ):
        narrow(rows, target[:, None], 0.0, rounding="nearest")


def test_without_residuals_there_is_nothing_to_be_a_part_of():
    rows, _ = problem(2)
    known = statistics(rows, rows[:, :1])
    model = LinearModel(*fit_least_squares(known.summary), ("a", "b", "c"), ("y",))
    with pytest.raises(MlrqError, match="predicts the targets exactly"):
        narrowest(model, known, Settings(), (0.01, 0.0))


def test_a_search_that_is_cut_short_claims_no_proof():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(200, 24)) @ rng.normal(size=(24, 24))
    target = rows @ rng.normal(size=24) + 0.3 * rng.normal(size=200)
    (_, found), *_ = narrow(rows, target[:, None], 0.01, nodes=1)
    assert found.below
    assert not found.excluded
