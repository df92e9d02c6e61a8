"""A frame of a clip: its picture, its time, and the data that painting needs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .faces import Face

Found = Literal["person", "background"]
"""What a mask can be found of: the people, or all that is behind them."""
FOUND: tuple[Found, ...] = get_args(Found)


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture (H, W, 3) uint8 RGB, optionally with alpha (H, W) uint8, and its time."""

    rgb: NDArray[np.uint8]
    time: Fraction
    """Seconds from the clip's start."""
    duration: Fraction
    """Seconds."""
    alpha: NDArray[np.uint8] | None = None
    """None means opaque."""
    masks: tuple[NDArray[np.uint8], ...] = ()
    """Masks (H, W) uint8, 255 inside, of the parts to be painted in another style or not at all."""
    starts_shot: bool = False
    """Whether it is the first frame of a shot. False until shots have been detected."""
    starts_segment: bool = False
    """Whether it is the first frame of a segment, a part of a shot that is painted on its own."""
    painting: NDArray[np.uint8] | None = None
    """The given painting of this frame (H, W, 3) uint8 RGB. None if there is none."""
    faces: tuple[Face, ...] = ()
    """The faces that it shows. Empty until faces have been looked for."""
    around: NDArray[np.uint8] | None = None
    """The frame with the black bars around it, (H, W, 3) uint8 RGB. None if there are none."""
    notes: tuple[str, ...] = ()
    """What was noticed when it was read, for the user."""
    is_key: bool = True
    """Whether it is a key frame, which is painted. Others take their paint from key frames."""
