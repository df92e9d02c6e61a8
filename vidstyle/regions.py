"""The windows of a frame that need painting."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

CONTEXT = 24
"""Pixels of surroundings that a window shows the network, so that paint joins."""
GRID = 16
"""Windows lie on the grid of the coarsest layer, so that features fall as in the whole frame."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame: rows ``top``..``bottom``, columns ``left``..``right``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def __or__(self, other: Window) -> Window:
        """The smallest window around both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


def windows(changed: NDArray[np.bool_]) -> list[Window]:
    """Windows around the connected parts of ``changed`` (H, W), with their surroundings.

    Two are made one where that is no more to paint.
    """
    height, width = changed.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    found = []
    for left, top, wide, high, _ in stats[1:count].tolist():
        found.append(
            Window(
                max(0, (top - CONTEXT) // GRID * GRID),
                min(height, -(-(top + high + CONTEXT) // GRID) * GRID),
                max(0, (left - CONTEXT) // GRID * GRID),
                min(width, -(-(left + wide + CONTEXT) // GRID) * GRID),
            )
        )
    while pair := next(
        ((a, b) for a, b in combinations(found, 2) if (a | b).area <= a.area + b.area), None
    ):
        found = [w for w in found if w not in pair] + [pair[0] | pair[1]]
    return sorted(found, key=lambda w: (w.top, w.left))
