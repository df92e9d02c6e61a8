"""Noise that moves with the scene, from which a network makes strokes.

A network that sees only the source has nothing to make strokes from in flat areas. Noise that is
fixed to the screen would help, but then its strokes would be fixed as well, and the scene would
move behind them. So the noise is warped along the optical flow, as paint is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.images import Field, Image, difference, within
from .flow import both_ways, estimator, warp
from .warm_start import VIDEO_NOISE, trusted

FLOW_SIDE = 160
"""Longer side, in pixels, of the small pictures whose flow moves the noise.

Strokes need no finer flow.
"""
STILL_EDGE, EDGE_SIGMA = 0.1, 3.0
"""Motion per frame up to which an edge is still, and the sigma of the area whose edges count.

Both are in pixels of the small pictures.
"""
REACHES = (5, 19, 75)
"""Sides of the squares around a new pixel, from whose known part it takes its offset.

They are in pixels of the small pictures. The smallest square with a known part is used.
"""


class NoiseField:
    """The motion of the noise since the beginning of a shot.

    Args:
        follows: whether the noise follows the scene. Otherwise it is fixed to the screen.
    """

    def __init__(self, follows: bool = True) -> None:
        self.flows = both_ways(estimator("dis")) if follows else None
        self.source: Image | None = None
        """The frame before, as a small picture."""
        self.offset: Field | None = None
        """The vector from each pixel to its position in the noise (h, w, 2), in frame pixels."""

    def reset(self) -> None:
        """Begin a new shot, whose noise may have any offset."""
        self.source = self.offset = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the state by name, for ``restore``. It is empty before the first frame."""
        if self.source is None or self.offset is None:
            return {}
        return {"ground.source": self.source, "ground.offset": self.offset}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue as after the frame at which ``state`` was taken."""
        self.source, self.offset = state.get("ground.source"), state.get("ground.offset")

    def under(self, source: Image) -> Field:
        """Move the noise on to the next frame of the shot.

        Args:
            source: the frame (H, W, 3).

        Returns:
            The offset of the noise under the frame (h, w, 2): x, then y, in pixels of ``source``.
            It has the size of the small picture, since it is smooth.
        """
        scale = min(1.0, FLOW_SIDE / max(source.shape[:2]))
        small = within(source, FLOW_SIDE)
        if self.source is None or self.offset is None or self.flows is None:
            self.offset = np.zeros((*small.shape[:2], 2), np.float32)
        else:
            forward, backward = self.flows(small, self.source)
            still = _still(small, self.source, forward)
            forward[still] = 0
            known = still | (trusted(small, self.source, forward, backward) > 0)
            self.offset = _filled(warp(self.offset, forward) + forward / scale, known)
        self.source = small
        return self.offset


def _still(picture: Image, before: Image, forward: Field) -> NDArray[np.bool_]:
    """Find where a picture is still: it looks as ``before``, and the edges around do not move.

    Flat areas alone are no evidence. They look the same while a camera moves over them, and where
    they are still, the flow ``forward`` is noise.
    """
    changed = difference(picture, before) >= VIDEO_NOISE
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    moved = np.where(changed | (np.abs(forward).max(-1) > STILL_EDGE), edges, 0)
    around, moving = (cv2.GaussianBlur(layer, (0, 0), EDGE_SIGMA) for layer in (edges, moved))
    return ~changed & (moving < around / 2)


def _filled(offset: Field, known: NDArray[np.bool_]) -> Field:
    """Fill ``offset`` where it is not ``known``, with the mean of the known offsets around."""
    weight = known.astype(np.float32)[..., None]
    found = (offset * weight).sum((0, 1)) / max(1.0, float(weight.sum()))
    for reach in sorted(REACHES, reverse=True):
        share = cv2.blur(weight, (reach, reach))[..., None]
        around = cv2.blur(offset * weight, (reach, reach))
        found = np.where(share > 1e-3, around / np.maximum(share, 1e-3), found)
    return np.where(known[..., None], offset, found).astype(np.float32)
