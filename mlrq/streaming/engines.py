"""Engines: where the parts of a stream are worked on. They change the time, never the numbers.

Each is a map: a function, and the parts to call it with; the results come back in the parts' order. A worker
that dies costs its part a retry. Whoever merges the results does so in that order, so they are bitwise equal.
"""

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any

from mlrq.datasets.parts import Part
from mlrq.errors import MlrqError, not_installed

Work = Callable[[Part], Any]
Engine = Callable[[Work, Sequence[Part]], Iterator[Any]]

RETRIES = 3  # of one part, or in a row, after a worker's death
CONNECT = "10s"  # for a scheduler to answer
TICK = 1.0  # seconds without a result after which the scheduler is asked how its workers are


@contextmanager
def opened(
    name: str,
    workers: int | None = None,
    address: str | None = None,
    patience: float = 60.0,
    notify: Callable[[str], None] = lambda text: None,
) -> Iterator[Engine]:
    """The engine `name`, stopped with all that it started when the block ends.

    Args:
        name: "serial", "threads", "joblib" or "dask".
        workers: Number of threads or processes; None for one each core.
        address: Of a dask scheduler that runs already; None starts a cluster on this machine.
        patience: Seconds to wait for a worker where dask has none left.
        notify: Told when that wait begins.

    Raises:
        MlrqError: If it needs a package that is not installed, or the scheduler does not answer.
    """
    if name == "threads":
        yield partial(_threads, workers or _cores())
    elif name == "joblib":
        with _joblib(workers or _cores()) as engine:
            yield engine
    elif name == "dask":
        with _dask(workers or _cores(), address, patience, notify) as engine:
            yield engine
    else:
        yield map


def _cores() -> int:
    return os.cpu_count() or 1


def _threads(workers: int, work: Work, parts: Sequence[Part]) -> Iterator[Any]:
    """Threads of this process: NumPy and pyarrow let go of the interpreter where the time goes."""
    pool = ThreadPoolExecutor(workers)
    try:
        todo = iter(parts)
        results = deque(pool.submit(work, part) for part in islice(todo, 2 * workers))
        while results:
            yield results.popleft().result()
            results.extend(pool.submit(work, part) for part in islice(todo, 1))
    finally:  # also where a part failed: the others end, and none begins
        pool.shutdown(cancel_futures=True)


@contextmanager
def _joblib(workers: int) -> Iterator[Engine]:
    try:
        from joblib import Parallel, delayed
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import BrokenProcessPool
    except ImportError as error:
        raise MlrqError(f"engine=joblib needs joblib: {error}") from error

    def engine(work: Work, parts: Sequence[Part]) -> Iterator[Any]:
        done, deaths = 0, 0
        while done < len(parts):
            jobs = (delayed(work)(part) for part in parts[done:])
            try:
                for result in Parallel(workers, batch_size=1, return_as="generator")(jobs):
                    done, deaths = done + 1, 0
                    yield result
            except BrokenProcessPool as error:
                deaths += 1
                if deaths > RETRIES:
                    raise MlrqError(
                        f"worker processes died {deaths} times in a row near {parts[done].where} "
                        "(out of memory?): try fewer engine.workers"
                    ) from error

    try:
        yield engine
    finally:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextmanager
def _dask(
    workers: int, address: str | None, patience: float, notify: Callable[[str], None]
) -> Iterator[Engine]:
    try:
        from distributed import CancelledError, Client, KilledWorker, LocalCluster
        from distributed.comm.core import CommClosedError
        from distributed.deploy.spec import close_clusters
    except ModuleNotFoundError as error:
        raise MlrqError(not_installed("engine=dask", "distributed", "dask")) from error
    place = address or "the local cluster"
    # What they say over many lines of a lost connection, or of a start that was interrupted, is said in one.
    for logger in ("distributed", "distributed.client", "asyncio"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)

    def engine(work: Work, parts: Sequence[Part]) -> Iterator[Any]:
        if client.status in ("closing", "closed"):  # it gave up reconnecting since the last pass
            raise MlrqError(f"{place}: the scheduler is lost")
        try:
            futures = deque(client.map(work, parts, pure=False, retries=RETRIES))
            while futures:
                yield _result(futures.popleft(), client, place, patience, notify)
        except KilledWorker as error:
            raise MlrqError(f"{place}: workers died again and again (out of memory?)") from error
        except (CommClosedError, CancelledError) as error:
            raise MlrqError(f"{place}: the scheduler is lost: {type(error).__name__}") from error

    # At exit it closes whatever cluster is open, and complains of one whose start was interrupted.
    atexit.unregister(close_clusters)
    with ExitStack() as stack:
        try:
            if address is None:
                # Without a dashboard its server still listens: by default on port 8787 of every interface.
                cluster = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=50,
                )
                stack.enter_context(cluster)
            client = Client(cluster if address is None else address, timeout=CONNECT)  # type: ignore[no-untyped-call]
            stack.enter_context(client)
        except (OSError, TimeoutError, ValueError) as error:
            if address is None:
                why = f"{type(error).__name__} {error}".splitlines()[0]
                raise MlrqError(
                    f"engine=dask: {place} cannot start: {why}; engine=joblib needs none"
                ) from error
            raise MlrqError(f"engine.address={address}: no dask scheduler answers there") from error
        yield engine


def _result(future: Any, client: Any, place: str, patience: float, notify: Callable[[str], None]) -> Any:
    """What the future's work returned, or raised.

    Dask waits for ever for workers that do not come back, and does not know of a scheduler that hangs; so who
    waits longer than a tick asks.

    Raises:
        MlrqError: If there has been no worker for `patience` seconds, or the scheduler does not answer.
    """
    from distributed import wait

    deserted: float | None = None  # since when
    while True:
        try:
            wait([future], timeout=TICK)  # type: ignore[no-untyped-call]
            return future.result(timeout=patience)
        except TimeoutError:
            if future.status == "error":  # of the work itself
                raise
        try:
            left = client.sync(client.scheduler.ncores, callback_timeout=patience)
        except (OSError, TimeoutError) as error:
            raise MlrqError(f"{place}: the scheduler is lost: {type(error).__name__}") from error
        now = time.monotonic()
        if left:
            deserted = None
        elif deserted is None:
            deserted = now
            notify(f"{place}: no worker is left; waiting {patience:g} s for one (engine.patience)")
        elif now - deserted >= patience:
            raise MlrqError(f"{place}: no worker came for {patience:g} s (engine.patience): start one")
