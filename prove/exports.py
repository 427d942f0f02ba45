"""Exports to prove, and what is true of them: from the artifact, in Python's integers and fractions.

Nothing here is taken from `mlrq.export`, whose text is what has to be proven.
"""

import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from mlrq.quantization.model import QuantizedLinear

HERE = Path(__file__).resolve().parent
LARGEST = 2**31 - 1  # of an output, either sign


@dataclass(frozen=True)
class Export:
    """The C of a model.

    Attributes:
        prefix: Of its names, and of its files.
        files: Name to text.
        model: From the artifact, and so true.
    """

    prefix: str
    files: dict[str, str]
    model: QuantizedLinear

    @property
    def header(self) -> str:
        """The text of <prefix>.h."""
        return self.files[f"{self.prefix}.h"]

    @property
    def source(self) -> str:
        """The text of <prefix>.c."""
        return self.files[f"{self.prefix}.c"]

    def own(self, name: str) -> str:
        """A C file of this folder with the names of this export."""
        text = (HERE / name).read_text()
        names = {"mlrq_": f"{self.prefix}_", "MLRQ_": f"{self.prefix.upper()}_", '"mlrq"': f'"{self.prefix}"'}
        return re.sub('mlrq_|MLRQ_|"mlrq"', lambda found: names[found[0]], text)

    @cached_property
    def steps(self) -> list[list[int]]:
        """Codes minus zero points, a row for each target."""
        codes, zeros = self.model.codes.tolist(), self.model.zero_point.tolist()
        return [[code - zero for code in row] for row, zero in zip(codes, zeros, strict=True)]

    @property
    def inputs(self) -> tuple[int, int]:
        """The smallest and the largest input code."""
        assert self.model.inputs is not None
        return -(1 << (self.model.inputs.bits - 1)), (1 << (self.model.inputs.bits - 1)) - 1

    @cached_property
    def bounds(self) -> list[int]:
        """Of each target: what no partial sum, and no end of an interval, exceeds in magnitude."""
        interval = self.model.interval
        widths = interval.half_width.tolist() if interval else [0] * len(self.steps)
        return [
            sum(map(abs, row)) * -self.inputs[0] + abs(bias) + width
            for row, bias, width in zip(self.steps, self.model.intercept.tolist(), widths, strict=True)
        ]

    @property
    def accumulator_bits(self) -> int:
        """As the bounds ask for."""
        return 32 if max(self.bounds) < 2**31 else 64

    @cached_property
    def ranges(self) -> list[tuple[int, int]]:
        """Of each target: the smallest and the largest accumulator, which some inputs reach."""
        pairs = zip(self.steps, self.model.intercept.tolist(), strict=True)
        ends = [([sorted(step * end for end in self.inputs) for step in row], bias) for row, bias in pairs]
        return [
            (bias + sum(low for low, _ in row), bias + sum(high for _, high in row)) for row, bias in ends
        ]

    @cached_property
    def exponents(self) -> list[int]:
        """Of each target's output, as the header states them: an output of 1 means 2^exponent."""
        return [int(exponent) for exponent in re.findall(r"_EXPONENT_\d+ \((-?\d+)\)", self.header)]

    @cached_property
    def factors(self) -> list[tuple[int, int]]:
        """Of each target: (mantissa, shift); mantissa / 2^shift is what outputs are of accumulators."""
        parts = [math.frexp(scale) for scale in self.model.scale.tolist()]
        found = []
        for (mantissa, power), exponent in zip(parts, self.exponents, strict=True):
            shift = exponent - power + 24
            found.append((int(mantissa * 2**24) << max(-shift, 0), max(shift, 0)))
        return found

    @cached_property
    def limits(self) -> list[tuple[int, int]]:
        """Of each target: the smallest and the largest output; there are none beyond 31 bits and a sign."""
        if self.model.output_range is None:
            return [(-LARGEST, LARGEST)] * len(self.steps)
        ends = zip(*self.model.output_range.tolist(), self.exponents, strict=True)
        return [(_output(low, exponent), _output(high, exponent)) for low, high, exponent in ends]

    def requantizations(self) -> list[object]:
        """Of each target, all that its requantization depends on, as the C has it and as it should be."""
        arrays = dict(
            re.findall(r" \w+?_(multiplier|output_low|output_high)\[\w+\] = \{\n(.*?)\};", self.source, re.S)
        )
        rows = zip(*(re.findall(r"^ *(-?\d+),", body, re.MULTILINE) for body in arrays.values()), strict=True)
        code = re.search(rf"static int32_t {self.prefix}_requantize.*?\n}}\n", self.source, re.S)
        text = code and code[0].replace(f"{self.prefix}_", "")
        return list(zip([text] * len(self.steps), rows, self.factors, self.limits, strict=True))


def _output(value: float, exponent: int) -> int:
    """The nearest output, ties away from zero."""
    exact = Fraction(value) / Fraction(2) ** exponent
    size = min(math.floor(abs(exact) + Fraction(1, 2)), LARGEST)
    return -size if exact < 0 else size


def read(folder: Path, model: QuantizedLinear) -> Export:
    """The export in a folder, of which there is one."""
    (self_test,) = folder.glob("*_self_test.c")
    prefix = self_test.name.removesuffix("_self_test.c")
    names = (f"{prefix}.h", f"{prefix}.c", self_test.name)
    return Export(prefix, {name: (folder / name).read_text() for name in names}, model)


def default_exports() -> Iterator[Export]:
    """Made-up models of every kind: bits, inputs, scheme, one target or three, packed or not."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.exporting import artifact, random_model

    from mlrq.export.c import export

    generator = np.random.default_rng(0)
    kinds = product((2, 4, 8, 16), (8, 16), ("symmetric", "affine"), (1, 3))
    for number, (bits, input_bits, scheme, targets) in enumerate(kinds):
        several, affine = targets > 1, scheme == "affine"  # with limits and scales of their own, or sharing
        model = random_model(
            generator,
            bits=bits,
            input_bits=input_bits,
            scheme=scheme,
            targets=targets,
            clamped=several and affine,
        )
        if several and not affine:
            model = replace(model, scale=np.full_like(model.scale, model.scale[0]))
        for packed in (False, True):
            prefix = f"p{number}{'packed' if packed else ''}"
            yield Export(prefix, export(artifact(model), prefix=prefix, packed=packed), model)
