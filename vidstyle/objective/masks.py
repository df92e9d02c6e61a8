"""Masks: the parts of a clip that are painted in another style, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat

import cv2
import numpy as np

from ..core.errors import UsageError
from ..core.frames import Frame
from ..core.images import Field, Image, unit
from ..media import Clip

Layer = Image
"""A mask of one frame (H, W), uint8: 255 inside."""


def check(mask: Clip, clip: Clip) -> list[str]:
    """Check that a ``mask`` fits a ``clip``: one picture for all frames, or one for each.

    Returns:
        Notices for the user about the mask, if any.

    Raises:
        UsageError: the mask has another number of frames than the clip.
    """
    info, whole = mask.info, clip.info
    if not is_one(mask):
        count, wanted = _count(mask), _count(clip)
        if count != wanted:
            raise UsageError(
                f"{info.path}: a mask of {count} frames for a clip of {wanted}: "
                f"it must be one picture, or have one for each frame"
            )
    if (info.width, info.height) != (whole.width, whole.height):
        return [
            f"{info.path.name} is resized from {info.width}x{info.height} "
            f"to the clip's {whole.width}x{whole.height}"
        ]
    return []


def masked(frames: Iterable[Frame], masks: Sequence[Clip]) -> Iterator[Frame]:
    """Add to each frame its layer of every mask.

    Yields:
        Each frame with its layers, in the order of ``masks``.

    Raises:
        UsageError: a mask ends before the clip does.
    """
    layers = [repeat(next(_layers(mask))) if is_one(mask) else _layers(mask) for mask in masks]
    for frame in frames:
        found = []
        for mask, each in zip(masks, layers, strict=True):
            layer = next(each, None)
            if layer is None:
                raise UsageError(f"{mask.info.path}: this mask ends before the clip does")
            found.append(layer)
        yield replace(frame, masks=tuple(found))


def shares(masks: Sequence[Layer]) -> list[Field]:
    """Return how much of each pixel belongs to no mask and to each of the ``masks``.

    Args:
        masks: at least one. Where they overlap, the last one counts.

    Returns:
        Shares (H, W) in 0..1 for no mask, the first mask, the second …; they add up to 1.
    """
    rest: Field = np.ones(masks[0].shape, np.float32)
    found: list[Field] = []
    for mask in reversed(masks):
        inside = unit(mask)
        found.append(inside * rest)
        rest = rest * (1 - inside)
    return [rest, *reversed(found)]


def softened(mask: Layer, size: tuple[int, int], feather: float) -> Layer:
    """Resize ``mask`` to ``size`` (width, height), and blur its edge to ``feather`` pixels."""
    scaled = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    if feather:
        scaled = cv2.GaussianBlur(scaled, (0, 0), feather / 2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(scaled, np.uint8)


def _layers(mask: Clip) -> Iterator[Layer]:
    """Yield a mask's layers: white is inside, or opaque if any frame has transparent parts."""
    by_shape = mask.info.alpha
    if mask.info.kind == "stills" and not by_shape:  # info only covers the first picture
        by_shape = any(frame.alpha is not None for frame in mask)
    for frame in mask:
        if not by_shape:
            yield np.asarray(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        elif frame.alpha is None:
            yield np.full(frame.rgb.shape[:2], 255, np.uint8)
        else:
            yield frame.alpha


def is_one(mask: Clip) -> bool:
    """Whether a mask is a single picture."""
    return mask.info.container == "still" or mask.info.frames == 1


def _count(clip: Clip) -> int:
    """Count the frames of a clip, reading all of it if its file does not say how many there are."""
    return clip.info.frames if clip.info.frames is not None else sum(1 for _ in clip)
