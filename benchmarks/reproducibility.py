"""Whether artifacts have the same bytes whatever processor, threads and environment a run believes to have.

python benchmarks/reproducibility.py                                  # Markdown: a hash for each artifact
python benchmarks/reproducibility.py --against docs/reproducibility.md    # the same hashes as there?
python benchmarks/reproducibility.py --jobs FOLDER                    # what each setting runs: JSON of hashes

Each setting is a process of its own, in which some pipelines run one after the other. Exits with 1 where a
hash differs from that of the first setting, or from the one in the file.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

CSV = "dataset=csv dataset.path=rows.csv dataset.target=y"
SYNTHETIC = "dataset=synthetic dataset.rows=3000"
# A folder each, and the commands that fill it.
JOBS = {
    "california": ["", "export export=onnx export.model=float"],
    "int8": ["quantization.inputs=int8", "export export=c", "export export=onnx"],
    "reference": ["quantization=reference_uint8"],
    "targets": [f"{SYNTHETIC} dataset.targets=3 quantization.granularity=per_channel"],
    "features": [
        f"{SYNTHETIC} quantization=int4 quantization.granularity=per_feature "
        "quantization.feature_scale=pow2 quantization.rounding=babai"
    ],
    "ridge": [f"{CSV} model=ridge model.standardize=true quantization=int6 quantization.scheme=affine"],
    "calibrated": [f"{CSV} quantization.inputs=int16 quantization.calibration=mse", "export export=c"],
    "few": [
        f"{CSV} dataset.split=shuffle dataset.test_size=0.6 quantization.inputs=int8 "
        "quantization.calibration=percentile quantization.rounding=nearest"
    ],
}
INTEL, ARM = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen"), ("ARMV8", "CORTEXA57", "NEOVERSEN1")
# A C library that believes the processor to be old.
OLD_LIBRARY = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4"}
ELSEWHERE = {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "12345", "COLUMNS": "40"}


def threads(count: int) -> dict[str, str]:
    return dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(count))


def settings() -> dict[str, dict[str, str]]:
    """The environments to run in, by name; the first is as it comes."""
    from numpy._core import _multiarray_umath as core

    beyond = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    old = {"NPY_DISABLE_CPU_FEATURES": " ".join(beyond)}
    kernels = INTEL if platform.machine() == "x86_64" else ARM
    if any(core.__cpu_features__.get(name) for name in ("X86_V4", "AVX512_SKX")):
        kernels = (*kernels, "SkylakeX")
    return {
        "as it comes": {},
        "one thread": threads(1),
        "two threads": threads(2),
        "NumPy instead of the C kernel": {"MLRQ_KERNEL": "numpy"},
        "NumPy without vector instructions beyond its baseline": old,
        "a C library without AVX2 and FMA": OLD_LIBRARY,
        "another locale, time zone, hash seed": ELSEWHERE,
        **{f"OpenBLAS for {name}": {"OPENBLAS_CORETYPE": name} for name in kernels},
        "all of it": old | OLD_LIBRARY | ELSEWHERE | threads(2) | {
            "MLRQ_KERNEL": "numpy", "OPENBLAS_CORETYPE": kernels[0]
        },
    }  # fmt: skip


def rows() -> str:
    """Text of a table of 400 rows, of whole numbers and their eighths alone."""
    lines = ["a,b,c,d,y"]
    for i in range(400):
        a, b, c = i * i * 37 % 1009 / 8, i * 61 % 257, (i * 13 + i * i % 31) % 97 - 48.5
        d = 1e6 + 3 * a - b + i * 17 % 23 / 4
        lines.append(f"{a},{b},{c},{d},{a - 2 * b + 0.5 * c + i * 29 % 41 / 2}")
    return "\n".join(lines) + "\n"


def run_jobs(folder: Path) -> dict[str, str]:
    """Run all jobs in `folder`, in this process; the SHA-256 of each artifact by its path there."""
    from mlrq.cli.main import main

    os.chdir(folder)
    Path("rows.csv").write_text(rows())
    for name, commands in JOBS.items():
        for command in commands:
            sys.argv = ["mlrq", *command.split(), f"output_dir={name}"]
            with redirect_stdout(io.StringIO()) as out:
                try:
                    main()
                except SystemExit as end:
                    if end.code:
                        raise SystemExit(f"{' '.join(sys.argv)}: {end.code}\n{out.getvalue()}") from end
    found = {}
    for name in JOBS:
        for path in sorted(Path(name).rglob("*")):
            if path.is_file() and path.name != "run.json":
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def hashes(environment: dict[str, str]) -> dict[str, str]:
    """`run_jobs` in a process of its own, with these variables beside ours."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, "--jobs", folder],
            env=os.environ | environment, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{environment}: {done.stderr}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def machine() -> str:
    from mlrq import kernel

    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "onnx"))
    system = f"{platform.machine()}, {' '.join(platform.libc_ver())}, Python {platform.python_version()}"
    return f"{system}, {packages}, kernel in {kernel.NAME}"


def markdown(found: dict[str, dict[str, str]]) -> tuple[str, bool]:
    """The table of all settings' hashes, and whether each artifact has one hash."""
    first = next(iter(found.values()))
    lines = [f"On {machine()}:", "", "| artifact | SHA-256, its first 16 digits | settings that give it |"]
    lines.append("| --- | --- | ---: |")
    alike = all(table.keys() == first.keys() for table in found.values())
    for path, digest in first.items():
        same = sum(table.get(path) == digest for table in found.values())
        alike &= same == len(found)
        lines.append(f"| `{path}` | `{digest[:16]}` | {same} of {len(found)} |")
    return "\n".join([*lines, "", "The settings: " + "; ".join(found) + "."]), alike


def recorded(text: str) -> dict[str, str]:
    """The first digits of each artifact's hash in a Markdown file that has the table."""
    return dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{16})` ", text, re.MULTILINE))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--against", type=Path, help="a file with the table")
    wanted = parser.parse_args()
    if wanted.jobs:
        print(json.dumps(run_jobs(wanted.jobs)))
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = settings()
        found = dict(zip(names, pool.map(hashes, names.values()), strict=True))
    table, alike = markdown(found)
    print(table)
    if wanted.against:
        known, here = recorded(wanted.against.read_text()), next(iter(found.values()))
        other = sorted(path for path in known if here.get(path, "")[:16] != known[path])
        print(
            f"\nOf {len(known)} artifacts in {wanted.against}, {len(known) - len(other)} are the same here."
        )
        alike &= not other
        print("\n".join(f"differs: {path}" for path in other))
    sys.exit(not alike)


if __name__ == "__main__":
    main()
