"""The YAML files, the reference and the schema say the same."""

from dataclasses import fields

import pytest
import yaml
from conftest import PROJECT
from omegaconf import OmegaConf

from mlrq.config import groups, reference
from mlrq.config.composition import CONF
from mlrq.config.schema import GROUPS, SCHEMAS, Config, QuantizationConfig
from mlrq.quantization import options
from mlrq.quantization.keys import bounds, known
from mlrq.quantization.options import Rounding

OPTIONS = [path for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
EVERY = [CONF / "config.yaml", *OPTIONS]
names = {"ids": lambda path: str(path.relative_to(CONF))}
PRESETS = [path for path in OPTIONS if path.parent.name == "quantization" and path.stem != "default"]


def test_the_reference_is_what_its_command_prints(command):
    done = command.python("import runpy; runpy.run_module('mlrq.config.reference', run_name='__main__')")
    assert done.code == 0
    assert done.out == (PROJECT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("path", EVERY, **names)
def test_the_comment_of_every_key_is_what_the_schema_says(path):
    text = path.read_text()
    assert reference.annotated(text, groups.schema_of(path)) == text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("path", [path for path in EVERY if path not in PRESETS], **names)
def test_a_yaml_shows_every_key_with_its_default(path):
    shown = yaml.safe_load(path.read_text())
    schema = groups.schema_of(path)
    expected = OmegaConf.to_container(OmegaConf.structured(schema))
    keys = [item.name for item in fields(schema) if item.name not in GROUPS or schema is not Config]
    assert [key for key in shown if key not in ("defaults", "hydra")] == keys
    # What an option is there to choose.
    chosen = {"_target_", "name", "format", "estimator", "standardize"}
    assert {key: shown[key] for key in keys if key not in chosen} == {
        key: expected[key] for key in keys if key not in chosen
    }


@pytest.mark.parametrize("path", PRESETS, **names)
def test_a_width_shows_what_it_is_opened_for_first(path):
    shown = yaml.safe_load(path.read_text())
    assert shown.pop("defaults") == ["default", "_self_"]
    assert list(shown)[:3] == ["bits", "scheme", "granularity"]
    if path.stem.startswith("int"):
        assert shown == {"bits": int(path.stem[3:]), "scheme": "symmetric", "granularity": "per_tensor"}


def test_every_schema_is_of_a_group_and_every_key_says_what_it_means():
    for schema in SCHEMAS.values():
        assert schema is Config or any(issubclass(schema, base) for base in GROUPS.values())
        for item in fields(schema):
            assert known(item).text


def test_a_new_rounding_is_in_help_and_reference_without_another_word(monkeypatch, run):
    monkeypatch.setitem(options.ROUNDINGS, "upwards", Rounding("each weight upwards", "mine:upwards"))
    assert "| `quantization.rounding=upwards` | each weight upwards |\n" in reference.document()
    text = run("--help", "quantization").out
    assert "truncate, nearest, babai, exact or upwards" in text
    assert "each weight upwards" in text


def test_what_a_key_may_be_is_said_in_words():
    said = {item.name: bounds(item) for item in fields(QuantizationConfig)}
    assert said["bits"] == "from 2 to 16, or auto"
    assert said["scheme"] == "symmetric, affine or offset"
    assert said["strict"] == "true or false"
    assert said["output_range"] == "train, or null (none)"
    assert said["percentile"] == "0 or more and below 50"
