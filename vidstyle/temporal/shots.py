"""Shot detection: shots begin at cuts, at the end of dissolves and after darkness."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frames import Frame

Cuts = Literal["auto", "none"] | Sequence[Fraction]
Thumb = NDArray[Any]

THUMB = (64, 36)
LEAST_CHANGE = 15.0
"""Least mean change of hue, saturation and value at a cut, in levels of 0..255."""
STAND_OUT = 3.0
"""A cut changes more than this many times the mean change of the steps around it.

This tells a cut from fast motion, which lasts for several steps.
"""
STEPS_AROUND = 2
"""Steps (from frame to frame) before and after a possible cut that it is compared with."""
DARK_DEVIATION = 4.0
"""Standard deviation of the colors (0..255) below which a frame is dark and shows nothing."""
DISSOLVES = (8, 12, 18, 26, 38)
"""The lengths of dissolves that are tried, in frames. A dissolve fits one of them roughly."""
MIXED = 0.25
"""The middle of a dissolve is the mean of both ends, within this share of their difference."""
ENDS_ALIKE = 0.6
"""Correlation that the ends of a dissolve stay below.

When only the light changes, the ends are more alike.
"""


@dataclass(frozen=True)
class _Glance:
    frame: Frame
    small: Thumb
    """RGB, at the size of a thumbnail."""
    color: Thumb
    """The thumbnail with its colors as points made of hue, saturation and value."""
    change: float
    """Mean difference from the color of the frame before; 0 for the first frame."""

    @cached_property
    def dark(self) -> bool:
        return float(self.small.std((0, 1)).max()) < DARK_DEVIATION


def shots(frames: Iterable[Frame], cuts: Cuts = "auto") -> Iterator[Frame]:
    """Mark the frames that begin a shot.

    Args:
        frames: the frames of a clip, in order.
        cuts: "auto" to detect shots, "none" for a single shot, or the times (seconds) at which
            shots begin.

    Yields:
        Each frame, with ``starts_shot`` set. Detection reads two frames ahead.
    """
    return _found(frames) if cuts == "auto" else _told(frames, () if cuts == "none" else cuts)


def _told(frames: Iterable[Frame], cuts: Sequence[Fraction | str]) -> Iterator[Frame]:
    left = deque(sorted(Fraction(cut) for cut in cuts))
    begins = True
    for frame in frames:
        while left and frame.time >= left[0]:
            left.popleft()
            begins = True
        yield replace(frame, starts_shot=begins)
        begins = False


def _found(frames: Iterable[Frame]) -> Iterator[Frame]:
    ahead: deque[_Glance] = deque()
    shot: deque[_Glance] = deque(maxlen=max(DISSOLVES))
    changes: deque[float] = deque(maxlen=STEPS_AROUND)
    for frame in frames:
        ahead.append(_see(frame, ahead[-1] if ahead else None))
        if len(ahead) > STEPS_AROUND:
            yield _judge(shot, changes, ahead)
    while ahead:
        yield _judge(shot, changes, ahead)


def _see(frame: Frame, before: _Glance | None) -> _Glance:
    small = _thumb(frame.rgb)
    color = _colors(small)
    change = 0.0 if before is None else _distance(color, before.color)
    return _Glance(frame, small, color, change)


def segmented(frames: Iterable[Frame], length: int | None) -> Iterator[Frame]:
    """Mark the frames that begin a segment.

    Args:
        frames: frames that are marked by ``shots``.
        length: frames per segment. None means that no frame begins one.

    Yields:
        Each frame, with ``starts_segment`` set: true for the first frame of a shot and for every
        ``length``-th frame after it.
    """
    count = 0
    for frame in frames:
        count = 0 if frame.starts_shot else count + 1
        begins = length is not None and count % length == 0
        yield replace(frame, starts_segment=begins)


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink a picture (H, W, 3) to the thumbnail (36, 64, 3) that shot detection looks at.

    A thumbnail's own thumbnail is the same, so thumbnails can stand in for frames.
    """
    return np.asarray(cv2.resize(picture, THUMB, interpolation=cv2.INTER_AREA), np.uint8)


def _thumb(picture: NDArray[np.uint8]) -> Thumb:
    return thumbnail(picture).astype(np.float32)


def _colors(small: Thumb) -> Thumb:
    hsv = cv2.cvtColor(small.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    hue = hsv[..., 0] * (2 * np.pi / 180)
    # Hue is an angle, and means nothing for grays, so it is compared as a point, not as a number.
    chroma = hsv[..., 1] * hsv[..., 2] / 255
    return np.stack([chroma * np.cos(hue), chroma * np.sin(hue), hsv[..., 2]], -1)


def _judge(shot: deque[_Glance], changes: deque[float], ahead: deque[_Glance]) -> Frame:
    """Take the next frame from ``ahead``, and mark whether it begins a new shot after ``shot``."""
    now = ahead.popleft()
    begins = (
        not shot
        or (shot[-1].dark and not now.dark)
        or _stands_out(now, [*changes, *(seen.change for seen in ahead)])
        or _dissolved(shot, now, ahead)
    )
    if begins:
        shot.clear()
    shot.append(now)
    changes.append(now.change)
    return replace(now.frame, starts_shot=begins)


def _stands_out(now: _Glance, around: Sequence[float]) -> bool:
    return now.change > LEAST_CHANGE and now.change > STAND_OUT * sum(around) / max(1, len(around))


def _dissolved(shot: deque[_Glance], now: _Glance, ahead: deque[_Glance]) -> bool:
    """Return whether a dissolve ends at ``now``: its middle was a mix of its start and ``now``."""
    for length in DISSOLVES:
        if len(shot) < length or not ahead:
            return False
        begin, middle = shot[-length].small, shot[-length // 2].small
        if shot[-length].dark:
            return False
        across = _distance(begin, now.small)
        over = max(seen.change for seen in ahead) < 0.5 * across / length
        mixed = _distance(middle, (begin + now.small) / 2) < MIXED * across
        if across > LEAST_CHANGE and over and mixed and _correlation(begin, now.small) < ENDS_ALIKE:
            return True
    return False


def _distance(one: Thumb, other: Thumb) -> float:
    return float(np.abs(one - other).mean())


def _correlation(one: Thumb, other: Thumb) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))


def follows(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether ``picture`` may follow ``other`` without a cut, both (H, W, 3)."""
    return _distance(_colors(_thumb(picture)), _colors(_thumb(other))) <= LEAST_CHANGE
