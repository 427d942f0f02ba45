"""Mutated artifacts whose hash is right: each is refused in one line, or means what it says."""

import json
from pathlib import Path
from random import Random

import pytest
from support.mutations import mutate, sealed

from mlrq.artifacts.documents import encode_float, encode_quantized, read_float, read_quantized
from mlrq.errors import MlrqError, printable

DOCUMENTS = {"float": (read_float, encode_float), "quantized": (read_quantized, encode_quantized)}
RUNS = (
    ("dataset=diabetes",),
    ("dataset=diabetes", "quantization.inputs=int8", "quantization.output_range=train"),
    (
        "dataset=synthetic", "dataset.features=3", "dataset.targets=2", "model=ridge", "quantization.bits=4",
        "quantization.granularity=per_feature", "quantization.feature_scale=pow2",
    ),
    (
        "dataset=synthetic", "dataset.features=3", "dataset.targets=2", "quantization.scheme=offset",
        "quantization.rounding=nearest", "quantization.granularity=per_channel",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[tuple[str, str]]:
    """Kinds and texts of valid artifacts of all sorts."""
    from conftest import inside

    found = []
    for wanted in RUNS:
        folder = tmp_path_factory.mktemp("made")
        with inside(folder) as run:
            assert run(*wanted).code == 0
        found += [(kind, (folder / f"outputs/{kind}.json").read_text()) for kind in DOCUMENTS]
    return found


def mutated(originals: list[tuple[str, str]], seed: int) -> tuple[str, bytes]:
    """A kind, and a file of that kind with up to three changes."""
    random = Random(seed)
    kind, text = originals[seed % len(originals)]
    body = json.loads(text)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if body:
            mutate(random, body)
    return kind, sealed(body, random)


def held(path: Path, kind: str, raw: bytes) -> bool:
    """Whether the file `raw` is read; hold that it means what it says, or is refused in one line."""
    read, again = DOCUMENTS[kind]
    path.write_bytes(raw)
    try:
        artifact = read(path)
    except MlrqError as error:
        assert str(error).startswith(f"{path}: ")
        assert "fault of mlrq" not in str(error)
        assert len(printable(error).splitlines()) == 1
        return False
    assert json.loads(again(artifact)) == json.loads(raw)
    return True


def hold(originals: list[tuple[str, str]], path: Path, seeds: range) -> int:
    return sum(held(path, *mutated(originals, seed)) for seed in seeds)


def test_a_mutated_artifact_is_refused_in_a_line_or_means_what_it_says(originals, tmp_path):
    assert 0 < hold(originals, tmp_path / "some.json", range(2_000)) < 1_000


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_of_twenty_thousand_mutated_artifacts_none_does_harm(originals, tmp_path, part):
    hold(originals, tmp_path / "some.json", range(2_000 + 5_000 * part, 7_000 + 5_000 * part))
