"""The kernel in C and the one in NumPy agree to the last bit, and compute what they say."""

import os
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrq import kernel
from mlrq.kernel import build, householder, native, reference

RESULTS = ("triangle", "low", "high", "prints", "tests")
BOUND = 1e100
SPECIAL = (0.0, -0.0, 5e-324, -1e90, 1e90, 1e150, np.nan, np.inf, -np.inf, 1.0)
needs_compiler = pytest.mark.skipif(build.compiler() is None, reason="no C compiler on this machine")


def table(columns, rows, seed=0):
    generator = np.random.default_rng(seed)
    exponents = generator.integers(-8, 8, (columns, 1))
    return generator.standard_normal((columns, rows)) * 10.0**exponents


def started(columns, seed=1):
    """A pivot and a triangle of earlier rows."""
    generator = np.random.default_rng(seed)
    return generator.standard_normal(columns), np.triu(generator.standard_normal((columns + 1, columns + 1)))


def equal(one, two):
    """Equal to the last bit, the signs of zeros too."""
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def agree(compiled, columns, test, start, pivot, triangle):
    asked = columns, test, start, BOUND, pivot, triangle
    ours, theirs = (which.scan(*asked) for which in (compiled, reference))
    assert ours.bounded == theirs.bounded
    for name in RESULTS if ours.bounded else ():
        assert equal(getattr(ours, name), getattr(theirs, name)), name
    if ours.bounded:  # what is no number may be one of many
        own = (which.centred(triangle, columns, pivot) for which in (compiled, householder))
        assert equal(*own)
        rows = np.stack(list(columns)).T
        assert equal(*(which.stack(triangle[1:, 1:], rows) for which in (compiled, householder)))


def test_splitmix64_gives_the_published_outputs():
    # From state 1234567: the first three outputs of the reference implementation, prng.di.unimi.it.
    step = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + i * step) % 2**64 for i in range(3)], dtype=np.uint64)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert reference.scrambled(states).tolist() == expected


@pytest.mark.few(14)
@needs_compiler
@pytest.mark.parametrize("columns", [1, 2, 3, 9, 16, 40, 130])
@pytest.mark.parametrize("rows", [1, 63, 255, 256, 257, 4097])
def test_c_and_numpy_give_the_same_bits(compiled, columns, rows):
    test = reference.below(11, rows, 7, 2**62)
    agree(compiled, table(columns, rows), test, 11, *started(columns))


@needs_compiler
@settings(deadline=None)
@given(
    columns=st.integers(1, 12),
    rows=st.integers(1, 700),
    start=st.integers(0, 2**50),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.0, 0.03, 0.5, 1.0]),
    special=st.lists(st.sampled_from(SPECIAL), max_size=9),
)
def test_c_and_numpy_give_the_same_bits_for_anything(compiled, columns, rows, start, seed, share, special):
    numbers = table(columns, rows, seed)
    numbers.flat[: len(special)] = special[: numbers.size]
    test = np.random.default_rng(seed).random(rows) < share
    agree(compiled, numbers, test, start, *started(columns, seed))


@pytest.mark.few(1)
@needs_compiler
@pytest.mark.parametrize(
    "flags",
    ["-Ofast -ffp-contract=fast", "-march=x86-64", "-march=x86-64-v3", "-O1", "-DWIDTH=8"],
)
def test_the_bits_depend_neither_on_the_processor_nor_on_cflags(tmp_path, monkeypatch, flags):
    if "x86" in flags and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor cannot run what these flags make")
    monkeypatch.setenv("CFLAGS", flags)
    monkeypatch.setattr(build, "KINDS", ((),))
    assert build.build(tmp_path / "kernel.so") is None
    test = reference.below(0, 5000, 7, 2**62)
    agree(native.load(tmp_path / "kernel.so"), table(9, 5000), test, 0, *started(9))


@needs_compiler
def test_positions_are_hashed_alike(compiled):
    for start, count, key, limit in ((0, 1000, 0, 2**63), (2**64 - 9, 9, 2**64 - 1, 1), (5, 0, 1, 2**64 - 1)):
        assert equal(compiled.below(start, count, key, limit), reference.below(start, count, key, limit))


@needs_compiler
@pytest.mark.parametrize("rows", [0, 1, 255, 256, 8191, 8193])
@pytest.mark.parametrize("layout", ["rows", "columns", "strides"])
@pytest.mark.parametrize(("features", "targets"), [(1, 1), (8, 1), (20, 3)])
def test_predictions_and_tallies_are_the_same_bits(compiled, rows, layout, features, targets):
    generator = np.random.default_rng(rows + features)
    weights, intercept = generator.standard_normal((targets, features)), generator.standard_normal(targets)
    table = {
        "rows": generator.standard_normal((rows, features)),
        "columns": generator.standard_normal((features, rows)).T,
        "strides": generator.standard_normal((2 * rows, 3 * features))[::2, ::3],
    }[layout]
    predicted = compiled.affine(table, weights, intercept)
    assert equal(predicted, reference.affine(table, weights, intercept))
    actual = generator.standard_normal((targets, rows)).T * 3
    for told, truth in zip(predicted.T, actual.T, strict=True):
        assert equal(compiled.tally(truth, told), reference.tally(truth, told))


@pytest.mark.parametrize("rows", [1, 100, 5000])
def test_a_tally_is_what_it_says(rows):
    generator = np.random.default_rng(rows)
    actual, predicted = generator.integers(-99, 99, (2, rows)).astype(float)
    found = kernel.tally(actual, predicted)
    exact = [Fraction(number) for number in actual]
    mean = sum(exact) / rows
    error = [Fraction(number) for number in actual - predicted]
    assert found[0] == float(mean)
    assert found[1] == pytest.approx(float(sum((number - mean) ** 2 for number in exact)), rel=1e-14)
    assert found[2:].tolist() == [
        sum(number**2 for number in error),
        sum(map(abs, error)),
        max(map(abs, error)),
        predicted.min(),
        predicted.max(),
    ]


@pytest.mark.parametrize("value", [1.0, -2.0, np.nextafter(2, 3), np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 63, 64, 999])
def test_numbers_beyond_a_limit_are_found_wherever_they_are(value, place):
    columns = np.zeros((3, 1000))
    columns[1, place] = value
    test = np.arange(1000) % 3 == 0
    for which in (kernel, reference):
        assert which.bounded(columns, 2.0) == (abs(value) <= 2.0)
        for asked in (test, ~test):
            assert which.scan(columns, asked, 0, 2.0, np.zeros(3), np.eye(4)).bounded == (abs(value) <= 2.0)


@pytest.mark.parametrize("rows", [3, 256, 1000])
def test_a_scan_finds_the_test_rows_the_ranges_and_the_triangle_of_the_others(rows):
    generator = np.random.default_rng(4)
    columns = generator.integers(-1000, 1000, (5, rows))
    pivot = generator.integers(-50, 50, 5)
    test = generator.random(rows) < 0.3
    ones = np.concatenate([np.ones((1, rows), dtype=int), columns - pivot[:, None]])[:, ~test]
    for which in (kernel, reference):
        found = which.scan(columns.astype(float), test, 0, BOUND, pivot.astype(float), np.zeros((6, 6)))
        np.testing.assert_allclose(found.triangle.T @ found.triangle, ones @ ones.T, rtol=1e-13, atol=1e-7)
        assert found.tests.tolist() == columns[:, test].tolist()
        assert found.low.tolist() == columns[:, ~test].min(axis=1).tolist()
        assert found.high.tolist() == columns[:, ~test].max(axis=1).tolist()


def reflected(rows):
    """Triangle of a QR factorisation by LAPACK, with a positive diagonal."""
    found = np.linalg.qr(rows, mode="r")
    return found * np.sign(np.diag(found))[:, None]


@pytest.mark.parametrize("columns", [1, 2, 8, 9, 16, 17, 65, 130, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("rows", [600, 3000, 30_000])
def test_the_triangle_is_that_of_a_qr_factorisation(columns, rows):
    generator = np.random.default_rng(columns)
    given = generator.normal(size=(columns, rows)) + generator.normal(size=rows) + 3
    pivot = generator.normal(size=columns)
    found = kernel.centred(np.zeros((columns + 1, columns + 1)), given, pivot)
    expected = reflected(np.column_stack([np.ones(rows), (given - pivot[:, None]).T]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert not np.tril(found, -1).any()
    assert (np.diag(found) >= 0).all()


@pytest.mark.parametrize("exponent", [-1000, -600, -500, -300, 300])
def test_the_unit_of_a_column_costs_nothing(exponent):
    """Also where its squares would vanish."""
    plain = np.random.default_rng(5).integers(-999, 999, size=(4, 700)).astype(float)
    scaled = plain.copy()
    scaled[2] = np.ldexp(plain[2], exponent)
    found, expected = (kernel.centred(np.zeros((5, 5)), table, np.zeros(4)) for table in (scaled, plain))
    found[:3, 3] = np.ldexp(found[:3, 3], -exponent)
    found[3, 3] = np.ldexp(found[3, 3], -exponent)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


@needs_compiler
def test_what_was_compiled_is_used_and_numpy_can_be_chosen():
    code = "from mlrq import kernel; print(kernel.NAME)"
    told = {
        wanted: subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "MLRQ_KERNEL": wanted},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for wanted in ("", "numpy")
    }
    assert told == {"": "C", "numpy": "NumPy"}, "kernel.c has changed since: python -m mlrq.kernel"


@needs_compiler
def test_a_library_of_another_source_is_not_used(tmp_path):
    library, source = tmp_path / "kernel.so", tmp_path / "kernel.c"
    source.write_text('const char mlrq_source[] = "another";\n')
    subprocess.run([*build.compiler(), "-shared", "-fPIC", source, "-o", library], check=True)
    assert native.load(library) is None
    (tmp_path / "text.so").write_bytes(b"not a library")
    assert native.load(tmp_path / "text.so") is None
    assert native.load(tmp_path / "none.so") is None


def test_a_compiler_that_fails_or_is_not_there_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "./no-such-compiler")  # nowhere else, for not every folder may be looked into
    assert build.build(tmp_path / "kernel.so") == "./no-such-compiler: No such file or directory"
    monkeypatch.setenv("CC", f"{shlex.quote(sys.executable)} -c 'import sys; sys.exit(\"out of order\")'")
    assert build.build(tmp_path / "kernel.so").endswith("failed: out of order")
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.build(tmp_path / "kernel.so") == "no C compiler was found"
    assert list(tmp_path.iterdir()) == []


@needs_compiler
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in build.build(tmp_path / "kernel.so")


@needs_compiler
def test_a_place_that_is_none_is_told(tmp_path):
    assert build.build(tmp_path / "none" / "kernel.so").endswith("No such file or directory")


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"fit|broadcast|shorter|longer"):
        kernel.affine(np.ones((3, 2)), np.ones((1, 3)), np.ones(1))
    with pytest.raises(ValueError, match=r"fit|broadcast"):
        kernel.tally(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"one length|broadcast"):
        kernel.centred(np.eye(3), [np.ones(3), np.ones(4)], np.zeros(2))
    with pytest.raises(ValueError, match=r"fit|broadcast"):
        kernel.stack(np.eye(3), np.ones((4, 2)))


@needs_compiler
@pytest.mark.parametrize("kind", ["float32", "int32", ">f8"])
def test_numbers_of_another_kind_are_read_as_what_they_are(compiled, kind):
    actual, predicted = np.arange(600, dtype=kind).reshape(2, 300)
    assert equal(compiled.tally(actual, predicted), reference.tally(actual * 1.0, predicted * 1.0))
