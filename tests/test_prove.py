"""What `make prove` shows: an export as it is passes, and one that is off by one anywhere does not."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from checks import CHECKS
from exports import Export
from support.exporting import artifact, random_model

from mlrq.export.c import export
from prove import prove, report

needs_compiler = pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("clang")), reason="no compiler")
needs_eva = pytest.mark.skipif(not shutil.which("frama-c"), reason="no Frama-C")


def made(*, packed=False, **kind):
    model = random_model(np.random.default_rng(0), **kind)
    return Export("m", export(artifact(model), prefix="m", packed=packed), model)


def faults(one, folder, *names):
    found = prove([one], folder, {name: CHECKS[name] for name in names})
    return [fault for finding in found.values() for fault in finding.faults]


def changed(one, name, pattern, change, nth=0):
    """The export with the `nth` match of `pattern` in a file changed: a number in group 1, or the text."""
    text = one.files[name]
    found = list(re.finditer(pattern, text, re.MULTILINE))[nth]
    start, end = found.span(1)
    new = str(int(found[1], 0) + change) if isinstance(change, int) else change
    return replace(one, files={**one.files, name: text[:start] + new + text[end:]})


SMALL = {"bits": 4, "input_bits": 8, "targets": 2, "features": 3, "clamped": True}
WIDE = {"bits": 16, "input_bits": 16, "scheme": "affine", "features": 2, "intercept": 2**33}
BY_ONE = {
    "a code": ("m.c", r"m_codes.*\n +\{-?\d+, (-?\d+)", False, SMALL),
    "a packed code": ("m.c", r"m_codes.*\n +\{(\d+)", True, SMALL),
    "a zero point": ("m.c", r"m_zero_point\[.*\n +(-?\d+)", False, {**SMALL, "scheme": "affine"}),
    "an intercept": ("m.c", r"m_intercept\[.*\n +(-?\d+)", False, SMALL),
    "a multiplier": ("m.c", r"m_multiplier\[.*\n +(\d+)", False, SMALL),
    "a limit": ("m.c", r"m_output_high\[.*\n +(-?\d+)", False, SMALL),
    "the rounding": ("m.c", r"\(uint64_t\)1 << (\d+)", False, SMALL),
    "the shift": ("m.c", r"\)\) >> (\d+)", False, SMALL),
    "an exponent": ("m.h", r"EXPONENT_0 \((-?\d+)\)", False, SMALL),
    "the bound": ("m.h", r"exceeds (\d+) in", False, SMALL),
    "the bound of 64 bits": ("m.h", r"exceeds (\d+) in", False, WIDE),
}


@pytest.mark.few(2)
@needs_compiler
@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("what", BY_ONE)
def test_an_export_that_is_off_by_one_is_not_proven(tmp_path, what, by):
    name, pattern, packed, kind = BY_ONE[what]
    one = made(packed=packed, **kind)
    checks = ("constants",) if what.startswith("the bound") else ("constants", "compiled")
    assert faults(one, tmp_path, *checks) == []
    assert faults(changed(one, name, pattern, by), tmp_path, *checks)


@pytest.mark.slow  # two thousand million accumulators and more
@needs_compiler
@pytest.mark.parametrize("pattern", [r"\(uint64_t\)1 << (\d+)", r"\)\) >> (\d+)", r"lower >> (\d+)"])
def test_so_is_one_of_64_bits(tmp_path, pattern):
    one = made(**WIDE)
    assert faults(one, tmp_path, "compiled") == []
    assert faults(changed(one, "m.c", pattern, 1), tmp_path, "compiled")


@pytest.mark.few(1)
@needs_compiler
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("targets", [1, 3])
def test_any_wrong_output_is_told_with_its_accumulator(tmp_path, packed, targets):
    one = made(**{**SMALL, "targets": targets, "packed": packed})
    code = "if (accumulator == -77 && target == MOST) {\n        return 1;\n    }\n    "
    code = code.replace("MOST", str(targets - 1))
    wrong = changed(one, "m.c", r"_requantize\(.*\n\{\n()", code)
    told = faults(wrong, tmp_path, "compiled")
    assert len(told) == 1
    assert told[0].startswith(f"m: target {targets - 1}: output of accumulator -77 is 1, and not ")


@pytest.mark.few(1)
@needs_eva
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(const int32_t) product", "const int16_t"),  # a product that does not fit
        (r"feature (<) M_FEATURES", "<="),  # a code that is not there
        (r"(\(position != position\) \|\| )", ""),  # NaN as an integer
    ],
)
def test_eva_finds_what_some_inputs_would_do(tmp_path, pattern, text):
    one = made(**{**SMALL, "bits": 16})
    assert faults(one, tmp_path, "Eva") == []
    assert any("alarm" in fault for fault in faults(changed(one, "m.c", pattern, text), tmp_path, "Eva"))


@needs_eva
def test_eva_holds_the_range_of_the_accumulator_to_the_artifact(tmp_path):
    one = made(**SMALL)
    wrong = changed(one, "m.c", r"m_codes.*\n +\{-?\d+, (-?\d+)", 1)
    assert any("accumulators" in fault for fault in faults(wrong, tmp_path, "Eva"))


@pytest.mark.skipif(not shutil.which("cppcheck"), reason="no cppcheck")
@pytest.mark.slow
def test_misra_finds_what_is_not_among_the_deviations(tmp_path):
    one = made(**SMALL)
    assert faults(one, tmp_path, "MISRA") == []
    assert any(
        "10.4" in fault for fault in faults(changed(one, "m.h", r"TARGETS \d+(u)", ""), tmp_path, "MISRA")
    )


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_warning_is_a_fault(tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    one = made(**SMALL)
    assert faults(one, tmp_path, compiler) == []
    narrow = changed(one, "m.c", r"(const int32_t) product", "const int16_t")
    assert any("onversion" in fault for fault in faults(narrow, tmp_path, compiler))


def test_a_tool_that_is_missing_is_said_and_is_a_fault_in_ci(tmp_path, monkeypatch):
    one = made(**SMALL)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = prove([one], tmp_path, CHECKS)
    assert {name: finding.missing for name, finding in found.items() if finding.missing} == {
        "compiled": "gcc or clang",
        "gcc": "gcc",
        "clang": "clang",
        "sanitizers": "gcc",
        "Eva": "frama-c",
        "MISRA": "cppcheck",
    }
    assert (report(found, False), report(found, True)) == (False, True)
