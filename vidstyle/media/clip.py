"""What a clip is: frames in their order, each with its own time and duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

from ..core.errors import UsageError
from ..core.frames import Frame

Kind = Literal["video", "animation", "stills"]

SHORTEST_DELAY = Fraction(1, 100)
"""Browsers play an animation's frames of this duration, or less, as if they asked for 100 ms."""
DEFAULT_DELAY = Fraction(1, 10)


@dataclass(frozen=True)
class ClipInfo:
    """What was understood of a clip before its frames are decoded."""

    path: Path
    kind: Kind
    container: str
    codec: str
    width: int
    height: int
    frames: int | None
    """The number of frames, as the file claims; None where it does not say."""
    duration: Fraction | None
    """Seconds, as the file claims."""
    times: tuple[Fraction, ...] = ()
    """When each frame begins, in seconds, where that is known beforehand."""
    time_base: Fraction = Fraction(1, 1000)
    rate: Fraction | None = None
    """Average frames a second."""
    even: bool = True
    """Whether each frame lasts as long as the others, as far as the file says."""
    loop: int | None = None
    """How often an animation plays: 0 for ever; None for clips that do not say."""
    alpha: bool = False
    sound: tuple[str, ...] = ()
    """The codecs of the sound streams."""
    subtitles: tuple[str, ...] = ()
    """The codecs of the subtitle streams."""
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0
    """Degrees, counter-clockwise, that the frames were turned by to stand upright."""
    mirrored: bool = False
    color: str = "sRGB"
    attached: tuple[str, ...] = ()
    """What else is in the file: covers, fonts, time codes."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Mapping[str, Any], ...] = ()
    """As PyAV gives and takes them: start and end in ticks of their time_base, and metadata."""


class Clip(Protocol):
    """Something that can be read from start to end, as often as is wanted."""

    info: ClipInfo
    notes: list[str]
    """What was wrong with the file but could be read over; complete once all frames are read."""

    def __iter__(self) -> Iterator[Frame]: ...


def check_pixels(path: Path, width: int, height: int, max_pixels: int | None) -> None:
    """Refuse frames that are larger than is sane, before one is decoded.

    Raises:
        UsageError: there are more than ``max_pixels``.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise UsageError(
            f"{path}: {width}x{height} pixels are more than --max-pixels {max_pixels}: "
            f"give more if you trust the file"
        )


def resample(frames: Iterable[Frame], rate: Fraction, first: int = 0) -> Iterator[Frame]:
    """The frames at a constant ``rate`` a second: each moment shows what was shown then.

    Begins with number ``first``, counted from 0; ``frames`` need not begin before that one.
    """
    shown: Frame | None = None
    count = first

    def until(end: Fraction) -> Iterator[Frame]:
        nonlocal count
        while shown is not None and count / rate < end:
            yield replace(shown, time=count / rate, duration=1 / rate)
            count += 1

    for frame in frames:
        yield from until(frame.time)
        shown = frame
    if shown is not None:
        yield from until(shown.time + shown.duration)


def trim(
    frames: Iterable[Frame],
    start: Fraction = Fraction(0),
    end: Fraction | None = None,
    max_frames: int | None = None,
) -> Iterator[Frame]:
    """The first ``max_frames`` shown between ``start`` and ``end`` seconds, from time 0 on."""
    taken = 0
    for frame in frames:
        if (end is not None and frame.time >= end) or taken == max_frames:
            return
        until = frame.time + frame.duration
        if until <= start:
            continue
        begin = max(frame.time, start)
        until = until if end is None else min(until, end)
        yield replace(frame, time=begin - start, duration=until - begin)
        taken += 1
