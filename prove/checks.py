"""What can be shown without running every accumulator: see prove.py for what each check is."""

import math
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from compiled import CORES, compiled
from exports import HERE, Export
from finding import Finding, run

C99 = ("-std=c99", "-pedantic")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O0")
# NaN and infinities are inputs like any other; a conversion to a signed type may not lose bits.
EVA = ("-warn-special-float", "none", "-warn-signed-downcast", "-eva-msg-key=-initial-state,-final-states")
ADDONS = (
    "usr/share/cppcheck/addons/misra.py",
    "usr/*/*/cppcheck/addons/misra.py",
    "usr/local/share/Cppcheck/addons/misra.py",
)
DEVIATIONS = HERE.parent / "docs" / "misra.md"


def constants(exports: Sequence[Export], folder: Path) -> Finding:
    """What the C states, as numbers that stand in it, against the artifact."""
    del folder
    faults = []
    for one in exports:
        assert one.model.inputs is not None
        scales = [int(math.frexp(scale)[0] * 2**31) for scale in one.model.scale.tolist()]
        true = {
            "bound": (r"exceeds (\d+) in magnitude", [max(one.bounds)]),
            "bits of an accumulator": (r"typedef int(\d+)_t \w+_accumulator;", [one.accumulator_bits]),
            "bits of an input": (r"typedef int(\d+)_t \w+_input;", [one.model.inputs.bits]),
            "features": (r"_FEATURES (\d+)u\n", [len(one.steps[0])]),
            "targets": (r"_TARGETS (\d+)u\n", [len(one.steps)]),
            "multipliers": (r"^    (\d+),.* scale .* exponent", scales),
        }
        for name, (pattern, values) in true.items():
            stated = re.findall(pattern, one.header + one.source, re.MULTILINE)
            if stated != list(map(str, values)):
                faults.append(f"{one.prefix}: {name}: {stated or 'not stated'}, and not {values}")
    return Finding("bounds, formats and multipliers are the artifact's", tuple(faults))


def warnings(compiler: str, exports: Sequence[Export], folder: Path) -> Finding:
    """What a compiler warns of."""
    if not shutil.which(compiler):
        return Finding(missing=compiler)
    files = [f"{one.prefix}{end}" for one in exports for end in (".c", "_self_test.c")]
    code, said = run(compiler, *C99, *WARNINGS, "-fsyntax-only", *files, folder=folder)
    return Finding("no warning", tuple(said.splitlines()) if code else ())


def sanitizers(exports: Sequence[Export], folder: Path) -> Finding:
    """The self-tests under ASan and UBSan."""
    if not shutil.which("gcc"):
        return Finding(missing="gcc")
    files = [f"{one.prefix}{end}" for one in exports for end in (".c", "_self_test.c")]
    no_main = [f"-D{one.prefix.upper()}_NO_MAIN" for one in exports]
    declared = "".join(f"unsigned long {one.prefix}_self_test(void);\n" for one in exports)
    calls = " + ".join(f"{one.prefix}_self_test()" for one in exports)
    (folder / "tests.c").write_text(f"{declared}int main(void)\n{{\n    return {calls} != 0;\n}}\n")
    code, said = run("gcc", *C99, *SANITIZERS, *no_main, "tests.c", *files, "-o", "tests", folder=folder)
    if not code:
        code, said = run(folder / "tests", folder=folder)
    return Finding("self-tests pass", tuple(said.splitlines() or ["a self-test fails"]) if code else ())


def eva(exports: Sequence[Export], folder: Path) -> Finding:
    """What Frama-C's abstract interpretation says of all inputs."""
    if not shutil.which("frama-c"):
        return Finding(missing="frama-c")
    text = '#include <stdint.h>\n#include "__fc_builtin.h"\n'
    for one in exports:
        low, high = one.inputs
        text += f'#include "{one.prefix}.c"\n' + one.own("eva.c").replace("LOW", str(low)).replace(
            "HIGH", str(high)
        )
    calls = "".join(f"    {one.prefix}_eva();\n" for one in exports)
    (folder / "eva.c").write_text(f"{text}\nint main(void)\n{{\n{calls}    return 0;\n}}\n")
    most = max(max(map(len, one.steps)) for one in exports)
    unrolled = ("-eva-auto-loop-unroll", str(most + 1))
    code, said = run("frama-c", "-eva", *EVA, *unrolled, folder / "eva.c", folder=folder)
    # A message goes on in lines that are indented.
    messages = re.sub(r"\n +", " ", said).splitlines()
    faults = [line for line in messages if ":alarm]" in line or "rror" in line.partition("]")[0] or code]
    for one in exports:
        shown = re.findall(rf"show_each_{one.prefix}_sum: \{{(\d+)\}}, (.*)", "\n".join(messages))
        found = {int(target): _ends(values) for target, values in shown}
        for target, ends in enumerate(one.ranges):
            if found.get(target) != ends or max(map(abs, ends)) > max(one.bounds):
                faults.append(
                    f"{one.prefix}: target {target}: accumulators {found.get(target)}, and not {ends}"
                )
    return Finding("no alarm for any input; accumulators within the bounds", tuple(faults))


def _ends(values: str) -> tuple[int, int]:
    """Of a set as Eva prints it: {1; 2}, or [1..9], or [1..9],1%2."""
    numbers = [int(number) for number in re.findall(r"-?\d+", values.partition("]")[0])]
    return min(numbers), max(numbers)


def misra(exports: Sequence[Export], folder: Path) -> Finding:
    """What cppcheck's addon finds beside the deviations that are documented, in each file and in all.

    The addon is run for many files at once: to start takes it longer than to look at one.
    """
    if not shutil.which("cppcheck"):
        return Finding(missing="cppcheck")
    addon = next((path for place in ADDONS for path in Path("/").glob(place)), None)
    if addon is None:
        return Finding(missing="cppcheck's misra.py")
    rules = re.findall(r"^\| (\d+\.\d+) \|", DEVIATIONS.read_text(), re.MULTILINE)
    files = [f"{one.prefix}.c" for one in exports]
    for earlier in folder.glob("*.ctu-info"):  # the addon adds to them
        earlier.unlink()
    check = ("cppcheck", "-q", "--std=c99", *files)
    codes = [run(*check, "--enable=style,portability", "--error-exitcode=1", folder=folder)]
    codes.append(run(*check, "--dump", folder=folder))
    with ThreadPoolExecutor(CORES) as pool:
        parts = [files[start::CORES] for start in range(min(CORES, len(files)))]
        looked = [pool.submit(_addon, addon, [f"{name}.dump" for name in part], folder) for part in parts]
        found = [line for one in looked for line in one.result()]
    found += _addon(addon, [f"{name}.ctu-info" for name in files], folder)
    faults = [line for code, said in codes if code for line in said.splitlines() or [f"exit code {code}"]]
    faults += [line for line in found if not any(f'"errorId": "c2012-{rule}"' in line for rule in rules)]
    told = f"nothing but the {len(rules)} deviations of docs/{DEVIATIONS.name}"
    return Finding(told, tuple(faults))


def _addon(addon: Path, files: Sequence[str], folder: Path) -> list[str]:
    """What it says of files that cppcheck, or it, has written: a line of JSON for each finding."""
    missing = [name for name in files if not (folder / name).exists()]
    code, said = run(sys.executable, addon, "--cli", *files, folder=folder)
    lines = said.splitlines()
    return [f"{name}: was not written" for name in missing] + (lines or ["the addon fails"] * (code > 1))


Check = Callable[[Sequence[Export], Path], Finding]
CHECKS: dict[str, Check] = {
    "constants": constants,
    "compiled": compiled,
    "gcc": partial(warnings, "gcc"),
    "clang": partial(warnings, "clang"),
    "sanitizers": sanitizers,
    "Eva": eva,
    "MISRA": misra,
}
