"""The engine of Gatys et al. (2016): each frame is optimized until it looks like the style.

The first frame of a shot is painted from coarse to fine. Every later one begins from what
carries over of the one before (``warm_start``), and only what changed is painted: each region by
itself, in a window with its surroundings, with its own content and style terms. A term over
the whole frame would not see it: its Gram matrix is already satisfied by the still part, which
leaves whatever moves unpainted (the reason for most artifacts of painted video).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..core import devices
from ..core.errors import NotFiniteError
from ..core.events import Step
from ..core.frames import Frame
from ..core.images import Image, difference, resized, within
from ..networks import Features
from ..objective import losses
from ..objective.objective import Objective, Region, TemporalTarget, has_windows, in_window
from ..objective.optimizers import Average, BoxAdam, BoxLBFGS, Optimizer
from ..objective.styles import StyleSchedule
from ..objective.tiles import Window, windows
from ..settings import Settings
from ..temporal.painting import Painting
from ..temporal.warm_start import VIDEO_NOISE, TemporalState, WarmStart, warm_start
from .base import OnStep
from .convergence import ConvergenceTarget, converged, gain, together
from .problem import SMALLEST_TILE, StyleProblem

COARSEST = 160
"""Longer side, in pixels, below which the first frame is not made coarser."""
KEPT_LOOK = 0.8
"""How much of a window's style target is that of the shot's first frame there, not of the style
image: no window may stand out."""
WINDOW_FOCUS = 3.2
"""Factor of the content weight in the smallest windows: a figure of a few strokes would be lost."""
CAREFUL = 0.01
"""Adam's learning rate where L-BFGS has failed."""
RISE, EVERYWHERE = 1.3, 0.6
"""A shot fades in if its contrast grows by this factor, and this share of the frame changes."""
ANOTHER = 0.5
"""A style that changes by more than this share at once begins a new shot."""


@dataclass(frozen=True, eq=False)
class FirstFeatures:
    """What the network sees in a shot's first frame, which the others are measured against."""

    painting: Painting
    dtype: torch.dtype
    """What it was computed in."""
    source: Features
    painted: Features


class OptimizingEngine(StyleProblem):
    """Paints the frames of a clip, in their order.

    ``schedule`` says in which styles; ``size`` is the frames' (width, height).
    """

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.fit()
        self.temporal: TemporalState | None = None
        self.anchor_frame: Frame | None = None
        """The first frame of the shot, whose painting the others are measured against."""
        self.convergence = ConvergenceTarget(0.0, 0.0)
        self._first_features: FirstFeatures | None = None

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """What so many ``frames`` cost at most, in steps of a whole frame."""
        # The coarser pictures of a first frame cost a third of it. How much changes from frame to
        # frame is not known yet: all of it, at worst.
        first = settings.first_iterations * 4 / 3
        return first + settings.iterations * settings.passes * max(0, frames - 1)

    def reduce_memory(self) -> str | None:
        """Need less memory from now on; says how, or None where there is no less."""
        devices.forget(self.device)
        self._first_features = None
        width, height = self.size
        pixels = self.tile_pixels or width * height
        if pixels > SMALLEST_TILE and self.network.receptive_radius is not None:
            self.tile_pixels = max(SMALLEST_TILE, pixels // 2)
            return f"in {self.tiles} tiles"
        if self.dtype is torch.float32 and self.device.type == "cuda":
            self.compute_in(torch.bfloat16)
            return "in bf16"
        return None

    @contextmanager
    def conservative_steps(self) -> Iterator[None]:
        """Within this context, paint in smaller steps and in fp32."""
        settings, dtype = self.settings, self.dtype
        self.settings = replace(settings, optimizer="adam", learning_rate=CAREFUL)
        self.compute_in(torch.float32)
        try:
            yield
        finally:
            self.settings = settings
            self.compute_in(dtype)

    def reset(self) -> None:
        """The next frame begins a new shot: nothing carries over."""
        self.temporal = self._first_features = None

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Take this frame as the one beside the next to be repainted, before or after it."""
        if self.temporal is None or self.anchor_frame is None:
            self.anchor_frame = frame
        first = self.temporal.first if self.temporal else None
        self.temporal = TemporalState.begin(frame.rgb, painted, first)

    def state(self) -> dict[str, NDArray[Any]]:
        """What the next frame depends on, by name, for ``restore``."""
        assert self.temporal is not None and self.anchor_frame is not None
        found = self.temporal.arrays()
        time = self.anchor_frame.time
        found |= {
            "guide": self.anchor_frame.rgb,
            "time": np.array([time.numerator, time.denominator]),
        }
        found |= {f"mask{i}": mask for i, mask in enumerate(self.anchor_frame.masks)}
        found |= {"ending": np.array([self.convergence.loss, self.convergence.gain])}
        if self.pictures is not self.schedule.pictures:
            found |= {f"style{i}": picture for i, picture in enumerate(self.pictures)}
        return found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue as after the frame at which ``state`` was taken."""
        self.temporal = TemporalState.of(state)
        numerator, denominator = state["time"].tolist()
        time = Fraction(numerator, denominator)
        masks = tuple(state[f"mask{i}"] for i in range(len(self.schedule.regions)))
        self.anchor_frame = Frame(state["guide"], time, Fraction(0), masks=masks)
        self.convergence = ConvergenceTarget(*state["ending"].tolist())
        if "style0" in state:
            self.pictures = tuple(state[f"style{i}"] for i in range(len(self.pictures)))
            self._style_grams.clear()

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint a frame (H, W, 3); returns it and its loss at the end."""
        init, source = self.settings.init, frame.rgb
        style_change = self._style_change(frame)
        if self.temporal is not None and (
            style_change > ANOTHER or _fades_in(self.temporal.first.source, source)
        ):
            self.reset()
        if self.temporal is None:
            # Colors taken from every frame would flicker.
            self.take_colors(source)
        if self.temporal is None or init in ("content", "noise"):
            painted, loss = self._first(frame, on_step)
            self._begin(frame, painted)
        elif init == "previous" or self.flows is None:
            start = self.tensor(self.temporal.last.painted)
            painted, loss = self._over(frame, start, on_step)
            self._begin(frame, painted)
        else:
            warm = self._warm_start(frame)
            if style_change:
                kept = TemporalTarget(self.tensor(warm.warped), self.tensor(warm.trust))
                start = self.tensor(warm.start)
                painted, loss = self._over(frame, start, on_step, kept, style_change)
                self._begin(frame, painted)
            else:
                painted, loss = self._follow(frame, warm, on_step)
                self._remember(warm, source, painted)
        return painted, loss

    def sketch(self, frame: Frame, side: int, steps: int, on_step: OnStep) -> None:
        """Paint a frame (H, W, 3) no larger than ``side`` pixels, in so many ``steps``: soon seen,
        and of no consequence."""
        self.take_colors(frame.rgb)
        content = within(frame.rgb, side)
        regions = self.regions(frame, (content.shape[1], content.shape[0]))
        start = self.tensor(content)
        self._optimize(self.objective(start, regions), start, steps, on_step)

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        on_step: OnStep = lambda step: None,
    ) -> tuple[Image, float]:
        """Paint a frame once more, over ``painted`` and a ``share`` (0..1) of the frame that was
        painted before it, carried over.
        """
        if self.temporal is None or self.flows is None:
            return painted, 0.0
        warm = self._warm_start(frame).over(painted, share)
        painted, loss = self._follow(frame, warm, on_step)
        self._remember(warm, frame.rgb, painted)
        return painted, loss

    def _warm_start(self, frame: Frame) -> WarmStart:
        """Where the painting of a frame begins."""
        assert self.temporal is not None and self.flows is not None
        return warm_start(self.temporal, frame.rgb, self.flows, self.settings.long_term)

    def _style_change(self, frame: Frame) -> float:
        """How much the style differs from that of the shot's first frame: 0..1."""
        if self.schedule.is_constant or self.anchor_frame is None:
            return 0.0
        pairs = zip(self.style_weights(frame), self.style_weights(self.anchor_frame), strict=True)
        return sum(abs(one - other) for one, other in pairs) / 2

    def _begin(self, frame: Frame, painted: Image) -> None:
        self.temporal, self.anchor_frame = TemporalState.begin(frame.rgb, painted), frame

    def _remember(self, warm: WarmStart, source: Image, painted: Image) -> None:
        assert self.temporal is not None
        frames = max(self.settings.long_term)
        self.temporal = warm.remember(self.temporal, source, painted, frames)

    def _first(self, frame: Frame, on_step: OnStep) -> tuple[Image, float]:
        """Paint a frame from nothing, coarse to fine: big strokes are cheap on small pictures."""
        factor = self.settings.coarse_to_fine
        sizes = [self.size]
        while factor > 1 and max(sizes[-1]) > COARSEST * (1 + factor) / 2:
            width, height = sizes[-1]
            sizes.append((max(1, round(width / factor)), max(1, round(height / factor))))
        steps = self.settings.first_iterations
        work = [w * h * steps for w, h in sizes]
        total, behind = sum(work), 0
        picture: Tensor | None = None
        for (w, h), cost in zip(reversed(sizes), reversed(work), strict=True):
            scaled = self.tensor(resized(frame.rgb, (w, h)))
            if picture is not None:
                picture = F.interpolate(picture, (h, w), mode="bicubic", align_corners=False)
            elif "noise" in (self.settings.init, self.settings.first_init):
                picture = self._noise(w, h)
            else:
                picture = scaled
            objective = self.objective(scaled, self.regions(frame, (w, h)))

            def of_frame(step: Step, behind: int = behind, cost: int = cost) -> None:
                on_step(replace(step, done=(behind + step.done * cost) / total))

            picture, self.convergence = self._optimize(objective, picture, steps, of_frame)
            behind += cost
        assert picture is not None
        return self.image(picture), self.convergence.loss

    def _over(
        self,
        frame: Frame,
        start: Tensor,
        on_step: OnStep,
        kept: TemporalTarget | None = None,
        style_change: float = 0.0,
    ) -> tuple[Image, float]:
        """Paint a whole frame over ``start``, staying with what is ``kept``; the more steps the
        more the style has ``style_change`` into another."""
        regions = self.regions(frame, self.size)
        objective = self.objective(self.tensor(frame.rgb), regions, kept)
        # The loss of the first frame says nothing about another style.
        target = replace(self.convergence, loss=0.0) if style_change else self.convergence
        steps, first = self.settings.iterations, self.settings.first_iterations
        steps += round(max(0, first - steps) * min(1.0, style_change / ANOTHER))
        picture, reached = self._optimize(objective, start, steps, on_step, target)
        return self.image(picture), reached.loss

    def _follow(
        self, frame: Frame, warm: WarmStart, on_step: OnStep, steps: int | None = None
    ) -> tuple[Image, float]:
        """Paint what is not still, window by window, over the warm start: in so many ``steps``,
        or until it is as good as the shot's first frame."""
        canvas = self.tensor(warm.start)
        content, warped = self.tensor(frame.rgb), self.tensor(warm.warped)
        still = self.tensor(warm.still)
        trust = self.tensor(warm.trust) * (1 - still)
        todo = windows(~warm.still)
        total, behind = sum(tile.counts.area for tile in todo), 0
        ends: list[tuple[Step, float]] = []
        for tile in todo:
            window, area = tile.window, tile.counts.area
            here = (..., *window.place)
            regions = self._window_regions(frame, window)
            kept = TemporalTarget(warped[here], trust[here])
            objective = self.objective(content[here], regions, kept, self._focus(window))
            painted = window
            inner = objective.window(canvas[here], tile.inside)
            if inner is not None:
                objective, painted = inner, tile.counts
            last: Step | None = None

            def of_frame(
                step: Step, behind: int = behind, area: int = area, at: Window = painted
            ) -> None:
                nonlocal last
                done = (behind + step.done * area) / total
                last = replace(step, done=done, picture=lambda: self._pasted(canvas, at, step))
                on_step(last)

            target = None
            if steps is None:
                loss = self._target_loss(window, frame, regions)
                target = ConvergenceTarget(loss, self.convergence.gain)
            most = steps or self.settings.iterations
            there = (..., *painted.place)
            canvas[there], _ = self._optimize(
                objective, canvas[there], most, of_frame, target, still[there]
            )
            behind += area
            if last is not None:
                ends.append((last, area / total))
        end = together(ends, lambda: self.image(canvas))
        if len(ends) > 1:
            on_step(end)
        return self.image(canvas), end.loss

    def _pasted(self, canvas: Tensor, window: Window, step: Step) -> Image:
        picture = self.image(canvas)
        picture[window.place] = step.picture()
        return picture

    def _optimize(
        self,
        objective: Objective,
        start: Tensor,
        steps: int,
        on_step: OnStep,
        target: ConvergenceTarget | None = None,
        still: Tensor | None = None,
    ) -> tuple[Tensor, ConvergenceTarget]:
        """Lower the objective, for all ``steps`` or until it reaches ``target``."""
        start = start.contiguous().clamp(0, 1)
        lower, upper = torch.zeros_like(start), torch.ones_like(start)
        if still is not None:
            lower, upper = (
                torch.where(still > 0, start, lower),
                torch.where(still > 0, start, upper),
            )
        optimizer = self._optimizer(start, lower, upper)
        average = Average(self.settings.average)
        seen: list[float] = []
        for step in range(steps):
            loss = optimizer.step(objective)
            if not np.isfinite(loss):
                raise NotFiniteError
            average.add(optimizer.picture)
            seen.append(loss)
            on_step(
                Step((step + 1) / steps, loss, objective.terms, lambda: self.image(average.picture))
            )
            if target is not None and converged(seen, target, self.settings.tolerance):
                break
        return average.picture, ConvergenceTarget(seen[-1], gain(seen))

    def _optimizer(self, start: Tensor, lower: Tensor, upper: Tensor) -> Optimizer:
        settings = self.settings
        if settings.optimizer == "lbfgs":
            return BoxLBFGS(start, lower, upper)
        return BoxAdam(
            start,
            lower,
            upper,
            rate=settings.learning_rate,
            betas=settings.betas,
            epsilon=settings.epsilon,
        )

    def _window_regions(self, frame: Frame, window: Window) -> list[Region]:
        """The styles of a window, each mixed with what the shot's first frame was like there."""
        assert self.temporal is not None and self.anchor_frame is not None
        wanted = self.regions(frame, self.size, window.place)
        if self.style_weights(frame) != self.style_weights(self.anchor_frame):
            return wanted
        before = self.regions(self.anchor_frame, self.size, window.place)
        first = self.temporal.first.painted[window.place]
        _, seen = self._first_seen(window)
        return [
            replace(
                region,
                style=losses.blend(
                    [self.grams(first, model.share, seen), region.style],
                    [KEPT_LOOK, 1 - KEPT_LOOK],
                ),
            )
            if model.is_present
            else region
            for region, model in zip(wanted, before, strict=True)
        ]

    def _focus(self, window: Window) -> float:
        """The factor of the content weight: ``WINDOW_FOCUS`` in the smallest window, 1 in a frame."""
        return WINDOW_FOCUS ** (1 - window.area / (self.size[0] * self.size[1]))

    def _target_loss(self, window: Window, frame: Frame, regions: Sequence[Region]) -> float:
        """How good the shot's first frame is in this place, by the same objective."""
        assert self.temporal is not None and self.anchor_frame is not None
        first = self.temporal.first
        source = self.tensor(first.source[window.place])
        if frame.masks:
            before = self.regions(self.anchor_frame, self.size, window.place)
            regions = [
                replace(region, share=model.share)
                for region, model in zip(regions, before, strict=True)
            ]
        of_source, of_painted = self._first_seen(window)
        objective = self.objective(source, regions, focus=self._focus(window), seen=of_source)
        return objective.value(self.tensor(first.painted[window.place]), of_painted)

    def _first_seen(self, window: Window) -> tuple[Features, Features] | tuple[None, None]:
        """The features of the shot's first frame in a window, and those of its painting, if they
        can be told from those of the whole frame: it goes through the network once then, not with
        each window."""
        assert self.temporal is not None
        if self.tile_pixels is not None or not has_windows(self.network, self.size):
            return None, None
        first = self.temporal.first
        if (
            self._first_features is None
            or self._first_features.painting is not first
            or self._first_features.dtype != self.dtype
        ):
            with torch.no_grad():
                painted = self.network(self.tensor(first.painted))
                source = self.network(self.tensor(first.source))
            # Of a source, the style's layers are never asked for more than their size.
            source = painted | {name: source[name] for name in self.content_layers}
            self._first_features = FirstFeatures(first, self.dtype, source, painted)
        return (
            in_window(self.network, self._first_features.source, window, self.size),
            in_window(self.network, self._first_features.painted, window, self.size),
        )

    def _noise(self, width: int, height: int) -> Tensor:
        """The same noise for every frame: other noise would make another painting."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.randn(1, 3, height, width, generator=generator)
        return (0.5 + 0.1 * noise).clamp(0, 1).to(self.device)


def _fades_in(first: Image, now: Image) -> bool:
    """Whether much more is seen ``now`` than in the shot's first frame, now no measure."""
    changed = (difference(first, now) > VIDEO_NOISE).mean()
    return bool(now.std() > RISE * first.std() and changed > EVERYWHERE)


ENGINE = OptimizingEngine
