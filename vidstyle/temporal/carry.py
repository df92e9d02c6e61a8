"""Paint carried from key frames to the frames between them, along composed flow.

The flows from frame to frame are composed, so that paint is sampled once, however far it goes:
strokes that are sampled again and again turn to fog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import cv2
import numpy as np

from ..core.images import Field, Image, difference, unit
from .flow import Both, outside, squared_length, warp
from .warm_start import Painting

SAME_COLOR = 20.0
"""Levels of 255 by which a source differs, carried to another frame, where it is a third certain
to be the same thing."""
SURE, UNSURE = 0.7, 0.3
"""Confidence from which on carried paint is left as it is, and below which it is not used."""
DECISIVE = 2
"""Power of the confidence when paint of two keys is mixed."""
STROKE_SIGMA, CONTRAST_SIGMA = 2.0, 6.0
"""Strokes are what a blur by so many pixels takes away; their contrast is that of such an area."""
STRONGEST = 1.6
"""The factor by which strokes that paled in the mixture are strengthened, at most."""


@dataclass(frozen=True, eq=False)
class Motion:
    """How a frame moved from another one of its shot."""

    flow: Field
    """Of the frame into the other one (H, W, 2)."""
    agreement: Field
    """Whether the flow back agrees, all the way; 0..1 (H, W)."""

    @classmethod
    def none(cls, shape: Sequence[int]) -> Motion:
        """That of a frame from itself."""
        return cls(np.zeros((*shape[:2], 2), np.float32), np.ones(shape[:2], np.float32))

    @classmethod
    def between(cls, flow: Field, backward: Field) -> Motion:
        """The motion along ``flow``, given the opposite flow ``backward``."""
        returned = warp(backward, flow)
        # What Ruder et al. (2016) allow; softly here, since it goes on over many frames.
        allowed = 0.01 * (squared_length(flow) + squared_length(returned)) + 0.5
        agreement = np.exp(-squared_length(flow + returned) / allowed)
        agreement[outside(flow)] = 0
        return cls(flow, agreement.astype(np.float32))

    def after(self, before: Motion) -> Motion:
        """This motion into a frame, and from there on as that one moved from ``before``."""
        flow = self.flow + warp(before.flow, self.flow)
        agreement = np.minimum(self.agreement, warp(before.agreement, self.flow))
        agreement[outside(flow)] = 0
        return Motion(flow, agreement)


@dataclass(frozen=True, eq=False)
class Span:
    """Frames from one key frame to the next, and how each moved."""

    backward: Sequence[Motion]
    """Of each frame into the one before it; of the first one, none."""
    to_first: Sequence[Motion]
    """Of each frame into the first one …"""
    to_last: Sequence[Motion]
    """… and into the last one."""

    @classmethod
    def of(cls, sources: Sequence[Image], flows: Both) -> Span:
        """The span of these frames (H, W, 3), both key frames with them."""
        still = Motion.none(sources[0].shape)
        backward, forward = [still], list[Motion]()
        for before, after in pairwise(sources):
            flow, reverse = flows(after, before)
            backward.append(Motion.between(flow, reverse))
            forward.append(Motion.between(reverse, flow))
        to_first = accumulate(backward, lambda before, step: step.after(before))
        to_last = accumulate([still, *forward[::-1]], lambda after, step: step.after(after))
        return cls(backward, [*to_first], [*to_last][::-1])

    @property
    def length(self) -> int:
        """How many frames the last one comes after the first."""
        return len(self.backward) - 1


def confidence(key: Image, source: Image, motion: Motion) -> Field:
    """How certain it is that the frame ``source`` shows what the source of a ``key`` frame does,
    along ``motion``: 0..1 (H, W)."""
    differs = difference(source, warp(key, motion.flow)) / SAME_COLOR
    return np.asarray(motion.agreement * np.exp(-np.square(differs)), np.float32)


def carried(painting: Painting, source: Image, motion: Motion) -> tuple[Field, Field]:
    """A ``painting`` laid over the frame ``source`` (H, W, 3), in 0..1, and with which confidence
    (H, W)."""
    picture = unit(warp(painting.painted, motion.flow, cv2.INTER_CUBIC))
    return picture, confidence(painting.source, source, motion)


def certain(confidence: Field) -> Field:
    """How much of what is carried with this ``confidence`` is kept (0..1), all or nothing but for
    what is in between: half-transparent paint is a ghost."""
    return np.clip((confidence - UNSURE) / (SURE - UNSURE), 0, 1)


def blended(
    before: tuple[Field, Field], after: tuple[Field, Field], share: float
) -> tuple[Field, Field]:
    """What is carried from the key ``before`` and the one ``after``, with the confidence of each:
    by that and by time, of which ``share`` (0..1) has passed between them."""
    weight, other = before[1] ** DECISIVE * (1 - share), after[1] ** DECISIVE * share
    part = (other / np.maximum(weight + other, 1e-12)).astype(np.float32)[..., None]

    def mixed(one: Field, other: Field) -> Field:
        return one + part * (other - one)

    ground = [_soft(picture, STROKE_SIGMA) for picture, _ in (before, after)]
    strokes = [picture - soft for (picture, _), soft in zip((before, after), ground, strict=True)]
    # Where strokes do not quite meet, their mean is paler than either.
    faded = mixed(*strokes)
    wanted = _soft(mixed(*(np.square(one) for one in strokes)).mean(-1), CONTRAST_SIGMA)
    gain = np.sqrt(wanted / np.maximum(_soft(np.square(faded).mean(-1), CONTRAST_SIGMA), 1e-8))
    picture = mixed(*ground) + gain.clip(1, STRONGEST).astype(np.float32)[..., None] * faded
    return picture, np.maximum(before[1], after[1])


def _soft(values: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
