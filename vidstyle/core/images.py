"""Pictures as arrays, and the basic operations on them."""

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
    """Return ``picture`` as float32 in 0..1."""
    return picture.astype(np.float32) / np.float32(255)


def in_colors(values: NDArray[Any]) -> Field:
    """Repeat ``values`` (H, W) in three channels (H, W, 3): NumPy is slow to do so by itself."""
    return np.asarray(cv2.merge([np.asarray(values, np.float32)] * 3), np.float32)


def blend(one: Field, other: Field, share: NDArray[Any]) -> Field:
    """Mix two pictures (H, W, 3), given the ``share`` of the second one (H, W), in 0..1."""
    return np.asarray(one + in_colors(share) * (other - one), np.float32)


def resized(picture: Image, size: tuple[int, int]) -> Image:
    """Resize ``picture``, (H, W) or (H, W, C) uint8, to ``size`` (width, height) in pixels."""
    shrinks = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def resized_apart(picture: Image, alpha: Image, size: tuple[int, int]) -> tuple[Image, Image]:
    """Resize a picture and its alpha, with the colors weighted by alpha.

    So the colors of transparent pixels do not bleed into visible ones.

    Args:
        picture: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8.
        size: (width, height) in pixels.

    Returns:
        The picture and the alpha at the new size.
    """
    small = resized(alpha, size)
    weight = alpha.astype(np.float32)
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    weighted = cv2.resize(picture * weight[..., None], size, interpolation=method)
    weights = cv2.resize(weight, size, interpolation=method)[..., None]
    colors = np.where(weights > 0, weighted / np.maximum(weights, 1e-6), resized(picture, size))
    return np.rint(np.clip(colors, 0, 255)).astype(np.uint8), small


def laid_over(picture: Image, alpha: Image | None, ground: Any) -> Image:
    """Composite a picture over a background color.

    Args:
        picture: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8. None means opaque.
        ground: the background, 0..255: a gray level, or an RGB color (3,).

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if alpha is None:
        return picture
    weight = unit(alpha[..., None])
    return np.rint(picture * weight + ground * (1 - weight)).astype(np.uint8)


def filled(picture: Image, alpha: Image | None) -> Image:
    """Fill the transparent part of a picture with the mean color of the rest.

    Args:
        picture: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8. None means opaque.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if alpha is None:
        return picture
    weight = alpha[..., None].astype(np.float32)
    mean = (picture * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    return laid_over(picture, alpha, mean)


def at_area(picture: Image, area: int) -> Image:
    """Scale ``picture`` to an ``area`` of about so many pixels, with its aspect ratio kept."""
    scale = (area / (picture.shape[0] * picture.shape[1])) ** 0.5
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return resized(picture, (width, height))


def within(picture: Image, side: int) -> Image:
    """Scale ``picture`` down so that its longer side has at most ``side`` pixels."""
    scale = min(1.0, side / max(picture.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return resized(picture, (width, height))


def difference(one: Image, other: Image) -> Field:
    """Measure how much two pictures differ at each pixel.

    Both are averaged over 5x5 pixels first, because video is noisy.

    Args:
        one: (H, W, 3) uint8 RGB.
        other: a picture of the same size.

    Returns:
        (H, W) float32, 0..255: the difference in the color channel that differs most.
    """
    # Sums of 25 differences fit into 16 bits.
    sums = cv2.boxFilter(np.subtract(one, other, dtype=np.int16), -1, (5, 5), normalize=False)
    red, green, blue = cv2.split(np.abs(sums))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32) / np.float32(25)


def stacked(rows: Sequence[Image]) -> Image:
    """Put pictures (H, W, 3) one below the other, with white beside those that are narrower."""
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [
            np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
            for row in rows
        ]
    )


def contact_sheet(rows: Sequence[Sequence[Image]], width: int = 1280) -> Image:
    """Arrange pictures in a grid, separated by white gaps.

    Args:
        rows: pictures (H, W, 3) uint8 of the same size, as many in each row.
        width: the maximum width of the sheet in pixels, not counting its outer gap. Pictures are
            scaled down to fit, never up.

    Returns:
        The sheet, (H, W, 3) uint8 RGB.
    """
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
