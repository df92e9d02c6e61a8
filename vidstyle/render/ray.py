"""Chunks painted on more than one machine, or on all processors of one: by Ray's workers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core import devices
from ..core.errors import UsageError, VidstyleError
from ..core.events import Event, Notice
from ..core.version import __version__
from ..engines import ClipEngine
from ..engines.base import OnStep
from ..engines.recovery import RecoveringEngine
from ..media import Frame
from ..networks import transformer as models
from ..objective.styles import StyleSchedule
from ..plan.engine import HERE, REMOTE, engine_of
from ..settings import Settings
from .chunks import Chunk, Work, carry_on
from .executors import Future

TOKEN = Path("~/.ray/auth_token")
"""Where Ray keeps the secret that later versions of it ask for."""
PATIENCE = 10.0
"""Seconds for a cluster to answer."""
TRIES = 5
"""How often a chunk is begun again whose worker died."""


@dataclass(frozen=True, eq=False)
class EngineSpec:
    """All that a worker needs to paint as this process would."""

    settings: Settings
    schedule: StyleSchedule
    size: tuple[int, int]
    tile_pixels: int | None = None
    """How many pixels go through the network at once here."""
    model: bytes | None = None
    """What was learned from the clip."""
    version: str = __version__
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, engine: ClipEngine) -> EngineSpec:
        """The spec of an engine of this process, with its model if it has one."""
        learned = engine.stylizer.model if engine.stylizer is not None else None
        model = None if learned is None else models.dump(learned)
        settings = replace(engine.settings, model=None)
        return cls(settings, engine.schedule, engine.size, engine.tile_pixels, model)

    def engine(self) -> ClipEngine:
        """An engine made from it.

        Raises:
            UsageError: another version is installed here, or what the settings name is not here.
        """
        if self.version != __version__:
            raise UsageError(
                f"a worker of the cluster has vidstyle {__version__}, not {self.version}: "
                f"install the same everywhere"
            )
        engine = engine_of(self.settings, self.schedule, self.size, self.tile_pixels)
        if engine.stylizer is not None and self.model is not None:
            with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
                file.write(self.model)
                file.flush()
                engine.stylizer.take(models.load(Path(file.name)))
        return engine


class RayExecutor:
    """Ray's workers. What one of them paints as it dies, another one begins again."""

    def __init__(self, spec: EngineSpec) -> None:
        import ray

        self.ray: Any = ray
        has = self.ray.cluster_resources()
        on_gpu = bool(has.get("GPU")) and spec.settings.device in ("auto", "cuda")
        # A task that asks for more than any machine has would wait for ever.
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        most = max(int(node.get("CPU", 1)) for node in alive)
        cpus = max(1, min(spec.settings.threads or 1, most))
        self.size = max(1, int(has["GPU"]) if on_gpu else int(has.get("CPU", 1)) // cpus)
        settings = replace(spec.settings, device="cuda" if on_gpu else spec.settings.device)
        self.spec = ray.put(replace(spec, settings=settings))
        self.work = ray.remote(_work).options(
            num_cpus=0 if on_gpu else cpus, num_gpus=1 if on_gpu else 0, max_retries=TRIES
        )

    def submit(
        self,
        work: Work,
        on_step: OnStep,
        frames: Sequence[Frame],
        before: Future | None,
        *given: Future,
    ) -> Future:
        """See ``Executor``; of the steps of others nothing is heard."""
        return self.work.remote(self.spec, work, frames, before, *given)

    def done(self, futures: Mapping[str, Future], wait: bool) -> dict[str, Chunk]:
        """See ``Executor``.

        Raises:
            VidstyleError: a painting failed, or the cluster is gone.
        """
        if not futures:
            return {}
        names = {future: name for name, future in futures.items()}
        many, timeout = (1, None) if wait else (len(names), 0)
        try:
            ready, _ = self.ray.wait([*names], num_returns=many, timeout=timeout)
            return {names[future]: self.ray.get(future) for future in ready}
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, (VidstyleError, MemoryError)):
                raise error.cause from error
            raise VidstyleError(f"a worker failed: {_line(error.cause)}") from error
        except (self.ray.exceptions.RayError, ConnectionError) as error:
            raise VidstyleError(f"the cluster failed: {_line(error)}") from error
        except SystemError as error:  # what a signal has raised, in Ray's wrapping
            raise error.__cause__ or error from None


@contextmanager
def connected(address: str, engine: ClipEngine) -> Iterator[RayExecutor]:
    """The workers at ``address``: ``local``, or ``ray://HOST:PORT``.

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
        yield RayExecutor(EngineSpec.of(engine))
    finally:
        ray.shutdown()
        shutil.rmtree(private, ignore_errors=True)


def _greet(address: str) -> None:
    """Fail at once where nobody listens: Ray would try for half a minute."""
    host, _, port = address.removeprefix(REMOTE).rpartition(":")
    socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def _line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


_engines: dict[str, ClipEngine] = {}
"""The engine that this worker has, by the name of its spec."""


def _work(
    spec: EngineSpec, work: Work, frames: Sequence[Frame], before: Chunk | None, *given: Any
) -> Chunk:
    """What a worker does."""
    if spec.name not in _engines:
        _engines.clear()
        _engines[spec.name] = spec.engine()
    notes: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            notes.append(event.message)

    engine = RecoveringEngine(_engines[spec.name], emit)
    carry_on(engine, before)
    with devices.threads(spec.settings.threads):
        chunk = work(engine, lambda step: None, frames, before, *given)
    return replace(chunk, notes=tuple(notes))
