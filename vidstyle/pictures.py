"""Pictures as arrays, and the little that everybody does to them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
"""A picture (H, W, 3), RGB, uint8."""
Field = NDArray[Any]
"""A flow (H, W, 2), a mask (H, W) or a picture (H, W, 3) in 0..1, float32."""


def resized(picture: Image, size: tuple[int, int]) -> Image:
    """``picture`` (H, W) or (H, W, C) at ``size`` (width, height)."""
    shrinks = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def at_area(picture: Image, area: int) -> Image:
    """``picture`` scaled to so many pixels, its aspect kept."""
    scale = (area / (picture.shape[0] * picture.shape[1])) ** 0.5
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return resized(picture, (width, height))


def difference(one: Image, other: Image) -> Field:
    """How much two pictures differ (H, W), in levels of 255: means of 5x5 pixels, since video is
    noisy, in the colour channel that differs most."""
    blurred = [cv2.blur(picture.astype(np.float32), (5, 5)) for picture in (one, other)]
    return np.abs(blurred[0] - blurred[1]).max(-1)
