"""Integer inference in C and in NumPy: the same bits, which are those of Python's integers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrq.kernel import build, inference, native
from mlrq.kernel.inference import Integers

needs_compiler = pytest.mark.skipif(build.compiler() is None, reason="no C compiler on this machine")
SPECIAL = (0.0, -0.0, 5e-324, 1e-45, 0.5, 1.5, -2.5, 1e39, -1e39, 1e300, np.nan, -np.nan, np.inf, -np.inf)
LAYOUTS = {
    "rows": lambda table: table,
    "columns": np.asfortranarray,
    "strides": lambda table: np.repeat(np.repeat(table, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda table: np.ascontiguousarray(table[::-1, ::-1])[::-1, ::-1],
    "wider rows": lambda table: np.pad(table, ((0, 0), (0, 3)))[:, : table.shape[1]],
    "longer columns": lambda table: np.asfortranarray(np.pad(table, ((0, 5), (0, 0))))[: len(table)],
}


def integers(generator, targets, features, largest_weight, bits):
    weights = generator.integers(-largest_weight, largest_weight, (targets, features), endpoint=True)
    bias = generator.integers(-(2**20), 2**20, targets)
    largest = int((np.abs(weights).sum(axis=1) * 2 ** (bits - 1) + np.abs(bias)).max())
    return Integers(weights, bias, largest, generator.random(targets).astype(np.float32))


def told(which, codes, model, kind):
    result = np.empty((len(codes), len(model.bias)), dtype=kind)
    which.infer(codes, model, result)
    return result


def python_sums(codes, model):
    """The sums with Python's own integers."""
    pairs = list(zip(model.weights.tolist(), model.bias.tolist(), strict=True))

    def one(row, weights, bias):
        return bias + sum(code * weight for code, weight in zip(row, weights, strict=True))

    return [[one(row, *pair) for pair in pairs] for row in codes.tolist()]


@needs_compiler
@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.one_of(st.integers(0, 20), st.sampled_from([255, 256, 257, 600])),
    features=st.one_of(st.integers(1, 20), st.just(1025)),
    targets=st.integers(1, 3),
    largest_weight=st.sampled_from([1, 127, 2**15, 2**16, 2**31, 2**37]),
    bits=st.sampled_from([8, 16]),
    layout=st.sampled_from(sorted(LAYOUTS)),
)
def test_sums_and_predictions_are_the_same_bits(
    compiled, seed, rows, features, targets, largest_weight, bits, layout
):
    generator = np.random.default_rng(seed)
    limits = np.iinfo(f"int{bits}")
    rows = rows if features <= 20 else min(rows, 257)
    codes = generator.integers(limits.min, limits.max, (rows, features), limits.dtype, endpoint=True)
    codes[:1], codes[1:2] = limits.min, limits.max
    model = integers(generator, targets, features, largest_weight, bits)
    assert model.sums == (np.int32 if model.largest < 2**31 else np.int64)
    laid = LAYOUTS[layout](codes)
    assert (laid == codes).all()
    exact = python_sums(codes, model)
    predictions = np.array(exact, dtype=np.int64).reshape(rows, targets).astype(np.float32) * model.scale
    for which in (compiled, inference):
        assert told(which, laid, model, model.sums).tolist() == exact
        assert told(which, laid, model, np.float32).tolist() == predictions.tolist()


@needs_compiler
@pytest.mark.parametrize("start", range(8))  # of 32 bytes, and between
def test_nothing_is_written_beside_the_predictions(compiled, start):
    generator = np.random.default_rng(start)
    codes = generator.integers(-128, 127, (300, 8), np.int8, endpoint=True)
    model = integers(generator, 1, 8, 127, 8)
    result = np.full((301 + start, 1), np.pi, np.float32)
    compiled.infer(codes, model, result[start:-1])
    assert (result[start:-1] == told(inference, codes, model, np.float32)).all()
    assert (result[[*range(start), -1]] == np.float32(np.pi)).all()


@needs_compiler
@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.one_of(st.integers(0, 20), st.sampled_from([1000, 1300])),
    features=st.sampled_from([1, 2, 3, 7, 8, 60, 1024, 1025]),
    bits=st.sampled_from([8, 16]),
    layout=st.sampled_from(sorted(LAYOUTS)),
    special=st.lists(st.sampled_from(SPECIAL), max_size=14),
)
def test_numbers_are_encoded_to_the_same_codes(compiled, seed, rows, features, bits, layout, special):
    generator = np.random.default_rng(seed)
    rows = min(rows, 20_000 // features)
    scale = (2.0 ** generator.integers(-20, 20, features) * generator.uniform(1, 2, features)).astype(
        np.float32
    )
    offset = (generator.standard_normal(features) * scale * 300).astype(np.float32)
    table = generator.standard_normal((rows, features)) * scale * 2.0 ** (bits - 1) + offset
    ties = generator.random(table.shape) < 0.3  # halfway between two codes, as far as float32 can say that
    table = np.where(ties, (generator.integers(-200, 200, table.shape) + 0.5) * scale + offset, table)
    table.flat[: len(special)] = special[: table.size]
    laid = LAYOUTS[layout](table)
    ours, theirs = (which.encode(laid, scale, offset, bits) for which in (compiled, inference))
    assert ours.dtype == theirs.dtype == np.dtype(f"int{bits}")
    assert ours.tolist() == theirs.tolist()


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("flags", ["-Ofast -ffp-contract=fast", "-march=x86-64", "-march=x86-64-v3", "-O1"])
def test_the_bits_depend_neither_on_the_processor_nor_on_cflags(tmp_path, monkeypatch, flags):
    if "x86" in flags and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor cannot run what these flags make")
    monkeypatch.setenv("CFLAGS", flags)
    monkeypatch.setattr(build, "KINDS", ((),))
    assert build.build(tmp_path / "kernel.so") is None
    made, generator = native.load(tmp_path / "kernel.so"), np.random.default_rng(0)
    rows = generator.standard_normal((1001, 9)) * 30
    rows.flat[: len(SPECIAL)] = SPECIAL
    scale, offset = generator.random((2, 9), np.float32) + np.float32(0.1)
    for bits in (8, 16):
        codes = inference.encode(rows, scale, offset, bits)
        assert (made.encode(rows, scale, offset, bits) == codes).all()
        model = integers(generator, 2, 9, 2 ** (bits - 1), bits)
        for kind in (model.sums, np.float32):
            assert (told(made, codes, model, kind) == told(inference, codes, model, kind)).all()


@needs_compiler
def test_every_tie_between_two_codes_goes_to_the_even_one(compiled):
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    ties = np.arange(-(2**15) - 2, 2**15 + 2) + 0.5
    even = np.clip([2 * round(tie / 2) for tie in ties + 0.0], -(2**15), 2**15 - 1)  # 2 k is the nearest even
    for which in (compiled, inference):
        assert which.encode(ties[:, None], one, zero, 16)[:, 0].tolist() == even.tolist()


@needs_compiler
def test_codes_of_another_type_are_summed_as_what_they_are(compiled):
    model = integers(np.random.default_rng(0), 2, 3, 127, 8)
    codes = np.array([[1, -2, 3], [-128, 127, 0]])
    for kind in ("int32", "int64", ">i2", "uint8"):
        given = codes.astype(kind)
        assert told(compiled, given, model, model.sums).tolist() == python_sums(given, model)


@needs_compiler
@pytest.mark.parametrize("shape", [(3, 2), (4, 3)])
def test_shapes_that_do_not_fit_are_refused(compiled, shape):
    model = integers(np.random.default_rng(0), 1, 3, 127, 8)
    with pytest.raises(ValueError, match="fit"):
        compiled.infer(np.zeros(shape, np.int8), model, np.empty((3, 1), np.float32))
    with pytest.raises(ValueError, match="fit"):
        compiled.infer(np.zeros((3, 3), np.int8), model, np.empty((3, 2), np.float32)[:, :1])
    with pytest.raises(ValueError, match="fit"):
        compiled.encode(np.zeros((3, 2)), np.ones(3, np.float32), np.ones(3, np.float32), 8)
