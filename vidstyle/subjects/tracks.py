"""Faces through time: one that is seen in most of the frames around is one in all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from ..core.faces import Face
from ..core.frames import Frame
from ..core.images import Image

AROUND = 2
"""Frames before and after one that are looked at, too."""
MOST_OF_THEM = 0.6
"""The share of these frames in which a face must be seen, in one of them surely."""
STRIDE_OF_FACE = 0.5
"""How far a face may move from frame to frame, relative to its width."""
GROWTH_OF_FACE = 1.5
"""Factor by which its width may change over the frames around."""

Find = Callable[[Image], list[Face]]


def with_faces(frames: Iterable[Frame], find: Find) -> Iterator[Frame]:
    """Add to each frame the faces that it shows.

    Frames of other shots and segments are not looked at, so that a segment is the same wherever it
    is painted.

    Args:
        frames: in order, with shots and segments marked.
        find: finds the faces in a picture.

    Yields:
        Each frame with its faces. Reads ``AROUND`` frames ahead.
    """
    before: deque[list[Face]] = deque(maxlen=AROUND)
    held: deque[tuple[Frame, list[Face]]] = deque()

    def settled() -> Iterator[Frame]:
        frame, seen = held.popleft()
        after = [faces for _, faces in held]
        yield replace(frame, faces=tuple(_faces(list(before), seen, after)))
        before.append(seen)

    for frame in frames:
        if frame.starts_shot or frame.starts_segment:
            while held:
                yield from settled()
            before.clear()
        held.append((frame, find(frame.rgb)))
        if len(held) > AROUND:
            yield from settled()
    while held:
        yield from settled()


def _faces(
    before: Sequence[list[Face]], seen: list[Face], after: Sequence[list[Face]]
) -> Iterator[Face]:
    """Yield the faces of a frame, given what is ``seen`` in it and in those around it."""
    count = len(before) + 1 + len(after)
    others = [(len(before) - number, faces) for number, faces in enumerate(before)]
    others += [(number, faces) for number, faces in enumerate(after, 1)]
    between = [
        middle
        for middle in _between(before, after)
        if not any(_same(middle, face, 1) for face in seen)
    ]
    for face in (*seen, *between):
        views = [nearest(face, faces, steps) for steps, faces in others]
        known = [view for view in views if view is not None]
        times = len(known) + (face in seen)
        if times < ceil(MOST_OF_THEM * count):
            continue
        if any(view.is_sure for view in (face, *known)):
            yield face


def _between(before: Sequence[list[Face]], after: Sequence[list[Face]]) -> Iterator[Face]:
    """Yield where faces must be that are seen in the frame before and in the one after."""
    if before and after:
        for face in before[-1]:
            later = nearest(face, after[0], 2)
            if later is not None:
                yield Face.mean([face, later])


def nearest(face: Face, faces: Sequence[Face], steps: int = 1) -> Face | None:
    """Return the one of the ``faces`` of a frame that is this one, so many ``steps`` away."""
    same = [other for other in faces if _same(face, other, steps)]
    return min(same, key=lambda other: _distance(face, other), default=None)


def _same(one: Face, other: Face, steps: int) -> bool:
    narrow, wide = sorted((one.width, other.width))
    return (
        wide <= GROWTH_OF_FACE * narrow and _distance(one, other) <= steps * STRIDE_OF_FACE * wide
    )


def _distance(one: Face, other: Face) -> float:
    return float(np.hypot(*(one.center - other.center)))
