"""Clusters of Ray: several machines, or all processors of one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import UsageError, VidstyleError
from ..core.events import Listener, Notice
from ..core.folders import fetched
from ..engines import ClipEngine
from ..journal import Journal
from ..plan import PaintPlan
from ..plan.engine import HERE, REMOTE
from .cluster import Future, Head, Job, Worker, WorkOrder, encoded, share
from .compose import Summary
from .output import OutputWriter

TOKEN = Path("~/.ray/auth_token")
"""The file in which Ray keeps the secret that its later versions ask for."""
CLUSTER_TIMEOUT_S = 10.0
"""Seconds for a cluster to answer, and after which its size is asked for again."""
TRIES = 20
"""How often a job is begun again after its worker died. It goes on from what that has left."""


class RayCluster:
    """The workers of a Ray cluster. If one dies, another one goes on with its job."""

    def __init__(self, order: WorkOrder) -> None:
        import ray

        self.ray: Any = ray
        settings = order.plan.settings
        self.on_gpu = bool(self._has().get("GPU")) and settings.device in ("auto", "cuda")
        # A task that asks for more than any machine has would wait forever.
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        most = max(int(node.get("CPU", 1)) for node in alive)
        self.each = settings.gpu_share if self.on_gpu else max(1, min(settings.threads or 1, most))
        if self.on_gpu:
            footage = replace(order.plan.footage, settings=replace(settings, device="cuda"))
            order = replace(order, plan=replace(order.plan, footage=footage))
        self.asked = 0.0
        self.workers = 1
        self.order = ray.put(order)
        self.board: Any = ray.remote(Board).options(num_cpus=0).remote()
        # A key frame comes before all: the segments of its shot wait for it.
        needs = {"num_gpus" if self.on_gpu else "num_cpus": self.each}
        self.work = ray.remote(_work).options(
            **({"num_cpus": 0} | needs), max_retries=TRIES, retry_exceptions=False
        )
        self.pending: list[Future] = []

    @property
    def size(self) -> int:
        """See ``Cluster``. It changes as machines join and leave."""
        if time.monotonic() - self.asked > CLUSTER_TIMEOUT_S or not self.asked:
            has = self._has().get("GPU" if self.on_gpu else "CPU", 1)
            self.workers, self.asked = max(1, int(has / self.each)), time.monotonic()
        return self.workers

    def submit(self, job: Job, *given: Any, after: Sequence[Future] = ()) -> Future:
        """See ``Cluster``."""
        future: Future = self.work.remote(self.order, self.board, job, given, *after)
        self.pending.append(future)
        return future

    def take(self, seconds: float) -> dict[Future, Any]:
        """See ``Cluster``."""
        if not self.pending:
            return {}
        try:
            ready, _ = self.ray.wait(self.pending, num_returns=1, timeout=seconds)
            if ready:  # and whatever else is there
                ready, self.pending = self.ray.wait(
                    self.pending, num_returns=len(self.pending), timeout=0
                )
            return dict(zip(ready, self.ray.get(ready), strict=True))
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, (VidstyleError, MemoryError)):
                raise error.cause from error
            raise VidstyleError(f"a worker failed: {_line(error.cause)}") from error
        except (self.ray.exceptions.RayError, ConnectionError) as error:
            raise VidstyleError(f"the cluster failed: {_line(error)}") from error
        except SystemError as error:  # what a signal has raised, in Ray's wrapping
            raise error.__cause__ or error from None

    def told(self) -> list[tuple[int, int, float]]:
        """See ``Cluster``."""
        try:
            return [*self.ray.get(self.board.take.remote())]
        except (self.ray.exceptions.RayError, ConnectionError) as error:
            raise VidstyleError(f"the cluster failed: {_line(error)}") from error

    def _has(self) -> dict[str, float]:
        return dict(self.ray.cluster_resources())


class Board:
    """Holds how far the workers are: an actor of Ray's."""

    def __init__(self) -> None:
        self.notes: dict[int, tuple[int, int, float]] = {}

    def note(self, segment: int, painted: int, seconds: float) -> None:
        self.notes[segment] = segment, painted, seconds

    def take(self) -> list[tuple[int, int, float]]:
        notes, self.notes = [*self.notes.values()], {}
        return notes


@contextmanager
def connected(address: str, order: WorkOrder) -> Iterator[RayCluster]:
    """Connect to the workers at ``address``: ``local``, or ``ray://HOST:PORT``.

    Raises:
        UsageError: Ray is not installed, or nobody answers there.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing leaves the machine
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & {*os.environ} or TOKEN.expanduser().is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # read as Ray is imported
    try:
        import ray
    except ImportError as error:
        raise UsageError("--cluster needs Ray: pip install 'vidstyle[cluster]'") from error
    private = tempfile.mkdtemp(prefix="vs")  # short: it holds sockets, whose names are limited
    terminated = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what is told in one line
                if address == HERE:
                    options |= {"include_dashboard": False, "_temp_dir": private}
                    ray.init(address=HERE, _node_ip_address="127.0.0.1", **options)
                else:
                    _greet(address)
                    ray.init(address, **options)
        except Exception as error:
            raise UsageError(f"--cluster {address}: no cluster there: {_line(error)}") from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # Ray has put its own there
        yield RayCluster(order)
    finally:
        ray.shutdown()
        shutil.rmtree(private, ignore_errors=True)


def _greet(address: str) -> None:
    """Fail at once if nobody listens there. Ray would try for half a minute."""
    host, _, port = address.removeprefix(REMOTE).rpartition(":")
    socket.create_connection((host, int(port)), timeout=CLUSTER_TIMEOUT_S).close()


def _line(error: BaseException) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def paint_on_cluster(
    plan: PaintPlan,
    engine: ClipEngine,
    journal: Journal,
    writer: OutputWriter,
    summary: Summary,
    emit: Listener,
) -> None:
    """Have a cluster paint and encode the frames of a plan, and join what it has encoded."""
    assert plan.settings.cluster is not None
    journal.begin()
    share(plan.footage, journal.parts)
    order = WorkOrder.of(plan, engine, journal.parts)
    journal.counted = False  # from here on, workers may have painted something
    try:
        with connected(plan.settings.cluster, order) as cluster:
            for segment, report in Head(plan, cluster, emit).painting():
                for line in report.notes:
                    emit(Notice(line))
                with fetched(journal.parts, encoded(segment)) as part:
                    writer.join(part, segment.frames)
                journal.parts.remove(encoded(segment))
                summary.losses += report.losses
                summary.given += report.given
                summary.faces = max(summary.faces, report.faces)
    finally:
        with suppress(OSError, VidstyleError):
            journal.look_again()


_workers: dict[str, Worker] = {}
"""The worker in this process, by the name of its order."""


def _work(order: WorkOrder, board: Any, job: Job, given: Sequence[Any], *_after: Any) -> Any:
    """Do a job in one of Ray's processes."""
    if order.name not in _workers:
        _workers.clear()
        _workers[order.name] = Worker(order)
    return _workers[order.name].do(job, given, board.note.remote)
