"""How long whole commands take, beside the imports that no such program can do without.

python benchmarks/startup.py [RUNS]: the median of RUNS (default 7) of each, taken in turn, and their ratio.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlrq.datasets.california_housing import load

IMPORTS = "import hydra, sklearn.linear_model, rich"
ROW = "8.3252,41,6.984127,1.023810,322,2.555556,37.88,-122.23"  # the first of California Housing


def seconds(command: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        lines = [",".join(load("embedded").features), *[ROW] * 10]
        (Path(folder) / "rows.csv").write_text("".join(f"{line}\n" for line in lines))
        commands = {
            IMPORTS: ["-c", IMPORTS],
            "mlrq (train, quantize, evaluate)": ["-m", "mlrq"],
            "mlrq predict, ten rows": ["-m", "mlrq", "predict", "predict.input=rows.csv"],
        }
        for command in commands.values():  # byte code, disk cache, and the model that predict needs
            seconds(command, folder)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                times[name].append(seconds(command, folder))
    base = statistics.median(times[IMPORTS])
    print(f"{'command':<42} {'median':>8} {'least':>8} {'ratio':>7}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:<42} {median:>7.2f}s {min(measured):>7.2f}s {median / base:>7.2f}")


if __name__ == "__main__":
    main()
