"""Faces, found by MediaPipe's BlazeFace (Bazarevsky et al. 2019) in OpenCV, in milliseconds.

The network sees a square of 128 pixels, RGB in -1..1. It answers for 896 anchors: two at each
center of a grid of 16x16, six at each of 8x8. Of each it gives the logit of a face being there, and
16 numbers, in pixels of the square: the face's center relative to the anchor, its width and height,
and six points relative to the anchor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.faces import Face
from ..core.images import Image
from . import models
from .squares import starts

MODEL = "face_detection_short_range.tflite"
SEEN_SIDE = 128
"""Side, in pixels, of the square that the network sees."""
ANCHORS = ((16, 2), (8, 6))
"""Cells of each grid across and down, and the anchors at each of their centers."""
PERHAPS = 0.3
"""The score from which on something may be a face."""
OVERLAP_OF_VIEWS = 0.3
"""Two views are of one face if the part that they share is larger, relative to both."""
SMALLEST_SQUARE = 160
"""Pixels. Faces that are lost in smaller squares are too small to be painted better."""


class FaceDetector:
    """Finds faces. It may be used by one thread at a time."""

    @cached_property
    def network(self) -> Any:
        """The network in OpenCV."""
        return models.opened(MODEL)

    @cached_property
    def anchors(self) -> NDArray[np.float32]:
        """The center of each anchor (896, 2): x, y in 0..1."""
        found = []
        for cells, each in ANCHORS:
            centers = (np.arange(cells, dtype=np.float32) + 0.5) / cells
            grid = np.stack(np.meshgrid(centers, centers), -1).reshape(-1, 2)
            found.append(grid.repeat(each, 0))
        return np.concatenate(found)

    def __call__(self, picture: Image) -> list[Face]:
        """Find the faces in a ``picture`` (H, W, 3): the surest first."""
        views = [
            face.moved(left, top, side / SEEN_SIDE)
            for left, top, side in _squares(*picture.shape[:2])
            for face in self._in_square(_cut(picture, left, top, side))
        ]
        return _merged(views)

    def _in_square(self, square: Image) -> Iterator[Face]:
        """Find the faces in a square of ``SEEN_SIDE`` pixels."""
        half = 127.5
        size = SEEN_SIDE, SEEN_SIDE
        self.network.setInput(cv2.dnn.blobFromImage(square, 1 / half, size, (half, half, half)))
        numbers, logits = self.network.forward(["regressors", "classificators"])
        scores = 1 / (1 + np.exp(-logits.reshape(-1).clip(-80, 80)))
        for one in np.flatnonzero(scores >= PERHAPS):
            places = numbers.reshape(len(scores), -1, 2)[one]
            anchor = self.anchors[one] * SEEN_SIDE
            center, size, points = places[0] + anchor, places[1], places[2:] + anchor
            box = np.concatenate([center - size / 2, center + size / 2])
            yield Face(box, points, float(scores[one]))


def _squares(height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Yield the left, the top and the side of the squares that a picture is looked at in: one
    around all of it, and overlapping parts."""
    longer, shorter = max(height, width), min(height, width)
    yield (width - longer) // 2, (height - longer) // 2, longer
    for side in (shorter, shorter // 2):
        if side >= SMALLEST_SQUARE and side < longer:
            rows, columns = starts(height, side), starts(width, side)
            yield from ((left, top, side) for top, left in product(rows, columns))


def _cut(picture: Image, left: int, top: int, side: int) -> Image:
    """Return a square of a picture at the size that the network sees, black beyond the picture."""
    inside = picture[max(0, top) : top + side, max(0, left) : left + side]
    above, before = max(0, -top), max(0, -left)
    below, after = side - inside.shape[0] - above, side - inside.shape[1] - before
    square = cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_CONSTANT)
    method = cv2.INTER_AREA if side > SEEN_SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (SEEN_SIDE, SEEN_SIDE), interpolation=method), np.uint8)


def _merged(views: Sequence[Face]) -> list[Face]:
    """Return the faces that these are ``views`` of, each the mean of its views."""
    rest = sorted(views, key=lambda face: -face.score)
    found = []
    while rest:
        surest = rest[0]
        same = [face for face in rest if _shared(surest, face) > OVERLAP_OF_VIEWS]
        found.append(Face.mean(same))
        rest = [face for face in rest if face not in same and not surest.has(face.center)]
    return found


def _shared(one: Face, other: Face) -> float:
    """Return the area that the boxes of two faces share, over that of both together, in 0..1."""
    corner, end = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    common = float(np.prod((end - corner).clip(0)))
    areas = [float(np.prod(face.box[2:] - face.box[:2])) for face in (one, other)]
    return common / max(sum(areas) - common, 1e-6)
