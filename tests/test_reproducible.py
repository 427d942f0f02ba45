"""Artifacts are a function of data and settings, not of the processor, the threads or the environment."""

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest
import reproducibility
from conftest import PROJECT, Command
from support.streams import CLI, written

NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


@pytest.fixture(scope="module")
def found():
    """Hashes of all artifacts of some pipelines, by setting.

    A setting that differs shows beside another one too: all but the plain one go with a kernel of OpenBLAS.
    """
    settings = reproducibility.settings()
    plain = settings.pop("as it comes")
    kernels = {name: settings.pop(name) for name in list(settings) if name.startswith("OpenBLAS for ")}
    together = {"as it comes": plain}
    for (name, kernel), (other, environment) in zip(kernels.items(), cycle(settings.items()), strict=False):
        together[f"{name}, {other}"] = environment | kernel
    together |= dict(list(settings.items())[len(kernels) :])
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(together, pool.map(reproducibility.hashes, together.values()), strict=True))


@pytest.mark.slow
def test_any_processor_threads_and_environment_give_the_same_bytes(found):
    first = found["as it comes"]
    assert len(found) >= 5
    assert {"california/quantized.json", "int8/export/model.onnx", "ridge/float.json"} <= set(first)
    for name, hashes in found.items():
        assert hashes == first, name


@pytest.mark.slow
def test_the_bytes_are_those_that_the_documentation_records(found):
    recorded = reproducibility.recorded((PROJECT / "docs/reproducibility.md").read_text())
    assert {path: digest[:16] for path, digest in found["as it comes"].items()} == recorded


@pytest.mark.slow
def test_stages_one_by_one_give_the_bytes_of_all_at_once(run, tmp_path, finished):
    for stage in ("train", "quantize", "evaluate"):
        assert run(stage).code == 0
    for name in NAMES:
        assert (tmp_path / "outputs" / name).read_bytes() == (finished / "outputs" / name).read_bytes()


@pytest.mark.few(1)
@pytest.mark.parametrize("model", ["ridge", "sgd"])
def test_a_second_run_writes_the_same_bytes(run, tmp_path, model):
    first = {}
    for folder in ("a", "b"):
        assert run(f"model={model}", "quantization=int4", f"output_dir={folder}").code == 0
        found = {name: (tmp_path / folder / name).read_bytes() for name in NAMES}
        assert found == (first or found)
        first = found


@pytest.mark.slow
def test_the_kernel_in_c_and_the_one_in_numpy_give_the_same_bytes_of_a_stream(tmp_path):
    """Of rows in memory, the test above says so."""
    written(tmp_path / "t")
    made = []
    for wanted in ("", "numpy"):
        command = Command(tmp_path, {"MLRQ_KERNEL": wanted})
        done = command(*CLI, "quantization.inputs=int8", f"output_dir=made{wanted}")
        assert done.code == 0, done.err
        made.append({name: (tmp_path / f"made{wanted}" / name).read_bytes() for name in NAMES})
    assert made[0] == made[1]
