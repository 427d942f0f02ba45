"""The published schema is that of the code, and a validator that we did not write agrees with the reader."""

import json
import re
from random import Random

import pytest
from conftest import PROJECT
from jsonschema import Draft202012Validator
from support.mutations import VARIANTS, made, mutated, read

from mlrq.artifacts.schema import json_schema
from mlrq.errors import MlrqError

OPTIONAL = {
    "Estimator": {"before", "file"},
    "Training": {"columns", "calibration_rows"},
    "Quantized": {"interval"},
    "Evaluation": {"interval"},
}
PUBLISHED = PROJECT / "docs/artifact.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(PUBLISHED.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_schema_is_what_the_code_gives(command):
    done = command.python("import runpy; runpy.run_module('mlrq.artifacts.schema', run_name='__main__')")
    assert done.out == PUBLISHED.read_text()


def test_every_key_is_required_and_no_other_allowed():
    for name, one in json_schema()["$defs"].items():
        if one["type"] == "object":
            assert one["additionalProperties"] is False
            assert set(one["required"]) == set(one["properties"]) - OPTIONAL.get(name, set())


def test_the_pages_tell_of_every_key():
    page = (PROJECT / "docs/artifacts.md").read_text()
    schema = json_schema()["$defs"]
    for name in ("Float", "Quantized", "Evaluation"):
        section = page.partition(f"## {name.lower()}.json\n")[2].partition("\n## ")[0]
        assert set(re.findall(r"`(\w+)`", section)) >= set(schema[name]["properties"]) - {"format", "schema"}


@pytest.mark.parametrize("wanted", VARIANTS, ids=" ".join)
def test_what_is_written_is_valid(tmp_path, validator, wanted):
    folder = made(tmp_path, wanted)
    for name in ("float.json", "quantized.json", "evaluation.json"):
        validator.validate(json.loads((folder / name).read_text()))


@pytest.mark.slow
def test_what_is_read_is_valid(tmp_path, validator):
    folder = made(tmp_path, VARIANTS[1])
    accepted = 0
    for seed in range(1_000):
        kind = ("float", "quantized")[seed % 2]
        raw = mutated((folder / f"{kind}.json").read_text(), Random(seed))
        path = tmp_path / "some.json"
        path.write_bytes(raw)
        try:
            read(kind, path)
        except MlrqError:
            continue
        validator.validate(json.loads(raw))
        accepted += 1
    assert accepted > 50
