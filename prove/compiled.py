"""The compiled C against exact integers: codes, intercepts, and the output of every accumulator (check.c)."""

import os
import platform
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exports import HERE, Export
from finding import Finding, run

CORES = os.cpu_count() or 1


def compiled(exports: Sequence[Export], folder: Path) -> Finding:
    """Codes, intercepts and outputs, from a program that each core runs a part of."""
    compiler = next(filter(shutil.which, ("clang", "gcc")), None)
    if compiler is None:
        return Finding(missing="gcc or clang")
    text = (HERE / "check_main.c").read_text()
    for one, reach in zip(exports, _reaches(exports), strict=True):
        text += f'\n#include "{one.prefix}.c"\n{_truth(one, reach)}\n{one.own("check.c")}'
    calls = "".join(f"    {one.prefix}_check(part, parts);\n" for one in exports)
    (folder / "check.c").write_text(f"{text}\nvoid check(int64_t part, int64_t parts)\n{{\n{calls}}}\n")
    fast = ("-O3", "-march=native") if platform.machine() == "x86_64" else ("-O3",)
    code, said = run(compiler, "-std=gnu11", *fast, "check.c", "-o", "check", folder=folder)
    if code:
        return Finding("cannot be compiled", tuple(said.splitlines()))
    with ThreadPoolExecutor(CORES) as pool:
        parts = [pool.submit(run, folder / "check", str(n), str(CORES), folder=folder) for n in range(CORES)]
        results = [part.result() for part in parts]
    lines = [line for _, said in results for line in said.splitlines()]
    counts = [line.split()[1:] for line in lines if line.startswith("checked ")]
    faults = [line for line in lines if not line.startswith("checked ")]
    faults += [f"check ended with exit code {code}" for code, said in results if "checked " not in said]
    each, steps = (sum(int(pair[i]) for pair in counts) for i in (0, 1))
    return Finding(f"exact outputs: {each:,} accumulators one by one, {steps:,} steps", tuple(faults))


def _reaches(exports: Sequence[Export]) -> list[list[int]]:
    """How far accumulators of each target are checked; -1 where another, computed alike, reaches further."""
    furthest: dict[object, tuple[int, int, int]] = {}
    for number, one in enumerate(exports):
        for target, (key, bound) in enumerate(zip(one.requantizations(), one.bounds, strict=True)):
            furthest[key] = max(furthest.get(key, (-1, 0, 0)), (bound, number, target))
    chosen = {(number, target) for _, number, target in furthest.values()}
    return [
        [bound if (number, target) in chosen else -1 for target, bound in enumerate(one.bounds)]
        for number, one in enumerate(exports)
    ]


def _truth(one: Export, reach: Sequence[int]) -> str:
    """The arrays that check.c reads."""
    arrays: dict[str, tuple[str, Sequence[object]]] = {
        "reach": ("int64_t", reach),
        "intercept": ("int64_t", one.model.intercept.tolist()),
        "code": ("int32_t", one.steps),
        "mantissa": ("uint32_t", [mantissa for mantissa, _ in one.factors]),
        "shift": ("int", [shift for _, shift in one.factors]),
        "low": ("int32_t", [low for low, _ in one.limits]),
        "high": ("int32_t", [high for _, high in one.limits]),
    }
    product = "uint64_t" if one.accumulator_bits == 32 else "unsigned __int128"
    text = f"typedef {product} {one.prefix}_product;\n"
    for name, (kind, values) in arrays.items():
        sizes = f"[{len(values)}]" + (f"[{len(one.steps[0])}]" if name == "code" else "")
        body = str(list(values)).replace("[", "{").replace("]", "}")
        text += f"static const {kind} {one.prefix}_true_{name}{sizes} = {body};\n"
    return text
