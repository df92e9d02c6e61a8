"""What a clip is to look like: one style, a blend, another as time goes on, others by region."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import media
from ..core.errors import UsageError
from ..core.images import Image, at_area, filled

Weights = tuple[float, ...]
"""How much of each picture is in a style; they add up to 1."""

BROAD = 700
"""Pixels of a side (the root of the area) from which on a painting has the style at its own size.
In smaller ones strokes are broader for their size: lines of three pixels are grain."""
BORDER_ALIKE = 32
"""Levels of 255 by which a pixel of a plain border differs from its color, at most."""
PLAIN, FRAYED = 0.9, 0.2
"""The share of a line that has the border's color where it is plain, and where it still ends."""
WIDEST = 1 / 8
"""A border that is not all around is no wider than this share of the picture: else it is a sky."""
LEAST_LEFT = 1 / 4
"""What is left of a picture's width and height, at least: else the border is the picture."""


@dataclass(frozen=True, eq=False)
class StyleSchedule:
    """Style pictures, and which of them is wanted when and where."""

    pictures: tuple[Image, ...]
    """The style images (H, W, 3)."""
    names: tuple[str, ...] = ()
    keyframes: Mapping[float, Weights] = field(default_factory=dict)
    """The style from these seconds on, blended in between; none where only content is painted."""
    regions: tuple[int | None, ...] = ()
    """Each mask's picture, by number; None where nothing is to be painted."""
    notes: tuple[str, ...] = ()
    """What there is to say of the pictures."""

    @classmethod
    def of(cls, picture: Image) -> StyleSchedule:
        """One style for all of a clip."""
        return cls((picture,), ("style",), {0.0: (1.0,)})

    def at(self, time: float) -> Weights:
        """The style outside all masks, ``time`` seconds after the clip's start."""
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
    """A style (H, W, 3): of a picture with transparent parts, what is seen.

    Raises:
        UsageError: it cannot be read, or shows nothing.
    """
    picture, alpha = media.read_image(path, max_pixels)
    if alpha is None:
        return picture
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UsageError(f"{path}: is wholly transparent: there is nothing to paint like")
    shown = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return filled(picture[shown], alpha[shown])


def at_scale(
    picture: Image, size: tuple[int, int], frame: tuple[int, int], scale: float | None = None
) -> Image:
    """A style at the size whose strokes a painting of ``size`` (width, height) has.

    ``scale`` is a factor of the painting's size. Without one, the style is larger where the whole
    ``frame`` (width, height) is small; ``size`` is smaller than that while it is painted coarsely.
    """
    area = size[0] * size[1]
    if scale is not None:
        return at_area(picture, round(area * scale**2))
    broader = area * max(1, BROAD / (frame[0] * frame[1]) ** 0.5)
    # Enlarged beyond its own pixels a style has no larger strokes, only softer ones.
    return at_area(picture, round(min(broader, max(area, picture.shape[0] * picture.shape[1]))))


def trimmed(picture: Image) -> Image:
    """A style without its plain border, as scans and photographs of paintings have one: it would
    be painted into every frame."""
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
        # A photograph is never quite level, and never quite sharp.
        frayed, most = _leading(side, color, FRAYED), max(2, n // 2)
        # A sky fades, and goes on between what stands in it.
        is_border = n and (around or frayed <= most)
        cut.append(n + min(frayed, most) + 1 if is_border else 0)
    inside = _without(picture, cut)
    enough = all(
        side >= whole * LEAST_LEFT
        for side, whole in zip(inside.shape[:2], picture.shape[:2], strict=True)
    )
    return np.ascontiguousarray(inside) if enough else picture


def _sides(picture: Image) -> tuple[Image, Image, Image, Image]:
    """The lines of a picture from its top, its bottom, its left and its right on."""
    turned = picture.swapaxes(0, 1)
    return picture, picture[::-1], turned, turned[::-1]


def _without(picture: Image, lines: Sequence[int]) -> Image:
    """``picture`` without so many lines at its top, bottom, left and right."""
    top, bottom, left, right = lines
    return picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]


def _leading(lines: Image, color: NDArray[np.int16], share: float) -> int:
    """Of how many ``lines`` (N, L, 3), before the first that is not so, a ``share`` at least has
    this ``color``."""
    alike = ((np.abs(line - color).max(-1) <= BORDER_ALIKE).mean() for line in lines)
    return sum(1 for _ in takewhile(lambda found: found >= share, alike))


def schedule_from_options(
    styles: Sequence[tuple[Path, float]],
    later: Sequence[tuple[float, Path, float]],
    masks: Sequence[tuple[Path, Path | None]],
    pictures: Mapping[Path, Image],
) -> StyleSchedule:
    """The looks of a clip: ``styles`` from its start, others ``later`` (seconds), others in
    ``masks``; each with its weight.

    Raises:
        UsageError: weights that make no sense.
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
