"""Paint carried from key frames to the frames between them, along composed flow.

The flows from frame to frame are composed, so that paint is sampled once, however far it is
carried. Strokes that are sampled again and again blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import cv2
import numpy as np

from ..core.images import Field, Image, blend, difference, in_colors, unit
from .flow import FlowPair, outside, squared_length, warp
from .painting import Painting

SAME_COLOR = 20.0
"""Color difference, in levels of 0..255, that lowers the confidence to about a third.

It is the difference of a frame from the source of the key frame, warped to it.
"""
SURE, UNSURE = 0.7, 0.3
"""Confidence from which carried paint is kept as it is, and below which it is not used."""
DECISIVE = 2
"""Exponent of the confidence when the paint of two key frames is mixed, and of the distance when
two edits are."""
STROKE_SIGMA, CONTRAST_SIGMA = 2.0, 6.0
"""Sigma, in pixels, of the blur that removes strokes, and of the one that averages contrast."""
STRONGEST = 1.6
"""Largest factor that strengthens strokes after mixing has made them paler."""


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion between a frame and another frame of its shot."""

    flow: Field
    """The flow of the frame into the other one (H, W, 2), in pixels."""
    agreement: Field
    """How well the flow back agrees, at every step of the way (H, W), 0..1."""

    @classmethod
    def none(cls, shape: Sequence[int]) -> Motion:
        """Return the motion between a frame of this ``shape`` (H, W, …) and itself."""
        return cls(np.zeros((*shape[:2], 2), np.float32), np.ones(shape[:2], np.float32))

    @classmethod
    def between(cls, flow: Field, backward: Field) -> Motion:
        """Return the motion along ``flow`` (H, W, 2), given the opposite flow ``backward``."""
        returned = warp(backward, flow)
        # The tolerance of Ruder et al. (2016), but soft, since motion is composed over many frames.
        allowed = 0.01 * (squared_length(flow) + squared_length(returned)) + 0.5
        agreement = np.asarray(cv2.exp(-squared_length(flow + returned) / allowed), np.float32)
        agreement[outside(flow)] = 0
        return cls(flow, agreement)

    def after(self, before: Motion) -> Motion:
        """Compose this motion into a frame with that frame's own motion ``before``."""
        flow = self.flow + warp(before.flow, self.flow)
        agreement = np.minimum(self.agreement, warp(before.agreement, self.flow))
        agreement[outside(flow)] = 0
        return Motion(flow, agreement)


@dataclass(frozen=True, eq=False)
class Span:
    """The motions of the frames from one key frame to the next."""

    backward: Sequence[Motion]
    """The motion of each frame into the one before it. The first frame has no motion."""
    to_first: Sequence[Motion]
    """The motion of each frame into the first one."""
    to_last: Sequence[Motion]
    """The motion of each frame into the last one."""

    @classmethod
    def of(cls, sources: Sequence[Image], flows: FlowPair) -> Span:
        """Compute the motions of a span.

        Args:
            sources: its frames (H, W, 3), including both key frames.
            flows: maps a frame and another one to the flow into it, and the flow back.
        """
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
        """Number of steps from the first frame to the last."""
        return len(self.backward) - 1


def confidence(key: Image, source: Image, motion: Motion) -> Field:
    """Return the confidence that a frame shows the same as a key frame.

    Args:
        key: the source of the key frame (H, W, 3).
        source: the frame (H, W, 3).
        motion: the motion of the frame into the key frame.

    Returns:
        The confidence at each pixel of the frame (H, W), 0..1.
    """
    differs = difference(source, warp(key, motion.flow)) / np.float32(SAME_COLOR)
    return np.asarray(motion.agreement * cv2.exp(-np.square(differs)), np.float32)


def carried(painting: Painting, source: Image, motion: Motion) -> tuple[Field, Field]:
    """Carry a painting to another frame.

    Args:
        painting: a painted frame and its source.
        source: the frame (H, W, 3) to carry it to.
        motion: the motion of this frame into the painted one.

    Returns:
        The painting warped to the frame (H, W, 3), 0..1, and its confidence (H, W), 0..1.
    """
    picture = unit(warp(painting.painted, motion.flow, cv2.INTER_CUBIC))
    return picture, confidence(painting.source, source, motion)


def certain(confidence: Field) -> Field:
    """Return which share of carried paint is kept, 0..1, given its ``confidence`` (H, W).

    It is all or nothing except between ``UNSURE`` and ``SURE``, because half-transparent paint
    looks like a ghost image.
    """
    return np.clip((confidence - UNSURE) / (SURE - UNSURE), 0, 1)


def blended(
    before: tuple[Field, Field], after: tuple[Field, Field], share: float
) -> tuple[Field, Field]:
    """Mix what is carried from two key frames, by confidence and by time.

    Args:
        before: the picture (H, W, 3), 0..1, carried from the key frame before, and its
            confidence (H, W), 0..1.
        after: the same from the key frame after.
        share: share of the time between the key frames that has passed, 0..1.

    Returns:
        The mixture (H, W, 3), which may leave 0..1 slightly, and the larger of both confidences.
    """
    weight, other = before[1] ** DECISIVE * (1 - share), after[1] ** DECISIVE * share
    part = np.asarray(other / np.maximum(weight + other, 1e-12), np.float32)
    strokes = [picture - _soft(picture, STROKE_SIGMA) for picture, _ in (before, after)]
    # Where the strokes of both are not quite aligned, their mean is paler than either.
    faded = blend(strokes[0], strokes[1], part)
    energies = [_energy(one) for one in strokes]
    coarse = part[::2, ::2]
    wanted = energies[0] + coarse * (energies[1] - energies[0])
    contrasts = [_soft(one, CONTRAST_SIGMA / 2) for one in (wanted, _energy(faded))]
    gain = np.sqrt(contrasts[0] / np.maximum(contrasts[1], 1e-8)).clip(1, STRONGEST)
    height, width = part.shape
    more = cv2.resize(gain - 1, (width, height), interpolation=cv2.INTER_LINEAR)
    picture = blend(before[0], after[0], part) + in_colors(more) * faded
    return picture, np.maximum(before[1], after[1])


def _energy(strokes: Field) -> Field:
    """Return the mean square of ``strokes`` (H, W, 3) at every other pixel, down and across."""
    red, green, blue = cv2.split(np.square(strokes[::2, ::2]))
    return np.asarray((red + green + blue) / 3, np.float32)


def _soft(values: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
