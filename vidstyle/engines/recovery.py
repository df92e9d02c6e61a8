"""What is tried before a painting is given up: less memory, safer steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ..core.errors import NotFiniteError, VidstyleError, out_of_memory
from ..core.events import Listener, Noted, Step
from ..core.images import Image
from ..media import Frame
from . import Gatys

Progress = Callable[[Step], None]


class Rescued:
    """A painter that is helped on where it fails, and says so.

    Out of memory it works on smaller tiles, then in lower precision. A frame whose loss is not
    finite is painted from its source as a new shot, in small steps and in fp32.
    """

    def __init__(self, painter: Gatys, tell: Listener) -> None:
        self.painter, self.tell = painter, tell
        self.cut, self.expect, self.repeats = painter.cut, painter.expect, painter.repeats
        self.turn = painter.turn

    def state(self) -> Mapping[str, NDArray[Any]]:
        return self.painter.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.painter.restore(state)

    def paint(self, frame: Frame, progress: Progress) -> Image:
        try:
            return self._within_memory(partial(self.painter.paint, frame, progress))
        except NotFiniteError:
            self.tell(Noted(f"{_at(frame)}: the loss is not finite: painting it in smaller steps"))
            self.painter.cut()
            with self.painter.safer():
                return self._within_memory(partial(self.painter.paint, frame, progress))

    def again(self, frame: Frame, painted: Image, share: float, progress: Progress) -> Image:
        work = partial(self.painter.again, frame, painted, share, progress)
        try:
            return self._within_memory(work)
        except NotFiniteError:
            self.tell(Noted(f"{_at(frame)}: the loss is not finite: leaving it as it was"))
            return painted

    def _within_memory(self, work: Callable[[], Image]) -> Image:
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
            # Outside of the handler: what the error holds on to is free by now.
            done = self.painter.lighten()
            if done is None:
                raise VidstyleError("out of memory: use a smaller --size")
            self.tell(Noted(f"out of memory: going on {done}"))


def _at(frame: Frame) -> str:
    return f"the frame at {float(frame.time):.2f} s"
