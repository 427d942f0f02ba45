"""What a refusal tells to type does what it says, whatever a column is called."""

import csv
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrq.config import composition, validation
from mlrq.datasets.refusals import override

NAMES = [
    "zip", "Individual ID", "Delta 15 N (o/oo)", "Höhe", "it's", 'a "quoted" name', "a:b", "{x}", "[1]",
    "null", "true", "1e3", "a, b", "${model.name}", "$HOME", "back\\slash", "ends\\", "=", "#", "日本",
]  # fmt: skip


def read(argument: str) -> dict[str, str]:
    given = ["dataset=csv", "dataset.path=x", "dataset.target=y", argument]
    return validation.check(composition.separate(composition.compose(given))).dataset.columns


@pytest.mark.parametrize("name", NAMES)
def test_a_column_of_any_name_is_told_as_hydra_reads_it(name):
    (argument,) = shlex.split(override({name: "drop"}))
    assert read(argument) == {name: "drop"}
    (argument,) = shlex.split(override({"plain": "categorical", name: "drop"}))
    assert read(argument) == {"plain": "categorical", name: "drop"}


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_name_is_told_as_hydra_reads_it(name):
    (argument,) = shlex.split(override({name: "drop"}))
    assert read(argument) == {name: "drop"}


@pytest.fixture
def table(tmp_path):
    def write(**columns):
        path = tmp_path / "t.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
        return ["dataset=csv", f"dataset.path={path}", "dataset.target=y", "save=false"]

    return write


def numbers(start, count=60):
    return [start + (7 * i) % 11 + i / 8 for i in range(count)]


def test_all_columns_that_are_refused_are_told_at_once_and_what_is_told_works(run, table):
    dates = [f"2024-01-{1 + i % 28:02}" for i in range(60)]
    codes = [f"id{i}" for i in range(60)]
    given = table(x=numbers(1), when=dates, **{"Größe (m)": ["one"] * 60, "code": codes}, y=numbers(3))
    refused = run(*given)
    refused.refused("t.csv: 3 columns are no features: ")
    (argument,) = shlex.split(refused.err.partition("say so by ")[2])
    assert argument == 'dataset.columns=["when: drop", "Größe (m): drop", "code: drop"]'
    assert run(*given, argument).code == 0


@pytest.mark.parametrize("mark", ["NA", "n/a", "n.a.", "#N/A", "?", "-", "None", "."])
def test_a_mark_of_missing_cells_is_told_as_one_and_what_is_told_works(run, table, mark):
    cells = [*map(str, numbers(1)[:-1]), mark]
    given = table(x=cells, z=numbers(5), y=numbers(3))
    refused = run(*given)
    refused.refused("if it is a missing cell: ")
    (argument,) = shlex.split(refused.err.partition("if it is a missing cell: ")[2])
    assert run(*given, argument, "dataset.missing=mean").code == 0
