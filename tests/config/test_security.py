"""What a configuration may not do: run code, and carry the environment into what is written or printed.

A canary is a module whose every use leaves a file. It lies where Python finds it, so that whatever is told to
call it, could.
"""

import pickle
import sys

import pytest
from conftest import PROJECT, composed
from hydra.utils import instantiate

from mlrq.config import composition, hydra_section, validation
from mlrq.config.schema import SCHEMAS, DatasetConfig
from mlrq.errors import ConfigError
from mlrq.models.targets import ESTIMATORS, estimator_class

CANARY = """
from pathlib import Path
Path("imported").touch()

def sing(*args, **settings):
    Path("sung").touch()

class Handler:
    def __init__(self, *args, **settings):
        Path("sung").touch()
"""
SCRIPT = "import pathlib; pathlib.Path('sung').touch()"
RUN_SCRIPT = (
    f'{{_target_:sklearn.utils._testing.assert_run_python_script_without_output,source_code:"{SCRIPT}"}}'
)
LOGGING = "{version:1,root:{handlers:[x]},handlers:{x:{class:canary.Handler}}}"


@pytest.fixture
def sung(tmp_path, monkeypatch):
    """Whether the canary was imported or called since."""
    (tmp_path / "canary.py").write_text(CANARY)
    (tmp_path / "canaries").mkdir()
    (tmp_path / "canaries" / "__init__.py").write_text(CANARY)
    monkeypatch.syspath_prepend(tmp_path)

    def found() -> list[str]:
        return [name for name in ("imported", "sung") if (tmp_path / name).exists()]

    yield found
    for name in ("canary", "canaries"):
        sys.modules.pop(name, None)


def refused(done) -> None:
    """Hold that a command ended before anything was done, with lines of ours only."""
    assert done.code == 2, done
    assert done.out == ""
    assert done.faults
    assert len(done.faults) == len(done.err.splitlines()), done.err
    assert "a fault of mlrq" not in done.err


def test_the_canary_sings_for_whoever_calls_it(sung, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    instantiate({"_target_": "canary.sing"})
    assert sung() == ["imported", "sung"]


ATTACKS = {
    "an estimator's parameter": f"+model.estimator.copy_X={RUN_SCRIPT}",
    "a parameter in a list": f"+model.estimator.alphas=[{RUN_SCRIPT}]",
    "a function of scikit-learn": "model.estimator._target_=sklearn.datasets.fetch_california_housing",
    "code reached through scikit-learn": "model.estimator._target_=sklearn.datasets._base.os.getpid",
    "code reached through mlrq": "model.estimator._target_=mlrq.files.os.abort",
    "a module": "model.estimator._target_=sklearn.linear_model",
    "another package": "model.estimator._target_=canary.sing",
    "another loader": "dataset._target_=canary.sing",
    "one of our own functions": "dataset._target_=mlrq.datasets.csv.load",
    "a target where there is none": "+quantization._target_=canary.sing",
    "a value that is one": "+dataset.source={_target_:canary.sing}",
    "positional arguments": "+model.estimator._args_=[{_target_:canary.sing}]",
    "a partial": "+model.estimator._partial_=true",
    "a conversion": "+model.estimator._convert_=all",
    "no recursion": "+model.estimator._recursive_=false",
    "an interpolation that makes one": r"model.estimator=${oc.create:{_target_:canary.sing}}",
    "an interpolation in another": r"+model.estimator.copy_X='${oc.decode:\'{_target_:canary.sing}\'}'",
    "a callback": "+hydra.callbacks.mine={_target_:canary.sing}",
    "our callback, changed": "hydra.callbacks.sweep_report._target_=canary.sing",
    "a group of callbacks": "+dataset@hydra.callbacks.mine=csv",
    "a log handler": f"+hydra.job_logging={LOGGING}",
    "a handler of Hydra's log": f"+hydra.hydra_logging={LOGGING}",
    "Hydra's own logging": "hydra/job_logging=default",
    "a launcher": "hydra.launcher._target_=canary.sing",
    "a launcher's setting": "+hydra.launcher.pre_dispatch={_target_:canary.sing}",
    "a sweeper": "hydra.sweeper._target_=canary.sing",
    "a sweep over Hydra's section": f"+hydra.sweeper.params={{hydra.job_logging:'{LOGGING}'}}",
    "the environment of a job": "+hydra.job.env_set={PYTHONSTARTUP:canary.py}",
    "a folder elsewhere": "hydra.run.dir=elsewhere",
    "a job in another folder": "hydra.job.chdir=true",
    "a job's folder elsewhere": "hydra.sweep.subdir=../../elsewhere",
    "Hydra's files": "hydra.output_subdir=.hydra",
    "overrides that nobody typed": "hydra.overrides.hydra=[canary]",
    "a package to search": "hydra.searchpath=[pkg://canaries]",
}  # fmt: skip


@pytest.mark.few(10)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_command_line_runs_no_code(run, sung, tmp_path, attack):
    refused(run("train", attacked(attack), ATTACKS[attack]))
    assert sung() == []
    assert list(tmp_path.glob("[eo]*")) == []  # neither elsewhere nor outputs


@pytest.mark.few(2)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_sweep_runs_no_code(run, sung, tmp_path, attack):
    done = run("-m", "train", attacked(attack), ATTACKS[attack])
    assert sung() == []
    assert not (tmp_path / "elsewhere").exists()
    if "hydra" in ATTACKS[attack]:
        refused(done)
        assert not (tmp_path / "outputs").exists()
    else:
        assert len(done.faults) == len(done.err.splitlines()) == 1  # the job's


def attacked(attack: str) -> str:
    """An override that makes a run quick, and is not the attack's."""
    return "samples=1" if "dataset" in ATTACKS[attack] else "dataset=diabetes"


def test_an_escaped_interpolation_of_a_parameter_is_text_and_no_more(run, sung):
    done = run("train", "dataset=diabetes", r"+model.estimator.copy_X='\${oc.create:{_target_:canary.sing}}'")
    done.refused("copy_X", "Got '${oc.create:{_target_:canary.sing}}'")
    assert sung() == []


@pytest.mark.parametrize("flags", [("--cfg", "job"), ("--info",), ("--hydra-help",)])
@pytest.mark.parametrize("attack", ["a log handler", "a handler of Hydra's log", "a package to search"])
def test_what_only_shows_the_configuration_runs_no_code_either(run, sung, flags, attack):
    refused(run(*flags, ATTACKS[attack]))
    assert sung() == []


def test_completing_a_word_imports_nothing(command, sung):
    command.environment["COMP_LINE"] = "mlrq hydra.searchpath=[pkg://canaries] quantization="
    done = command("-sc", "query=bash")
    assert (done.code, done.out, done.err, sung()) == (0, "", "", [])


LOGGED = "job_logging: {root: {handlers: [x]}, handlers: {x: {class: canary.Handler}}}"
EXPERIMENTS = {
    "estimator": "model: {estimator: {copy_X: {_target_: canary.sing}}}",
    "target": "model: {estimator: {_target_: canary.sing}}",
    "loader": "dataset: {_target_: canary.sing}",
    "callback": "hydra: {callbacks: {mine: {_target_: canary.sing}}}",
    "logging": f"hydra: {{{LOGGED}}}",
    "launcher": "hydra: {launcher: {_target_: canary.sing}}",
    "environment": "hydra: {job: {env_copy: [HOME]}}",
    "overrides": "hydra: {overrides: {hydra: ['+hydra.callbacks.mine={_target_:canary.sing}']}}",
    "parameters": "hydra: {mode: MULTIRUN, sweeper: {params: {+hydra.callbacks.x: '{_target_:canary}'}}}",
    "a job of parameters": "hydra: {mode: MULTIRUN, sweeper: {params: {+more: 'good,evil'}}}",
}


@pytest.mark.few(8)
@pytest.mark.parametrize("flags", [(), ("-m",), ("--cfg", "all")], ids=["run", "sweep", "show"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_yaml_of_somebody_else_runs_no_code(run, sung, tmp_path, name, flags):
    own = tmp_path / "own"
    (own / "experiment").mkdir(parents=True)
    (own / "more").mkdir()
    (own / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{EXPERIMENTS[name]}")
    (own / "more" / "evil.yaml").write_text(f"# @package _global_\n{EXPERIMENTS['logging']}")
    (own / "more" / "good.yaml").write_text("# @package _global_\nsamples: 3\n")
    done = run(*flags, "--config-dir", own, "experiment=evil", "stage=train")
    assert sung() == []
    if flags == ("--cfg", "all") and name in ("estimator", "target", "loader"):
        assert done.code == 0  # of what is wrong with it, this only shows
    elif flags == ("-m",) and name in ("estimator", "target", "loader"):
        assert (done.code, len(done.faults)) == (1, 1)  # the job's
    else:
        refused(done)


def test_a_later_job_of_a_sweep_is_looked_at_before_the_first_begins(run, sung, tmp_path):
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "good.yaml").write_text("# @package _global_\nsamples: 3\n")
    (own / "evil.yaml").write_text(f"# @package _global_\n{EXPERIMENTS['logging']}")
    refused(run("-m", "--config-dir", tmp_path / "own", "experiment=good,evil"))
    assert sung() == []
    assert not (tmp_path / "outputs").exists()


def test_the_yaml_of_somebody_else_replaces_no_option_of_ours(run, tmp_path):
    for name in ("quantization/int8", "config"):
        place = tmp_path / "own" / f"{name}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("nodes: many\n")
    assert run("--config-dir", tmp_path / "own", "save=false", "dataset=diabetes", "samples=0").code == 0


def test_a_yaml_that_is_wrong_is_one_line(run, tmp_path):
    (tmp_path / "own" / "schema").mkdir(parents=True)
    (tmp_path / "own" / "schema" / "quantization.yaml").write_text("nodes: many\n")
    run("--config-dir", tmp_path / "own", "save=false").refused("schema/quantization", "'many'", code=2)


class Sing:
    def __reduce__(self):
        return exec, (SCRIPT,)


@pytest.mark.few(2)
@pytest.mark.parametrize("flag", ["--experimental-rerun", "--config-path", "--config-name", "-cp", "-cn"])
def test_hydras_other_ways_in_are_closed(run, sung, tmp_path, flag):
    (tmp_path / "evil").write_bytes(pickle.dumps(Sing()))
    for typed in ((flag, "evil"), (f"{flag}=evil",), (flag[:-1] if flag.startswith("--") else flag, "evil")):
        assert run(*typed).code == 2
    assert sung() == []


def test_what_hydra_documents_and_mlrq_uses_may_stay(tmp_path):
    for overrides in (
        ["hydra.sweep.dir=elsewhere"],
        ["hydra.sweep.dir=${output_dir}/s/${now:%Y}"],
        ["hydra.verbose=true"],
        ["hydra.sweeper.max_batch_size=2"],
        ["experiment=solvers"],
    ):
        composition.compose(overrides)
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the joblib extra is not installed")
    composition.compose(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"])


def test_the_callback_that_hydra_may_call_is_ours():
    module, _, name = hydra_section.CALLBACK.rpartition(".")
    __import__(module)
    assert getattr(sys.modules[module], name).__name__ == "SweepReport"


# ---- what may be called


def test_every_estimator_of_the_list_is_a_linear_regressor_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    from sklearn.datasets import make_regression

    for name in ESTIMATORS:
        if not hasattr(linear_model, name.rpartition(".")[2]):
            continue  # of another version
        rows, values = make_regression(60, 3, n_targets=2 if "MultiTask" in name else 1, random_state=0)
        with pytest.warns() if "PassiveAggressive" in name else _nothing():
            fitted = estimator_class(name)().fit(rows, values)
        assert fitted.coef_.shape[-1] == 3
        assert fitted.intercept_ is not None


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_every_dataset_has_one_loader_and_it_is_one_of_ours():
    loaders = [schema.LOADER for schema in SCHEMAS.values() if issubclass(schema, DatasetConfig)]
    assert len(set(loaders)) == len(loaders) == 5
    assert all(loader.startswith("mlrq.datasets.") and loader.endswith(".load") for loader in loaders)


# ---- the environment

SECRET = "s3cret-0f-the-environment"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("MLRQ_SECRET", SECRET)


def kept(done, folder) -> None:
    """Hold that the secret is neither in what was printed nor in any file."""
    assert SECRET not in done.out + done.err
    for path in folder.rglob("*"):
        assert SECRET not in str(path.relative_to(folder))
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.few(6)
@pytest.mark.parametrize("flags", [(), ("-m",)], ids=["run", "sweep"])
@pytest.mark.parametrize(
    "overrides",
    [
        ["model.name=${oc.env:MLRQ_SECRET}"],
        ["stage=${oc.env:MLRQ_SECRET}"],
        ["quantization.bits=${oc.env:MLRQ_SECRET}"],
        ["export.prefix=${oc.env:MLRQ_SECRET}"],
        ["+model.estimator.alpha=${oc.env:MLRQ_SECRET}"],
        ["+model.estimator.alpha=[1,{a:'${oc.env:MLRQ_SECRET}'}]"],
        ["model.name='${oc.decode:${oc.env:MLRQ_SECRET}}'"],
        ["model.name=x${export.prefix}", "export.prefix=${oc.env:MLRQ_SECRET}"],
        ["model.name=${artifact}", "artifact=${oc.env:MLRQ_SECRET}"],
        ["dataset=csv", "dataset.path=x.csv", "dataset.target=${oc.env:MLRQ_SECRET}"],
        ["dataset=${oc.env:MLRQ_SECRET}"],
        ["hydra.sweep.dir=${oc.env:MLRQ_SECRET}"],
        ["hydra.job.name=${oc.env:MLRQ_SECRET}"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_the_environment_reaches_nothing_that_is_written_or_printed(run, tmp_path, secret, overrides, flags):
    done = run(*flags, *overrides, "dataset=diabetes" if "dataset" not in str(overrides) else "samples=1")
    assert done.code in (1, 2)
    assert done.faults
    kept(done, tmp_path)


def test_the_variable_that_may_not_be_used_is_named_with_its_key():
    with pytest.raises(ConfigError) as caught:
        validation.check(composed("model.name=${oc.env:MLRQ_SECRET,none}", "report=${oc.env:HOME}"))
    assert caught.value.faults == [
        "report: takes HOME from the environment, which only names of files and addresses may",
        "model.name: takes MLRQ_SECRET from the environment, which only names of files and addresses may",
    ]


@pytest.mark.parametrize("flags", [("--cfg", "job", "--resolve"), ("--cfg", "job", "-p", "model.name")])
def test_a_resolved_configuration_shows_no_environment(run, tmp_path, secret, flags):
    refused(run(*flags, "model.name=${oc.env:MLRQ_SECRET}"))
    done = run(*flags[:2], "model.name=${oc.env:MLRQ_SECRET}")
    assert "${oc.env:MLRQ_SECRET}" in done.out
    kept(done, tmp_path)


def test_names_of_files_and_addresses_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("MLRQ_PLACE", "elsewhere")
    wanted = ("output_dir", "artifact", "model_path", "predict.input", "predict.output", "dataset.path",
              "dataset.test_path", "engine.address")  # fmt: skip
    checked = validation.check(
        composed("dataset=parquet", "dataset.target=y", "engine=dask", "stage=train",
                 *(f"{key}=${{oc.env:MLRQ_PLACE}}/{key}" for key in wanted))
    )  # fmt: skip
    for key in wanted:
        group, _, name = key.rpartition(".")
        assert getattr(getattr(checked, group) if group else checked, name) == f"elsewhere/{key}"


def test_an_escaped_interpolation_is_text_and_stays_text(secret):
    checked = validation.check(composed(r"model.name='\${oc.env:MLRQ_SECRET}'"))
    assert checked.model.name == "${oc.env:MLRQ_SECRET}"


def test_the_page_that_says_so_names_what_may_be_called():
    page = (PROJECT / "docs" / "configuration-security.md").read_text()
    for name in ESTIMATORS:
        assert f"`{name.rpartition('.')[2]}`" in page


@pytest.mark.parametrize("key", ["output_dir", "dataset.path", "predict.input"])
def test_a_variable_that_is_not_set_is_named(run, monkeypatch, key):
    monkeypatch.delenv("MLRQ_NOPE", raising=False)
    told = f"{key}: MLRQ_NOPE is not set in the environment: set it, or name the value"
    run("dataset=csv", "dataset.path=x.csv", "dataset.target=y", f"{key}=${{oc.env:MLRQ_NOPE}}").refused(
        told, code=2
    )


def test_what_a_configuration_calls_deprecated_is_not_printed(command):
    name = "model.name='${oc.deprecated:output_dir,\"\x1b[31m $OLD_KEY\"}'"
    done = command("dataset=synthetic", "dataset.rows=50", "save=false", name)
    assert "\x1b" not in done.err
    assert "Warning" not in done.err
    assert len(done.err.splitlines()) <= 1, done.err
