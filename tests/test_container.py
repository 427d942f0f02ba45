"""What can be held about the image without a container engine; `make docker-test` holds the rest."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "container" / "build"
# Stands in for docker: has its base image, and builds, unless told otherwise.
ENGINE = """#!/bin/sh
case $1 in
  image) [ -z "$NO_BASE" ] && echo 5000000 ;;
  pull) exit 1 ;;
  build)
    [ -z "$NO_BUILD" ] || { echo "step 3 failed"; exit 1; }
    while [ "$1" != --iidfile ]; do shift; done
    echo sha256:new > "$2" ;;
esac
"""


@pytest.fixture
def image_id(tmp_path):
    folder = tmp_path / "outputs"
    folder.mkdir()
    (folder / "image.id").write_text("sha256:old\n")
    return folder / "image.id"


@pytest.fixture
def build(tmp_path, image_id):
    stand_in = tmp_path / "engine"
    stand_in.write_text(ENGINE)
    stand_in.chmod(0o755)

    def run(engine=str(stand_in), out="outputs", **variables):
        unset = ("CONTAINER_ENGINE", "IMAGE_OPTIONAL")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return subprocess.run(
            [BUILD, engine, f"{out}/image.id"],
            cwd=tmp_path,
            env={**inherited, "PYTHON_IMAGE": "base", **variables},
            capture_output=True,
            text=True,
        )

    return run


def test_a_build_writes_the_id_of_the_image(build, image_id):
    done = build()
    assert (done.returncode, done.stderr) == (0, "")
    assert image_id.read_text() == "sha256:new\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": ""}, "install Docker or Podman"),
        ({"engine": "", "CONTAINER_ENGINE": "docker"}, "no answer from docker"),
        ({"NO_BASE": "1"}, "cannot pull base"),
        ({"out": "elsewhere"}, "outputs/quantized.json"),
    ],
)
def test_a_host_that_cannot_build_gets_one_line_and_fails_only_where_the_image_was_asked_for(
    build, image_id, settings, said
):
    for optional, code in (("", 1), ("1", 0)):
        done = build(**settings, IMAGE_OPTIONAL=optional)
        assert done.returncode == code
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
    assert image_id.read_text() == "sha256:old\n"


def test_a_build_that_fails_fails_make_all_too_and_keeps_the_old_id(build, image_id):
    done = build(NO_BUILD="1", IMAGE_OPTIONAL="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "step 3 failed"
    assert image_id.read_text() == "sha256:old\n"
    assert [path.name for path in image_id.parent.iterdir()] == ["image.id"]


def _pins(name):
    return set(re.findall(r"^([\w.-]+==[^\s\\]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_image_has_the_versions_that_the_tests_ran_with_and_nothing_to_train_with():
    pins = _pins("requirements-image.lock")
    assert pins
    assert pins <= _pins("requirements.lock")
    assert not {"scikit-learn", "scipy", "joblib"} & {pin.partition("==")[0] for pin in pins}


def test_the_engine_is_sent_what_the_dockerfile_copies_and_nothing_else():
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copied = {source for line in lines for source in line.split()[:-1]}
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
