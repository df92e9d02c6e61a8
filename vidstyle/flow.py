"""Optical flow between two frames of the source, where to trust it, and warping along it.

A flow (H, W, 2), float32, in pixels, belongs to a frame and points into another one: the pixel at
p of the frame is found at p + w(p) of the other. So warping the other frame *back* along the flow
lays it over the frame. (To negate the opposite flow instead is a common error: it belongs to the
other frame's pixels.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import unknown
from .pictures import Field, Image

Estimator = Callable[[Image, Image], Field]
"""Maps a frame and another one to the flow of the first into the second."""

SMALLEST = 12  # DIS fails on pictures with a shorter side
FLAT = 2.0  # a grey picture whose standard deviation is below this has nothing to follow


def _gray(picture: Image) -> Image:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def dis(frame: Image, other: Image) -> Field:
    """Dense inverse search (Kroeger et al. 2016), OpenCV's medium preset."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = np.zeros((*frame.shape[:2], 2), np.float32)
    return np.asarray(estimator.calc(_gray(frame), _gray(other), start), np.float32)


def farneback(frame: Image, other: Image) -> Field:
    """Polynomial expansion (Farnebäck 2003)."""
    start = np.zeros((*frame.shape[:2], 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(
        _gray(frame), _gray(other), start, 0.5, 5, 21, 3, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    )
    return np.asarray(flow, np.float32)


ESTIMATORS: dict[str, Estimator] = {"dis": dis, "farneback": farneback}


def estimator(name: str) -> Estimator:
    """The estimator called ``name``, safe on pictures too small or too flat to be followed."""
    if name not in ESTIMATORS:
        raise unknown("flow", name, ESTIMATORS)
    estimate = ESTIMATORS[name]

    def guarded(frame: Image, other: Image) -> Field:
        if blind(frame) or blind(other):
            return np.zeros((*frame.shape[:2], 2), np.float32)
        return estimate(frame, other)

    return guarded


def blind(picture: Image) -> bool:
    """Whether ``picture`` is too small or too flat for any flow of it to mean something."""
    return min(picture.shape[:2]) < SMALLEST or float(_gray(picture).std()) < FLAT


def _grid(shape: tuple[int, ...]) -> Field:
    height, width = shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def warp(picture: NDArray[Any], flow: Field, interpolation: int = cv2.INTER_LINEAR) -> Field:
    """``picture``, of the frame that ``flow`` points into, laid over the frame it belongs to."""
    x, y = cv2.split(_grid(flow.shape) + flow)
    return cv2.remap(picture, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)


def trust(flow: Field, back: Field) -> Field:
    """Where ``flow`` may be believed, 0..1, given the opposite flow ``back`` (Ruder et al. 2016).

    Not where both flows disagree (something was uncovered), not at a boundary of motion, not
    outside the other frame. Softened by a Gaussian of 0.8 pixels that only takes away.
    """
    height, width = flow.shape[:2]
    back_there = warp(back, flow)
    length = np.square(flow).sum(-1)
    disagree = np.square(flow + back_there).sum(-1) > (
        0.01 * (length + np.square(back_there).sum(-1)) + 0.5
    )
    dy, dx = np.gradient(flow, axis=(0, 1))
    boundary = (np.square(dx) + np.square(dy)).sum(-1) > 0.01 * length + 0.002
    x, y = np.moveaxis(_grid(flow.shape) + flow, -1, 0)
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    firm = np.where(disagree | boundary | outside, 0, 1).astype(np.float32)
    return np.minimum(firm, cv2.GaussianBlur(firm, (0, 0), 0.8))
