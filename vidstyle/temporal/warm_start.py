"""The warm start of a frame: the paint that is carried over from earlier frames.

A warm start makes painting a clip affordable. But it can also freeze, smear or leave unpainted
whatever moves. So each pixel of the new frame is treated in one of three ways:

- *still*: its source is the same as when it was painted, or as before something passed in front of
  it. The old paint is kept or restored exactly.
- *trusted*: it moved, and the optical flow says from where. Its paint is warped along the flow.
- *untrusted*: it was not visible before. Its source is recolored like the paint around it, and
  painted anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.images import Field, Image, blend, difference, unit
from . import flow
from .flow import FlowPair
from .painting import Painting
from .strokes import strokes_for

VIDEO_NOISE = 8.0
"""Levels of 255. A source color (mean of 5x5 pixels) that differs by less is unchanged."""
MISMATCH = 25.0
"""Levels of 255. The flow is wrong where it joins colors that differ by more."""
SWAY, SPREAD = 0.4, 0.25
"""Shares by which a moving camera is recognized.

The camera moves if more than the first share of the sharp edges near the frame's sides has changed,
and changes occur in more than the second share of the outer cells of an 8x8 grid.
"""
SHARP = 16.0
"""Levels of 255 per pixel. A steeper edge changes visibly when it moves by half a pixel."""
RISE, EVERYWHERE = 1.3, 0.6
"""Factor of the contrast, and share of the pixels, that must change for a shot to fade in."""
SETTLED = 5
"""Frames for which a place must be still to be remembered as background."""
BORDER = 15
"""Side, in pixels, of the square that changes are dilated by.

The widened area has room for the painted outlines of what moves.
"""
REMEMBERED = ("first", "last", "background", "before")
"""The fields of ``TemporalState`` that are paintings."""
SMALLEST_CHANGE = 17
"""Smallest width of a widened change, in pixels. Smaller ones are noise of the compression."""


@dataclass(frozen=True, eq=False)
class TemporalState:
    """What is remembered of a shot. Pictures are (H, W, 3), masks (H, W)."""

    first: Painting
    """The shot's first frame. The others copy its look, since copies of copies would fade."""
    last: Painting
    """The frame before. The source of its still parts is from the frame they were painted in."""
    background: Painting
    """Each place as it was when it was last still for long.

    So what a passer-by covers and uncovers again is not painted anew.
    """
    known: NDArray[np.bool_]
    """Where the background is known."""
    calm: NDArray[np.uint8]
    """The number of frames for which each place has been still."""
    before: Painting
    """The frame before, with its own source everywhere."""

    @classmethod
    def begin(cls, source: Image, painted: Image, first: Painting | None = None) -> TemporalState:
        """Return the state after a frame, if nothing else is remembered.

        Args:
            source: the frame (H, W, 3).
            painted: its painting (H, W, 3).
            first: the shot's first frame and its painting. None means this one.
        """
        last = Painting(source, painted)
        shape = source.shape[:2]
        return cls(
            first or last, last, last, np.zeros(shape, bool), np.zeros(shape, np.uint8), last
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays by name, from which ``of`` restores it."""
        found = {
            f"{name}.{part}": getattr(getattr(self, name), part)
            for name in REMEMBERED
            for part in ("source", "painted")
        }
        return {"known": self.known, "calm": self.calm, **found}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> TemporalState:
        """Return the state that ``arrays`` came from."""
        first, last, background, before = (
            Painting(arrays[f"{name}.source"], arrays[f"{name}.painted"]) for name in REMEMBERED
        )
        return cls(first, last, background, arrays["known"], arrays["calm"], before)


@dataclass(frozen=True, eq=False)
class WarmStart:
    """The start of painting a frame. Pictures are (H, W, 3), masks (H, W), floats are in 0..1."""

    start: Field
    """The picture to paint over."""
    warped: Field
    """The paint of earlier frames, kept in place or warped onto this frame."""
    trust: Field
    """How strongly to keep ``warped`` at each pixel."""
    still: NDArray[np.bool_]
    """Where nothing may change."""
    origin: Image
    """The source at the time when the paint was made. It is valid where the frame is still."""

    def over(self, own: Image, share: float) -> WarmStart:
        """Return a start that blends a frame's own painting with the warped one.

        Args:
            own: the frame's painting (H, W, 3).
            share: the weight of the warped painting where it is trusted, in 0..1 (Ruder et al.
                2016, the multi-pass algorithm).
        """
        values = unit(own)
        warped = values + share * (self.warped - values)
        # Rounded, because a still pixel keeps this color, which must be one that can be written.
        warped = np.rint(warped.clip(0, 1) * 255) / 255
        return replace(
            self, start=values + self.trust[..., None] * (warped - values), warped=warped
        )

    def remember(self, state: TemporalState, source: Image, painted: Image) -> TemporalState:
        """Return the state after a frame (H, W, 3) and its painting."""
        last = Painting(np.where(self.still[..., None], self.origin, source), painted)
        calm = np.where(self.still, np.minimum(state.calm, 254) + 1, 0).astype(np.uint8)
        settled = calm >= SETTLED
        background = last.where(settled, state.background)
        known, before = state.known | settled, Painting(source, painted)
        return TemporalState(state.first, last, background, known, calm, before)


def warm_start(state: TemporalState, source: Image, flows: FlowPair) -> WarmStart:
    """Carry the paint in ``state`` over to a frame.

    Args:
        state: the state after the frame before.
        source: the frame (H, W, 3).
        flows: estimates the flow between two frames in both directions.
    """
    same, bared = unchanged(state, source)
    still = same | bared
    kept = state.last.where(same, state.background)
    trust = still.astype(np.float32)
    warped = unit(kept.painted)
    if not still.all():
        moved, reached = _along(state.before, source, flows)
        trust = np.where(still, trust, reached)
        cv2.copyTo(moved, (~still).astype(np.uint8), warped)
    colors = state.last.colors(source)
    start = np.clip(colors + strokes_for(source, state.first, warped - colors, trust), 0, 1)
    start = blend(start, warped, trust)
    return WarmStart(start, warped, trust, still, kept.source)


def trusted(source: Image, old: Image, forward: Field, backward: Field) -> Field:
    """Compute where a flow can be trusted, by itself and by the colors that it connects.

    Args:
        source: the frame (H, W, 3).
        old: the frame (H, W, 3) that the flow points into.
        forward: the flow of ``source`` into ``old`` (H, W, 2), in pixels.
        backward: the opposite flow (H, W, 2).

    Returns:
        The trust (H, W), in 0..1.
    """
    trust = flow.trust(forward, backward)
    if flow.blind(source):
        trust[:] = 0
    trust[difference(source, flow.warp(old, forward)) > MISMATCH] = 0
    return trust


def _along(old: Painting, source: Image, flows: FlowPair) -> tuple[Field, Field]:
    """Warp an ``old`` painting onto the frame ``source``; return it and its trust."""
    forward, backward = flows(source, old.source)
    trust = trusted(source, old.source, forward, backward)
    # Sharper than bilinear interpolation, because paint that is warped a hundred times would blur.
    return unit(flow.warp(old.painted, forward, cv2.INTER_LANCZOS4)), trust


def unchanged(state: TemporalState, source: Image) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find where a frame has not changed since it was painted, apart from noise.

    Args:
        state: the state after the frame before.
        source: the frame (H, W, 3).

    Returns:
        Where the source is the same, except a border around each change in which paint joins, and
        where the background is visible again. Both are (H, W).
    """
    changed = difference(source, state.last.source) >= VIDEO_NOISE
    if _sways(state.last.source, changed):
        nothing = np.zeros_like(changed)
        return nothing, nothing
    grown = cv2.dilate(changed.astype(np.uint8), np.ones((BORDER, BORDER), np.uint8))
    same = (
        cv2.morphologyEx(
            grown, cv2.MORPH_OPEN, np.ones((SMALLEST_CHANGE, SMALLEST_CHANGE), np.uint8)
        )
        == 0
    )
    if not state.known.any():
        return same, np.zeros_like(same)
    other = (difference(source, state.background.source) >= VIDEO_NOISE).astype(np.uint8)
    returned = state.known & (cv2.dilate(other, np.ones((3, 3), np.uint8)) == 0)
    return same, returned & ~same


def _sways(picture: Image, changed: NDArray[np.bool_]) -> bool:
    """Whether the camera moves, given where a ``picture`` (H, W, 3) has ``changed`` (H, W).

    It does if sharp edges near the sides of the frame have changed, in several places. The middle
    does not count, since it may be filled by a single object that moves.
    """
    gray = cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (5, 5))
    down, across = np.gradient(gray)
    sharp = np.square(down) + np.square(across) > SHARP**2
    height, width = (side // 8 for side in sharp.shape)
    sharp[height:-height, width:-width] = False
    cells = cv2.resize(changed.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA) > 0.02
    outer = np.ones((8, 8), bool)
    outer[1:-1, 1:-1] = False
    return bool(sharp.any() and changed[sharp].mean() > SWAY and cells[outer].mean() > SPREAD)


def fades_in(first: Image, now: Image) -> bool:
    """Whether a shot has faded in, so that its first frame is no measure for the later ones.

    Args:
        first: the shot's first frame, (H, W, 3) uint8 RGB.
        now: a later frame of the same size.
    """
    changed = (difference(first, now) > VIDEO_NOISE).mean()
    return bool(now.std() > RISE * first.std() and changed > EVERYWHERE)
