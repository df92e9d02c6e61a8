"""The engine for clips of any length: key frames are painted, and those between them follow.

The optimizer paints only some frames, each over the one before. Their paint is carried to the
frames between, from both sides. What neither key frame shows is carried on from the frame before,
or recolored and given strokes of the nearer key frame. It is optimized in a few steps if that is
wanted (``--repair``).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frames import Frame
from ..core.images import Field, Image, unit
from ..settings import Settings
from ..temporal.carry import Motion, Span, blended, carried, certain
from ..temporal.keys import CLOSEST
from ..temporal.painting import Painting
from ..temporal.strokes import strokes_for
from ..temporal.warm_start import TemporalState, WarmStart, unchanged, warm_start
from .gatys import OptimizingEngine
from .protocol import OnStep

SMALLEST_HOLE = 5
"""Pixels. Narrower holes are filled, and not optimized."""
JOINT = 9
"""Pixels across by which holes are widened, for paint to join."""
CARRYING_COST = 0.2
"""The cost of carrying paint to a frame, in optimizer steps on a whole frame."""


class KeyframesEngine(OptimizingEngine):
    """Paints key frames, and carries their paint to the frames between. See ``BaseEngine``."""

    options_of = ("keyframes",)
    paints_key_frames = True

    span: Span | None = None
    """The frames up to the key frame that is being painted, if there are any between."""

    @staticmethod
    def cost(settings: Settings, size: tuple[int, int], frames: int) -> float:
        """Return what so many ``frames`` cost at most, in optimizer steps on a whole frame."""
        keys = -(-frames // min(CLOSEST, settings.key_every))
        each = CARRYING_COST + settings.repair
        return OptimizingEngine.cost(settings, size, keys) + (frames - keys) * each

    def paint_span(self, frames: Sequence[Frame], on_step: OnStep) -> list[tuple[Image, float]]:
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
            found: list[tuple[Image, float]] = []
            for at, frame in enumerate(between, 0 if before is None else 1):
                last = Painting(sources[at - 1], found[-1][0]) if found else None
                found.append(self._between(frame, before, span, at, last, on_step))
        except BaseException:  # it may be tried again, in another way
            self.temporal = before
            raise
        finally:
            self.span = None
        return [*found, done]

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
        self,
        frame: Frame,
        before: TemporalState | None,
        span: Span,
        at: int,
        last: Painting | None,
        on_step: OnStep,
    ) -> tuple[Image, float]:
        """Paint a frame between key frames.

        Args:
            frame: the frame.
            before: the state after the key frame before it. None at the beginning of a shot.
            span: the frames between the key frames, and how each moved.
            at: the number of the frame in the span.
            last: the frame before, if that is between key frames, too.
            on_step: called after each step of the optimizer.
        """
        after, source = self.temporal, frame.rgb
        assert after is not None
        nearer = after
        picture, confidence = _shown(after, source, span.to_last[at])
        if before is not None:
            share = at / span.length
            shown = _shown(before, source, span.to_first[at])
            picture, confidence = blended(shown, (picture, confidence), share)
            nearer = before if share <= 0.5 else after
        sure = certain(confidence)
        kept = sure
        if last is not None:
            moved, trust = carried(last, source, span.backward[at])
            kept = sure + (1 - sure) * certain(trust)
            part = (kept - sure) / np.maximum(kept, 1e-6)
            picture += part[..., None] * (moved - picture)
        picture = _filled(picture, kept, source, nearer.before)
        if not self.settings.repair or not (hole := _holes(sure)).any():
            return np.rint(picture * 255).astype(np.uint8), 0.0
        warm = WarmStart(picture, picture, kept, ~hole, source)
        return self._paint_changes(frame, warm, on_step, self.settings.repair)


def _shown(state: TemporalState, source: Image, motion: Motion) -> tuple[Field, Field]:
    """Carry a key frame's paint to the frame ``source``; what is still is as it was, to the bit.

    Returns:
        The picture (H, W, 3), and its confidence (H, W), both in 0..1.
    """
    picture, confidence = carried(state.before, source, motion)
    same, bared = unchanged(state, source)
    still = same | bared
    lying = unit(state.last.where(same, state.background).painted)
    return np.where(still[..., None], lying, picture), np.where(still, 1, confidence)


def _filled(picture: Field, kept: Field, source: Image, key: Painting) -> Field:
    """Fill ``picture`` where it is not ``kept``, in the colors and strokes of the ``key`` frame."""
    if (kept < 1).any():
        colors = key.colors(source)
        fill = colors + strokes_for(source, key, picture - colors, kept)
        picture = picture + (1 - kept)[..., None] * (fill - picture)
    return np.clip(picture, 0, 1)


def _holes(sure: Field) -> NDArray[np.bool_]:
    """Return where a frame is to be optimized (H, W): where no key frame is ``sure`` (0..1)."""
    bare = (sure < 0.5).astype(np.uint8)
    large = cv2.morphologyEx(
        bare, cv2.MORPH_OPEN, np.ones((SMALLEST_HOLE, SMALLEST_HOLE), np.uint8)
    )
    return cv2.dilate(large, np.ones((JOINT, JOINT), np.uint8)) > 0
