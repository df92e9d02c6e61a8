"""What a clip is to look like: one style, a blend, another as time goes on, others by region."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import media
from ..core.errors import UsageError
from ..core.images import Image, filled

Weights = tuple[float, ...]
"""How much of each picture is in a style; they add up to 1."""


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
