"""Where faces matter: the eyes, the nose and the mouth most, then the rest of the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.faces import Face
from ..core.images import Field

WHOLE_FACE = 0.35
"""The importance of cheeks and forehead, relative to that of the eyes."""
WIDER, HIGHER = 1.1, 1.3
"""The face's outline, relative to half of the sides of its box, which ends at the brows."""
FEATURE_SIGMAS = (0.45, 0.45, 0.4, 0.5)
"""Sigmas of the soft spots on both eyes, the nose and the mouth, in distances of the eyes."""
FADING = 3.0
"""How steeply a picture is left out around features, by their importance."""
SMALLEST_EYES = 3.0
"""Pixels. Where the eyes are nearer, there is no room for features."""


def beside_features(faces: Sequence[Face], height: int, width: int) -> Field | None:
    """Return what of a picture is left without eyes, noses and mouths, softly.

    Args:
        faces: of the picture.
        height, width: of the picture, in pixels.

    Returns:
        A share of each pixel (H, W), in 0..1. None if there is no face with room for features.
    """
    found = importance([face for face in faces if face.is_sure], height, width)
    if found is None:
        return None
    return np.asarray(1 - (FADING * (found - WHOLE_FACE)).clip(0, 1), np.float32)


def importance(faces: Sequence[Face], height: int, width: int) -> Field | None:
    """Return how much each pixel of a frame matters to know its faces by, in 0..1.

    Args:
        faces: of the frame.
        height, width: of the frame, in pixels.

    Returns:
        The importance (H, W). None if there is no face with room for features.
    """
    large = [face for face in faces if face.eyes_apart >= SMALLEST_EYES]
    if not large:
        return None
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    found = np.zeros((height, width), np.float32)
    for face in large:
        across, down = (face.box[2:] - face.box[:2]) / 2 * (WIDER, HIGHER)
        x, y = face.center
        apart = np.square((columns - x) / across) + np.square((rows - y) / down)
        np.maximum(found, WHOLE_FACE * (2 - 2 * apart).clip(0, 1), out=found)
        for (x, y), sigma in zip(face.points, FEATURE_SIGMAS, strict=False):
            apart = np.square(columns - x) + np.square(rows - y)
            spot = np.exp(-apart / (2 * (sigma * face.eyes_apart) ** 2))
            np.maximum(found, spot, out=found)
    return found
