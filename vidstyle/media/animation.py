"""Reading animated GIF, PNG, WebP and AVIF, as a browser would play them."""

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
"""A frame (H, W, 4), and its duration in milliseconds."""
COMPOSED: Mapping[str | None, Callable[[BinaryIO], Iterator[Picture]]] = {
    "GIF": gif_reader.composed,
    "PNG": apng_reader.composed,
}
"""What puts together the pictures of a format that Pillow does not as browsers do."""


class AnimationClip:
    """An animation; its frames are composed, in its first frame's size."""

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
        """What only the frames say: when each begins, and whether one of them is transparent."""
        times: list[Fraction] = []
        end = Fraction(0)
        alpha = False
        for frame in self:
            times.append(frame.time)
            end = frame.time + frame.duration
            alpha = alpha or frame.alpha is not None
        notes, self.notes = self.notes, []
        if notes:  # a damaged file has fewer frames than it claims, which is told when it is read
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
        except Exception as error:  # Pillow raises whatever damage leads it to
            raise UsageError(f"{self.path}: damaged: no frame can be read") from error

    def _pictures(self, image: Image.Image) -> Iterator[Picture]:
        """The frames, put together as browsers do it where Pillow does otherwise."""
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
    """How often it plays in all, 0 for ever. A GIF counts repeats, the others count plays."""
    loop = image.info.get("loop")
    if image.format == "AVIF":  # browsers play all of them for ever
        return 0
    if loop is None:
        return 1
    return int(loop) + (image.format == "GIF" and loop > 0)


def _delay(milliseconds: float | None) -> Fraction:
    """The duration browsers give a frame: too short a one counts as not given."""
    delay = Fraction(milliseconds or 0).limit_denominator(1000) / 1000
    return DEFAULT_DELAY if delay <= SHORTEST_DELAY else delay
