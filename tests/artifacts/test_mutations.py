"""Mutated artifacts whose hash is right: each is refused in one line, or means what it says."""

import json
from pathlib import Path
from random import Random

import pytest
from support.mutations import VARIANTS, made, mutated, read

from mlrq.artifacts.documents import FloatArtifact, encode_float, encode_quantized
from mlrq.errors import MlrqError, printable

KINDS = ("float", "quantized")


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[tuple[str, str]]:
    """Kinds and texts of valid artifacts of all sorts."""
    folders = [made(tmp_path_factory.mktemp("made"), wanted) for wanted in VARIANTS]
    return [(kind, (folder / f"{kind}.json").read_text()) for folder in folders for kind in KINDS]


def held(path: Path, kind: str, raw: bytes) -> bool:
    """Whether the file `raw` is read; hold that it means what it says, or is refused in one line."""
    path.write_bytes(raw)
    try:
        artifact = read(kind, path)
    except MlrqError as error:
        text = str(error)
        assert text.startswith(f"{path}: ")
        assert "fault of mlrq" not in text
        assert len(printable(text).splitlines()) == 1
        return False
    encode = encode_float if isinstance(artifact, FloatArtifact) else encode_quantized
    assert json.loads(encode(artifact)) == json.loads(raw)
    return True


def accepted(originals: list[tuple[str, str]], path: Path, seeds: range) -> int:
    """How many mutated artifacts are read."""
    count = 0
    for seed in seeds:
        kind, text = originals[seed % len(originals)]
        count += held(path, kind, mutated(text, Random(seed)))
    return count


def test_a_mutated_artifact_is_refused_in_a_line_or_means_what_it_says(originals, tmp_path):
    assert 100 < accepted(originals, tmp_path / "some.json", range(2_000)) < 1_000


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_of_twenty_thousand_mutated_artifacts_none_does_harm(originals, tmp_path, part):
    accepted(originals, tmp_path / "some.json", range(2_000 + 5_000 * part, 7_000 + 5_000 * part))
