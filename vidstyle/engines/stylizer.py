"""A network that learns a clip and a style together, then paints each frame in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import UsageError
from ..core.events import Learned
from ..core.frames import Frame
from ..core.images import Image, contact_sheet
from ..networks import transformer as models
from ..networks.transformer import ModelConfig, TransformerNet
from ..objective.styles import Weights
from ..settings import Settings
from ..temporal.noise import NoiseField
from .problem import StyleProblem
from .training import CROP_AREA, CROP_COST, painting, pairs, parts, train

SHOWN = 3
"""Frames on the contact sheet that is shown during training."""
PAINTING = 0.06
"""The cost of a painting, in optimizer steps on the same frame."""


class FeedForwardStylizer:
    """Paints frames with a model: that of the settings, or the one that ``learn`` makes."""

    def __init__(self, problem: StyleProblem) -> None:
        self.problem = problem
        self.model: TransformerNet | None = None
        self.noise = NoiseField(follows=problem.settings.flow != "none")
        self.shown: list[Frame] = []
        """Some frames of the training clip."""
        if problem.settings.model is not None:
            self.take(models.load(Path(problem.settings.model)))
        elif not problem.schedule.pictures or not problem.style_layers:
            raise UsageError("there is no style to learn: name a picture with --style")

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of an optimizer on a whole frame."""
        crop = CROP_COST * min(1.0, CROP_AREA / (size[0] * size[1]))
        return frames * PAINTING + (0 if settings.model else settings.training_steps * crop)

    def take(self, model: TransformerNet) -> None:
        """Paint with ``model`` from now on."""
        self.model = model.to(self.problem.device)

    def weights(self) -> list[Tensor]:
        """The weights of its model; none before it has one."""
        return [] if self.model is None else [*self.model.parameters()]

    def learn(
        self,
        frames: Iterable[Frame],
        progress: Callable[[Learned], None] = lambda event: None,
        blends: Sequence[Weights] = (),
    ) -> TransformerNet:
        """Fit a model to the ``frames`` of a clip; to the styles that they ask for, or to
        these ``blends``.

        Raises:
            UsageError: there are none.
            VidstyleError: the loss is not finite.
        """
        problem = self.problem
        seen = pairs(frames)
        if not seen:
            raise UsageError("no frame: nothing to learn from")
        if problem.settings.keep_colors != "none":
            problem.take_colors(np.concatenate([pair.frame.rgb for pair in seen]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(problem.settings.seed)
            model = TransformerNet(self._about())
        self.take(model)
        self.shown = [seen[len(seen) * i // SHOWN].frame for i in range(min(SHOWN, len(seen)))]

        def on_step(number: int, done: float, loss: float, terms: Mapping[str, float]) -> None:
            progress(Learned(number, done, loss, terms, self.sheet))

        train(problem, model, seen, on_step, blends)
        return model

    def paint(self, frame: Frame) -> Image:
        """The painting of a frame (H, W, 3), which follows the one before it in its shot."""
        return self._painted(frame, self.problem.tensor(self.noise.under(frame.rgb)))

    def sheet(self) -> Image:
        """Some frames of the training clip, and their paintings below."""
        painted = [self._painted(frame) for frame in self.shown]
        return contact_sheet([[frame.rgb for frame in self.shown], painted])

    def _painted(self, frame: Frame, offset: Tensor | None = None) -> Image:
        assert self.model is not None
        picture = self.problem.tensor(frame.rgb)
        with torch.no_grad():
            painted = painting(
                self.problem, self.model, picture, parts(self.problem, frame), offset
            )
        return self.problem.image(painted.clamp(0, 1))

    def _about(self) -> ModelConfig:
        problem = self.problem
        names = problem.schedule.names
        base = problem.schedule.at(0.0) or (1 / len(names),) * len(names)
        return ModelConfig(names, base, problem.size, asdict(problem.settings))
