"""Reading animated GIF, PNG, WebP and AVIF as browsers play them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import UsageError
from ..core.frames import Frame
from . import apng_reader, gif_reader
from .clip import DEFAULT_DELAY, SHORTEST_DELAY, ClipInfo, check_pixels
from .stills import split_alpha

Picture = tuple[NDArray[np.uint8], float | None]
"""A frame (H, W, 4) uint8 RGBA, and its duration in milliseconds, None if not given."""
COMPOSED: Mapping[str | None, Callable[[BinaryIO], Iterator[Picture]]] = {
    "GIF": gif_reader.composed,
    "PNG": apng_reader.composed,
}
"""Functions that compose frames, for formats that Pillow composes differently from browsers."""


class AnimationClip:
    """An animation. Its frames are fully composed, at the size of its first frame.

    Args:
        path: the file.
        max_pixels: the most pixels that a frame may have. None means no limit.

    Raises:
        UsageError: no frame can be read, or frames are too large.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path, self.max_pixels = path, max_pixels
        self.notes: list[str] = []
        with self._open() as image:
            count = getattr(image, "n_frames", 1)
            self.default_image = bool(getattr(image, "default_image", False)) and count > 1
            self.info = ClipInfo(
                path=path,
                kind="animation",
                container={"PNG": "apng"}.get(str(image.format), str(image.format).lower()),
                codec=str(image.format).lower(),
                width=image.width,
                height=image.height,
                frames=count - self.default_image,
                duration=None,
                time_base=Fraction(1, 100 if image.format == "GIF" else 1000),
                loop=_loop_count(image),
            )
        self.info = self._read_through()

    def _read_through(self) -> ClipInfo:
        """Read all frames, and add their times, duration and alpha to the clip's information."""
        times: list[Fraction] = []
        end = Fraction(0)
        alpha = False
        for frame in self:
            times.append(frame.time)
            end = frame.time + frame.duration
            alpha = alpha or frame.alpha is not None
        notes, self.notes = self.notes, []
        if notes:  # damaged, with fewer frames than claimed: the next reading reports it
            return replace(self.info, alpha=alpha)
        return replace(self.info, alpha=alpha, duration=end, times=tuple(times))

    def _open(self) -> Image.Image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image: Image.Image = Image.open(self.path)
                check_pixels(self.path, *image.size, self.max_pixels)
                getattr(image, "n_frames", 1)  # reads the whole file: damage shows here
                return image
        except UsageError:
            raise
        except Image.DecompressionBombError as error:
            raise UsageError(
                f"{self.path}: the animation is too large to be opened safely"
            ) from error
        except Exception as error:  # damage can make Pillow raise any error
            raise UsageError(f"{self.path}: damaged: no frame can be read") from error

    def _pictures(self, image: Image.Image) -> Iterator[Picture]:
        """Yield the frames, composed as in browsers even where Pillow differs."""
        if image.format in COMPOSED:
            with self.path.open("rb") as file:
                yield from COMPOSED[image.format](file)
        else:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                yield np.asarray(image.convert("RGBA")), image.info.get("duration")

    def __iter__(self) -> Iterator[Frame]:
        self.notes = []
        time = Fraction(0)
        with warnings.catch_warnings(), self._open() as image:
            warnings.simplefilter("ignore")
            first = int(self.default_image)
            count = getattr(image, "n_frames", 1)
            pictures = self._pictures(image)
            for index in range(first, count):
                try:
                    rgba, milliseconds = next(pictures)
                except Image.DecompressionBombError as error:
                    raise UsageError(
                        f"{self.path}: frame {index + 1} is too large to be opened safely"
                    ) from error
                except Exception as error:
                    if index == first:
                        raise UsageError(f"{self.path}: damaged: no frame can be read") from error
                    self.notes.append(
                        f"{self.path.name} is damaged: "
                        f"{index - first} of {count - first} frames read"
                    )
                    return
                rgb, alpha = split_alpha(rgba)
                duration = _delay(milliseconds)
                yield Frame(rgb, time, duration, alpha)
                time += duration


def _loop_count(image: Image.Image) -> int:
    """Return how many times an animation plays in all. 0 means forever.

    A GIF counts repeats, the other formats count plays.
    """
    loop = image.info.get("loop")
    if image.format == "AVIF":  # browsers play every AVIF forever
        return 0
    if loop is None:
        return 1
    return int(loop) + (image.format == "GIF" and loop > 0)


def _delay(milliseconds: float | None) -> Fraction:
    """Return the seconds for which browsers show a frame. Too short a delay counts as missing."""
    delay = Fraction(milliseconds or 0).limit_denominator(1000) / 1000
    return DEFAULT_DELAY if delay <= SHORTEST_DELAY else delay
