"""What learns a clip's style from its frames, and then paints each at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import UsageError
from ..core.events import Learned
from ..core.images import Image, contact_sheet
from ..media import Frame
from ..networks import transformer as models
from ..networks.transformer import About, Model
from ..objective.styles import Weights
from ..settings import Settings
from ..temporal.noise import Ground
from .problem import Easel
from .training import AREA, LESSON, painting, pairs, parts, train

SHOWN = 3
"""Frames of the clip that are shown while it is learned from."""
PAINTING = 0.06
"""What a painting costs, in steps of an optimiser on the same frame."""


class Apprentice:
    """Paints frames as an ``easel`` wants them, with a model: that of a file if the settings name
    one, or what it ``learn``s."""

    def __init__(self, easel: Easel) -> None:
        self.easel = easel
        self.model: Model | None = None
        self.ground = Ground(follows=easel.settings.flow != "none")
        self.shown: list[Frame] = []
        """Some frames of what was learned from."""
        if easel.settings.model is not None:
            self.take(models.load(Path(easel.settings.model)))
        elif not easel.looks.pictures or not easel.style_layers:
            raise UsageError("there is no style to learn: name a picture with --style")

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimiser on a whole frame."""
        lesson = LESSON * min(1.0, AREA / (size[0] * size[1]))
        return frames * PAINTING + (0 if settings.model else settings.training_steps * lesson)

    def take(self, model: Model) -> None:
        """Paint with ``model`` from now on."""
        self.model = model.to(self.easel.device)

    def learn(
        self,
        frames: Iterable[tuple[Frame, bool]],
        progress: Callable[[Learned], None] = lambda event: None,
        blends: Sequence[Weights] = (),
    ) -> Model:
        """Fit a model to the ``frames`` of a clip, each with whether it begins a shot; to the
        styles that they ask for, or to these ``blends``.

        Raises:
            UsageError: there are none.
            VidstyleError: the loss is not finite.
        """
        easel = self.easel
        seen = pairs(frames)
        if not seen:
            raise UsageError("no frame: nothing to learn from")
        if easel.settings.keep_colors != "none":
            easel.take_colors(np.concatenate([pair.frame.rgb for pair in seen]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(easel.settings.seed)
            model = Model(self._about())
        self.take(model)
        self.shown = [seen[len(seen) * i // SHOWN].frame for i in range(min(SHOWN, len(seen)))]

        def told(number: int, done: float, loss: float, terms: Mapping[str, float]) -> None:
            progress(Learned(number, done, loss, terms, self.sheet))

        train(easel, model, seen, told, blends)
        return model

    def paint(self, frame: Frame) -> Image:
        """A frame (H, W, 3) of the shot that the ground lies under, painted at once."""
        return self._painted(frame, self.easel.tensor(self.ground.under(frame.rgb)))

    def sheet(self) -> Image:
        """Some frames of what was learned from, and their paintings below."""
        painted = [self._painted(frame) for frame in self.shown]
        return contact_sheet([[frame.rgb for frame in self.shown], painted])

    def _painted(self, frame: Frame, offset: Tensor | None = None) -> Image:
        assert self.model is not None
        picture = self.easel.tensor(frame.rgb)
        with torch.no_grad():
            painted = painting(self.easel, self.model, picture, parts(self.easel, frame), offset)
        return self.easel.image(painted.clamp(0, 1))

    def _about(self) -> About:
        easel = self.easel
        names = easel.looks.names
        base = easel.looks.at(0.0) or (1 / len(names),) * len(names)
        return About(names, base, easel.size, asdict(easel.settings))
