"""The jobs of a sweep: Hydra launches them, and tells a callback when they begin and when all have ended."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from mlrq.cli import run
from mlrq.cli.exits import FAILURE, explained, fail, interrupted, notice
from mlrq.cli.session import Session
from mlrq.config import composition, schema, validation
from mlrq.errors import MlrqError

NEEDS_ARTIFACT = ("quantize", "evaluate", "verify", "predict", "export")  # unless stage=all makes it


def by_hydra(session: Session) -> None:
    """Let Hydra do what `sys.argv` asks for, which was checked: a sweep, or showing the configuration."""

    def task(composed: DictConfig) -> None:
        """What Hydra calls with every configuration, in whatever process its launcher chose."""
        # In another process `session` is None, and a job has all to itself.
        with nullcontext(session) if session is not None else Session() as own:
            own.sweep = HydraConfig.get().sweep.dir
            with explained(sweep=own.sweep):
                _job(composed, own)

    schema.register()
    try:
        hydra.main(version_base="1.3", config_path=str(composition.CONF), config_name="config")(task)()
    except KeyboardInterrupt:  # between two jobs
        interrupted(session.sweep)


def _job(composed: DictConfig, session: Session) -> None:
    """One job of a sweep: its outcome goes to a file, whether it succeeds or fails."""
    from mlrq.cli import resume, sweep

    job = HydraConfig.get()
    folder, sweep_folder = Path(job.runtime.output_dir), Path(job.sweep.dir)

    def work(outcome: dict[str, Any]) -> str:
        checked = validation.check(composed)
        if checked.stage in NEEDS_ARTIFACT and not (checked.artifact or checked.model_path):
            raise MlrqError(
                f"stage={checked.stage} finds nothing in a job's own folder: "
                "sweep stage=all, or name artifact=FILE"
            )
        if checked.stage == "predict":
            run.predict(checked, folder, notice)
            return ""
        if checked.stage == "export":
            run.export(checked, folder)
            return ""
        if checked.stage == "verify":
            word, why, *_ = run.verify(checked, folder, session, notice).splitlines()
            if word != "PROVEN":
                raise MlrqError(f"{word}: {why}")
            return ""
        outcome["origin"] = origin = resume.origin(checked)

        def data() -> str:
            return session.known(checked, notice, checked.quantization.interval is not None).data.sha256

        earlier, remark = resume.take(sweep_folder, folder, origin, data, checked.save)
        if earlier is not None:
            outcome |= earlier
            return remark
        results = run.run(checked, folder, session, sweep_folder / "cache", notice)
        for text in results.notices + (results.quantized.guard.notices if results.quantized else []):
            notice(f"job {job.job.num}: {text}")
        labels = {"model": checked.model.name, "dataset": results.data.name}
        if results.evaluated:
            outcome |= sweep.facts(results.evaluated, {**labels, "seconds": results.seconds.get("quantize")})
        origin["data"] = results.data.sha256
        return remark

    # The experiment is the same for all jobs; what it sweeps over is listed anyway.
    hidden = ("experiment=", "resume=")
    overrides = [item for item in _typed(job.overrides.task) if not item.startswith(hidden)]
    name = " ".join(resume.varying(sweep_folder, overrides) or overrides)
    sweep.run_job(folder, job.job.num, (name, overrides), work, trace=bool(job.verbose))


def _typed(overrides: Any) -> list[str]:
    """Overrides as they were typed: what they interpolate, maybe the environment, is not written down."""
    found: Any = OmegaConf.to_container(overrides, resolve=False)
    return list(found)


class SweepReport(Callback):
    """Hydra tells it when a sweep begins and ends."""

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Note what is asked for; keep what an earlier sweep left in the same folder only to resume it."""
        from mlrq.cli import resume, sweep

        with explained():
            given = config.hydra.overrides
            typed = [*_typed(given.hydra), *_typed(given.task)]
            if any(item.startswith("output_dir=") and "," in item for item in typed):
                raise MlrqError("output_dir cannot be swept: each job has a folder of its own in it already")
            folder = Path(config.hydra.sweep.dir)
            if config.resume:
                resume.set_aside(folder)
            else:
                sweep.forget(folder)
            resume.record(folder, typed)

    def on_multirun_end(self, config: DictConfig, **_: object) -> None:
        """Print and save the table of all jobs; leave with exit code 1 if one failed."""
        from mlrq.cli import sweep

        with explained():
            failures = sweep.finish(Path(config.hydra.sweep.dir), notice)
            if failures:
                fail(FAILURE, *failures)
