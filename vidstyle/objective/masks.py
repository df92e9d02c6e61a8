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
    """What there is to say about a ``mask`` for a ``clip``: it is one picture for all frames, or
    has one for each.

    Raises:
        UsageError: it has another number of frames.
    """
    info, whole = mask.info, clip.info
    if not _one(mask):
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
    """``frames``, each with its masks.

    Raises:
        UsageError: a mask ends before the clip does.
    """
    layers = [repeat(next(_layers(mask))) if _one(mask) else _layers(mask) for mask in masks]
    for frame in frames:
        found = []
        for mask, each in zip(masks, layers, strict=True):
            layer = next(each, None)
            if layer is None:
                raise UsageError(f"{mask.info.path}: this mask ends before the clip does")
            found.append(layer)
        yield replace(frame, masks=tuple(found))


def shares(masks: Sequence[Layer]) -> list[Field]:
    """How much of each pixel (H, W) belongs to no mask, to the first, the second …; they add up
    to 1. Where masks overlap, the last one counts.
    """
    rest: Field = np.ones(masks[0].shape, np.float32)
    found: list[Field] = []
    for mask in reversed(masks):
        inside = unit(mask)
        found.append(inside * rest)
        rest = rest * (1 - inside)
    return [rest, *reversed(found)]


def softened(mask: Layer, size: tuple[int, int], feather: float) -> Layer:
    """``mask`` at ``size`` (width, height), its edge ``feather`` pixels wide."""
    scaled = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    if feather:
        scaled = cv2.GaussianBlur(scaled, (0, 0), feather / 2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(scaled, np.uint8)


def _layers(mask: Clip) -> Iterator[Layer]:
    """White is inside; in a mask of which some frame is transparent somewhere, opaque is."""
    by_shape = mask.info.alpha
    if mask.info.kind == "stills" and not by_shape:  # only the first one has been looked at
        by_shape = any(frame.alpha is not None for frame in mask)
    for frame in mask:
        if not by_shape:
            yield np.asarray(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        elif frame.alpha is None:
            yield np.full(frame.rgb.shape[:2], 255, np.uint8)
        else:
            yield frame.alpha


def _one(mask: Clip) -> bool:
    return mask.info.container == "still" or mask.info.frames == 1


def _count(clip: Clip) -> int:
    """Files that do not say how many frames they have are read through."""
    return clip.info.frames if clip.info.frames is not None else sum(1 for _ in clip)
