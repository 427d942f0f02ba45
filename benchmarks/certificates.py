"""Certificates of a table at every width: time of the search, bytes, and time of the checker from the rows.

    python benchmarks/certificates.py                                   # California Housing
    python benchmarks/certificates.py --csv bikeshare.csv.gz --target bikers
    python benchmarks/certificates.py --csv bikeshare.csv.gz --target bikers --docs docs/proof.md

`excess` is the least, `search` the time of quantizing in this process, the best of three runs; `write` the
time of the certificate. `verify` is the wall-clock time of `mlrq/solvers/verify.py` as a program of its
own, from its start to its exit, on `quantized.json`, the certificate and the rows as CSV.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrq.artifacts.documents import QUANTIZED, QuantizedArtifact, encode_quantized
from mlrq.artifacts.json_document import encode, seal
from mlrq.datasets import california_housing, csv
from mlrq.datasets.split import Split
from mlrq.pipeline.certificate import document
from mlrq.pipeline.quantize import training_statistics
from mlrq.pipeline.save import CERTIFICATE
from mlrq.pipeline.train import train
from mlrq.quantization.quantize import quantize
from mlrq.quantization.settings import Settings
from mlrq.solvers import verify
from mlrq.streaming.train_test import TrainTest

LINEAR_REGRESSION = {
    "name": "linear_regression",
    "standardize": False,
    "estimator": {"_target_": "sklearn.linear_model.LinearRegression"},
}
MARKERS = "<!-- certificates {} -->", "<!-- /certificates {} -->"
HEADER = ("bits", "units", "scheme", "excess", "search, ms", "write, ms", "bytes", "verify, s", "answer")


@dataclass(frozen=True)
class Line:
    """One width: what was asked, what it took, and what the checker answered."""

    settings: Settings
    excess: float
    search: float
    write: float
    size: int
    check: float
    answer: str

    def cells(self) -> list[str]:
        """The line's text."""
        units = "per_feature" if self.settings.granularity == "per_feature" else "raw"
        times = [
            f"{1000 * self.search:.1f}",
            f"{1000 * self.write:.0f}",
            f"{self.size:,}",
            f"{self.check:.2f}",
        ]
        return [
            str(self.settings.bits),
            units,
            self.settings.scheme,
            f"{self.excess:.6g}",
            *times,
            self.answer,
        ]


def table(path: Path | None, target: str, folder: Path) -> tuple[TrainTest, Path]:
    """A table split as by `dataset.split=shuffle`, and its rows as a CSV file."""
    rows = folder / "rows.csv"
    if path:
        rows.write_bytes(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        stream = csv.load(str(rows), [target], None, ",", memory_limit=10**9, stream_above=10**9)
    else:
        stream = california_housing.load("embedded")
        batches = [np.stack(list(batch)) for part in stream.parts for batch in stream.batches(part)]
        lines = [",".join(map(repr, row)) for row in np.concatenate(batches, 1).T.tolist()]
        rows.write_text("\n".join([",".join([*stream.features, *stream.targets]), *lines]) + "\n")
    return TrainTest(stream, Split("shuffle", 0.2, 42)), rows


def measure(data: TrainTest, rows: Path, settings: Settings) -> Line:
    """Quantize, certify and check."""
    origin = train(data, LINEAR_REGRESSION).artifact
    statistics = training_statistics(data, settings, None)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        made = quantize(origin.model, statistics, settings)
        times.append(time.perf_counter() - start)
    artifact = QuantizedArtifact(made.model, origin.training, settings, made.excess, made.certificate)
    seen = statistics.summary.divided(made.model.factor.astype(np.float64))
    start = time.perf_counter()
    body = document(data, origin, (artifact, None), seen, "auto")
    write = time.perf_counter() - start
    assert body
    certificate = encode(seal("certificate", 1, body))
    (rows.parent / QUANTIZED).write_bytes(encode_quantized(artifact))
    (rows.parent / CERTIFICATE).write_bytes(certificate)
    command = [
        sys.executable,
        "-I",
        verify.__file__,
        *(rows.parent / name for name in (QUANTIZED, CERTIFICATE)),
        rows,
    ]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    return Line(settings, made.excess, min(times), write, len(certificate), took, done.stdout.split("\n")[0])


def summary(lines: list[Line]) -> str:
    """The worst of all lines, in words."""
    proven, few = sum(one.answer == "PROVEN" for one in lines), [x for x in lines if x.settings.bits <= 8]

    def most(what: str, lines: list[Line], units: float = 1) -> float:
        return max(units * getattr(line, what) for line in lines)

    return (
        f"{proven} of {len(lines)} PROVEN. Search: at most {most('search', lines, 1000):.0f} ms. "
        f"Certificate: at most {most('size', few):,} bytes at 8 bits and fewer, {most('size', lines):,} at "
        f"any width. Verify: at most {most('check', few):.2f} s and {most('check', lines):.2f} s."
    )


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--csv", type=Path, help="a table; without it California Housing")
    parser.add_argument("--target", help="its target")
    parser.add_argument("--bits", type=int, nargs="+", default=list(range(2, 17)))
    parser.add_argument("--docs", type=Path, help="a page with markers, for some of the lines")
    asked = parser.parse_args()
    name = asked.csv.name.split(".")[0] if asked.csv else "california"
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        data, rows = table(asked.csv, asked.target, Path(folder))
        for granularity in ("per_tensor", "per_feature"):
            for scheme in ("symmetric", "affine"):
                for bits in asked.bits:
                    settings = Settings(bits=bits, granularity=granularity, scheme=scheme)
                    lines.append(measure(data, rows, settings))
                    print(*lines[-1].cells(), flush=True)
    print(summary(lines))
    if asked.docs:
        begin, end = (marker.format(name) for marker in MARKERS)
        body = [HEADER, ("---:", "---", "---", *["---:"] * 5, "---")]
        body += [tuple(line.cells()) for line in lines if line.settings.bits in (2, 3, 4, 8, 16)]
        text = "\n".join("| " + " | ".join(cells) + " |" for cells in body)
        before, rest = asked.docs.read_text().split(begin)
        asked.docs.write_text(f"{before}{begin}\n{text}\n\n{summary(lines)}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
