"""A mask that is drawn on one frame, and follows through the shot what it was drawn on.

It is carried along composed flow, as paint is. What the flow does not know is decided by the colors
of what is known inside and outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.images import Field, Image, resized, within
from ..temporal import flow
from ..temporal.carry import Motion, certain, confidence

FOLLOWING_SIDE = 320
"""Pixels of the longer side at which the motion is estimated."""
KNOWN = 0.5
"""The confidence from which on the flow decides."""
LEAST_UNKNOWN = 0.002
"""The share of a picture that must be unknown for colors to decide."""
LONGEST_WAY = 12
"""Frames after which the flow is composed anew, from what has been found by then; sooner where it
no longer knows most of the mask."""
ENOUGH_SEEN = 0.3
"""The share of the mask that must also have been in the frame before, for that."""
CARRIED = 2.0
"""How much what was carried counts beside the colors, where the flow is not known: log-odds."""
BINS, NEIGHBORHOOD = 16, 5
"""Levels of each color channel that are told apart, and pixels that are decided together, across
and down."""
REACH = 13
"""Side, in pixels, of the square by which a mask may grow at once where colors decide."""
LEFT = 0.05
"""The mask is lost when no more than this share of its area is left, or is known for long."""
INSIDE_FROM = 127
"""A pixel is inside if the mask is lighter."""


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A frame (h, w, 3), at the size at which it is followed, and its mask (H, W) at full size."""

    picture: Image
    mask: Image


class FollowingMask:
    """A mask of the first frame of a shot, carried to the others one after the other.

    Args:
        frame: the first frame (H, W, 3).
        mask: what is drawn on it (H, W): 255 inside.
    """

    def __init__(self, frame: Image, mask: Image) -> None:
        self.flows = flow.both_ways(flow.estimator("dis"))
        self.before = within(frame, FOLLOWING_SIDE)
        self.drawn = _Drawn(self.before, mask)
        self.motion = Motion.none(self.before.shape)
        """The motion of the frame before into the one that is drawn on."""
        self.way = self.guessed = 0
        """Frames since that one, and frames in a row of which next to nothing was known."""
        self.area = float(mask.mean())
        self.is_lost = not self.area
        """Whether nothing is left that could be followed."""

    def __call__(self, frame: Image) -> Image:
        """Return the mask (H, W) of the next ``frame`` (H, W, 3): empty once it is lost."""
        if self.is_lost:
            return np.zeros_like(self.drawn.mask)
        small = within(frame, FOLLOWING_SIDE)
        step = Motion.between(*self.flows(small, self.before))
        steady = confidence(self.before, small, step)
        self.motion, self.before, self.way = step.after(self.motion), small, self.way + 1
        sure = confidence(self.drawn.picture, small, self.motion)
        mask = flow.warp(self.drawn.mask, _enlarged(self.motion.flow, frame))
        inside = resized(mask, small.shape[1::-1]) > INSIDE_FROM
        known, seen = (_share(values > KNOWN, inside) for values in (sure, steady))
        if (sure < KNOWN).mean() > LEAST_UNKNOWN:
            mask = _by_colors(mask, small, sure)
        # Not while a flash lights up everything, or something passes in front of it.
        if (self.way >= LONGEST_WAY or known < KNOWN) and seen > ENOUGH_SEEN:
            self.drawn, self.way = _Drawn(small, mask), 0
            self.motion = Motion.none(small.shape)
        self.guessed = self.guessed + 1 if seen <= LEFT else 0
        self.is_lost = self.guessed > LONGEST_WAY or float(mask.mean()) <= LEFT * self.area
        return np.zeros_like(mask) if self.is_lost else mask


def _share(known: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """Return which share of what is ``inside`` is ``known``."""
    return float(known[inside].mean()) if inside.any() else 0.0


def _enlarged(motion: Field, frame: Image) -> Field:
    """Enlarge a flow (h, w, 2) to the size of the ``frame`` (H, W, 3)."""
    height, width = frame.shape[:2]
    scale = np.array([width / motion.shape[1], height / motion.shape[0]], np.float32)
    large = cv2.resize(motion * scale, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


def _by_colors(mask: Image, picture: Image, sure: Field) -> Image:
    """Decide by colors what is inside a mask, where the flow does not know.

    Args:
        mask: as it was carried (H, W).
        picture: the frame (h, w, 3), small.
        sure: the confidence of what was carried (h, w), in 0..1.

    Returns:
        The mask (H, W).
    """
    inside = resized(mask, picture.shape[1::-1]) > INSIDE_FROM
    known = sure >= KNOWN
    sides = inside & known, ~inside & known
    if not all(side.any() for side in sides):
        return mask  # there are no colors to decide by
    odds = np.where(inside, CARRIED, -CARRIED).astype(np.float32)
    odds += np.log(_frequency(picture, sides[0]) / _frequency(picture, sides[1]))
    near = cv2.dilate(inside.astype(np.float32), np.ones((REACH, REACH)))
    found = near * (cv2.blur(odds, (NEIGHBORHOOD, NEIGHBORHOOD)) > 0)
    size = mask.shape[1::-1]
    large, share = (cv2.resize(values, size) for values in (found, certain(sure)))
    return np.rint(share * mask + (1 - share) * 255 * large).astype(np.uint8)


def _frequency(picture: Image, where: NDArray[np.bool_]) -> Field:
    """Return how frequent the color of each pixel of a ``picture`` (h, w, 3) is in the part of it
    ``where`` (h, w) is true, relative to all colors."""
    ranges, bins = [0, 256] * 3, [BINS] * 3
    counts = cv2.calcHist([picture], [0, 1, 2], where.astype(np.uint8), bins, ranges)
    shares = (counts + 1) / (counts.sum() + BINS**3)
    at = tuple((picture // (256 // BINS)).transpose(2, 0, 1))
    return np.asarray(shares[at], np.float32)
