"""Key frames whose paintings are given: by a person, by another program, or by an earlier run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .. import media
from ..core.errors import UsageError
from ..media.stills import folder_images
from ..settings import seconds

ASPECT = 0.02
"""The share by which a painting may be wider or higher than its frame, to be resized."""
STYLES = 8
"""How many of the key frames are taken as styles, at most, where no style is named."""
KeyLike = str | Path | tuple[float, str | Path]
"""A folder of paintings called by the numbers of their frames, or (seconds, painting)."""


@dataclass(frozen=True)
class GivenKey:
    """How a frame is to look."""

    path: Path
    time: Fraction | None = None
    """The frame that is seen at this second of the clip …"""
    number: int | None = None
    """… or the one of this number, counted from 1, of those that are painted."""

    @property
    def place(self) -> str:
        """Which frame that is, for people."""
        return f"frame {self.number}" if self.time is None else f"{float(self.time):g} s"


def keys_of(keys: Sequence[KeyLike]) -> tuple[GivenKey, ...]:
    """All ``keys``, those in folders one by one.

    Raises:
        UsageError: one is for no frame, or for that of another one.
    """
    found: dict[str, GivenKey] = {}
    for given in (one for key in keys for one in _each(key)):
        other = found.setdefault(given.place, given)
        if other is not given:
            raise UsageError(
                f"{given.path}: {given.place} has the painting {other.path}: leave out one"
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
        raise UsageError(f"{key}: is no folder: name the second it is seen at, as T={key}")
    for path in folder_images(Path(key)):
        numbers = re.findall(r"\d+", path.stem)
        if not numbers or not int(numbers[-1]):
            raise UsageError(f"{path}: its name must end with the number of its frame, from 1 on")
        yield GivenKey(path, number=int(numbers[-1]))


def styles_of(keys: Sequence[GivenKey]) -> list[Path]:
    """Which of the ``keys`` to take as styles."""
    step = max(1, -(-len(keys) // STYLES))
    return [key.path for key in keys[::step]]


def check_keys(keys: Sequence[GivenKey], size: tuple[int, int], max_pixels: int | None) -> None:
    """Check that all ``keys`` are pictures for frames of a ``size`` (width, height).

    Raises:
        UsageError: one is not a picture, or of another shape.
    """
    for key in keys:
        height, width = media.read_image(key.path, max_pixels)[0].shape[:2]
        if not 1 - ASPECT < (width * size[1]) / (height * size[0]) < 1 + ASPECT:
            raise UsageError(
                f"{key.path}: {width}x{height} is another shape than that of the painting, "
                f"{size[0]}x{size[1]}: cut it to that"
            )
