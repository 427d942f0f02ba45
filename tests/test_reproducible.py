"""Same input, same bytes."""

import pytest
from conftest import Command
from support.streams import CLI, written

NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


def test_one_blas_thread_or_two_give_the_same_bytes(tmp_path, finished):
    made = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        folder.mkdir()
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        done = Command(folder, limits)()
        assert done.code == 0, done.err
        made.append({name: (folder / "outputs" / name).read_bytes() for name in NAMES})
        assert done.out == (finished / "stdout.txt").read_text()
    assert made[0] == made[1]
    assert made[0] == {name: (finished / "outputs" / name).read_bytes() for name in NAMES}


def test_stages_one_by_one_give_the_bytes_of_all_at_once(run, tmp_path, finished):
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage).code == 0
    for name in NAMES:
        assert (tmp_path / "outputs" / name).read_bytes() == (finished / "outputs" / name).read_bytes()


@pytest.mark.parametrize("model", ["ridge", "sgd"])
def test_a_second_run_writes_the_same_bytes(run, tmp_path, model):
    first = {}
    for folder in ("a", "b"):
        assert run(f"model={model}", "quantization=int4", f"output_dir={folder}").code == 0
        found = {name: (tmp_path / folder / name).read_bytes() for name in NAMES}
        assert found == (first or found)
        first = found


def test_the_kernel_in_c_and_the_one_in_numpy_give_the_same_bytes(tmp_path, finished):
    """In memory and streamed; whether there is a compiler changes the time alone."""
    written(tmp_path / "t")
    stream = [item.replace("=t", f"={tmp_path / 't'}") if "path" in item else item for item in CLI]
    made = {}
    for wanted in ("", "numpy"):
        command = Command(tmp_path, {"MLRQ_KERNEL": wanted})
        for name, overrides in {"memory": (), "stream": (*stream, "quantization.inputs=int8")}.items():
            folder = tmp_path / f"{name}{wanted}"
            done = command(*overrides, f"output_dir={folder}")
            assert done.code == 0, done.err
            found = {name: (folder / name).read_bytes() for name in NAMES}
            assert found == made.setdefault(name, found)
    assert made["memory"] == {name: (finished / "outputs" / name).read_bytes() for name in NAMES}
