"""The engine for long clips: a network learns the clip once, then paints each frame in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..core.frames import Frame
from ..core.images import Image
from ..objective.styles import StyleSchedule
from ..settings import Settings
from .base import OnStep
from .problem import StyleProblem
from .stylizer import FeedForwardStylizer


class FeedForwardEngine(StyleProblem):
    """Paints frames by a model: one function of the source, and of the ground that goes along with
    it, is as steady as those are."""

    has_loss = False
    patience = 3.0
    stylizer: FeedForwardStylizer

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.stylizer = FeedForwardStylizer(self)

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimizer on a whole frame."""
        return FeedForwardStylizer.cost(settings, size, frames)

    def reset(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        self.stylizer.noise.reset()

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """Nothing to do: the noise field estimates the motion itself, quickly."""

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Nothing to do: frames that are repainted stay the same."""

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint a frame (H, W, 3); it has no loss."""
        return self.stylizer.paint(frame), 0.0

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        on_step: OnStep = lambda step: None,
    ) -> tuple[Image, float]:
        """Return ``painted``: a second pass would paint the same."""
        return painted, 0.0

    def weights(self) -> list[Tensor]:
        """The weights that the paintings depend on."""
        learned = self.stylizer.weights()
        return learned if self.settings.model is not None else [*learned, *super().weights()]

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        return self.stylizer.noise.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue as after the frame at which ``state`` was taken."""
        self.stylizer.noise.restore(state)


ENGINE = FeedForwardEngine
