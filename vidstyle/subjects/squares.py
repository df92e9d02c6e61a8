"""Square parts of a picture, since networks see small squares."""

from __future__ import annotations

from math import ceil

import numpy as np

STEP_OF_SQUARES = 2 / 3
"""Distance of overlapping squares, relative to their side."""


def starts(length: int, side: int) -> list[int]:
    """Return where overlapping parts of this ``side`` begin, so that they cover a ``length``."""
    count = 1 + ceil((length - side) / (STEP_OF_SQUARES * side))
    return [round(start) for start in np.linspace(0, length - side, count)]
