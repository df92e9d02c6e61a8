"""Color transfer from the source to a painting or a style."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.images import Field, Image


def with_chroma(painted: Image, source: Image) -> Image:
    """Combine the lightness of ``painted`` with the colors of ``source``, both (H, W, 3).

    Each frame takes the colors of its own source, so they move and stay still as the source does.
    """
    light = cv2.cvtColor(painted, cv2.COLOR_RGB2YCrCb)
    light[..., 1:] = cv2.cvtColor(source, cv2.COLOR_RGB2YCrCb)[..., 1:]
    return np.asarray(cv2.cvtColor(light, cv2.COLOR_YCrCb2RGB), np.uint8)


def mixed(painted: Image, source: Image, strength: float | Field) -> Image:
    """Lay ``painted`` over ``source``, both (H, W, 3).

    Args:
        painted: the upper picture.
        source: the lower picture.
        strength: opacity of the upper picture, 0..1: one number, or one per pixel (H, W).
    """
    if isinstance(strength, np.ndarray):
        strength = strength[..., None]
    return np.rint(painted * strength + source * (1 - strength)).astype(np.uint8)


def matched(style: Image, source: Image, by: Literal["histogram", "covariance"]) -> Image:
    """Return ``style`` in the colors of ``source``.

    This follows Gatys et al. 2016, Preserving Color in Neural Artistic Style Transfer.

    Args:
        style: the picture to recolor (H, W, 3).
        source: the picture that the colors come from (h, w, 3).
        by: "histogram" matches the histogram of each channel, "covariance" the mean and
            covariance of all three channels.
    """
    if by == "histogram":
        channels = [_histogram(style[..., i], source[..., i]) for i in range(3)]
        return np.dstack(channels)
    return _covariance(style, source)


def _histogram(channel: Image, model: Image) -> Image:
    """Map the values of ``channel`` (H, W) to the distribution of the values of ``model``."""
    share, wanted = (
        np.bincount(values.ravel(), minlength=256).cumsum() / values.size
        for values in (channel, model)
    )
    return np.searchsorted(wanted, share - 1e-9).clip(0, 255).astype(np.uint8)[channel]


def _covariance(style: Image, source: Image) -> Image:
    pixels, model = (p.reshape(-1, 3).astype(np.float64) for p in (style, source))
    turn = _root(model, 0.5) @ _root(pixels, -0.5)
    turned = (pixels - pixels.mean(0)) @ turn.T + model.mean(0)
    return np.rint(turned.clip(0, 255)).astype(np.uint8).reshape(style.shape)


def _root(pixels: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return the covariance (3, 3) of ``pixels`` (N, 3), raised to ``power``.

    Noise of one level is added to it, which keeps negative powers finite.
    """
    values, vectors = np.linalg.eigh(np.cov(pixels.T) + np.eye(3))
    return np.asarray((vectors * values**power) @ vectors.T)
