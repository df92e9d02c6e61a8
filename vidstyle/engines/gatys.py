"""The engine of Gatys et al. (2016): each frame is optimized until it looks like the style.

The first frame of a shot is painted coarse to fine. Every later one begins from what carries over
of the one before (``temporal.warm_start``), and only what changed is painted: each part by itself,
in a window with its surroundings, with its own content and style terms. Terms over the whole frame
would not see it: their Gram matrices are already satisfied by what is still, which leaves whatever
moves unpainted. That is the reason for most artifacts of painted video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..core import devices
from ..core.errors import NotFiniteError
from ..core.events import Step
from ..core.faces import as_array, from_array
from ..core.frames import Frame
from ..core.images import Field, Image, resized, within
from ..networks import Features
from ..objective import losses
from ..objective.faces import beside_features
from ..objective.objective import Loss, Region, TemporalTarget, has_windows
from ..objective.optimizers import Average, optimizer_of
from ..objective.recording import Recorder
from ..objective.rim import Rim
from ..objective.styles import StyleSchedule
from ..objective.tiles import Window, windows
from ..settings import Settings
from ..subjects.faces import FaceDetector
from ..temporal.warm_start import TemporalState, WarmStart, fades_in, warm_start
from .base import SMALLEST_TILE, BaseEngine
from .first_features import FirstFeatures
from .progress import ConvergenceTarget, FrameSteps, converged, gain
from .protocol import OnStep

COARSEST = 160
"""Pixels of the longer side below which the first frame is not made coarser."""
LAID, LEAST_DETAIL = 555, 8
"""The root of the area, in pixels, up to which a picture takes all steps. Strokes that are laid by
then only get detail in larger ones, in as many steps as cost the same, but at least so many."""
KEPT_LOOK = 0.8
"""The share of a window's style target that comes from the same place of the shot's first frame,
instead of the style picture, so that no window stands out."""
WINDOW_FOCUS = 3.2
"""The factor of the content weight in the smallest windows, where a figure of a few strokes would
be lost."""
CAREFUL_RATE = 0.01
"""Adam's learning rate where L-BFGS has failed."""
ANOTHER_STYLE = 0.5
"""The share of the style that must change at once to begin a new shot."""


class OptimizingEngine(BaseEngine):
    """Paints each frame by optimizing its objective. See ``BaseEngine`` for the arguments."""

    options_of: ClassVar[tuple[str, ...]] = ("gatys",)

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.fit()
        self.temporal: TemporalState | None = None
        """What carries over to the next frame. None at the beginning of a shot."""
        self.first_frame: Frame | None = None
        """The first frame of the shot."""
        self.convergence = ConvergenceTarget(0.0, 0.0)
        """How good that was when it was done."""
        self._first_features: FirstFeatures | None = None
        self.recorder = Recorder(self.device)
        self.find_faces = FaceDetector()

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """Return what so many ``frames`` cost at most, in optimizer steps on a whole frame."""
        area = size[0] * size[1]
        first = sum(steps * w * h / area for (w, h), steps in _stages(settings, size))
        # How much changes from frame to frame is not known yet: all of it, at worst.
        return first + settings.iterations * max(0, frames - 1)

    def reset(self) -> None:
        """Begin a shot: nothing carries over from the frames before."""
        self.temporal = self._first_features = None

    def prefetch_flow(self, source: Image, before: Image) -> None:
        """Begin to estimate the motion from ``source``, which is painted later, to ``before``."""
        if self.flows is not None:
            self.flows.prefetch_flow(source, before)

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint the next frame; return the painting (H, W, 3) and its loss at the end."""
        init, source = self.settings.init, frame.rgb
        style_change = self._style_change(frame)
        if self.temporal is not None and (
            style_change > ANOTHER_STYLE or fades_in(self.temporal.first.source, source)
        ):
            self.reset()
        if self.temporal is None:
            # Colors taken from every frame would flicker.
            self.take_colors(source)
        if self.temporal is None or init in ("content", "noise"):
            painted, loss = self._paint_first(frame, on_step)
            self._begin(frame, painted)
        elif init == "previous" or self.flows is None:
            start = self.tensor(self.temporal.last.painted)
            painted, loss = self._paint_whole(frame, start, on_step)
            self._begin(frame, painted)
        else:
            warm = self._warm_start(frame)
            if style_change:
                kept = TemporalTarget(self.tensor(warm.warped), self.tensor(warm.trust))
                start = self.tensor(warm.start)
                painted, loss = self._paint_whole(frame, start, on_step, kept, style_change)
                self._begin(frame, painted)
            else:
                painted, loss = self._paint_changes(frame, warm, on_step)
                self.temporal = warm.remember(self.temporal, source, painted)
        return painted, loss

    def style_share(self, look: Image) -> Field | None:
        """Leave out the features of a style's faces, which would be painted onto walls."""
        if self.settings.faces == "off":
            return None
        return beside_features(self.find_faces(look), *look.shape[:2])

    def anchor(self, frame: Frame, painted: Image) -> None:
        """Take this frame and its painting as the neighbor of the next one to be repainted."""
        if self.temporal is None or self.first_frame is None:
            self.first_frame = frame
        first = self.temporal.first if self.temporal else None
        self.temporal = TemporalState.begin(frame.rgb, painted, first)

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        on_step: OnStep = lambda step: None,
    ) -> tuple[Image, float]:
        """Paint a frame again, over its painting so far and a ``share`` (0..1) of its neighbor's,
        carried over."""
        if self.temporal is None or self.flows is None:
            return painted, 0.0
        warm = self._warm_start(frame).over(painted, share)
        painted, loss = self._paint_changes(frame, warm, on_step)
        self.temporal = warm.remember(self.temporal, frame.rgb, painted)
        return painted, loss

    def sketch(self, frame: Frame, side: int, steps: int, on_step: OnStep) -> None:
        """Paint a frame quickly, to be seen while it is painted in full.

        Args:
            frame: the frame.
            side: pixels of the longer side of the sketch, at most.
            steps: of the optimizer.
            on_step: called after each of them.
        """
        self.take_colors(frame.rgb)
        content = within(frame.rgb, side)
        regions = self.regions(frame, (content.shape[1], content.shape[0]))
        start = self.tensor(content)
        emphasis = self.emphasis(frame, (content.shape[1], content.shape[0]))
        objective = self.objective(start, regions, emphasis=emphasis)
        self._optimize(objective, start, steps, on_step)

    def reduce_memory(self) -> str | None:
        """Need less memory from now on. Returns how, or None if that is not possible."""
        self._first_features = None
        self.recorder.forget()
        devices.forget(self.device)
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
        self.settings = replace(settings, optimizer="adam", learning_rate=CAREFUL_RATE)
        self.compute_in(torch.float32)
        try:
            yield
        finally:
            self.settings = settings
            self.compute_in(dtype)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that the next frame depends on."""
        assert self.temporal is not None and self.first_frame is not None
        time = self.first_frame.time
        found = self.temporal.arrays() | {
            "first_frame": self.first_frame.rgb,
            "time": np.array([time.numerator, time.denominator]),
            "convergence": np.array([self.convergence.loss, self.convergence.gain]),
        }
        found |= {f"mask{i}": mask for i, mask in enumerate(self.first_frame.masks)}
        if self.first_frame.faces:
            found["faces"] = as_array(self.first_frame.faces)
        if self.pictures is not self.schedule.pictures:
            found |= {f"style{i}": picture for i, picture in enumerate(self.pictures)}
        return found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on as after the frame at which ``state`` was taken."""
        self.temporal = TemporalState.of(state)
        time = Fraction(*state["time"].tolist())
        masks = tuple(state[f"mask{i}"] for i in range(len(self.schedule.regions)))
        faces = from_array(state["faces"]) if "faces" in state else ()
        first = Frame(state["first_frame"], time, Fraction(0), masks=masks, faces=faces)
        self.first_frame = first
        self.convergence = ConvergenceTarget(*state["convergence"].tolist())
        if "style0" in state:
            self.pictures = tuple(state[f"style{i}"] for i in range(len(self.pictures)))
            self._style_grams.clear()

    def _warm_start(self, frame: Frame) -> WarmStart:
        assert self.temporal is not None and self.flows is not None
        return warm_start(self.temporal, frame.rgb, self.flows)

    def _style_change(self, frame: Frame) -> float:
        """Return how much the style differs from that of the shot's first frame, in 0..1."""
        if self.schedule.is_constant or self.first_frame is None:
            return 0.0
        now, then = (self.style_weights(one) for one in (frame, self.first_frame))
        return sum(abs(one - other) for one, other in zip(now, then, strict=True)) / 2

    def _begin(self, frame: Frame, painted: Image) -> None:
        self.temporal, self.first_frame = TemporalState.begin(frame.rgb, painted), frame

    def _paint_first(self, frame: Frame, on_step: OnStep) -> tuple[Image, float]:
        """Paint a frame from nothing, coarse to fine: broad strokes are cheap in small pictures."""
        stages = _stages(self.settings, self.size)
        report = FrameSteps(on_step, sum(w * h * steps for (w, h), steps in stages))
        picture: Tensor | None = None
        for (w, h), steps in stages:
            scaled = self.tensor(resized(frame.rgb, (w, h)))
            if picture is not None:
                picture = F.interpolate(picture, (h, w), mode="bicubic", align_corners=False)
            elif "noise" in (self.settings.init, self.settings.first_init):
                picture = self._noise(w, h)
            else:
                picture = scaled
            regions, emphasis = self.regions(frame, (w, h)), self.emphasis(frame, (w, h))
            objective = self.objective(scaled, regions, emphasis=emphasis)
            on_part = report.of_part(w * h * steps)
            picture, self.convergence = self._optimize(objective, picture, steps, on_part)
        assert picture is not None
        return self.image(picture), self.convergence.loss

    def _paint_whole(
        self,
        frame: Frame,
        start: Tensor,
        on_step: OnStep,
        kept: TemporalTarget | None = None,
        style_change: float = 0.0,
    ) -> tuple[Image, float]:
        """Paint all of a frame over ``start``, and stay with what is ``kept``. The more the style
        changes (0..1), the more steps it takes."""
        regions, emphasis = self.regions(frame, self.size), self.emphasis(frame, self.size)
        objective = self.objective(self.tensor(frame.rgb), regions, kept, emphasis=emphasis)
        # The loss of the first frame says nothing about another style.
        target = replace(self.convergence, loss=0.0) if style_change else self.convergence
        steps, first = self.settings.iterations, self.settings.first_iterations
        steps += round(max(0, first - steps) * min(1.0, style_change / ANOTHER_STYLE))
        picture, reached = self._optimize(objective, start, steps, on_step, target)
        return self.image(picture), reached.loss

    def _paint_changes(
        self, frame: Frame, warm: WarmStart, on_step: OnStep, steps: int | None = None
    ) -> tuple[Image, float]:
        """Paint what is not still, window by window, over the warm start: for so many ``steps``, or
        until each window is as good as the shot's first frame is there."""
        canvas = self.tensor(warm.start)
        content, warped = self.tensor(frame.rgb), self.tensor(warm.warped)
        still = self.tensor(warm.still)
        trust = self.tensor(warm.trust) * (1 - still)
        tiles = windows(~warm.still)
        report = FrameSteps(on_step, sum(tile.counts.area for tile in tiles))
        for tile in tiles:
            window, here = tile.window, (..., *tile.window.place)
            regions = self._window_regions(frame, window)
            kept = TemporalTarget(warped[here], trust[here])
            whole = self.objective(
                content[here],
                regions,
                kept,
                self._focus(window),
                emphasis=self.emphasis(frame, self.size, window.place),
            )
            inner = whole.window(canvas[here], tile.inside)
            painted = window if inner is None else tile.counts
            target = None
            if steps is None:
                target = self._window_target(window, frame, regions)
            there = (..., *painted.place)
            canvas[there], _ = self._optimize(
                inner or whole,
                canvas[there],
                steps or self.settings.iterations,
                report.of_part(tile.counts.area, self._paster(canvas, painted)),
                target,
                still[there],
                painted,
            )
        loss = report.finish(lambda: self.image(canvas))
        return self.image(canvas), loss

    def _paster(self, canvas: Tensor, window: Window) -> Callable[[Step], Image]:
        """Return what shows a step on a ``window`` as the whole frame."""

        def paste(step: Step) -> Image:
            picture = self.image(canvas)
            picture[window.place] = step.picture()
            return picture

        return paste

    def _optimize(
        self,
        objective: Loss,
        start: Tensor,
        steps: int,
        on_step: OnStep,
        target: ConvergenceTarget | None = None,
        still: Tensor | None = None,
        part: Window | None = None,
    ) -> tuple[Tensor, ConvergenceTarget]:
        """Lower the objective for ``steps`` steps, or until it reaches ``target``.

        What is ``still`` (1, 1, h, w) keeps its value. ``part`` is the part of the frame that is
        painted; None means all of it, at any size. Returns the picture, and how good it is.
        """
        start = start.contiguous().clamp(0, 1)
        height, width = start.shape[2:]
        size = (height, width) if part is None else self.size[::-1]
        rim = Rim.of(start, still, part or Window(0, height, 0, width), size)
        lower, upper = torch.zeros_like(start), torch.ones_like(start)
        if still is not None:
            lower, upper = (torch.where(still > 0, start, bound) for bound in (lower, upper))
        optimizer = optimizer_of(self.settings, start, lower, upper)
        closure = rim.closure(self.recorder.closure(objective))
        average = Average(self.settings.average)
        losses_seen: list[float] = []
        for step in range(steps):
            terms = optimizer.step(closure)
            loss = sum(terms)
            if not np.isfinite(loss):
                raise NotFiniteError
            average.add(optimizer.picture)
            losses_seen.append(loss)
            on_step(
                Step(
                    (step + 1) / steps,
                    loss,
                    dict(zip(objective.names, terms, strict=True)),
                    lambda: self.image(rim.colored(average.picture)),
                )
            )
            if target is not None and converged(losses_seen, target, self.settings.tolerance):
                break
        return rim.colored(average.picture), ConvergenceTarget(losses_seen[-1], gain(losses_seen))

    def _focus(self, window: Window) -> float:
        """Return the factor of the content weight: ``WINDOW_FOCUS`` in small windows, 1 in all."""
        return WINDOW_FOCUS ** (1 - window.area / (self.size[0] * self.size[1]))

    def _window_regions(self, frame: Frame, window: Window) -> list[Region]:
        """Return the styles of a window, mixed with the look of the shot's first frame there."""
        assert self.temporal is not None and self.first_frame is not None
        wanted = self.regions(frame, self.size, window.place)
        if self.style_weights(frame) != self.style_weights(self.first_frame):
            return wanted
        before = self.regions(self.first_frame, self.size, window.place)
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

    def _window_target(
        self, window: Window, frame: Frame, regions: Sequence[Region]
    ) -> ConvergenceTarget:
        """Return how good the shot's first frame is in a window, by the same objective."""
        assert self.temporal is not None and self.first_frame is not None
        first = self.temporal.first
        source = self.tensor(first.source[window.place])
        if frame.masks:
            before = self.regions(self.first_frame, self.size, window.place)
            regions = [
                replace(region, share=model.share)
                for region, model in zip(regions, before, strict=True)
            ]
        of_source, of_painted = self._first_seen(window)
        emphasis = self.emphasis(self.first_frame, self.size, window.place)
        objective = self.objective(
            source, regions, focus=self._focus(window), seen=of_source, emphasis=emphasis
        )
        loss = objective.value(self.tensor(first.painted[window.place]), of_painted)
        return ConvergenceTarget(loss, self.convergence.gain)

    def _first_seen(self, window: Window) -> tuple[Features, Features] | tuple[None, None]:
        """Return the features of the shot's first frame in a window, and those of its painting,
        cut out of those of the whole frame. None where that is not possible."""
        assert self.temporal is not None
        if self.tile_pixels is not None or not has_windows(self.network, self.size):
            return None, None
        first, kept = self.temporal.first, self._first_features
        if kept is None or kept.painting is not first or kept.dtype != self.dtype:
            pictures = self.tensor(first.source), self.tensor(first.painted)
            kept = FirstFeatures.of(self.network, first, pictures, self.content_layers, self.dtype)
            self._first_features = kept
        return kept.in_window(self.network, window, self.size)

    def _noise(self, width: int, height: int) -> Tensor:
        """Return noise (1, 3, H, W), the same for each frame: other noise is another painting."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.randn(1, 3, height, width, generator=generator)
        return (0.5 + 0.1 * noise).clamp(0, 1).to(self.device)


def _stages(settings: Settings, size: tuple[int, int]) -> list[tuple[tuple[int, int], int]]:
    """Return the sizes (width, height) that a first frame is painted at, the smallest first, and
    the steps at each."""
    factor, steps = settings.coarse_to_fine, settings.first_iterations
    sizes = [size]
    while factor > 1 and max(sizes[-1]) > COARSEST * (1 + factor) / 2:
        width, height = sizes[-1]
        sizes.append((max(1, round(width / factor)), max(1, round(height / factor))))
    coarsest, *finer = reversed(sizes)
    return [(coarsest, steps), *((one, _steps_at(one, steps)) for one in finer)]


def _steps_at(size: tuple[int, int], steps: int) -> int:
    """Return how many of so many ``steps`` a picture of this ``size`` takes over a coarser one."""
    share = LAID**2 / (size[0] * size[1])
    return min(steps, max(LEAST_DETAIL, round(steps * share)))
