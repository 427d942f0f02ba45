"""What is wrong with a command line that Hydra refuses to compose."""

import shlex

import pytest

from mlrq.config.composition import asked, compose, separate
from mlrq.config.explain import find

CSV = ["dataset=csv", "dataset.target=y"]


@pytest.mark.parametrize(
    "name", [",", "a(1).csv", "a[b.csv", "it's.csv", '"a.csv', "ü.csv", "a{,}b", "a=(b", "a\\b(.csv", "(a\\"]
)
def test_a_value_that_has_to_be_quoted_is_told_with_quotes_that_do(name):
    """What is proposed is one argument for a shell, and what Hydra makes of it is what was meant."""
    (fault,) = find([*CSV, f"dataset.path={name}"], None, False)
    told, _, proposed = fault.partition("quote the value, for Hydra and for the shell: ")
    assert told.startswith(f"dataset.path={name}: ")
    (argument,) = shlex.split(proposed)
    assert asked(argument).values == [argument]
    assert find([*CSV, argument], None, False) == []
    assert separate(compose([*CSV, argument])).dataset.path == name


@pytest.mark.parametrize("value", ["range(2,", "[2,3", "{a:1"])
def test_a_bracket_that_is_not_closed_is_told(value):
    (fault,) = find([f"quantization.bits={value}"], None, True)
    assert fault.startswith(f"quantization.bits={value}: close its brackets, or quote the value")


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("quantization.bits=4.0", "must be from 2 to 16, or auto"),
        ("dataset.seed=x", "must be from 0 to 4294967295"),
        ("engine.workers=1.5", "must be 1 or more, or null (one for each core)"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_what_it_must_be(override, fault):
    assert find([override], None, False) == [f"{override}: {fault}"]


def test_what_could_not_be_read_is_not_called_missing_too():
    assert len(find([*CSV, "dataset.path=a[b"], None, False)) == 1
    assert find(CSV, None, False) == ["dataset.path: required; add dataset.path=VALUE"]
