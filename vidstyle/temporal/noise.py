"""Noise that moves with the scene, for a network to make strokes of.

A network that sees only the source has nothing to make strokes of where that is flat. Noise that
is fixed to the screen would help, but then its strokes would be fixed, too, and the scene would
move behind them as behind a dirty pane. So the noise is warped along the optical flow, as paint is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.images import Field, Image, difference, within
from .flow import estimator, warp
from .warm_start import NOISE, trusted

FLOW_SIDE = 160
"""Longer side of the pictures whose flow moves the noise: strokes need no finer flow."""
STILL_EDGE, EDGE_SIGMA = 0.1, 3.0
"""Pixels of those that an edge may move by from frame to frame, and lie still; and how far around
a place its edges are looked at."""
REACHES = (5, 19, 75)
"""Pixels of those around what is new, down and across, whose motion it takes: the nearest that
there are."""


class NoiseField:
    """How far the noise has moved since the beginning of a shot."""

    def __init__(self, follows: bool = True) -> None:
        self.estimate = estimator("dis") if follows else None
        self.source: Image | None = None
        """The frame before, small."""
        self.offset: Field | None = None
        """Which place of the noise lies under each pixel, as seen from that pixel (h, w, 2)."""

    def reset(self) -> None:
        """Begin a new shot: the noise offset is arbitrary."""
        self.source = self.offset = None

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it, for ``restore``."""
        if self.source is None or self.offset is None:
            return {}
        return {"ground.source": self.source, "ground.offset": self.offset}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue as after the frame at which ``state`` was taken."""
        self.source, self.offset = state.get("ground.source"), state.get("ground.offset")

    def under(self, source: Image) -> Field:
        """The offset under another frame ``source`` of the shot, in its pixels; (h, w, 2), small:
        it is smooth."""
        scale = min(1.0, FLOW_SIDE / max(source.shape[:2]))
        small = within(source, FLOW_SIDE)
        if self.source is None or self.offset is None or self.estimate is None:
            self.offset = np.zeros((*small.shape[:2], 2), np.float32)
        else:
            forward, backward = self.estimate(small, self.source), self.estimate(self.source, small)
            still = _still(small, self.source, forward)
            forward[still] = 0
            known = still | (trusted(small, self.source, forward, backward) > 0)
            self.offset = _filled(warp(self.offset, forward) + forward / scale, known)
        self.source = small
        return self.offset


def _still(picture: Image, before: Image, forward: Field) -> NDArray[np.bool_]:
    """Where a picture is as ``before``: neither it nor the edges around it move. Flat places alone
    do not tell: they look the same while a camera moves over them, and when they lie still, the
    flow ``forward`` is noise."""
    changed = difference(picture, before) >= NOISE
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    moved = np.where(changed | (np.abs(forward).max(-1) > STILL_EDGE), edges, 0)
    around, moving = (cv2.GaussianBlur(layer, (0, 0), EDGE_SIGMA) for layer in (edges, moved))
    return ~changed & (moving < around / 2)


def _filled(offset: Field, known: NDArray[np.bool_]) -> Field:
    """``offset`` where it is ``known``, and elsewhere as around there."""
    weight = known.astype(np.float32)[..., None]
    found = (offset * weight).sum((0, 1)) / max(1.0, float(weight.sum()))
    for reach in sorted(REACHES, reverse=True):
        share = cv2.blur(weight, (reach, reach))[..., None]
        around = cv2.blur(offset * weight, (reach, reach))
        found = np.where(share > 1e-3, around / np.maximum(share, 1e-3), found)
    return np.where(known[..., None], offset, found).astype(np.float32)
