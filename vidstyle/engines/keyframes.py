"""The engine for clips of any length: key frames are painted, and those between them follow.

The optimizer paints only some frames, each over the one before. Their paint is carried to the
frames between, from both sides. What neither key frame shows is carried on from the frame before,
or recolored and given strokes of the nearer key frame. It is optimized in a few steps if that is
wanted (``--repair``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frames import Frame
from ..core.images import Field, Image, blend, unit
from ..objective.styles import StyleSchedule
from ..settings import Settings
from ..temporal.carry import Motion, Span, blended, carried, certain
from ..temporal.keys import CLOSEST
from ..temporal.painting import Painting
from ..temporal.strokes import strokes_for
from ..temporal.warm_start import TemporalState, WarmStart, unchanged, warm_start
from .gatys import OptimizingEngine
from .protocol import OnStep, Picture

SMALLEST_HOLE = 5
"""Pixels. Narrower holes are filled, and not optimized."""
JOINT = 9
"""Pixels across by which holes are widened, for paint to join."""
CARRIERS = 4
"""Threads that carry paint, each between two key frames."""
CARRYING_COST = 0.2
"""The cost of carrying paint to a frame, in optimizer steps on a whole frame."""


@dataclass(frozen=True, eq=False)
class Carry:
    """The paint of two key frames, to be carried to the frames between them."""

    before: TemporalState | None
    """The state after the first one. None at the beginning of a shot: there is only the last."""
    after: TemporalState
    """The state after the last one."""
    span: Span
    """The frames from one to the other, and how each moved."""

    def to(self, source: Image, at: int, last: Painting | None) -> tuple[Field, Field, Field]:
        """Carry the paint to a frame.

        Args:
            source: the frame (H, W, 3).
            at: its number in the span.
            last: the frame before, if that is between the key frames, too.

        Returns:
            The painting (H, W, 3); how much of it the key frames show (H, W); and how much they and
            the frame before show (H, W). All are in 0..1.
        """
        nearer = self.after
        picture, confidence = _shown(self.after, source, self.span.to_last[at])
        if self.before is not None:
            share = at / self.span.length
            shown = _shown(self.before, source, self.span.to_first[at])
            picture, confidence = blended(shown, (picture, confidence), share)
            nearer = self.before if share <= 0.5 else self.after
        sure = certain(confidence)
        kept = sure
        if last is not None:
            moved, trust = carried(last, source, self.span.backward[at])
            kept = sure + (1 - sure) * certain(trust)
            picture = blend(picture, moved, (kept - sure) / np.maximum(kept, 1e-6))
        return _filled(picture, kept, source, nearer.before), sure, kept


class KeyframesEngine(OptimizingEngine):
    """Paints key frames, and carries their paint to the frames between. See ``BaseEngine``."""

    options_of: ClassVar[tuple[str, ...]] = ("keyframes",)
    paints_key_frames = True

    span: Span | None = None
    """The frames up to the key frame that is being painted, if there are any between."""

    def __init__(self, settings: Settings, schedule: StyleSchedule, size: tuple[int, int]) -> None:
        super().__init__(settings, schedule, size)
        self.carriers: ThreadPoolExecutor | None = None
        """The threads that carry paint while a GPU paints the next key frame. On a CPU, they would
        only take turns with the optimizer."""
        if self.device.type == "cuda" and not settings.repair:
            self.carriers = ThreadPoolExecutor(CARRIERS, "carry")

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """Return what so many ``frames`` cost at most, in optimizer steps on a whole frame."""
        keys = -(-frames // min(CLOSEST, settings.key_every))
        each = CARRYING_COST + settings.repair
        return OptimizingEngine.cost(settings, size, keys) + (frames - keys) * each

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Picture, float]]:
        """Paint the next frames, of which only the last one is a key frame.

        Those at the beginning of a shot follow that key frame alone.

        Returns:
            Each painting with its loss, 0 for the frames between.
        """
        *between, key = frames
        if not between or self.flows is None:
            return [self.paint(frame, on_step) for frame in frames]
        before = self.temporal
        sources = [frame.rgb for frame in frames]
        if before is not None:
            sources.insert(0, before.before.source)
        span = Span.of(sources, self.flows)
        try:
            self.span = None if before is None else span
            done = self.paint(key, on_step)
            assert self.temporal is not None
            carrying = self._between(between, Carry(before, self.temporal, span), on_step)
            if self.carriers is None:
                return [*carrying, done]
            return [*_later(carrying, len(between), self.carriers), done]
        except BaseException:  # it may be tried again, in another way
            self.temporal = before
            raise
        finally:
            self.span = None

    def paint(self, frame: Frame, on_step: OnStep = lambda step: None) -> tuple[Image, float]:
        """Paint a key frame, unless its painting is given; return it (H, W, 3) and its loss."""
        if frame.painting is None:
            return super().paint(frame, on_step)
        if self.temporal is None:
            self.take_colors(frame.rgb)
        self._begin(frame, frame.painting)
        return frame.painting, 0.0

    def repaint(
        self,
        frame: Frame,
        painted: Image,
        share: float,
        on_step: OnStep = lambda step: None,
    ) -> tuple[Image, float]:
        """Paint a frame again, unless its painting is given."""
        if frame.painting is None:
            return super().repaint(frame, painted, share, on_step)
        self.anchor(frame, painted)
        return painted, 0.0

    def _warm_start(self, frame: Frame) -> WarmStart:
        if self.span is None:
            return super()._warm_start(frame)
        assert self.temporal is not None
        flows = self.span.to_first[-1].flow, self.span.to_last[0].flow
        return warm_start(self.temporal, frame.rgb, lambda source, key: flows)

    def _between(
        self, frames: Sequence[Frame], carry: Carry, on_step: OnStep
    ) -> Iterator[tuple[Image, float]]:
        """Yield the paintings of the frames between key frames."""
        last: Painting | None = None
        for at, frame in enumerate(frames, 0 if carry.before is None else 1):
            picture, sure, kept = carry.to(frame.rgb, at, last)
            done = np.rint(picture * 255).astype(np.uint8), 0.0
            if self.settings.repair and (hole := _holes(sure)).any():
                warm = WarmStart(picture, picture, kept, ~hole, frame.rgb)
                done = self._paint_changes(frame, warm, on_step, self.settings.repair)
            last = Painting(frame.rgb, done[0])
            yield done


def _later(
    work: Iterator[tuple[Image, float]], count: int, threads: ThreadPoolExecutor
) -> list[tuple[Future[Image], float]]:
    """Have another thread do the work that yields ``count`` paintings."""
    promised: list[Future[Image]] = [Future() for _ in range(count)]

    def carry() -> None:
        try:
            for one, (picture, _) in zip(promised, work, strict=True):
                one.set_result(picture)
        except BaseException as error:
            for one in promised:
                if not one.done():
                    one.set_exception(error)

    threads.submit(carry)
    return [(one, 0.0) for one in promised]


def _shown(state: TemporalState, source: Image, motion: Motion) -> tuple[Field, Field]:
    """Carry a key frame's paint to the frame ``source``; what is still is as it was, to the bit.

    Returns:
        The picture (H, W, 3), and its confidence (H, W), both in 0..1.
    """
    picture, confidence = carried(state.before, source, motion)
    same, bared = unchanged(state, source)
    still = same | bared
    if still.any():
        lying = unit(state.last.where(same, state.background).painted)
        cv2.copyTo(lying, still.astype(np.uint8), picture)
        confidence[still] = 1
    return picture, confidence


def _filled(picture: Field, kept: Field, source: Image, key: Painting) -> Field:
    """Fill ``picture`` where it is not ``kept``, in the colors and strokes of the ``key`` frame."""
    if (kept < 1).any():
        colors = key.colors(source)
        fill = colors + strokes_for(source, key, picture - colors, kept)
        picture = blend(picture, fill, 1 - kept)
    return np.clip(picture, 0, 1)


def _holes(sure: Field) -> NDArray[np.bool_]:
    """Return where a frame is to be optimized (H, W): where no key frame is ``sure`` (0..1)."""
    bare = (sure < 0.5).astype(np.uint8)
    large = cv2.morphologyEx(
        bare, cv2.MORPH_OPEN, np.ones((SMALLEST_HOLE, SMALLEST_HOLE), np.uint8)
    )
    return cv2.dilate(large, np.ones((JOINT, JOINT), np.uint8)) > 0
