"""What jobs share: each dataset is read once, each model fitted once, and nothing piles up or goes stale."""

import weakref
from contextlib import ExitStack, contextmanager
from functools import wraps

import pytest
from conftest import composed
from support.streams import CLI, written

from mlrq.cli import session
from mlrq.cli.session import Known, Session
from mlrq.config import validation
from mlrq.datasets import synthetic
from mlrq.errors import MlrqError
from mlrq.streaming import engines, reductions, test_row_cache
from mlrq.streaming.train_test import TrainTest

pytest.importorskip("pyarrow")
BITS = ("2", "4", "16")
NAMES = ("float.json", "quantized.json", "evaluation.json", "SHA256SUMS")


def checked(*overrides):
    return validation.check(composed(*overrides))


@pytest.fixture
def opened(monkeypatch):
    """The engines that were opened and closed, in order."""
    events = []
    real = engines.opened

    @contextmanager
    def watched(**wanted):
        with real(**wanted) as engine:
            events.append(f"open {wanted['name']}")
            yield engine
        events.append(f"close {wanted['name']}")

    monkeypatch.setattr(engines, "opened", watched)
    return events


@pytest.mark.slow
def test_a_sweep_reads_once_what_single_runs_read_each_and_writes_their_bytes(run, tmp_path, scans, opened):
    stream = written(tmp_path / "t")
    once = [part.start for part in stream.parts]
    assert run("-m", *CLI, f"quantization.bits={','.join(BITS)}", "hydra.sweep.dir=s").code == 0
    assert sorted(scans) == once
    assert opened == ["open threads", "close threads"]
    for number, bits in enumerate(BITS):
        assert run(*CLI, f"quantization.bits={bits}").code == 0
        for name in NAMES:
            alone = (tmp_path / "outputs" / name).read_bytes()
            assert (tmp_path / "s" / str(number) / name).read_bytes() == alone, (bits, name)
    assert sorted(scans) == sorted(once * 4)


@pytest.mark.slow
def test_streams_that_take_turns_are_read_once_each(run, tmp_path, scans):
    parts = len(written(tmp_path / "t").parts)
    assert run("-m", *CLI, "quantization.bits=4,8", "dataset.seed=1,2").code == 0
    assert len(scans) == 2 * parts


@pytest.mark.parametrize("save", ["true", "false"])
@pytest.mark.slow
def test_more_streams_than_are_kept_do_not_pile_up(run, tmp_path, monkeypatch, save):
    written(tmp_path / "t")
    seeds = ",".join(map(str, range(session.MOST_STREAMS + 2)))
    kept = []
    score = TrainTest.score

    def looked(self, models):
        kept.append(len(list(tmp_path.rglob(f"{test_row_cache.PREFIX}*"))))
        return score(self, models)

    monkeypatch.setattr(TrainTest, "score", looked)
    assert run("-m", *CLI, f"dataset.seed={seeds}", f"save={save}").code == 0
    assert max(kept) == (session.MOST_STREAMS if save == "true" else 0)
    assert not list(tmp_path.rglob(f"{test_row_cache.PREFIX}*"))


def test_another_dataset_or_engine_is_read_anew_and_engines_end(tmp_path, scans, opened, monkeypatch):
    parts = len(written(tmp_path / "t").parts)
    monkeypatch.chdir(tmp_path)
    with Session() as session_:
        one = session_.known(checked(*CLI), print, False)
        assert session_.known(checked(*CLI, "model=ridge", "quantization=int4"), print, False) is one
        other = session_.known(checked(*CLI, "dataset.seed=1"), print, False)
        assert other is not one
        assert (len(scans), opened) == (2 * parts, ["open threads"])
        session_.known(checked(*CLI, "engine=joblib", "engine.workers=1"), print, False)
        assert opened == ["open threads", "close threads", "open joblib"]
    assert opened[3:] == ["close joblib"]


def test_rows_in_memory_are_those_of_one_dataset(monkeypatch):
    loaded, held = [], []
    load = synthetic.load

    @wraps(load)
    def counted(*given, **named):
        assert [one() for one in held] == [None] * len(held)  # gone before the next comes
        loaded.append(1)
        return load(*given, **named)

    monkeypatch.setattr(synthetic, "load", counted)
    with Session() as session_:
        for seed, times in ((1, 1), (1, 1), (2, 2), (1, 3)):
            known = session_.known(checked("dataset=synthetic", f"dataset.seed={seed}"), print, False)
            held = [weakref.ref(known.data)]
            del known
            assert len(loaded) == times


@pytest.mark.slow
def test_an_engine_that_is_not_used_is_said_once(run):
    done = run("-m", "engine=joblib", "quantization.bits=4,8")
    assert done.err.count("engine=joblib: not used") == 1


@pytest.mark.slow
def test_what_cannot_be_read_fails_in_every_job(run, tmp_path):
    done = run("-m", *CLI, "quantization.bits=4,8")
    assert done.code == 1
    assert [fault.partition(" failed: ")[2] for fault in done.faults] == ["t: no such file or folder"] * 2


def test_after_a_pass_that_failed_the_next_job_starts_afresh(tmp_path, scans, opened, monkeypatch):
    parts = len(written(tmp_path / "t").parts)
    monkeypatch.chdir(tmp_path)

    def lost(reader, models, test, part):
        raise MlrqError("the scheduler is lost")

    with Session() as session_:
        source = session_.known(checked(*CLI), print, False).data
        with monkeypatch.context() as broken:
            broken.setattr(reductions, "errors", lost)
            with pytest.raises(MlrqError, match="lost"):
                source.score(())
        assert session_.known(checked(*CLI), print, False).data is not source
        assert len(scans) == 2 * parts
        assert opened == ["open threads", "close threads", "open threads"]


def test_a_float_model_is_made_once_and_asked_for_by_value(data):
    known, made = Known(data, ExitStack()), []
    for what in ({"a": 1}, {"a": 1}, {"a": 2}, "path"):
        known.trained(what, lambda: made.append(1))
    assert len(made) == 3
