"""Pictures as arrays, and the little that everybody does to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SHEET_GAP = 4
"""Pixels between the pictures of a contact sheet."""
Image = NDArray[np.uint8]
"""A picture (H, W, 3), RGB, uint8."""
Field = NDArray[np.float32]
"""A flow (H, W, 2), a mask (H, W) or a picture (H, W, 3) in 0..1, float32."""


def unit(picture: Image) -> Field:
    """``picture`` in 0..1."""
    return picture.astype(np.float32) / np.float32(255)


def resized(picture: Image, size: tuple[int, int]) -> Image:
    """``picture`` (H, W) or (H, W, C) at ``size`` (width, height)."""
    shrinks = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def resized_apart(picture: Image, alpha: Image, size: tuple[int, int]) -> tuple[Image, Image]:
    """``picture`` (H, W, 3) and its ``alpha`` (H, W) at ``size`` (width, height).

    Each pixel counts as much as it is seen: the colors behind what is clear stay there.
    """
    small = resized(alpha, size)
    weight = alpha.astype(np.float32)
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    weighted = cv2.resize(picture * weight[..., None], size, interpolation=method)
    weights = cv2.resize(weight, size, interpolation=method)[..., None]
    colors = np.where(weights > 0, weighted / np.maximum(weights, 1e-6), resized(picture, size))
    return np.rint(np.clip(colors, 0, 255)).astype(np.uint8), small


def laid_over(picture: Image, alpha: Image | None, ground: Any) -> Image:
    """``picture`` (H, W, 3) with its ``alpha`` (H, W) laid over the color ``ground``."""
    if alpha is None:
        return picture
    weight = unit(alpha[..., None])
    return np.rint(picture * weight + ground * (1 - weight)).astype(np.uint8)


def filled(picture: Image, alpha: Image | None) -> Image:
    """``picture`` (H, W, 3), its transparent part in the mean color of the rest."""
    if alpha is None:
        return picture
    weight = alpha[..., None].astype(np.float32)
    mean = (picture * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    return laid_over(picture, alpha, mean)


def at_area(picture: Image, area: int) -> Image:
    """``picture`` scaled to so many pixels, its aspect kept."""
    scale = (area / (picture.shape[0] * picture.shape[1])) ** 0.5
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return resized(picture, (width, height))


def within(picture: Image, side: int) -> Image:
    """``picture`` no larger than ``side`` pixels on its longer side."""
    scale = min(1.0, side / max(picture.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return resized(picture, (width, height))


def difference(one: Image, other: Image) -> Field:
    """How much two pictures differ (H, W), in levels of 255: means of 5x5 pixels, since video is
    noisy, in the color channel that differs most."""
    blurred = [cv2.blur(picture.astype(np.float32), (5, 5)) for picture in (one, other)]
    red, green, blue = cv2.split(cv2.absdiff(*blurred))
    return np.asarray(np.maximum(np.maximum(red, green), blue), np.float32)


def contact_sheet(rows: Sequence[Sequence[Image]], width: int = 1280) -> Image:
    """Rows of pictures of one size as one picture, ``width`` pixels wide at most."""
    high, wide = rows[0][0].shape[:2]
    scale = min(1.0, (width / len(rows[0]) - SHEET_GAP) / wide)
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    height, width = len(rows) * (size[1] + SHEET_GAP), len(rows[0]) * (size[0] + SHEET_GAP)
    sheet = np.full((height + SHEET_GAP, width + SHEET_GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = SHEET_GAP + r * (size[1] + SHEET_GAP), SHEET_GAP + c * (size[0] + SHEET_GAP)
            sheet[top : top + size[1], left : left + size[0]] = resized(picture, size)
    return sheet
