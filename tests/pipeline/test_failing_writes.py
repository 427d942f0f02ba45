"""Every write, flush, rename and removal of a run fails once: one line, and files that belong together."""

import errno
import hashlib
import io
import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from conftest import inside

from mlrq.files import CHECKSUMS, replace_together

SMALL = ("dataset=synthetic", "dataset.rows=60", "dataset.features=2")
OLD, NEW = (*SMALL, "model=lasso"), (*SMALL, "model=huber", "quantization.bits=4")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The outputs of the run before, and of the run that is to fail, by name."""
    found = []
    for typed in (OLD, NEW):
        folder = tmp_path_factory.mktemp("made")
        with inside(folder) as run:
            assert run(*typed).code == 0
        found.append(folder / "outputs")
    return found


class Failing:
    """Calls of the system that fail, each as it may, at the `nth` of them in a folder."""

    def __init__(self, patch: pytest.MonkeyPatch, nth: int) -> None:
        self.left, self.patch = nth, patch
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            self._break(owner, name)
        outer, opened = self, Path.open

        class Disk(io.FileIO):
            def write(self, data):
                outer.count()
                return super().write(data)

        def open_new(path, mode="r", *arguments, **options):
            if mode != "xb":
                return opened(path, mode, *arguments, **options)
            outer.count()
            return io.BufferedWriter(Disk(path, mode))

        patch.setattr(Path, "open", open_new)

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _break(self, owner, name: str) -> None:
        original = getattr(owner, name)

        def call(first, *arguments, **options):
            if not str(first).endswith(".mlrq.tmp") or name != "unlink":  # what is cleared away is no write
                self.count()
            return original(first, *arguments, **options)

        self.patch.setattr(owner, name, call)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


@pytest.mark.slow
def test_whatever_call_of_the_system_fails_the_files_belong_together(tmp_path, made, monkeypatch):
    old, new = map(content, made)
    outputs, failed, ended = tmp_path / "outputs", 0, False
    while not ended:
        shutil.rmtree(outputs, ignore_errors=True)
        shutil.copytree(made[0], outputs)
        with monkeypatch.context() as patch, inside(tmp_path) as run:
            failing = Failing(patch, failed + 1)
            done = run(*NEW)
            ended = failing.left > 0
        found = content(outputs)
        if ended:
            assert done.code == 0
            assert found == new
            continue
        failed += 1
        done.refused("outputs/", "No space left on device")
        assert not list(outputs.glob(".*"))
        assert set(found) <= set(old)
        for name, held in found.items():
            assert held in (old[name], new[name])
        kept = {name for name, held in found.items() if held == old[name]}
        of = {"model.joblib": ["float.json"], "certificate.json": ["quantized.json"]}
        of["evaluation.json"] = [*of["model.joblib"], *of["certificate.json"]]
        for name, others in of.items():
            if name in found:
                assert all((other in kept) == (name in kept) for other in others), (failed, name)
        for line in found.get(CHECKSUMS, b"").decode().splitlines():
            sha256, name = line.split("  ")
            assert hashlib.sha256(found[name]).hexdigest() == sha256
    assert failed > 20


@pytest.mark.slow
def test_a_reader_who_finds_the_same_checksums_before_and_after_has_read_what_they_are_of(tmp_path):
    names, turns, over = ("a", "b", "c"), 100, threading.Event()

    def write() -> None:
        for turn in range(turns):
            replace_together(tmp_path, [(name, json.dumps([name, turn]).encode()) for name in names], names)
        over.set()

    writer, seen = threading.Thread(target=write), 0
    writer.start()
    while not over.is_set():
        try:
            before = (tmp_path / CHECKSUMS).read_text()
            held = {name: (tmp_path / name).read_bytes() for name in names}
            after = (tmp_path / CHECKSUMS).read_text()
        except FileNotFoundError:
            continue
        if before == after:
            seen += 1
            listed = dict(reversed(line.split("  ")) for line in before.splitlines())
            assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in held.items()}
    writer.join()
    assert seen
