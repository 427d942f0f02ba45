"""C from the columns of a table on computes what Python computes of the same cells."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st
from support.columns import (
    Table,
    by_pandas,
    encoded_artifact,
    enums,
    labels,
    members,
    places,
    random_encoding,
    rentals,
    trained,
)
from support.compiling import C99, COMPILERS, STRICT, compiled
from support.exporting import artifact, made_artifact, random_model
from support.hostile import texts
from support.quantizing import quantized

from mlrq.api.tables import encoded
from mlrq.artifacts.documents import QuantizedArtifact
from mlrq.datasets.encoding import Column, Encoding, category, coded
from mlrq.export import carried
from mlrq.export.c import export
from mlrq.export.fixed_point import fixed_point
from mlrq.export.identifiers import distinct, member, words_of
from mlrq.export.raw_columns import features_of, raw_model

STRANGE = "no such category"


@pytest.mark.parametrize(
    "chosen",
    [
        {"bits": 8},
        {"bits": 4, "inputs": "int16"},
        {"bits": 12, "inputs": "int16", "scheme": "affine", "rounding": "nearest"},
        {"bits": 6, "missing": "mean", "output_range": "train"},
    ],
    ids=str,
)
def test_c_predicts_what_pandas_and_integers_say_of_a_table_with_categories_and_holes(tmp_path, chosen):
    frame = rentals()
    model = trained(frame, columns={"postal code": "categorical"}, **chosen)
    rows = rentals(2000, seed=1)
    table = Table(model.artifact, tmp_path)
    made, unfit, outputs = table.predict(places(table.header, rows))
    if "output_range" not in chosen:
        assert by_pandas(model, rows).tolist() == made.tolist()
    assert made[:, 0].astype(float).tolist() == model.predict(rows).tolist()
    sums = model.artifact.model.accumulators(
        model.artifact.model.inputs.encode(encoded(rows, model.artifact.training.columns))
    )
    assert outputs.tolist() == fixed_point(model.artifact.model).outputs(sums).tolist()
    assert 0 < np.count_nonzero(unfit) < len(rows)  # areas and levels beyond those that were learned from


def cells_of(encoding: Encoding, header: str, rows: int, rng: np.random.Generator) -> tuple[list, list]:
    """Random rows as Python reads them, and as C does; missing and unknown ones among them."""
    in_python, in_c = [], []
    for column, (kind, _, _) in zip(encoding.columns, members(header), strict=True):
        holes = (rng.random(rows) < 0.3) & (column.fill is not None)
        if kind == "float":
            numbers = (rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4, rows)).astype(np.float32)
            numbers = np.where(holes, np.float32(np.nan), numbers)
            if encoding.missing_values and column.fill is not None:
                numbers[rng.random(rows) < 0.2] = -999
            in_python.append(numbers.astype(np.float64))
            in_c.append(numbers)
            continue
        known = labels(header, kind) if kind != "bool" else {"false": 0, "true": 1}
        names = [name for name in known if not name.startswith("(")]
        names += [STRANGE] if "(unknown)" in known else []
        chosen = [str(one) for one in rng.choice(names, rows)]
        chosen = ["" if hole else name for hole, name in zip(holes, chosen, strict=True)]
        in_python.append(coded(chosen))
        special = {"": "(missing)", STRANGE: "(unknown)"}
        in_c.append(np.array([known[special.get(one, one)] for one in chosen], dtype=np.uint32))
    return in_python, in_c


KINDS = [
    {"bits": bits, "input_bits": input_bits, "scheme": scheme, "targets": targets}
    for bits, input_bits, scheme, targets in (
        (8, 8, "symmetric", 1), (16, 16, "affine", 3), (2, 8, "affine", 3), (5, 16, "symmetric", 1),
        (9, 8, "affine", 1), (3, 16, "affine", 2), (16, 8, "symmetric", 2), (8, 16, "symmetric", 3),
    )
]  # fmt: skip


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_columns_and_any_model_are_the_same_in_c(tmp_path, kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for number in range(4):
        encoding = random_encoding(
            rng, [f"column {i}" for i in range(1 + 3 * number)], ["a", "b", "c", "d", "e"]
        )
        made = encoded_artifact(rng, encoding, clamped=number % 2 == 1, **kind)
        folder = tmp_path / str(number)
        folder.mkdir()
        table = Table(made, folder, packed=number > 1)
        in_python, in_c = cells_of(encoding, table.header, 500, rng)
        rows = np.ascontiguousarray(encoding.encode(in_python, unknown="baseline").T)
        predictions, _, outputs = table.predict(in_c)
        assert predictions.astype(float).tolist() == made.model.predict(rows).tolist()
        sums = made.model.accumulators(made.model.inputs.encode(rows))
        assert outputs.tolist() == fixed_point(made.model).outputs(sums).tolist()


def self_tested(
    folder, made: QuantizedArtifact, *flags: str, language: str = "gcc", **options: object
) -> str:
    files = export(made, **options)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    sources = [name for name in files if name.endswith(".c")]
    compiled(folder, *COMPILERS[language], *STRICT, *flags, *sources, "-o", "self_test")
    return subprocess.run([folder / "self_test"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("language", COMPILERS)
@pytest.mark.parametrize("flags", [(), ("-DPUMP_NO_FLOAT",)], ids=str)
def test_it_compiles_without_a_warning_and_passes_its_own_test(tmp_path, language, flags):
    model = trained(rentals(), columns={"postal code": "categorical"}, missing_values=["-1", "NA"])
    more = ("-Wsign-conversion", "-Wshadow")
    said = self_tested(tmp_path, model.artifact, *flags, *more, language=language, prefix="pump")
    assert said == "pump_self_test: 0 differ from Python\n"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_it_does_is_undefined(tmp_path, seed):
    rng = np.random.default_rng(seed)
    encoding = random_encoding(rng, list("abcdef"), ["x", "y", "z"])
    made = encoded_artifact(rng, encoding, bits=16, input_bits=16, scheme="affine", targets=2, power=-20)
    flags = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all")
    assert "mlrq_self_test: 0 differ" in self_tested(tmp_path, made, *flags)


def test_a_category_that_moves_the_sum_further_than_32_bits_is_summed_in_32_bits(tmp_path):
    encoding = Encoding((Column("x", "categorical", ("a", "b")),))
    made = encoded_artifact(
        np.random.default_rng(0), encoding, bits=16, input_bits=16, scheme="affine", intercept=9
    )
    codes, zero = np.array([[-(2**15)]], dtype=np.int32), np.array([2**15 - 1], dtype=np.int32)
    inputs = replace(made.model.inputs, scale=np.float32([1 / 65535]), offset=np.float32([0.50000763]))
    model = replace(made.model, codes=codes, zero_point=zero, inputs=inputs)
    made = replace(made, model=model)
    assert model.accumulator_bits == 32
    assert np.ptp(model.accumulators(inputs.encode(np.array([[0.0], [1.0]]))).astype(np.int64)) > 2**31
    flags = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    assert "mlrq_self_test: 0 differ" in self_tested(tmp_path, made, *flags)


@pytest.mark.parametrize(("what", "wrong"), [("outputs", 1), ("codes", 2), ("unfit", 2), ("predictions", 1)])
def test_the_self_test_sees_a_wrong_number(tmp_path, what, wrong):
    encoding = Encoding((Column("n", "numeric"), Column("x", "categorical", ("a", "b"))))
    made = encoded_artifact(np.random.default_rng(1), encoding)
    for name, text in export(made).items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "mlrq_self_test.c"
    before, rest = path.read_text().split(f"table_{what}[", 1)
    row = rest.index("= {\n    ") + 8
    row += rest[row] == "{"
    path.write_text(f"{before}table_{what}[{rest[:row]}1 + {rest[row:]}")
    compiled(tmp_path, *C99, "mlrq.c", path, "-o", "self_test")
    done = subprocess.run([tmp_path / "self_test"], capture_output=True, text=True)
    assert done.returncode == 1
    assert 1 <= int(re.search(r": (\d+) differ", done.stdout)[1]) <= wrong


def test_a_value_that_no_enum_has_counts_as_the_first_and_is_told(tmp_path):
    encoding = Encoding((Column("n", "numeric"), Column("x", "categorical", ("a", "b"), (), 0.0, True)))
    made = encoded_artifact(np.random.default_rng(2), encoding)
    table = Table(made, tmp_path)
    known = labels(table.header, "mlrq_x")
    assert known == {"a": 0, "b": 1, "(missing)": 2, "(unknown)": 3}
    values = np.array([0, 3, 4, 1 << 31, 2**32 - 1, 2], dtype=np.uint32)
    middle = np.full(len(values), made.model.inputs.offset[0], dtype=np.float32)
    predictions, unfit, _ = table.predict([middle, values])
    assert unfit.tolist() == [0, 1, 1, 1, 1, 0]
    assert predictions[1:5].tolist() == predictions[:1].tolist() * 4
    assert predictions[5] != predictions[0]


def test_a_missing_number_that_was_not_learned_is_the_smallest_code_and_is_told(tmp_path):
    encoding = Encoding((Column("n", "numeric"), Column("m", "numeric", fill=0.25)), ("-999", "0.1", "n/a"))
    made = encoded_artifact(np.random.default_rng(3), encoding)
    table = Table(made, tmp_path)
    assert "A number of -999.0, 0.1 is missing, as NaN is." in table.header
    offset = made.model.inputs.offset
    numbers = np.array([offset[0], np.nan, -999, 0.1, np.inf, offset[0]], dtype=np.float32)
    others = np.array([np.nan, offset[1], -999, 0.1, np.nan, offset[1]], dtype=np.float32)
    predictions, unfit, _ = table.predict([numbers, others])
    assert unfit.tolist() == [0, 1, 1, 1, 1, 0]
    grid = made.model.inputs
    low, high = (grid.scale[0].astype(float) * end + grid.offset[0] for end in (2 * grid.low, 2 * grid.high))
    rows = [
        [offset[0], 0.25],
        [low, offset[1]],
        [low, 0.25],
        [low, 0.25],
        [high, 0.25],
        [offset[0], offset[1]],
    ]
    assert predictions.astype(float).tolist() == made.model.predict(np.array(rows, dtype=float)).tolist()


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(texts(), min_size=1, max_size=6, unique=True),
    labels=st.lists(texts().map(category), min_size=2, max_size=8, unique=True),
    seed=st.integers(0, 2**32),
)
def test_any_names_of_columns_and_categories_make_valid_c(tmp_path_factory, names, labels, seed):
    rng = np.random.default_rng(seed)
    encoding = random_encoding(rng, names, labels)
    made = encoded_artifact(rng, encoding)
    folder = tmp_path_factory.mktemp("names")
    more = ("-trigraphs", "-Wshadow")
    for language in ("gcc", "c++"):
        said = self_tested(folder, made, *more, language=language)
        assert said == "mlrq_self_test: 0 differ from Python\n"
    header = (folder / "mlrq.h").read_text()
    every = [name for one in enums(header).values() for name in one]
    assert len(set(every)) == len(every)
    assert all(len(name) <= 63 for name in every)


NAMES = [
    "int", "class", "bool", "linux", "2nd floor", "_", "日本", "Größe", "mlrq_input", "mlrq", "input",
    "cells", "columns", "base", "features", "Area", "area", "area missing", "number steps", "by x", "x",
    "x" * 200, "x" * 201, "no", "exponent", "", " ", "__a__b", "a b", "a-b", "self test", "table test",
]  # fmt: skip


@pytest.mark.few(3)
@pytest.mark.parametrize("prefix", ["mlrq", "a2345678901234567890"])
@pytest.mark.parametrize("kind", ["numeric", "categorical", "boolean"])
def test_names_of_c_and_of_the_export_itself_are_made_different(tmp_path, kind, prefix):
    found = ("float", "main", "0", "1", "-1", "unknown", "missing", "H") if kind == "categorical" else ()
    fill = {"numeric": 0.5, "categorical": 0.0, "boolean": 0.25}[kind]
    columns = [Column(name, kind, found, ("Rare", "rarer") if found else (), fill, True) for name in NAMES]
    made = encoded_artifact(np.random.default_rng(4), Encoding(tuple(columns)))
    for language in ("gcc", "c++"):
        said = self_tested(
            tmp_path, made, "-std=gnu11" if language == "gcc" else "", language=language, prefix=prefix
        )
        assert said == f"{prefix}_self_test: 0 differ from Python\n"
    header = (tmp_path / f"{prefix}.h").read_text()
    assert [column for _, _, column in members(header, prefix=prefix)] == [
        name if len(name) <= 200 else name[:100] + f"...[{len(name)} characters]..." + name[-100:]
        for name in NAMES
    ]
    for one in enums(header).values():
        assert all(len(name) <= 63 for name in one)


def test_words_of_names():
    assert words_of("living area (m²)") == "living_area_m2"
    assert words_of("Größe in Köln") == "groe_in_koln"
    assert [words_of(text) for text in ("-1", "1", "-", "日本", "1.5", "a-1")] == [
        "minus_1",
        "1",
        "",
        "",
        "1_5",
        "a_1",
    ]
    assert member("日本", "column_3", 31) == "column_3"
    assert member("int", "column_0", 31) == "int_column"
    assert member("2nd", "column_0", 31) == "n2nd"
    assert member("mlrq_sum", "column_1", 31) == "column_1_mlrq_sum"
    taken = {"a"}
    assert [distinct("a", taken) for _ in range(3)] == ["a_2", "a_3", "a_4"]


@pytest.mark.parametrize("column", [
    Column("x", "categorical", ("a", "b", "c"), ("d", "e"), 0.0, True),
    Column("x", "categorical", ("a", "b"), (), None, False),
    Column("x", "categorical", ("a",), (), 0.0, True),
    Column("x", "boolean", (), (), 0.75, True),
    Column("x", "boolean", (), (), None, False),
    Column("x", "numeric", (), (), 2.5, True),
])  # fmt: skip
def test_features_of_each_value_are_those_of_its_text(column):
    cells = {
        "categorical": [*column.categories, *column.rare[:1]],
        "boolean": ["no", "yes"],
        "numeric": ["0"],
    }
    found = [*cells[column.kind], *([""] if column.fill is not None else [])]
    assert features_of(column).tolist() == Encoding((column,)).encode([coded(found)]).T.tolist()


def test_an_export_carries_its_tables_and_no_others():
    rng = np.random.default_rng(5)
    encoding = Encoding((
        Column("n", "numeric", fill=0.5, indicator=True),
        Column("x", "categorical", ("a", "b")),
        Column("f", "boolean"),
    ))  # fmt: skip
    made = encoded_artifact(rng, encoding)
    files = export(made)
    assert all(carried.faults(name, text.encode(), made) == [] for name, text in files.items())
    text = files["mlrq.c"]
    for name in ("base", "number_steps", "number_fill", "by_n", "by_x", "by_f"):
        start = text.index(f" mlrq_{name}[")
        place = re.compile(r"-?\d+(?=[,} ])").search(text, text.index("{\n", start))
        other = text[: place.start()] + str(int(place[0]) + 1) + text[place.end() :]
        assert carried.faults("mlrq.c", other.encode(), made) == [name]


def test_the_integer_path_needs_two_headers_and_no_function(tmp_path):
    made = encoded_artifact(
        np.random.default_rng(6), random_encoding(np.random.default_rng(6), list("abcd"), ["x", "y"])
    )
    files = export(made, prefix="m")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    included = re.findall(r"#include <(.*)>", files["m.h"] + files["m.c"].split("#ifndef M_NO_FLOAT")[0])
    assert included == ["stdbool.h", "stdint.h"]
    compiled(tmp_path, *C99, "-c", "-O2", "-DM_NO_FLOAT", "-ffreestanding", "m.c", "-o", "m.o")
    symbols = subprocess.run(["nm", "m.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in symbols.splitlines() if line.split()[-2] in "TU"}
    assert names == {"m_infer", "m_accumulate", "m_infer_cells"}


def test_a_model_of_plain_numbers_is_exported_as_before(data):
    for made in (
        made_artifact(quantized(data, inputs="int8")),
        artifact(random_model(np.random.default_rng(7))),
    ):
        assert raw_model(made) is None
        assert not re.search(r"bool|cells|table_", "".join(export(made).values()))


def test_the_same_model_gives_the_same_bytes_and_another_prefix_only_other_names():
    made = trained(rentals()).artifact
    first = export(made)
    assert first == export(made)
    for name, text in export(made, prefix="flat").items():
        renamed = first[name.replace("flat", "mlrq")].replace('"mlrq.h"', '"flat.h"')
        assert text == re.sub(
            r"\b(mlrq|MLRQ)_", lambda found: {"m": "flat_", "M": "FLAT_"}[found[0][0]], renamed
        )


def test_every_category_is_named_in_the_header_by_its_text():
    model = trained(rentals(), columns={"postal code": "categorical"})
    header = export(model.artifact)["mlrq.h"]
    for column in model.artifact.training.columns.columns:
        if column.kind == "categorical":
            (kind,) = (kind for kind, _, name in members(header) if name == column.name)
            assert [name for name, _ in sorted(labels(header, kind).items(), key=lambda one: one[1])][
                :2
            ] == list(column.categories[:2])
            assert {*column.categories, "(missing)", "(unknown)"} <= set(labels(header, kind))
    assert json.loads('"K\\u00f6ln, am Rhein"') in labels(header, "mlrq_home_town")
    assert re.search(r"MLRQ_LEVEL_MISSING_2 = \d+, /\* \"missing\" \*/", header)


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="gcc-arm-none-eabi or qemu-system-arm is not installed",
)
def test_an_emulated_cortex_m0_computes_the_same_and_it_is_said_what_a_look_up_costs(tmp_path):
    model = trained(rentals(), columns={"postal code": "categorical"})
    files = export(model.artifact, prefix="flat")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, PROJECT / "microcontroller" / "size.py", tmp_path, "--at-most", "400"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "self-test on the emulated core: every number is Python's" in done.stdout
    costs = dict(re.findall(r"of it, look-up of (\".*\") +(\d+)$", done.stdout, re.MULTILINE))
    assert len(costs) == len(re.findall(r"\bflat_by_\w+\[.* = \{", files["flat.c"])) == 5
    narrow = {
        len(values.split(","))
        for values in re.findall(r"flat_by_home_town.*?= \{\n +\{(.*?)\}", files["flat.c"], re.S)
    }
    assert int(costs['"home town"']) >= 2 * narrow.pop()
    assert all(0 < int(cost) <= 150 for cost in costs.values())
    path = tmp_path / "flat_self_test.c"
    before, rest = path.read_text().split("table_outputs[FLAT_TABLE_ROWS]", 1)
    path.write_text(f"{before}table_outputs[FLAT_TABLE_ROWS]{rest.replace('    {', '    {1 + ', 1)}")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == "size: self-test on the emulated core: 1 numbers differ from Python's\n"
