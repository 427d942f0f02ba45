"""The table of options: one entry, and the function that it names, is all that a new option needs."""

import csv
import sys
from types import ModuleType

import numpy as np
import pytest

from mlrq.quantization import options
from mlrq.quantization.grid import Grid, symmetric
from mlrq.quantization.options import Option, Rounding, Scheme
from mlrq.quantization.settings import Settings


def upwards(weights, grid):
    return np.clip(np.ceil(grid.position(weights)), grid.low, grid.high).astype(np.int32)


def unsigned(weights, bits):
    """Codes 0 .. 2^bits-1 around the middle one: the steps of the symmetric scheme, moved."""
    grid, half = symmetric(weights, bits), 1 << (bits - 1)
    return Grid(grid.scale, half, grid.offset, 0, 2 * half - 1, grid.step, grid.start)


@pytest.fixture
def mine(monkeypatch):
    """A module with the two functions, as a contributor would write one."""
    module = ModuleType("mine")
    module.upwards, module.unsigned = upwards, unsigned
    monkeypatch.setitem(sys.modules, "mine", module)


@pytest.mark.parametrize("name", [f"{table}.{name}" for table, of in options.TABLES.items() for name in of])
def test_every_function_that_the_table_names_is_there(name):
    table, _, entry = name.partition(".")
    option = options.TABLES[table][entry]
    assert option.text
    assert not option.function or callable(option.load())


def test_every_rounding_has_a_function_or_is_known_to_the_solvers():
    for rounding in options.ROUNDINGS.values():
        assert bool(rounding.function) != rounding.together


def test_the_default_of_every_setting_with_a_table_is_in_it():
    for name, table in options.TABLES.items():
        assert getattr(Settings(), name) in (*table, None)


@pytest.mark.parametrize(
    ("table", "name", "entry"),
    [
        ("rounding", "upwards", Rounding("each weight upwards", "mine:upwards")),
        ("scheme", "unsigned", Scheme("unsigned codes", "mine:unsigned", signed=False, zero_point=True)),
    ],
)
def test_an_entry_and_its_function_reach_every_stage_and_a_sweep(
    run, tmp_path, monkeypatch, mine, table, name, entry
):
    monkeypatch.setitem(options.TABLES[table], name, entry)
    chosen = {"rounding": "nearest", table: name}
    asked = ("dataset=diabetes", *(f"quantization.{key}={value}" for key, value in chosen.items()))
    for stage in ("train", "quantize", "evaluate"):
        done = run(stage, *asked)
        assert done.code == 0, done.err
        assert (name in done.out) == (stage == "quantize")
    done = run("predict", stdin="age,sex,bmi,bp,s1,s2,s3,s4,s5,s6\n" + ",".join(["0.01"] * 10) + "\n")
    assert (done.code, done.out.splitlines()[0]) == (0, "progression")
    kinds = list(options.TABLES[table])
    swept = [item for item in asked if table not in item]
    done = run("-m", *swept, f"quantization.{table}={','.join(reversed(kinds))}", "hydra.sweep.dir=s")
    assert done.code == 0, done.err
    rows = list(csv.DictReader((tmp_path / "s" / "sweep.csv").read_text().splitlines()))
    assert [row[table] for row in rows if row["bits"] != "float"] == kinds  # in the order of the table


def test_what_is_not_in_the_table_is_refused_with_what_is(monkeypatch):
    monkeypatch.setitem(options.ROUNDINGS, "upwards", Rounding("each weight upwards", "mine:upwards"))
    assert Settings(rounding="up").faults("quantization.") == [
        "quantization.rounding=up: must be truncate, nearest, babai, exact or upwards"
    ]
    assert Settings(rounding="upwards", scheme="offset").faults() == []


def test_a_scheme_that_the_solvers_cannot_use_names_the_roundings_that_can(monkeypatch):
    monkeypatch.setitem(options.SCHEMES, "odd", Scheme("", "mine:odd", solvable=False))
    assert Settings(scheme="odd").faults() == ["scheme=odd: not with rounding=exact; use truncate or nearest"]


def test_the_tables_need_nothing_scientific(command):
    code = "import sys, mlrq.quantization.options; print({'numpy', 'hydra'} & set(sys.modules))"
    assert command.python(code).out == "set()\n"
    assert isinstance(options.GRANULARITIES["per_tensor"], Option)
