"""The engine between the two: a network's painting, refined by the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from ..core.frames import Frame
from ..core.images import Image, unit
from ..objective.styles import StyleSchedule
from ..settings import Settings
from ..temporal.warm_start import WarmStart
from .base import OnStep
from .gatys import OptimizingEngine
from .stylizer import FeedForwardStylizer


class HybridEngine(OptimizingEngine):
    """Optimizes frames, beginning with a network's painting where nothing can be warped."""

    stylizer: FeedForwardStylizer

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.stylizer = FeedForwardStylizer(self)

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimizer on a whole frame."""
        steps = settings.iterations * settings.passes * frames
        return FeedForwardStylizer.cost(settings, size, frames) + steps

    def reset(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        super().reset()
        self.stylizer.noise.reset()

    def weights(self) -> list[Tensor]:
        """The weights that the paintings depend on."""
        return [*self.stylizer.weights(), *super().weights()]

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        return super().state() | self.stylizer.noise.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue as after the frame at which ``state`` was taken."""
        super().restore(state)
        self.stylizer.noise.restore(state)

    def _first(self, frame: Frame, on_step: OnStep) -> tuple[Image, float]:
        start = self.tensor(self.stylizer.paint(frame))
        objective = self.objective(self.tensor(frame.rgb), self.regions(frame, self.size))
        steps = self.settings.iterations
        picture, self.convergence = self._optimize(objective, start, steps, on_step)
        return self.image(picture), self.convergence.loss

    def _warm_start(self, frame: Frame) -> WarmStart:
        warm = super()._warm_start(frame)
        start = unit(self.stylizer.paint(frame))
        start += warm.trust[..., None] * (warm.warped - start)
        return replace(warm, start=start)


ENGINE = HybridEngine
