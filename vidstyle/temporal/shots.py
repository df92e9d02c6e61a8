"""Where a new shot begins: at cuts, when a dissolve is over, and out of the dark."""

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
"""Mean change of hue, saturation and value (0..255) that a cut has at least …"""
STAND_OUT = 3.0
"""… and how many times that of the steps around it: fast motion lasts, a cut does not."""
STEPS_AROUND = 2
"""Steps looked at before and after."""
DARK_DEVIATION = 4.0
"""A frame whose colors have a standard deviation below this shows nothing."""
DISSOLVES = (8, 12, 18, 26, 38)
"""Frames that a dissolve may take, more or less."""
MIXED = 0.25
"""In a dissolve, the middle is the mean of both ends but for this share of their difference …"""
ENDS_ALIKE = 0.6
"""… and the ends do not look alike (correlation), as they do when only the light changes."""


@dataclass(frozen=True)
class _Glance:
    frame: Frame
    small: Thumb
    """RGB, at the size of a thumb."""
    color: Thumb
    """The same as points of hue, saturation and value."""
    change: float
    """From the frame before."""

    @cached_property
    def dark(self) -> bool:
        return float(self.small.std((0, 1)).max()) < DARK_DEVIATION


def shots(frames: Iterable[Frame], cuts: Cuts = "auto") -> Iterator[Frame]:
    """Each frame with whether it begins a shot: as found, or at the times ``cuts`` (seconds).

    Looks two frames ahead.
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
    """Each frame with whether it begins a segment: a shot's first one does, and every one that is
    ``length`` frames after; None: no frame does."""
    count = 0
    for frame in frames:
        count = 0 if frame.starts_shot else count + 1
        begins = length is not None and count % length == 0
        yield replace(frame, starts_segment=begins)


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All that is looked at of a picture (H, W, 3) to find shots; of this, it is the same again."""
    return np.asarray(cv2.resize(picture, THUMB, interpolation=cv2.INTER_AREA), np.uint8)


def _thumb(picture: NDArray[np.uint8]) -> Thumb:
    return thumbnail(picture).astype(np.float32)


def _colors(small: Thumb) -> Thumb:
    hsv = cv2.cvtColor(small.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    hue = hsv[..., 0] * (2 * np.pi / 180)
    # Hue is an angle, and means nothing without color: compare it as a point, not a number.
    chroma = hsv[..., 1] * hsv[..., 2] / 255
    return np.stack([chroma * np.cos(hue), chroma * np.sin(hue), hsv[..., 2]], -1)


def _judge(shot: deque[_Glance], changes: deque[float], ahead: deque[_Glance]) -> Frame:
    """The next frame ``ahead``, with whether it begins another shot than that of ``shot``."""
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
    """Whether ``now`` is the end of a dissolve: it was mixed from what is gone and what stays."""
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
    """Whether ``picture`` (H, W, 3) may come after the ``other`` one without a cut."""
    return _distance(_colors(_thumb(picture)), _colors(_thumb(other))) <= LEAST_CHANGE
