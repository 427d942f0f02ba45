"""What the jobs of a sweep have in common: the data that was read, an engine, the float models trained.

A job asks here first, so a sweep reads each dataset once and fits each model once. One object is made for a
run or for a sweep, and passed down; what it opened is closed with it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrq.cli import signals
from mlrq.cli.progress import Engine, Progress
from mlrq.config.schema import Config

if TYPE_CHECKING:  # importing them takes a second, which `--help` need not wait
    from mlrq.datasets.encoding import Encoding
    from mlrq.datasets.parts import Stream
    from mlrq.pipeline.results import Trained
    from mlrq.streaming.train_test import TrainTest

Notify = Callable[[str], None]
MOST_STREAMS = 4  # whose test rows are kept on the disk


@dataclass(eq=False)
class Known:
    """A dataset that was read, the float models that were made for it, and what goes with it."""

    data: "TrainTest"
    opened: ExitStack
    _trained: dict[str, "Trained"] = field(default_factory=dict)

    def trained(self, what: object, make: Callable[[], "Trained"]) -> "Trained":
        """What `make` returned when it was first asked for `what`, plain values."""
        key = repr(what)
        if key not in self._trained:
            self._trained[key] = make()
        return self._trained[key]


class Session:
    """See the module; a context manager.

    Rows in memory are those of one dataset at a time. Those that are not have test rows on a disk; the newest
    few are kept.

    Attributes:
        progress: Shows what is going on.
        sweep: Folder of the sweep whose jobs share this; None before the first.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.sweep: str | None = None
        self._known: dict[str, Known] = {}
        self._opened = ExitStack()
        self._engine: tuple[dict[str, Any], Engine] | None = None
        self._broken = False

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, by a launcher that runs jobs in parallel, it is None there."""
        return type(None), ()

    def known(
        self, config: Config, notify: Notify, calibrate: bool, encoding: "Encoding | None" = None
    ) -> Known:
        """The dataset that `config` names, read now or by an earlier job.

        Args:
            config: Its dataset and engine decide.
            notify: Told what is to be known about this dataset.
            calibrate: Whether rows are set aside for an interval.
            encoding: How columns became the features of a model; None to learn it from this dataset.

        Raises:
            MlrqError: If it cannot be read; nothing of it is kept, so the next job says so too.
        """
        if self._broken:
            self._close()
        key = repr((asdict(config.dataset), asdict(config.engine), calibrate, encoding))
        if key not in self._known:
            # Before others come, not after: there may be no room for both.
            self._forget(lambda one: one.data.in_memory)
            with self.progress.activity("Reading the dataset"):
                self._known[key] = self._read(config, self.progress.aside(notify), calibrate, encoding)
        return self._known[key]

    def _read(self, config: Config, notify: Notify, calibrate: bool, encoding: "Encoding | None") -> Known:
        from mlrq.config.instantiate import load_dataset, split_of
        from mlrq.streaming import test_row_cache
        from mlrq.streaming.train_test import TrainTest

        stream, split = load_dataset(config.dataset, encoding, calibrate), split_of(config.dataset, calibrate)
        engine = self._engine_for(stream, asdict(config.engine), notify)
        with ExitStack() as stack:
            cache = None
            if not stream.in_memory and config.save:
                if len(self._known) >= MOST_STREAMS:
                    oldest = next(iter(self._known.values()))
                    self._forget(lambda one: one is oldest)
                folder = Path(self.sweep or config.output_dir)
                cache = stack.enter_context(test_row_cache.opened(folder))
            data = TrainTest(stream, split, self._watched(engine), notify, cache)
            return Known(data, stack.pop_all())

    def _engine_for(self, stream: "Stream", wanted: dict[str, Any], notify: Notify) -> Engine:
        """The engine that is asked for, or threads for rows in memory, which other processes do not have."""
        from mlrq.streaming import engines

        if stream.in_memory and wanted["name"] in ("joblib", "dask"):
            notify(
                f"engine={wanted['name']}: not used, for {stream.name} is in memory; it is for tables larger "
                "than dataset.stream_above"
            )
            wanted = {**wanted, "name": "threads", "address": None}
        if self._engine is None or self._engine[0] != wanted:
            self._close()
            with signals.put_off():
                self._engine = wanted, self._opened.enter_context(engines.opened(**wanted, notify=notify))
        return self._engine[1]

    def _watched(self, engine: Engine) -> Engine:
        """`engine`, shown; after it failed, lost or because of the data, the next job starts afresh."""

        def watched(work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
            try:
                yield from self.progress.watched(engine)(work, parts)
            except Exception:
                self._broken = True
                raise

        return watched

    def _forget(self, which: Callable[[Known], bool]) -> None:
        for key, one in list(self._known.items()):
            if which(one):
                del self._known[key]
                one.opened.close()

    def _close(self) -> None:
        """Close the engine, and then forget the datasets whose passes it ran."""
        self._engine, self._broken = None, False
        with signals.put_off():
            self._opened.close()
        self._forget(lambda one: True)
