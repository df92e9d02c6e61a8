"""The black bars of letterboxed and pillarboxed clips, which are not painted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..media import Clip
from ..settings import Settings
from .samples import samples

FRAMES_EXAMINED = 8
"""Frames of a video that are examined, at even distances. Of others, all are."""
BLACK = 20
"""Levels of 255 up to which a bar is black: compression makes it noisy."""
SPECKS = 0.005
"""The share of a bar's line that may be brighter."""
THINNEST_BAR, WIDEST_BAR = 0.01, 0.4
"""The share of a side that a bar takes up, at least and at most."""
UNEVEN = 0.08
"""The share of a side by which the bars on both of its ends may differ."""
FULL, EDGE = 0.5, 3
"""The share of a picture's outermost line that is bright at some time, and how many lines there are
to be looked at: the outermost ones may be blurred."""


@dataclass(frozen=True)
class Bars:
    """The black bars around the picture of a clip."""

    frame: tuple[int, int]
    """Width and height of the frames, in pixels."""
    above: int
    """Width, in pixels."""
    below: int
    left: int
    right: int

    def __str__(self) -> str:
        pairs = {
            "above and below": (self.above, self.below),
            "on the left and on the right": (self.left, self.right),
        }
        return ", ".join(
            f"{before} and {after} pixels {place}"
            for place, (before, after) in pairs.items()
            if before
        )

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        width, height = self.frame
        return slice(self.above, height - self.below), slice(self.left, width - self.right)

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        width, height = self.frame
        return width - self.left - self.right, height - self.above - self.below

    def scaled(self, frame: tuple[int, int]) -> Bars:
        """Return the bars of frames that are scaled to another width and height."""
        across, down = (Fraction(new, old) for old, new in zip(self.frame, frame, strict=True))
        return Bars(
            frame,
            round(self.above * down),
            round(self.below * down),
            round(self.left * across),
            round(self.right * across),
        )


def find_bars(clip: Clip, settings: Settings) -> Bars | None:
    """Return the bars that all examined frames of the wanted part of a clip have, if any."""
    bright: NDArray[np.bool_] | None = None
    for frame in samples(clip, settings, FRAMES_EXAMINED):
        here = frame.rgb.max(2) > BLACK
        bright = here if bright is None else bright
        if frame.alpha is not None or here.shape != bright.shape:
            return None
        bright = bright | here
        if bright.any() and _bars_around(bright) is None:
            return None
    return None if bright is None else _bars_around(bright)


def _bars_around(bright: NDArray[np.bool_]) -> Bars | None:
    """Return the bars around what is ever ``bright`` (H, W), if there are any."""
    height, width = bright.shape
    above, below = _pair(bright.mean(1))
    left, right = _pair(bright[above : height - below].mean(0))
    return Bars((width, height), above, below, left, right) if above or left else None


def _pair(shares: NDArray[np.float64]) -> tuple[int, int]:
    """Return the widths of the bars on both ends of a side, 0 if there are none.

    Args:
        shares: of each line across this side, how much is ever bright.
    """
    lit, length = np.flatnonzero(shares > SPECKS), len(shares)
    if not len(lit):
        return 0, 0
    first, last = int(lit[0]), int(lit[-1])
    widths = first, length - 1 - last
    even = max(widths) - min(widths) <= UNEVEN * length
    fit = THINNEST_BAR * length <= min(widths) and max(widths) <= WIDEST_BAR * length
    # A picture ends in a straight line. A thing on a black ground does not.
    edges = shares[first : first + EDGE], shares[last - EDGE + 1 : last + 1]
    straight = all(edge.max() > FULL for edge in edges)
    return widths if even and fit and straight else (0, 0)
