"""The frames of a plan, as they are painted: the wanted ones, at its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from . import media
from .masks import masked, softened
from .media import Frame
from .pictures import Image, resized
from .plan import Plan
from .settings import Settings
from .shots import shots


def frames_of(work: Plan) -> Iterator[tuple[Frame, bool]]:
    """The frames to be painted, each with whether it begins a shot."""
    settings = work.settings
    start, end = span(settings)
    covered = masked(work.clip, work.masks) if work.masks else work.clip
    frames = media.trim(covered, start, end, settings.max_frames if not settings.fps else None)
    if settings.fps:
        rate = Fraction(settings.fps).limit_denominator(1001)
        frames = islice(media.resample(frames, rate), settings.max_frames)
    cuts = settings.cuts
    if not isinstance(cuts, str):
        cuts = tuple(cut - settings.start for cut in cuts if cut > settings.start)
    return shots((_prepared(frame, work) for frame in frames), cuts)


def span(settings: Settings) -> tuple[Fraction, Fraction | None]:
    """Where the wanted part of a clip begins and ends, in seconds."""
    start, end = (
        None if time is None else Fraction(time).limit_denominator(1_000_000)
        for time in (settings.start, settings.end)
    )
    return start or Fraction(0), end


def _prepared(frame: Frame, work: Plan) -> Frame:
    """``frame`` and its masks at the painting's size, its transparent part in the mean colour of
    the rest, not in a chance one.
    """
    size = work.width, work.height
    scaled = _scaled(frame, size)
    masks = tuple(softened(mask, size, work.settings.feather) for mask in frame.masks)
    return replace(scaled, rgb=_filled(scaled), masks=masks)


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.rgb.shape[1::-1] == size:
        return frame
    alpha = None if frame.alpha is None else resized(frame.alpha, size)
    return replace(frame, rgb=resized(frame.rgb, size), alpha=alpha)


def _filled(frame: Frame) -> Image:
    if frame.alpha is None:
        return frame.rgb
    weight = frame.alpha[..., None].astype(np.float32)
    mean = (frame.rgb * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    return laid_over(frame.rgb, frame.alpha, mean)


def laid_over(rgb: Image, alpha: Image | None, ground: Any) -> Image:
    """A picture laid over the colour ``ground``."""
    if alpha is None:
        return rgb
    weight = alpha[..., None].astype(np.float32) / 255
    return np.rint(rgb * weight + ground * (1 - weight)).astype(np.uint8)
