"""Selection of key frames: a shot's ends, and where too little of the last one is visible."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import cv2
import numpy as np

from ..core.frames import Frame
from ..core.images import Field, Image, within
from .carry import Motion, confidence
from .flow import both_ways, estimator

VIEW_SIDE = 160
"""Longer side of the small pictures that are examined, in pixels."""
SEEN = 0.85
"""Share of a frame that the key frame before it must show. With less, a new one is needed."""
CONFIDENT = 0.5
"""Confidence above which the key frame is taken to show the same as the frame at a pixel."""
CLOSEST = 4
"""Frames from one key frame to the next, at least, unless a shot ends or a painting is given."""
ALIGNED = 0.4
"""Correlation of edges above which a painting is aligned with its source.

It is usually 0.9, and 0.4 for a painting that is shifted by a twentieth of its width.
"""
BLUR = 2.0
"""Sigma, in pixels, of the blur that softens strokes and edges before they are compared."""
FLAT_EDGES = 0.1
"""Standard deviation of the slopes below which a picture has no edges to compare."""


def keyed(frames: Iterable[Frame], every: int, leads_back: bool = False) -> Iterator[Frame]:
    """Mark the key frames of a clip.

    The first frame of a shot or a segment, the last one of a shot, and frames with a given painting
    are key frames, and others as needed.

    Args:
        frames: in order, with shots, segments and given paintings marked.
        every: the largest distance between key frames, in frames.
        leads_back: whether the frames before a given painting follow it, too. Then no other key
            frame is set in the ``every`` frames before it, unless a shot ends there.

    Yields:
        Each frame with ``is_key`` set. ``every`` frames are read ahead with ``leads_back``,
        otherwise one.
    """
    view: _View | None = None
    for frame, ahead in _with_next(frames, every if leads_back else 1):
        view = _next(view, frame)
        given = frame.painting is not None
        shot = takewhile(lambda later: not later.starts_shot, ahead)
        follows = leads_back and any(later.painting is not None for later in shot)
        ends = not ahead or ahead[0].starts_shot
        far = view.age == 0 or _is_far(view, every)
        is_key = given or ends or (far and not follows)
        if is_key:
            view = _View.of(view.small)
        yield replace(frame, is_key=is_key)


def _with_next(frames: Iterable[Frame], count: int) -> Iterator[tuple[Frame, Sequence[Frame]]]:
    """Yield each frame with at most ``count`` frames that follow it."""
    held: deque[Frame] = deque()
    for frame in frames:
        held.append(frame)
        if len(held) > count:
            yield held.popleft(), held
    while held:
        yield held.popleft(), held


def lines_up(painting: Image, source: Image) -> bool:
    """Whether the edges of a ``painting`` (H, W, 3) lie where its ``source`` has edges."""
    found, wanted = (_edges(picture) for picture in (painting, source))
    flat = min(float(found.std()), float(wanted.std())) < FLAT_EDGES
    return flat or float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1]) > ALIGNED


def _edges(picture: Image) -> Field:
    gray = cv2.cvtColor(within(picture, VIEW_SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, across = np.gradient(cv2.GaussianBlur(gray, (0, 0), BLUR))
    return np.hypot(down, across)


@dataclass(frozen=True, eq=False)
class _View:
    """What a frame shows of the key frame before it."""

    key: Image
    small: Image
    motion: Motion
    age: int = 0
    """Frames since the key frame."""

    @classmethod
    def of(cls, small: Image) -> _View:
        return cls(small, small, Motion.none(small.shape))

    @property
    def share(self) -> float:
        return float((confidence(self.key, self.small, self.motion) > CONFIDENT).mean())


def _next(view: _View | None, frame: Frame) -> _View:
    """Return the view of the next frame, given that of the one before."""
    small = within(frame.rgb, VIEW_SIDE)
    if view is None or frame.starts_shot or frame.starts_segment:
        return _View.of(small)
    flows = both_ways(estimator("dis"))
    step = Motion.between(*flows(small, view.small))
    return _View(view.key, small, step.after(view.motion), view.age + 1)


def _is_far(view: _View, every: int) -> bool:
    """Whether a frame is too far from its key frame, in frames or in what it shows of it."""
    return view.age >= every or (view.age >= CLOSEST and view.share < SEEN)
