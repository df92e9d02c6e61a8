"""The styles of a clip: one style or a blend, which may change over time and by region."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import media
from ..core.errors import UsageError
from ..core.images import Image, at_area, filled

Weights = tuple[float, ...]
"""The share of each style picture in a blend. The shares add up to 1."""

BROAD = 700
"""Frame size (the root of its area in pixels) from which a style has the frame's own size.

In smaller frames, strokes are broader relative to the frame: lines of three pixels would look like
grain.
"""
MEASURED_SIDE, GRAIN, LARGER_THAN_STROKES = 512, 0.7, 0.04
"""Strokes are measured in a picture of the area of a square with this side, in pixels; without the
grain below this sigma, in pixels, and without what is larger than this share of the side."""
PLAIN_SLOPES = 1e-3
"""Variance of the slope, in squared levels of 255, below which a picture has no texture."""
BORDER_ALIKE = 32
"""Largest difference of a border's pixels from the border's color, in levels of 0..255."""
PLAIN, FRAYED = 0.9, 0.2
"""Least share of a line in the border's color, in its plain part and in its frayed inner edge."""
WIDEST = 1 / 8
"""Widest border that is not all around, as a share of the picture.

A wider one is taken for a sky.
"""
LEAST_LEFT = 1 / 4
"""Least share of a picture's width and height that must be left without the border.

If less is left, the border is taken for the picture itself.
"""


@dataclass(frozen=True, eq=False)
class StyleSchedule:
    """Style pictures, and which of them apply when and where."""

    pictures: tuple[Image, ...]
    """The style images (H, W, 3)."""
    names: tuple[str, ...] = ()
    keyframes: Mapping[float, Weights] = field(default_factory=dict)
    """The blend at each of these times (seconds), interpolated in between.

    Empty if only content is painted.
    """
    regions: tuple[int | None, ...] = ()
    """The index of each mask's picture. None where nothing is painted."""
    notes: tuple[str, ...] = ()
    """Notices for the user about the pictures."""

    @classmethod
    def of(cls, picture: Image) -> StyleSchedule:
        """Return the schedule of a single style for a whole clip."""
        return cls((picture,), ("style",), {0.0: (1.0,)})

    def at(self, time: float) -> Weights:
        """Return the blend outside all masks, ``time`` seconds after the clip's start."""
        times = sorted(self.keyframes)
        if not times:
            return ()
        after = bisect_right(times, time)
        if after in (0, len(times)):
            return self.keyframes[times[max(0, after - 1)]]
        begin, end = times[after - 1], times[after]
        share = (time - begin) / (end - begin)
        pairs = zip(self.keyframes[begin], self.keyframes[end], strict=True)
        return tuple(one + share * (other - one) for one, other in pairs)

    @property
    def is_constant(self) -> bool:
        """Whether the style never changes."""
        return len(set(self.keyframes.values())) < 2


def style_picture(path: Path, max_pixels: int | None = None) -> Image:
    """Read a style (H, W, 3), cropped to what is not transparent.

    Transparent parts within the crop get the mean color of the rest.

    Args:
        path: the picture's file.
        max_pixels: largest number of pixels to accept. None means any.

    Raises:
        UsageError: the picture cannot be read, is too large, or is wholly transparent.
    """
    picture, alpha = media.read_image(path, max_pixels)
    if alpha is None:
        return picture
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UsageError(f"{path}: is wholly transparent: there is nothing to paint like")
    shown = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return filled(picture[shown], alpha[shown])


def stroke_width(picture: Image) -> float:
    """Measure how broad the strokes of a picture (H, W, 3) are, relative to the root of its area.

    Half a wavelength of its texture: π times the standard deviation of the brightness over that of
    its slope, without what is larger than strokes. A picture without a texture counts as one of the
    broadest strokes that can be measured.
    """
    whole = cv2.cvtColor(at_area(picture, MEASURED_SIDE**2), cv2.COLOR_RGB2GRAY).astype(np.float32)
    gray = cv2.GaussianBlur(whole, (0, 0), GRAIN)
    texture = gray - cv2.GaussianBlur(gray, (0, 0), LARGER_THAN_STROKES * MEASURED_SIDE)
    slopes = np.diff(texture, axis=0).var() + np.diff(texture, axis=1).var()
    if slopes < PLAIN_SLOPES:
        return LARGER_THAN_STROKES
    return float(np.pi * np.sqrt(2 * texture.var() / slopes)) / MEASURED_SIDE


def scale_for(brush: float, picture: Image, frame: tuple[int, int]) -> float:
    """Return the size of a style, as a factor of a painting's size, that makes its strokes as broad
    as wanted.

    Args:
        brush: the breadth of the strokes, in percent of the painting's shorter side.
        picture: the style (H, W, 3).
        frame: width and height of the painting.
    """
    width, height = frame
    return brush / 100 * min(frame) / (stroke_width(picture) * (width * height) ** 0.5)


def brush_of(scale: float, picture: Image, frame: tuple[int, int]) -> float:
    """Return what ``scale_for`` would have made this ``scale`` of."""
    return scale / scale_for(1.0, picture, frame)


def default_scale(picture: Image, size: tuple[int, int], frame: tuple[int, int]) -> float:
    """Return the size of a style, as a factor of a painting's size, that suits a painting.

    It is 1, or more where the frame is small (see ``BROAD``), but no more than the picture has
    pixels: enlarging a style makes its strokes softer, not broader.

    Args:
        picture: the style (H, W, 3).
        size: width and height of the painting, which are smaller than those of the frame while it
            is painted coarsely.
        frame: width and height of the whole frame.
    """
    area = size[0] * size[1]
    broader = max(1.0, BROAD / (frame[0] * frame[1]) ** 0.5)
    return min(broader, max(1.0, picture.shape[0] * picture.shape[1] / area)) ** 0.5


def at_scale(
    picture: Image, size: tuple[int, int], frame: tuple[int, int], scale: float | None = None
) -> Image:
    """Scale a style to the size at which its strokes are those of a painting.

    Args:
        picture: the style (H, W, 3).
        size: width and height of the painting, which are smaller than those of the frame while it
            is painted coarsely.
        frame: width and height of the whole frame.
        scale: size of the style as a factor of the painting's size. None means what suits it
            (``default_scale``).

    Returns:
        The style with its aspect kept, so that its area has the wanted size.
    """
    scale = default_scale(picture, size, frame) if scale is None else scale
    return at_area(picture, round(size[0] * size[1] * scale**2))


def trimmed(picture: Image) -> Image:
    """Crop the plain border of a style (H, W, 3), if there is one.

    Scans and photographs of paintings often have a border. It would be painted into every frame.
    """
    colors = [np.median(side[0], axis=0).astype(np.int16) for side in _sides(picture)]
    plain = [
        _leading(side, color, PLAIN) for side, color in zip(_sides(picture), colors, strict=True)
    ]
    around = min(plain) and np.ptp(colors, axis=0).max() <= BORDER_ALIKE
    if not around:
        limits = [len(side) * WIDEST for side in _sides(picture)]
        plain = [n if n <= limit else 0 for n, limit in zip(plain, limits, strict=True)]
    inside = _without(picture, plain)
    if not inside.size:
        return picture
    cut: list[int] = []
    for side, color, n in zip(_sides(inside), colors, plain, strict=True):
        # In a photograph, a border is never quite level, and its edge never quite sharp.
        frayed, most = _leading(side, color, FRAYED), max(2, n // 2)
        # A sky is no border: it fades, and continues between the objects in front of it.
        is_border = n and (around or frayed <= most)
        cut.append(n + min(frayed, most) + 1 if is_border else 0)
    inside = _without(picture, cut)
    enough = all(
        side >= whole * LEAST_LEFT
        for side, whole in zip(inside.shape[:2], picture.shape[:2], strict=True)
    )
    return np.ascontiguousarray(inside) if enough else picture


def _sides(picture: Image) -> tuple[Image, Image, Image, Image]:
    """Return the lines of a picture, counted from its top, bottom, left and right."""
    turned = picture.swapaxes(0, 1)
    return picture, picture[::-1], turned, turned[::-1]


def _without(picture: Image, lines: Sequence[int]) -> Image:
    """Crop so many lines from the top, bottom, left and right of ``picture``."""
    top, bottom, left, right = lines
    return picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]


def _leading(lines: Image, color: NDArray[np.int16], share: float) -> int:
    """Count the leading ``lines`` (N, L, 3) of which at least ``share`` has this ``color``."""
    alike = ((np.abs(line - color).max(-1) <= BORDER_ALIKE).mean() for line in lines)
    return sum(1 for _ in takewhile(lambda found: found >= share, alike))


def schedule_from_options(
    styles: Sequence[tuple[Path, float]],
    later: Sequence[tuple[float, Path, float]],
    masks: Sequence[tuple[Path, Path | None]],
    pictures: Mapping[Path, Image],
) -> StyleSchedule:
    """Build the style schedule of a clip.

    Args:
        styles: the styles from the clip's start on, each with its weight.
        later: further styles, each as the time (seconds) it applies from, its picture and its
            weight.
        masks: each mask with its style. None means that nothing is painted there.
        pictures: all style pictures (H, W, 3), by path.

    Raises:
        UsageError: a weight or a time is negative or not finite, or weights add up to 0.
    """
    order = list(pictures)
    wanted: dict[float, list[tuple[Path, float]]] = {}
    for time, path, weight in [*((0.0, *style) for style in styles), *later]:
        if not 0 <= weight < float("inf"):
            raise UsageError(f"{path}: a style's weight must be 0 or more, not {weight:g}")
        if not 0 <= time < float("inf"):
            raise UsageError(f"{path}: a style's time must be 0 or more seconds, not {time:g}")
        wanted.setdefault(time, []).append((path, weight))
    keyframes = {}
    for time, given in wanted.items():
        total = sum(weight for _, weight in given)
        if total <= 0:
            raise UsageError("the weights of the styles add up to 0: give one a weight above 0")
        weights = [0.0] * len(order)
        for path, weight in given:
            weights[order.index(path)] += weight / total
        keyframes[time] = tuple(weights)
    regions = tuple(None if path is None else order.index(path) for _, path in masks)
    return StyleSchedule(
        tuple(pictures.values()), tuple(path.stem for path in order), keyframes, regions
    )
