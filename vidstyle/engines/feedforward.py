"""The painter for long clips: a model learns the clip once, and then paints each frame at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..core.images import Image
from ..media import Frame
from ..objective.styles import StyleSchedule
from ..settings import Settings
from .problem import Progress, StyleProblem
from .stylizer import FeedForwardStylizer


class FeedForwardEngine(StyleProblem):
    """Paints frames by a model: one function of the source, and of the ground that goes along with
    it, is as steady as those are."""

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.stylizer = FeedForwardStylizer(self)

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimiser on a whole frame."""
        return FeedForwardStylizer.cost(settings, size, frames)

    def reset(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        self.stylizer.noise.reset()

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """How it moves is looked at when it is painted: that is quick."""

    def anchor(self, frame: Frame, painted: Image) -> None:
        """The next frames are painted ``repaint``, which changes nothing."""

    def paint(self, frame: Frame, progress: Progress = lambda step: None) -> Image:
        """Paint a frame (H, W, 3)."""
        return self.stylizer.paint(frame)

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        progress: Progress = lambda step: None,
    ) -> Image:
        """A frame that is painted once more is painted the same."""
        return painted

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        return self.stylizer.noise.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on as after the frame that ``state`` was taken at."""
        self.stylizer.noise.restore(state)
