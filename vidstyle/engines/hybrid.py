"""The painter between the two: what a model paints at once, gone over by the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.images import Image
from ..media import Frame
from ..objective.styles import StyleSchedule
from ..settings import Settings
from ..temporal.warm_start import WarmStart
from .optimize import OptimizingEngine
from .problem import Progress
from .stylizer import FeedForwardStylizer


class HybridEngine(OptimizingEngine):
    """Optimises frames, but begins with the picture of a network where nothing carries over."""

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.stylizer = FeedForwardStylizer(self)

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimiser on a whole frame."""
        steps = settings.iterations * settings.passes * frames
        return FeedForwardStylizer.cost(settings, size, frames) + steps

    def reset(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        super().reset()
        self.stylizer.noise.reset()

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        return super().state() | self.stylizer.noise.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on as after the frame that ``state`` was taken at."""
        super().restore(state)
        self.stylizer.noise.restore(state)

    def _first(self, frame: Frame, progress: Progress) -> Image:
        start = self.tensor(self.stylizer.paint(frame))
        objective = self.objective(self.tensor(frame.rgb), self.regions(frame, self.size))
        steps = self.settings.iterations
        picture, self.convergence = self._optimise(objective, start, steps, progress)
        return self.image(picture)

    def _warm_start(self, frame: Frame) -> WarmStart:
        warm = super()._warm_start(frame)
        start = self.stylizer.paint(frame).astype(np.float32) / 255
        start += warm.trust[..., None] * (warm.warped - start)
        return replace(warm, start=start)
