"""People, told from the ground behind them by MediaPipe's selfie segmentation in OpenCV.

The networks see a picture of 256x256 or 256x144 pixels, RGB in 0..1, and say how likely each pixel
shows a person. They know people who are near: far ones are found only in parts of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import Any

import cv2
import numpy as np

from ..core.images import Field, Image, resized, unit, within
from ..temporal import flow
from ..temporal.carry import Motion, confidence
from . import models
from .squares import starts

SQUARE_MODEL, LANDSCAPE_MODEL = "selfie_segmentation.tflite", "selfie_segmentation_landscape.tflite"
INPUT_SIZES = {SQUARE_MODEL: (256, 256), LANDSCAPE_MODEL: (256, 144)}
"""Width and height, in pixels, of what each network sees."""
SEARCH_SIDE, FOLLOWED_SIDE = 512, 320
"""Pixels of the longer side at which people are looked for, and at which they are followed."""
KEPT_MASK = 0.8
"""The share of a mask that comes from the frame before, where the motion is sure."""
EDGE_RADIUS, EDGE_RIDGE = 1 / 64, 1e-3
"""The radius of the guided filter, relative to the longer side, and its regularization ε."""
EDGE_CONTRAST = 2.0
"""The filter blurs where outlines are faint: its slopes are made so much steeper."""
SOMEBODY = 0.01
"""The share of a picture that a person takes up, at least."""

Likelihood = Callable[[Image], Field]
"""Says how likely each pixel of a picture (H, W, 3) shows a person (h, w), in 0..1."""


class PersonFinder:
    """Says how likely each pixel shows a person. It may be used by one thread at a time."""

    @cached_property
    def networks(self) -> dict[str, Any]:
        """The networks in OpenCV, by the names of their files."""
        return {name: models.opened(name) for name in INPUT_SIZES}

    def __call__(self, picture: Image) -> Field:
        """Look for people in a ``picture`` (H, W, 3), as a whole and in square parts.

        Returns:
            How likely each pixel shows a person (h, w), in 0..1: at most ``SEARCH_SIDE`` long.
        """
        small = within(picture, SEARCH_SIDE)
        height, width = small.shape[:2]
        whole = self._seen(small, LANDSCAPE_MODEL if width >= height else SQUARE_MODEL)
        side = min(height, width)
        sums, weights = np.zeros((2, height, width), np.float32)
        # Where parts overlap, the one counts most whose middle is nearest.
        near = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)).astype(np.float32)
        weight = np.minimum(near[:, None], near)
        for top, left in product(starts(height, side), starts(width, side)):
            here = slice(top, top + side), slice(left, left + side)
            sums[here] += weight * self._seen(small[here], SQUARE_MODEL)
            weights[here] += weight
        return np.asarray((whole + sums / weights) / 2, np.float32)

    def _seen(self, picture: Image, name: str) -> Field:
        """Return what the network called ``name`` says of a picture (h, w)."""
        network, size = self.networks[name], INPUT_SIZES[name]
        network.setInput(cv2.dnn.blobFromImage(resized(picture, size), 1 / 255, size))
        likely = network.forward().reshape(size[::-1])
        return np.asarray(cv2.resize(likely, picture.shape[1::-1]), np.float32)


class PersonMask:
    """The mask of the people in a shot, frame after frame, steady along the motion.

    Args:
        find: says where people are.
    """

    def __init__(self, find: Likelihood) -> None:
        self.find = find
        self.flows = flow.both_ways(flow.estimator("dis"))
        self.before: tuple[Image, Field] | None = None
        """The frame before, small, and where its people are."""

    def begin(self) -> None:
        """Begin a shot."""
        self.before = None

    def __call__(self, frame: Image) -> Image:
        """Return the mask of the next ``frame`` (H, W, 3): 255 where people are (H, W)."""
        small = within(frame, FOLLOWED_SIDE)
        found = np.asarray(cv2.resize(self.find(frame), small.shape[1::-1]), np.float32)
        if self.before is not None:
            picture, there = self.before
            motion = Motion.between(*self.flows(small, picture))
            kept = KEPT_MASK * confidence(picture, small, motion)
            found += kept * (flow.warp(there, motion.flow) - found)
        self.before = small, found
        return _along_edges(found, frame)


def shows_somebody(likely: Field) -> bool:
    """Whether a picture shows a person, given how ``likely`` each pixel does (h, w)."""
    return bool((likely > 0.5).mean() > SOMEBODY)


def _along_edges(share: Field, frame: Image) -> Image:
    """Enlarge a mask (h, w), 0..1, so that its edge follows the edges in its ``frame`` (H, W, 3).

    The guided filter (He et al. 2013), with the brightness of the frame as the guide I.

    Returns:
        The mask (H, W), 0..255.
    """
    height, width = frame.shape[:2]
    radius = max(2, round(EDGE_RADIUS * max(height, width)))

    def mean(values: Field) -> Field:
        side = 2 * radius + 1
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE))

    guide = unit(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8))
    mask = np.asarray(cv2.resize(share, (width, height)), np.float32)
    mean_i, mean_p = mean(guide), mean(mask)
    a = (mean(guide * mask) - mean_i * mean_p) / (mean(guide * guide) - mean_i**2 + EDGE_RIDGE)
    filtered = mean(a) * guide + mean(mean_p - a * mean_i)
    steep = EDGE_CONTRAST * (filtered - 0.5) + 0.5
    return np.rint(steep.clip(0, 1) * 255).astype(np.uint8)
