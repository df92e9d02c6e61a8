"""The painter of Gatys et al. (2016): each frame is optimised until it looks like the style.

The first frame of a shot is painted from coarse to fine. Every later one begins from what
carries over of the one before (``carry``), and only what changed is painted: each region by
itself, in a window with its surroundings, with its own content and style terms. A term over
the whole frame would not see it: its Gram matrix is already satisfied by the still part, which
leaves whatever moves unpainted (the reason for most artefacts of painted video).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import devices, flow, losses, networks
from ..carry import NOISE, Carried, Memory, carry
from ..colors import matched
from ..errors import VidstyleError
from ..optimizers import BoxAdam, BoxLBFGS
from ..pictures import Field, Image, at_area, difference, resized
from ..regions import Window, windows
from ..settings import Settings, weighted

Grams = Mapping[str, Tensor]
Progress = Callable[[float, float], None]
"""Told after each step: the share of the frame that is done, and the loss."""

COARSEST = 160
"""Longer side, in pixels, below which the first frame is not made coarser."""
KEPT_LOOK = 0.8
"""How far a window's style is what it was before, not the style image's: none may stick out."""
FOCUS = 8.0
"""How much more the content counts in a small window than in a whole frame: a figure of a few
strokes is lost among them."""
PATIENCE = 5
"""Steps over which a frame must still get better."""
RISE, EVERYWHERE = 1.3, 0.6
"""A shot whose contrast grows so many times, by a change of so much of the frame, fades in."""
BYTES_A_PIXEL = {torch.float32: 4000, torch.bfloat16: 2200}
"""Peak memory of a step to relu5_1: measured 2900 to 3400 in fp32, on a CPU; with room to spare."""


@dataclass(frozen=True)
class Ending:
    """How good the first frame of a shot was when it was done, for the ones after it to reach."""

    loss: float
    gain: float
    """The share of the loss that the last ``PATIENCE`` steps took away."""


class Gatys:
    """Paints the frames of a clip, in their order.

    ``styles`` are pictures (H, W, 3) with their weights; ``size`` is the frames' (width, height).
    """

    def __init__(
        self,
        settings: Settings,
        styles: Sequence[tuple[Image, float]],
        size: tuple[int, int],
    ) -> None:
        self.settings = settings
        self.styles = styles
        self.size = size
        self.device = devices.pick_device(settings.device)
        self.dtype = devices.pick_precision(settings.precision, self.device)
        self.content_layers = weighted(settings.content_layers)
        self.style_layers = weighted(settings.style_layers)
        self.network = networks.load(
            settings.network,
            settings.weights,
            (*self.content_layers, *self.style_layers),
            device=self.device,
            dtype=self.dtype,
            seed=settings.seed,
            pooling=settings.pooling,
        )
        self.flows = None if settings.flow == "none" else flow.Flows(flow.estimator(settings.flow))
        self.memory: Memory | None = None
        self.ending = Ending(0.0, 0.0)
        self.looks = [image for image, _ in styles]
        self._style_grams: dict[tuple[int, int], Grams] = {}

    def cut(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        self.memory = None

    def turn(self, source: Image, painted: Image) -> None:
        """The next frames, to be painted ``again``, lie beside this one, in whatever direction."""
        first = self.memory.first if self.memory else None
        self.memory = Memory.begin(source, painted, first)

    def expect(self, source: Image, before: Image) -> None:
        """The frame ``source`` will come after ``before``: time to look how it moves."""
        if self.flows is not None:
            self.flows.expect(source, before)

    def paint(self, source: Image, progress: Progress = lambda done, loss: None) -> Image:
        """Paint the frame ``source`` (H, W, 3)."""
        init = self.settings.init
        if self.memory is not None and _fades_in(self.memory.first.source, source):
            self.cut()
        if self.memory is None:
            self._take_colors(source)
        if self.memory is None or init in ("content", "noise"):
            painted = self._first(source, progress)
            self.memory = Memory.begin(source, painted)
        elif init == "previous" or self.flows is None:
            painted = self._over(source, self.memory.last.painted, progress)
            self.memory = Memory.begin(source, painted)
        else:
            carried = carry(self.memory, source, self.flows, self.settings.long_term)
            painted = self._follow(source, carried, progress)
            self._remember(carried, source, painted)
        return painted

    def _take_colors(self, source: Image) -> None:
        """Give the styles the colours of a shot's first frame: those of each would flicker."""
        by = self.settings.keep_colors
        if by == "histogram" or by == "covariance":
            self.looks = [matched(image, source, by) for image, _ in self.styles]
            self._style_grams.clear()

    def again(
        self,
        source: Image,
        painted: Image,
        share: float,
        progress: Progress = lambda done, loss: None,
    ) -> Image:
        """Paint ``source`` once more, over ``painted`` and a ``share`` (0..1) of the frame that
        was painted before it, carried over.
        """
        if self.memory is None or self.flows is None:
            return painted
        carried = carry(self.memory, source, self.flows, self.settings.long_term)
        carried = carried.over(painted, share)
        painted = self._follow(source, carried, progress)
        self._remember(carried, source, painted)
        return painted

    def _remember(self, carried: Carried, source: Image, painted: Image) -> None:
        assert self.memory is not None
        frames = max(self.settings.long_term)
        self.memory = carried.remember(self.memory, source, painted, frames)

    def _first(self, source: Image, progress: Progress) -> Image:
        """Paint a frame from nothing, coarse to fine: big strokes are cheap on small pictures."""
        width, height = self.size
        sizes = [(width, height)]
        while max(sizes[-1]) > COARSEST * 1.5:
            sizes.append((max(1, round(sizes[-1][0] / 2)), max(1, round(sizes[-1][1] / 2))))
        steps = self.settings.first_iterations
        work = [w * h * steps for w, h in sizes]
        total, behind = sum(work), 0
        picture: Tensor | None = None
        for (w, h), cost in zip(reversed(sizes), reversed(work), strict=True):
            scaled = self._tensor(resized(source, (w, h)))
            if picture is not None:
                picture = F.interpolate(picture, (h, w), mode="bicubic", align_corners=False)
            elif self.settings.init == "noise":
                picture = self._noise(w, h)
            else:
                picture = scaled
            objective = self._objective(scaled, self._style(w, h))

            def told(done: float, loss: float, behind: int = behind, cost: int = cost) -> None:
                progress((behind + done * cost) / total, loss)

            picture, self.ending = self._optimise(objective, picture, steps, told)
            behind += cost
        assert picture is not None
        return self._image(picture)

    def _over(self, source: Image, start: Image, progress: Progress) -> Image:
        """Paint a whole frame over ``start``."""
        objective = self._objective(self._tensor(source), self._style(*self.size))
        steps = self.settings.iterations
        picture, _ = self._optimise(objective, self._tensor(start), steps, progress, self.ending)
        return self._image(picture)

    def _follow(self, source: Image, carried: Carried, progress: Progress) -> Image:
        """Paint what is not still, window by window, over what carried over."""
        canvas = self._tensor(carried.start)
        content, warped = self._tensor(source), self._tensor(carried.warped)
        still = self._tensor(carried.still)
        trust = self._tensor(carried.trust) * (1 - still)
        todo = windows(~carried.still)
        total, behind = sum(w.area for w in todo), 0
        for window in todo:
            here = (..., *window.place)
            style = self._window_style(window)
            kept = warped[here], trust[here]
            focus = self._focus(window)
            objective = self._objective(content[here], style, kept, focus)

            def told(done: float, loss: float, behind: int = behind, at: Window = window) -> None:
                progress((behind + done * at.area) / total, loss)

            reach = Ending(self._mark(window, style), self.ending.gain)
            canvas[here], _ = self._optimise(
                objective, canvas[here], self.settings.iterations, told, reach, still[here]
            )
            behind += window.area
        return self._image(canvas)

    def _optimise(
        self,
        objective: Objective,
        start: Tensor,
        steps: int,
        progress: Progress,
        reach: Ending | None = None,
        still: Tensor | None = None,
    ) -> tuple[Tensor, Ending]:
        """Lower the objective, for all ``steps`` or until it is as good as ``reach``."""
        start = start.contiguous().clamp(0, 1)
        lower, upper = torch.zeros_like(start), torch.ones_like(start)
        if still is not None:
            lower, upper = (
                torch.where(still > 0, start, lower),
                torch.where(still > 0, start, upper),
            )
        optimizer = (BoxLBFGS if self.settings.optimizer == "lbfgs" else BoxAdam)(
            start, lower, upper
        )
        seen: list[float] = []
        for step in range(steps):
            loss = optimizer.step(objective)
            if not np.isfinite(loss):
                raise VidstyleError(
                    "the loss is not finite: use lower weights, or --precision fp32"
                )
            seen.append(loss)
            progress((step + 1) / steps, loss)
            if reach is not None and _settled(seen, reach, self.settings.tolerance):
                break
        return optimizer.picture, Ending(seen[-1], _gain(seen))

    def _objective(
        self,
        content: Tensor,
        style: Grams,
        carried: tuple[Tensor, Tensor] | None = None,
        focus: float = 1.0,
    ) -> Objective:
        with torch.no_grad():
            features = self.network(content)
        targets = {name: features[name] for name in self.content_layers}
        layers = self.content_layers, self.style_layers
        return Objective(self.network, self.settings, layers, targets, style, carried, focus)

    def _style(self, width: int, height: int) -> Grams:
        """The styles' Gram matrices, each image at the area of a frame of this size."""
        if (width, height) not in self._style_grams:
            area = width * height * self.settings.style_scale**2
            blended = [self._grams(at_area(image, round(area))) for image in self.looks]
            weights = [weight for _, weight in self.styles]
            self._style_grams[width, height] = losses.blend(blended, weights)
        return self._style_grams[width, height]

    def _window_style(self, window: Window) -> Grams:
        """The style, mixed with what the shot's first frame was like in this place."""
        assert self.memory is not None
        before = self._grams(self.memory.first.painted[window.place])
        return losses.blend([before, self._style(*self.size)], [KEPT_LOOK, 1 - KEPT_LOOK])

    def _focus(self, window: Window) -> float:
        """The factor of the content's weight: ``FOCUS`` in the smallest window, 1 in the whole."""
        return FOCUS ** (1 - window.area / (self.size[0] * self.size[1]))

    def _mark(self, window: Window, style: Grams) -> float:
        """How good the shot's first frame is in this place, by the same objective."""
        assert self.memory is not None
        first = self.memory.first
        source = self._tensor(first.source[window.place])
        objective = self._objective(source, style, focus=self._focus(window))
        return objective.value(self._tensor(first.painted[window.place]))

    def _grams(self, picture: Image) -> Grams:
        with torch.no_grad():
            features = self.network(self._tensor(picture))
            return {name: losses.gram(features[name]) for name in self.style_layers}

    def _noise(self, width: int, height: int) -> Tensor:
        """The same noise for every frame: another one would be another painting."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.randn(1, 3, height, width, generator=generator)
        return (0.5 + 0.1 * noise).clamp(0, 1).to(self.device)

    def _tensor(self, picture: Image | Field) -> Tensor:
        """A picture (H, W, 3) as (1, 3, H, W), or a mask (H, W) as (1, 1, H, W), in 0..1."""
        values = np.ascontiguousarray(picture, np.float32)
        if picture.dtype == np.uint8:
            values /= 255
        tensor = torch.from_numpy(np.atleast_3d(values)).permute(2, 0, 1)[None]
        return tensor.contiguous().to(self.device)

    def task(self, source: Image) -> tuple[Objective, Tensor]:
        """What is lowered for a frame ``source`` (H, W, 3) by itself, and where that begins."""
        content = self._tensor(source)
        return self._objective(content, self._style(*source.shape[1::-1])), content

    def _image(self, picture: Tensor) -> Image:
        """Rounded as it will be written: what the next frame goes on from is what is seen."""
        values = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
        return np.ascontiguousarray(values.cpu().numpy())


class Objective:
    """Content + style + smoothness + staying with the frame before, of one window."""

    def __init__(
        self,
        network: networks.VGG,
        settings: Settings,
        layers: tuple[Mapping[str, float], Mapping[str, float]],
        content: Mapping[str, Tensor],
        style: Grams,
        carried: tuple[Tensor, Tensor] | None = None,
        focus: float = 1.0,
    ) -> None:
        self.network = network
        self.settings = settings
        self.content_layers, self.style_layers = layers
        self.content, self.style = content, style
        self.carried = carried
        self.focus = focus

    def value(self, picture: Tensor) -> float:
        """The loss of ``picture`` (1, 3, H, W)."""
        with torch.no_grad():
            return self._loss(picture).item()

    def __call__(self, picture: Tensor) -> tuple[float, Tensor]:
        """The loss of ``picture`` (1, 3, H, W), and its gradient."""
        picture = picture.detach().requires_grad_()
        loss = self._loss(picture)
        (gradient,) = torch.autograd.grad(loss, picture)
        return loss.item(), gradient

    def _loss(self, picture: Tensor) -> Tensor:
        weights = self.settings
        features = self.network(picture)
        content = {
            name: losses.content_loss(features[name], target)
            for name, target in self.content.items()
        }
        style = {
            name: losses.style_loss(losses.gram(features[name]), target)
            for name, target in self.style.items()
        }
        loss = self.focus * weights.content_weight * losses.mean(content, self.content_layers)
        loss = loss + weights.style_weight * losses.mean(style, self.style_layers)
        if weights.tv_weight:
            loss = loss + weights.tv_weight * losses.total_variation(picture)
        if weights.temporal_weight and self.carried is not None:
            loss = loss + weights.temporal_weight * losses.temporal_loss(picture, *self.carried)
        return loss


def _fades_in(first: Image, now: Image) -> bool:
    """Whether much more is seen ``now`` than in the shot's first frame, which is no model then."""
    changed = (difference(first, now) > NOISE).mean()
    return bool(now.std() > RISE * first.std() and changed > EVERYWHERE)


def _gain(seen: Sequence[float]) -> float:
    """The share of the loss that the last steps took away."""
    before = seen[max(0, len(seen) - 1 - PATIENCE)]
    return (before - seen[-1]) / max(abs(seen[-1]), 1e-12)


def _settled(seen: Sequence[float], reach: Ending, tolerance: float) -> bool:
    """Whether a frame is as good as its shot's first one, or gets no better than slowly."""
    good = seen[-1] <= reach.loss * (1 + tolerance)
    return len(seen) > PATIENCE and (good or _gain(seen) <= reach.gain)
