"""Where chunks are painted: in this process, or by the workers of a cluster (``ray``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..engines import Engine
from ..engines.base import OnStep
from ..media import Frame
from .chunks import Chunk, Work, carry_on

Future = Any
"""A ``Chunk``, or what stands for one that is not there yet."""


class Executor(Protocol):
    """Paints chunks."""

    size: int
    """How many chunks are painted at the same time."""

    def submit(
        self,
        work: Work,
        on_step: OnStep,
        frames: Sequence[Frame],
        before: Future | None,
        *given: Future,
    ) -> Future:
        """Have ``work(engine, on_step, frames, before, *given)``, done with an engine
        that stands where ``before`` ended. What is given may be futures."""

    def done(self, futures: Mapping[str, Future], wait: bool) -> dict[str, Chunk]:
        """What is there of these; if there is to be a ``wait``, one at least."""


class LocalExecutor:
    """This process: it paints a chunk as it is submitted."""

    size = 1

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.last: Chunk | None = None
        """Where the engine stands."""

    def submit(
        self,
        work: Work,
        on_step: OnStep,
        frames: Sequence[Frame],
        before: Chunk | None,
        *given: Any,
    ) -> Chunk:
        if before is None or before is not self.last:
            carry_on(self.engine, before)
        self.last = work(self.engine, on_step, frames, before, *given)
        return self.last

    def done(self, futures: Mapping[str, Chunk], wait: bool) -> dict[str, Chunk]:
        return {**futures}
