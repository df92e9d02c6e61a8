"""Edits of a painted frame: what a person has changed in it, carried to the frames around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..core.images import Field, Image, blend, difference, in_colors, unit
from .carry import DECISIVE, Motion, carried, certain
from .flow import warp
from .painting import Painting

FAINTEST, CLEAR, NOISE_MEDIANS = 2.0, 12.0, 4.0
"""Levels of 255. A mean color over 5x5 pixels that differs by more than the first was edited. In a
lossy file all colors differ, and so many times their median must be exceeded, or the second."""
SMALLEST_EDIT = 3
"""Pixels across. What is smaller in such a mean is noise."""
SEAM = 5
"""Pixels across by which what was edited is widened, and over which it fades."""
NARROW_GAP = 9
"""Pixels across. Narrower gaps in what can be carried are filled, which would flicker."""


@dataclass(frozen=True, eq=False)
class Edit:
    """What was changed in a painted frame."""

    corrected: Painting
    """The frame, and its painting as it is to be."""
    share: Field
    """Where that was changed (H, W), in 0..1."""

    @classmethod
    def of(cls, source: Image, painted: Image, corrected: Image) -> Edit:
        """Find what was changed in the painting of a frame.

        Args:
            source: the frame (H, W, 3).
            painted: its painting (H, W, 3).
            corrected: the same as it is to be (H, W, 3).
        """
        differs = difference(corrected, painted)
        least = min(CLEAR, max(FAINTEST, NOISE_MEDIANS * float(np.median(differs))))
        square = np.ones((SMALLEST_EDIT, SMALLEST_EDIT), np.uint8)
        changed = cv2.morphologyEx((differs > least).astype(np.uint8), cv2.MORPH_OPEN, square)
        wide = cv2.dilate(changed, np.ones((SEAM, SEAM), np.uint8))
        return cls(Painting(source, corrected), _soft(np.asarray(wide, np.float32)))

    def to(self, source: Image, motion: Motion) -> Layer:
        """Carry the edit to another frame.

        Args:
            source: the frame (H, W, 3).
            motion: the motion of this frame into the edited one.
        """
        picture, confidence = carried(self.corrected, source, motion)
        known = cv2.morphologyEx(
            certain(confidence), cv2.MORPH_CLOSE, np.ones((NARROW_GAP, NARROW_GAP))
        )
        weight = warp(self.share, motion.flow) * _soft(np.asarray(known, np.float32))
        return Layer(np.rint(picture.clip(0, 1) * 255).astype(np.uint8), weight)


@dataclass(frozen=True, eq=False)
class Layer:
    """An edit as it is laid over the painting of a frame."""

    picture: Image
    """(H, W, 3)."""
    weight: Field
    """How much of it is seen (H, W), in 0..1."""
    distance: float = 0.0
    """From the edited frame, in frames."""


def edited(painted: Image, layers: Sequence[Layer]) -> Image:
    """Lay edits over a painting (H, W, 3). Where several meet, the nearer one counts more."""
    if not any(layer.weight.any() for layer in layers):
        return painted
    below = np.ones(painted.shape[:2], np.float32)
    total, mixed = np.zeros_like(below), np.zeros(painted.shape, np.float32)
    for layer in layers:
        below *= 1 - layer.weight
        counts = layer.weight / np.float32(max(layer.distance, 1e-2) ** DECISIVE)
        total += counts
        mixed += in_colors(counts) * unit(layer.picture)
    over = mixed / in_colors(np.maximum(total, 1e-12))
    found = blend(unit(painted), over, 1 - below)
    return np.rint(found.clip(0, 1) * 255).astype(np.uint8)


def _soft(values: Field) -> Field:
    return np.asarray(cv2.blur(values, (SEAM, SEAM)), np.float32)
