"""Composition and the one check at the door."""

from pathlib import Path

import pytest
from conftest import composed
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from mlrq.config import composition, schema, validation
from mlrq.errors import ConfigError

OPTIONS = sorted(
    f"{path.parent.name}={path.stem}"
    for group in schema.GROUPS
    for path in (composition.CONF / group).glob("*.yaml")
)
CSV = ("dataset=csv", "dataset.path=x.csv", "dataset.target=y")


def faults(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validation.check(composed(*overrides))
    return caught.value.faults


def test_every_group_has_the_options_that_the_program_promises():
    assert set(OPTIONS) >= {
        *(f"dataset={name}" for name in ("california_housing", "diabetes", "csv", "parquet", "synthetic")),
        *(f"model={name}" for name in ("linear_regression", "ridge", "lasso", "elastic_net")),
        *(f"model={name}" for name in ("huber", "sgd", "bayesian_ridge")),
        *(f"quantization=int{bits}" for bits in (16, 8, 6, 4, 3, 2)),
        *(f"quantization=reference_uint{bits}" for bits in (16, 8)),
        "predict=default",
    }


@pytest.mark.few(10)
@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_every_group_composes_and_passes_the_check(option):
    group, _, name = option.partition("=")
    required = (
        ["dataset.path=x.csv", "dataset.target=y"] if option in ("dataset=csv", "dataset=parquet") else []
    )
    checked = validation.check(composed(option, *required))
    chosen = getattr(checked, group)
    if group == "model":
        assert chosen.name == name
    if group == "quantization" and name.startswith("int"):
        assert chosen.bits == int(name.removeprefix("int"))
        assert chosen.scheme == "symmetric"
        assert chosen.refit_intercept is True


@pytest.mark.parametrize(
    "path", sorted((composition.CONF / "experiment").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_experiment_composes(path: Path):
    validation.check(composed(f"experiment={path.stem}"))


def test_the_default_is_the_main_job():
    checked = validation.check(composed())
    assert checked.stage == "all"
    assert checked.dataset._target_ == "mlrq.datasets.california_housing.load"
    assert (checked.dataset.test_size, checked.dataset.seed) == (0.2, 42)
    assert checked.model.name == "linear_regression"
    assert (checked.quantization.bits, checked.quantization.rounding) == (8, "exact")


@pytest.mark.few(2)
@pytest.mark.parametrize("bits", range(2, 17))
def test_two_to_sixteen_bits_are_allowed(bits):
    assert validation.check(composed(f"quantization.bits={bits}")).quantization.bits == bits


@pytest.mark.parametrize("bits", [-8, 0, 1, 17, 32])
def test_bits_outside_two_to_sixteen_are_refused(bits):
    (fault,) = faults(f"quantization.bits={bits}")
    assert fault == f"quantization.bits={bits}: must be from 2 to 16, or auto"


@pytest.mark.few(16)
@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["stage=fly"], "stage=fly: must be all, train, quantize, evaluate, predict, verify or export"),
        (["report=xml"], "report=xml: must be text or json"),
        (["samples=-1"], "samples=-1: must be 0 or more"),
        (["output_dir="], "output_dir=: must be a folder"),
        (["dataset.test_size=-0.1"], "dataset.test_size=-0.1: must be 0 or more and below 1"),
        (["dataset.test_size=1"], "dataset.test_size=1.0: must be 0 or more and below 1"),
        (["dataset.test_size=nan"], "dataset.test_size=nan: must be 0 or more and below 1 and finite"),
        (["dataset.seed=-1"], "dataset.seed=-1: must be from 0 to 4294967295"),
        (["dataset.source=web"], "dataset.source=web: must be embedded or sklearn"),
        (["quantization.scheme=odd"], "quantization.scheme=odd: must be symmetric, affine or offset"),
        (["quantization.bits=eight"], "quantization.bits=eight: must be from 2 to 16, or auto"),
        (["quantization.tolerance=-1"], "quantization.tolerance=-1.0: must be 0 or more"),
        (["quantization.grids=some"], "quantization.grids=some: must be any, or a list of"),
        (["quantization.grids=[per_tensor/odd]"], "quantization.grids=['per_tensor/odd']: must be any, or"),
        (["quantization.grids=any"], "quantization.grids: not with bits=8; use bits=auto"),
        (
            ["quantization.grids=[per_tensor/offset]", "quantization.bits=auto"],
            "quantization.grids=per_tensor/offset: scheme=offset: not with rounding=exact",
        ),
        (["quantization.granularity=x"], "quantization.granularity=x: must be per_tensor, per_channel or"),
        (["quantization.rounding=up"], "quantization.rounding=up: must be truncate, nearest, babai or exact"),
        (["quantization.intercept=int8"], "quantization.intercept=int8: must be auto, float32, float64 or"),
        (["predict.format=xml"], "predict.format=xml: must be auto, csv, jsonl or parquet"),
        (["predict.delimiter=ab"], "predict.delimiter=ab: must be one character"),
        (["predict.delimiter="], "predict.delimiter=: must be one character"),
        (["dataset=synthetic", "dataset.rows=0"], "dataset.rows=0: must be 1 or more"),
        (["dataset=synthetic", "dataset.features=0"], "dataset.features=0: must be 1 or more"),
        (["dataset=synthetic", "dataset.targets=0"], "dataset.targets=0: must be 1 or more"),
        (["dataset=synthetic", "dataset.noise=-1"], "dataset.noise=-1.0: must be 0 or more"),
        (["dataset=synthetic", "dataset.noise=inf"], "dataset.noise=inf: must be 0 or more and finite"),
        ([*CSV, "dataset.target=[]"], "dataset.target=[]: must be one or more columns, each once"),
        ([*CSV, "dataset.target=[y,y]"], "dataset.target=['y', 'y']: must be one or more columns, each once"),
        ([*CSV, "dataset.features=[]"], "dataset.features=[]: must be one or more columns, each once, or"),
        ([*CSV, "dataset.features=[a,y]"], "dataset.features=['y']: a target cannot be a feature"),
        ([*CSV, "dataset.delimiter='\"'"], "dataset.delimiter=\": must be one character"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_value_out_of_bounds_is_named_with_what_is_allowed(overrides, fault):
    found = faults(*overrides)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_faults_of_a_configuration_are_listed_at_once():
    found = faults(
        "stage=fly", "samples=-1", "dataset.test_size=2", "dataset.seed=-1", "dataset.source=web",
        "quantization.bits=17", "quantization.scheme=odd", "predict.format=xml", "+typo=1",
        "+quantization.bitz=3", "model.estimator._target_=os.system",
    )  # fmt: skip
    starts = [
        "stage=", "samples=", "dataset.test_size=", "dataset.seed=", "dataset.source=",
        "quantization.bits=", "quantization.scheme=", "predict.format=", "typo:",
        "quantization.bitz:", "model.estimator._target_=",
    ]  # fmt: skip
    for start in starts:
        assert len([fault for fault in found if fault.startswith(start)]) == 1, (start, found)
    assert len(found) == len(starts)


def test_a_key_smuggled_in_with_a_plus_is_refused_with_the_nearest_one():
    assert faults("+quantization.bitz=3") == [
        "quantization.bitz: no such key; did you mean quantization.bits?"
    ]
    assert faults("+smples=3") == ["smples: no such key; did you mean samples?"]
    (fault,) = faults("+dataset.zzz=3")
    assert fault == "dataset.zzz: no such key; dataset has _target_, seed, source, split, test_size"


@pytest.mark.parametrize("override", ["nosuch=1", "quantization.bitz=3", "dataset.rows=3"])
def test_an_unknown_key_does_not_compose(override):
    with pytest.raises(HydraException) as caught:
        composed(override)
    assert "Could not override" in str(caught.value)


@pytest.mark.parametrize("override", ["quantization.nodes=eight", "save=maybe", "dataset.seed=1.5"])
def test_a_value_of_the_wrong_type_does_not_compose(override):
    with pytest.raises(HydraException) as caught:
        composed(override)
    cause = str(caught.value.__cause__)
    assert "could not be converted" in cause or "is not a valid" in cause


def test_a_required_value_that_is_missing_is_named():
    assert faults("dataset=csv") == [
        "dataset.path: required; add dataset.path=VALUE",
        "dataset.target: required; add dataset.target=VALUE",
    ]


def test_one_target_or_several_become_a_list():
    assert validation.check(composed(*CSV)).dataset.target == ["y"]
    assert validation.check(composed(*CSV, "dataset.target=[y,z]")).dataset.target == ["y", "z"]
    assert validation.check(composed(*CSV, "dataset.features=a")).dataset.features == ["a"]
    assert validation.check(composed(*CSV)).dataset.features is None


@pytest.mark.parametrize(("typed", "meant"), [(r"\t", "\t"), (";", ";"), ("|", "|")])
def test_a_delimiter_is_one_character_or_the_letters_of_a_tab(typed, meant):
    assert validation.check(composed(*CSV, f"dataset.delimiter='{typed}'")).dataset.delimiter == meant
    assert validation.check(composed(f"predict.delimiter='{typed}'")).predict.delimiter == meant


def test_an_interpolation_is_resolved_wherever_it_stands():
    checked = validation.check(
        composed("model=ridge", "model.estimator.alpha=${dataset.test_size}", "samples=${quantization.bits}")
    )
    assert (checked.model.estimator["alpha"], checked.samples) == (0.2, 8)


def test_an_interpolation_of_nothing_is_a_fault():
    (fault,) = faults("artifact=${nowhere}")
    assert fault.startswith("artifact: ")
    assert "nowhere" in fault


def test_a_group_that_was_taken_away_is_a_fault():
    try:
        found = faults("~predict")
    except OmegaConfBaseException as error:
        pytest.fail(f"not a ConfigError: {error}")
    assert any(fault.startswith("predict") for fault in found)


def test_hydra_changes_no_folder_and_names_the_job():
    whole = composition.compose([])
    assert whole.hydra.job.name == "mlrq"
    assert whole.hydra.job.chdir is False
    # By one key, a second swept key would overwrite the first.
    assert "subdir: ${hydra.job.num}" in (composition.CONF / "config.yaml").read_text()
