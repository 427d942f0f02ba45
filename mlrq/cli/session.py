"""What the jobs of a sweep have in common: the data that was read, an engine, the float models trained.

A job asks here first, so a sweep reads each dataset once and fits each model once. One object is made for a
run or for a sweep, and passed down; what it opened is closed with it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrq.cli.progress import Engine, Progress
from mlrq.config.schema import Config
from mlrq.streaming.test_rows import opened

if TYPE_CHECKING:  # importing them takes a second, which `--help` need not wait
    from mlrq.pipeline.results import Trained
    from mlrq.streaming.protocol import Source

Notify = Callable[[str], None]
MOST_STREAMS = 4


@dataclass
class Known:
    """A source, and the float models that were made for it."""

    data: "Source"
    _trained: dict[str, "Trained"] = field(default_factory=dict)

    def trained(self, what: object, make: Callable[[], "Trained"]) -> "Trained":
        """What `make` returned when it was first asked for `what`, plain values."""
        key = repr(what)
        if key not in self._trained:
            self._trained[key] = make()
        return self._trained[key]


class Shared:
    """See the module; a context manager.

    Rows in memory are those of one dataset at a time. Streams hold none, but have test rows on a disk; the
    newest few are kept.

    Attributes:
        progress: Shows what is going on.
        sweep: Folder of the sweep whose jobs share this; None before the first.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.sweep: str | None = None
        self._known: dict[str, Known] = {}
        self._opened = ExitStack()
        self._shelves: dict[str, ExitStack] = {}
        self._engine: tuple[dict[str, Any], Engine] | None = None
        self._broken = False

    def __enter__(self) -> "Shared":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, by a launcher that runs jobs in parallel, it is None there."""
        return type(None), ()

    def known(self, config: Config, notify: Notify) -> Known:
        """The source that `config` names, read now or by an earlier job.

        Args:
            config: Its dataset and engine decide.
            notify: Told what is to be known about this source.

        Raises:
            MlrqError: If it cannot be read; nothing of it is kept, so the next job says so too.
        """
        from mlrq.config.instantiate import load_dataset
        from mlrq.datasets import Dataset
        from mlrq.pipeline import stages

        if self._broken:
            self._close()
        key = repr((asdict(config.dataset), asdict(config.engine)))
        if key not in self._known:
            # Before others come, not after: there may be no room for both.
            self._known = {name: one for name, one in self._known.items() if not _in_memory(one.data)}
            dataset = load_dataset(config.dataset)
            engine: Engine = map
            shelf = None
            if not isinstance(dataset, Dataset):
                engine = self._opened_engine(asdict(config.engine), notify)
                self._make_room()
                folder = Path(self.sweep or config.output_dir)
                shelf = self._shelf(key).enter_context(opened(folder)) if config.save else None
            elif config.engine.name in ("joblib", "dask"):
                notify(
                    f"engine={config.engine.name}: not used, for {dataset.name} is in memory; it is for "
                    "dataset=parquet and for a CSV file larger than dataset.stream_above"
                )
            wanted = config.dataset
            self._known[key] = Known(
                stages.source(dataset, wanted.test_size, wanted.seed, notify, self._watched(engine), shelf)
            )
        return self._known[key]

    def _opened_engine(self, wanted: dict[str, Any], notify: Notify) -> Engine:
        from mlrq.streaming import engines

        if self._engine is None or self._engine[0] != wanted:
            self._close()
            self._engine = wanted, self._opened.enter_context(engines.opened(**wanted, notify=notify))
        return self._engine[1]

    def _make_room(self) -> None:
        """Forget the oldest stream, and its test rows, where there are many."""
        if len(self._known) >= MOST_STREAMS:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._shelves.pop(oldest, ExitStack()).close()  # none with save=false

    def _shelf(self, key: str) -> ExitStack:
        return self._shelves.setdefault(key, ExitStack())

    def _watched(self, engine: Engine) -> Engine:
        """`engine`, shown; after it failed, lost or because of the data, the next job starts afresh."""

        def watched(work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
            try:
                yield from self.progress.watched(engine)(work, parts)
            except Exception:
                self._broken = True
                raise

        return watched

    def _close(self) -> None:
        """Close the engine, and forget the sources that would use it."""
        self._known.clear()
        self._engine, self._broken = None, False
        self._opened.close()
        while self._shelves:  # after the workers that write there
            self._shelves.popitem()[1].close()


def _in_memory(data: "Source") -> bool:
    from mlrq.streaming.protocol import Data

    return isinstance(data, Data)
