"""Clips: sequences of frames in order, each with its own time and duration."""

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
"""Seconds. Browsers show animation frames this short, or shorter, for 100 ms."""
DEFAULT_DELAY = Fraction(1, 10)
"""The duration that browsers give such frames, in seconds."""


@dataclass(frozen=True)
class ClipInfo:
    """The facts about a clip that are known before its frames are decoded."""

    path: Path
    kind: Kind
    container: str
    codec: str
    width: int
    height: int
    frames: int | None
    """The number of frames that the file claims. None if it does not say."""
    duration: Fraction | None
    """Seconds, as claimed by the file. None if it does not say."""
    times: tuple[Fraction, ...] = ()
    """The start of each frame, in seconds. Empty if unknown before decoding."""
    time_base: Fraction = Fraction(1, 1000)
    """Seconds per tick of the clip's clock."""
    rate: Fraction | None = None
    """Average frame rate in frames per second. None if unknown."""
    even: bool = True
    """Whether all frames have the same duration, as far as the file says."""
    loop: int | None = None
    """How many times an animation plays. 0 means forever; None means it does not say."""
    alpha: bool = False
    sound: tuple[str, ...] = ()
    """The codecs of the sound streams."""
    subtitles: tuple[str, ...] = ()
    """The codecs of the subtitle streams."""
    sample_aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""
    rotation: int = 0
    """Degrees counterclockwise by which decoded frames are rotated to stand upright."""
    mirrored: bool = False
    """Whether they are then mirrored left to right."""
    color: str = "sRGB"
    attached: tuple[str, ...] = ()
    """Descriptions of other content in the file: covers, fonts, time codes."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Mapping[str, Any], ...] = ()
    """Chapters in PyAV's format: start and end in ticks of their time_base, and metadata."""


class Clip(Protocol):
    """A clip whose frames can be read from start to end, any number of times."""

    info: ClipInfo
    notes: list[str]
    """Problems in the file that reading got past. Complete once all frames are read."""

    def __iter__(self) -> Iterator[Frame]: ...


def check_pixels(path: Path, width: int, height: int, max_pixels: int | None) -> None:
    """Refuse a file with frames that are too large, before any frame is decoded.

    Args:
        path: the file, for the error message.
        width: pixels.
        height: pixels.
        max_pixels: the most pixels that a frame may have. None means no limit.

    Raises:
        UsageError: a frame has more than ``max_pixels``.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise UsageError(
            f"{path}: {width}x{height} pixels are more than --max-pixels {max_pixels}: "
            f"give more if you trust the file"
        )


def resample(frames: Iterable[Frame], rate: Fraction, first: int = 0) -> Iterator[Frame]:
    """Resample frames to a constant frame rate.

    Each new frame shows what the clip shows at that moment.

    Args:
        frames: frames in order.
        rate: frames per second.
        first: number of the first new frame, counted from 0. It starts at ``first / rate``
            seconds, and ``frames`` may begin with the one shown at that time.

    Yields:
        Frames from number ``first`` on, each of ``1 / rate`` seconds.
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
    """Cut frames to a part of the clip.

    Args:
        frames: frames in order.
        start: start of the part, in seconds.
        end: end of the part, in seconds. None means the end of the clip.
        max_frames: the most frames to yield. None means no limit.

    Yields:
        The frames shown between ``start`` and ``end``, with their times counted from ``start``
        and their durations cut to the part.
    """
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
