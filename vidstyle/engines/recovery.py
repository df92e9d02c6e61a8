"""What is tried before a painting is given up: less memory, safer steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ..core.errors import NotFiniteError, VidstyleError, out_of_memory
from ..core.events import Listener, Notice, Step
from ..core.images import Image
from ..media import Frame
from . import OptimizingEngine

Progress = Callable[[Step], None]


class RecoveringEngine:
    """A painter that is helped on where it fails, and says so.

    Out of memory it works on smaller tiles, then in lower precision. A frame whose loss is not
    finite is painted from its source as a new shot, in small steps and in fp32.
    """

    def __init__(self, engine: OptimizingEngine, emit: Listener) -> None:
        self.engine, self.emit = engine, emit
        self.reset, self.prefetch_flow, self.is_duplicate = (
            engine.reset,
            engine.prefetch_flow,
            engine.is_duplicate,
        )
        self.anchor = engine.anchor

    def state(self) -> Mapping[str, NDArray[Any]]:
        return self.engine.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.engine.restore(state)

    def paint(self, frame: Frame, progress: Progress) -> Image:
        try:
            return self._within_memory(partial(self.engine.paint, frame, progress))
        except NotFiniteError:
            self.emit(Notice(f"{_at(frame)}: the loss is not finite: painting it in smaller steps"))
            self.engine.reset()
            with self.engine.conservative_steps():
                return self._within_memory(partial(self.engine.paint, frame, progress))

    def repaint(self, frame: Frame, painted: Image, share: float, progress: Progress) -> Image:
        work = partial(self.engine.repaint, frame, painted, share, progress)
        try:
            return self._within_memory(work)
        except NotFiniteError:
            self.emit(Notice(f"{_at(frame)}: the loss is not finite: leaving it as it was"))
            return painted

    def _within_memory(self, work: Callable[[], Image]) -> Image:
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
            # Outside of the handler: what the error holds on to is free by now.
            done = self.engine.reduce_memory()
            if done is None:
                raise VidstyleError("out of memory: use a smaller --size")
            self.emit(Notice(f"out of memory: going on {done}"))


def _at(frame: Frame) -> str:
    return f"the frame at {float(frame.time):.2f} s"
