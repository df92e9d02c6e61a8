"""The painter between the two: what a model paints at once, gone over by the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.images import Image
from ..media import Frame
from ..objective.styles import Looks
from ..settings import Settings
from ..temporal.warm_start import Carried
from .optimize import Gatys
from .problem import Progress
from .stylizer import Apprentice


class Hybrid(Gatys):
    """Paints as ``Gatys``, but begins with the picture of a model where nothing carries over."""

    def __init__(self, settings: Settings, looks: Looks, size: tuple[int, int]) -> None:
        super().__init__(settings, looks, size)
        self.apprentice = Apprentice(self)

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimiser on a whole frame."""
        steps = settings.iterations * settings.passes * frames
        return Apprentice.cost(settings, size, frames) + steps

    def cut(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        super().cut()
        self.apprentice.ground.cut()

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        return super().state() | self.apprentice.ground.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on as after the frame that ``state`` was taken at."""
        super().restore(state)
        self.apprentice.ground.restore(state)

    def _first(self, frame: Frame, progress: Progress) -> Image:
        start = self.tensor(self.apprentice.paint(frame))
        objective = self.objective(self.tensor(frame.rgb), self.regions(frame, self.size))
        steps = self.settings.iterations
        picture, self.ending = self._optimise(objective, start, steps, progress)
        return self.image(picture)

    def _carried(self, frame: Frame) -> Carried:
        carried = super()._carried(frame)
        start = self.apprentice.paint(frame).astype(np.float32) / 255
        start += carried.trust[..., None] * (carried.warped - start)
        return replace(carried, start=start)
