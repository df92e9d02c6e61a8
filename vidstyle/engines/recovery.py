"""Recovery from failures of an engine: with less memory, or in smaller steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from ..core.errors import NotFiniteError, VidstyleError, out_of_memory
from ..core.events import Listener, Notice
from ..core.frames import Frame
from ..core.images import Image
from .protocol import ClipEngine, OnStep, Picture, State

Made = TypeVar("Made")


class RecoveringEngine:
    """An engine that recovers from failures of another one, with a notice for each.

    If memory runs out, it works on smaller tiles, then in lower precision. A frame whose loss is
    not finite is painted from its source as the first one of a shot, in small steps and in fp32,
    or kept as it was if it is being repainted. Everything else is left to the other engine.

    Args:
        engine: the other engine.
        emit: called with the notices.
    """

    def __init__(self, engine: ClipEngine, emit: Listener) -> None:
        self.engine, self.emit = engine, emit
        self.reset, self.anchor = engine.reset, engine.anchor
        self.prefetch_flow, self.is_duplicate = engine.prefetch_flow, engine.is_duplicate

    def state(self) -> State:
        return self.engine.state()

    def restore(self, state: State) -> None:
        self.engine.restore(state)

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Picture, float]]:
        work = partial(self.engine.paint_span, frames, on_step)
        try:
            return self._within_memory(work)
        except NotFiniteError:
            where = _at(frames[-1])
            self.emit(Notice(f"{where}: the loss is not finite: painting it in smaller steps"))
            self.engine.reset()
            with self.engine.conservative_steps():
                return self._within_memory(work)

    def repaint(
        self, frame: Frame, painted: Image, share: float, on_step: OnStep
    ) -> tuple[Image, float]:
        try:
            return self._within_memory(partial(self.engine.repaint, frame, painted, share, on_step))
        except NotFiniteError:
            self.emit(Notice(f"{_at(frame)}: the loss is not finite: leaving it as it was"))
            return painted, 0.0

    def _within_memory(self, work: Callable[[], Made]) -> Made:
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
            # Outside the handler, because the error keeps memory in use until the handler ends.
            done = self.engine.reduce_memory()
            if done is None:
                raise VidstyleError("out of memory: use a smaller --size")
            self.emit(Notice(f"out of memory: going on {done}"))


def _at(frame: Frame) -> str:
    return f"the frame at {float(frame.time):.2f} s"
