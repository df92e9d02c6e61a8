"""A face in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SURELY_A_FACE = 0.65
"""The score of what is surely a face. A hand reaches 0.6, a rabbit's face 0.7."""


@dataclass(frozen=True, eq=False)
class Face:
    """Where a face is, in pixels."""

    box: NDArray[np.float32]
    """Left, top, right and bottom (4,)."""
    points: NDArray[np.float32]
    """The eyes, the tip of the nose, the middle of the mouth and the ears (6, 2): x, y."""
    score: float
    """How sure it is that this is a face, 0..1."""

    @property
    def width(self) -> float:
        """Width of the box."""
        return float(self.box[2] - self.box[0])

    @property
    def center(self) -> NDArray[np.float32]:
        """The middle of the box (2,): x, y."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2, np.float32)

    @property
    def eyes_apart(self) -> float:
        """The distance of the eyes."""
        return float(np.hypot(*(self.points[0] - self.points[1])))

    @property
    def is_sure(self) -> bool:
        """Whether it is surely a face."""
        return self.score >= SURELY_A_FACE

    def has(self, point: NDArray[np.float32]) -> bool:
        """Whether a ``point`` (2,): x, y is in the box."""
        return bool((self.box[:2] <= point).all() and (point <= self.box[2:]).all())

    def moved(self, right: float, down: float, scale: float = 1.0) -> Face:
        """Return this face in a picture that was scaled, and then moved by so many pixels."""
        by = np.array([right, down], np.float32)
        return Face(
            self.box * np.float32(scale) + np.tile(by, 2),
            self.points * np.float32(scale) + by,
            self.score,
        )

    @classmethod
    def mean(cls, faces: Sequence[Face]) -> Face:
        """Return the mean of several views of one face, by how sure they are."""
        weights = [face.score for face in faces]
        return cls(
            np.average([face.box for face in faces], 0, weights).astype(np.float32),
            np.average([face.points for face in faces], 0, weights).astype(np.float32),
            max(weights),
        )


def as_array(faces: Sequence[Face]) -> NDArray[np.float64]:
    """Return ``faces`` as an array (N, 17), from which ``from_array`` restores them."""
    return np.array([[*face.box, *face.points.ravel(), face.score] for face in faces])


def from_array(values: NDArray[np.float64]) -> tuple[Face, ...]:
    """Return the faces that ``as_array`` made these ``values`` (N, 17) of."""
    places = values[:, :-1].astype(np.float32)
    return tuple(
        Face(one[:4], one[4:].reshape(-1, 2), float(score))
        for one, score in zip(places, values[:, -1], strict=True)
    )
