"""The engine for long clips: a network learns the clip once, then paints each frame in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import UsageError
from ..core.events import Learned
from ..core.frames import Frame
from ..core.images import Image, contact_sheet
from ..networks import transformer as models
from ..networks.transformer import ModelConfig, TransformerNet
from ..objective.styles import StyleSchedule, Weights
from ..settings import Settings
from ..temporal.noise import NoiseField
from .base import BaseEngine
from .protocol import OnStep
from .training import CROP_AREA, CROP_COST, looks, painting, pairs, train

SHOWN = 3
"""Frames on the contact sheet that is shown during training."""
PAINTING_COST = 0.06
"""The cost of a painting, in optimizer steps on the same frame."""


class FeedForwardEngine(BaseEngine):
    """Paints frames with a network: that of the settings, or one that ``learn`` trains.

    A painting is a function of its source and of noise that moves with the scene, so it is as
    steady as these are.

    Raises:
        UsageError: the settings name no model, and there is no style to train one for.
    """

    options_of: ClassVar[tuple[str, ...]] = ("feedforward",)
    has_loss = False
    patience = 3.0

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.model: TransformerNet | None = None
        self.noise = NoiseField(follows=settings.flow != "none")
        self.shown: list[Frame] = []
        """Some frames of the clip that it has learned."""
        if settings.model is not None:
            self.take(models.load(Path(settings.model)))
        elif not schedule.pictures or not self.style_layers:
            raise UsageError("there is no style to learn: name a picture with --style")

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """Return what so many ``frames`` cost at most, in optimizer steps on a whole frame."""
        crop = CROP_COST * min(1.0, CROP_AREA / (size[0] * size[1]))
        return frames * PAINTING_COST + (0 if settings.model else settings.training_steps * crop)

    def take(self, model: TransformerNet) -> None:
        """Paint with ``model`` from now on."""
        self.model = model.to(self.device)

    def learn(
        self,
        frames: Iterable[Frame],
        progress: Callable[[Learned], None] = lambda event: None,
        blends: Sequence[Weights] = (),
    ) -> TransformerNet:
        """Train a model on the frames of a clip, and paint with it from now on.

        Args:
            frames: of the clip, in order.
            progress: told of each step.
            blends: the blends of styles that it learns. Empty means those that the frames ask for.

        Raises:
            UsageError: there are no frames.
            VidstyleError: the loss is not finite.
        """
        seen = pairs(frames)
        if not seen:
            raise UsageError("no frame: nothing to learn from")
        if self.settings.keep_colors != "none":
            self.take_colors(np.concatenate([pair.frame.rgb for pair in seen]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            model = TransformerNet(self._config())
        self.take(model)
        self.shown = [seen[len(seen) * i // SHOWN].frame for i in range(min(SHOWN, len(seen)))]

        def on_step(number: int, done: float, loss: float, terms: Mapping[str, float]) -> None:
            progress(Learned(number, done, loss, terms, self.sheet))

        train(self, model, seen, on_step, blends)
        return model

    def sheet(self) -> Image:
        """Return some frames of the clip that it has learned, and their paintings below."""
        painted = [self._painted(frame) for frame in self.shown]
        return contact_sheet([[frame.rgb for frame in self.shown], painted])

    def reset(self) -> None:
        """Begin a shot: nothing carries over from the frames before."""
        self.noise.reset()

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint the next frame; return the painting (H, W, 3), which has no loss."""
        return self._painted(frame, self.tensor(self.noise.under(frame.rgb))), 0.0

    def weights(self) -> list[Tensor]:
        """Return the weights that the paintings depend on."""
        learned: list[Tensor] = [] if self.model is None else [*self.model.parameters()]
        return learned if self.settings.model is not None else [*learned, *super().weights()]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that the next frame depends on."""
        return self.noise.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on as after the frame at which ``state`` was taken."""
        self.noise.restore(state)

    def _painted(self, frame: Frame, offset: Tensor | None = None) -> Image:
        assert self.model is not None
        picture = self.tensor(frame.rgb)
        with torch.no_grad():
            painted = painting(self, self.model, picture, looks(self, frame), offset)
        return self.image(painted.clamp(0, 1))

    def _config(self) -> ModelConfig:
        names = self.schedule.names
        base = self.schedule.at(0.0) or (1 / len(names),) * len(names)
        return ModelConfig(names, base, self.size, asdict(self.settings))
