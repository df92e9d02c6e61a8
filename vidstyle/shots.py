"""Where a new shot begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from .media import Frame

THUMB = (64, 36)
LEAST = 15.0
"""Mean change of hue, saturation and value (0..255) that a cut has at least …"""
STAND_OUT = 3.0
"""… and how many times that of the steps around it: fast motion lasts, a cut does not."""
AROUND = 2
"""Steps looked at before and after."""


def shots(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame, and whether it begins a shot. Looks two frames ahead."""
    ahead: deque[tuple[Frame, float]] = deque()  # frames with the change since the one before
    changes: deque[float] = deque(maxlen=AROUND)
    thumb = None
    first = True
    for frame in frames:
        small = _thumb(frame)
        ahead.append((frame, 0.0 if thumb is None else float(np.abs(small - thumb).mean())))
        thumb = small
        if len(ahead) > AROUND:
            yield _judge(ahead, changes, first)
            first = False
    while ahead:
        yield _judge(ahead, changes, first)
        first = False


def _judge(
    ahead: deque[tuple[Frame, float]], before: deque[float], first: bool
) -> tuple[Frame, bool]:
    frame, change = ahead.popleft()
    around = [*before, *(later for _, later in ahead)]
    before.append(change)
    stands_out = not around or change > STAND_OUT * sum(around) / len(around)
    return frame, first or (change > LEAST and stands_out)


def _thumb(frame: Frame) -> NDArray[np.float32]:
    small = cv2.resize(frame.rgb, THUMB, interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.float32)
    hue = hsv[..., 0] * (2 * np.pi / 180)
    # Hue is an angle, and means nothing without colour: compare it as a point, not a number.
    chroma = hsv[..., 1] * hsv[..., 2] / 255
    return np.stack([chroma * np.cos(hue), chroma * np.sin(hue), hsv[..., 2]], -1)
