"""Key frames with given paintings: by a person, by another program, or by an earlier run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .. import media
from ..core.errors import UsageError
from ..core.images import Image
from ..media.stills import folder_images
from ..settings import seconds

ASPECT = 0.02
"""Largest relative difference of a given painting's aspect ratio from that of its frame.

A painting within this difference is resized to the frame.
"""
STYLES = 8
"""How many given paintings are used as styles, at most, if no style is named."""
KeyLike = str | Path | tuple[float, str | Path]
"""(seconds, painting), or a folder of paintings whose names end with their frame's number."""


@dataclass(frozen=True)
class GivenKey:
    """A painting that is given for a frame, which is identified by its time or its number."""

    path: Path
    """The file of the painting."""
    time: Fraction | None = None
    """A time in the clip, in seconds, at which the frame is shown. None if it has a number."""
    number: int | None = None
    """The number of the frame among those that are painted, from 1 on. None if it has a time."""

    @property
    def place(self) -> str:
        """The frame, in words."""
        return f"frame {self.number}" if self.time is None else f"{float(self.time):g} s"


def keys_of(keys: Sequence[KeyLike]) -> tuple[GivenKey, ...]:
    """Return all given paintings, with folders expanded.

    Raises:
        UsageError: a path is not a folder, a time is negative, a file name has no frame number, or
            two paintings are for the same frame.
    """
    found: dict[str, GivenKey] = {}
    for given in (one for key in keys for one in _each(key)):
        other = found.setdefault(given.place, given)
        if other is not given:
            raise UsageError(
                f"{given.path}: {given.place} already has the painting {other.path}: leave out one"
            )
    return tuple(found.values())


def _each(key: KeyLike) -> Iterator[GivenKey]:
    if isinstance(key, tuple):
        time, path = key
        if not 0 <= time < float("inf"):
            raise UsageError(f"{path}: the time of a key frame must be 0 or more, not {time:g}")
        yield GivenKey(Path(path), time=seconds(time))
        return
    if not Path(key).is_dir():
        raise UsageError(
            f"{key}: is not a folder: give one picture with the time of its frame, as T={key}"
        )
    for path in folder_images(Path(key)):
        yield GivenKey(path, number=frame_number(path))


def frame_number(path: Path) -> int:
    """Return the number of the frame that a given painting is called by.

    Raises:
        UsageError: its name has none.
    """
    numbers = re.findall(r"\d+", path.stem)
    if not numbers or not int(numbers[-1]):
        raise UsageError(f"{path}: its name must end with the number of its frame, from 1 on")
    return int(numbers[-1])


def styles_of(keys: Sequence[GivenKey]) -> list[Path]:
    """Choose evenly which of the given paintings to use as styles, at most ``STYLES``."""
    step = max(1, -(-len(keys) // STYLES))
    return [key.path for key in keys[::step]]


def has_shape(painting: Image, size: tuple[int, int]) -> bool:
    """Whether a ``painting`` (H, W, 3) has the aspect ratio of ``size`` (width, height)."""
    height, width = painting.shape[:2]
    return 1 - ASPECT < (width * size[1]) / (height * size[0]) < 1 + ASPECT


def check_keys(
    keys: Sequence[GivenKey], sizes: Sequence[tuple[int, int]], max_pixels: int | None
) -> None:
    """Check that all given paintings are pictures with the aspect ratio of the frames.

    Args:
        keys: the given paintings.
        sizes: width and height of the frames, in pixels: with black bars, and without them.
        max_pixels: the most pixels of a picture to accept. None means any number.

    Raises:
        UsageError: a file is not a picture, or has another aspect ratio.
    """
    for key in keys:
        painting = media.read_image(key.path, max_pixels)[0]
        if not any(has_shape(painting, size) for size in sizes):
            height, width = painting.shape[:2]
            raise UsageError(
                f"{key.path}: {width}x{height} is another shape than that of the painting, "
                f"{sizes[0][0]}x{sizes[0][1]}: cut it to that"
            )
