"""A frame of a clip: its picture, its place in time, and what painting has to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture (H, W, 3) uint8 RGB, perhaps with alpha (H, W) uint8, and its place in time."""

    rgb: NDArray[np.uint8]
    time: Fraction
    """Seconds from the clip's start."""
    duration: Fraction
    """Seconds."""
    alpha: NDArray[np.uint8] | None = None
    masks: tuple[NDArray[np.uint8], ...] = ()
    """Layers (H, W) uint8 that go along with it, to be painted otherwise."""
    starts_shot: bool = False
    """Whether it is the first of a shot, as far as that has been looked for."""
    starts_segment: bool = False
    """Whether it is the first of a segment: a part of a shot that is painted by itself."""
    painting: NDArray[np.uint8] | None = None
    """How it is to look (H, W, 3), where that is given."""
    is_key: bool = True
    """Whether it is painted for itself, not only what it shows beside the key frames around it."""
