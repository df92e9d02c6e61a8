"""Which frames of a shot are key frames: its ends, and wherever too little of the last one is
still seen."""

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
"""Longer side of the pictures that are looked at."""
SEEN = 0.85
"""The share of a frame that the key frame before it must show."""
CONFIDENT = 0.5
"""How confident of that one must be."""
CLOSEST = 4
"""Frames from one key frame to the next, at least."""
ALIGNED = 0.4
"""Correlation of edges above which a painting lies over its source: 0.9 is usual, 0.4 is had by one
that is a twentieth of its width beside it."""
BLUR = 2.0
"""Pixels that strokes and edges are softened by before they are compared."""
FLAT_EDGES = 0.1
"""Standard deviation of slopes below which there are no edges to compare."""


def keyed(frames: Iterable[Frame], every: int, leads_back: bool = False) -> Iterator[Frame]:
    """Each frame with whether it is a key frame, as the first of a shot or a segment is; they are
    at most ``every`` frames apart.

    ``leads_back`` says whether what comes before a painting that is given follows that, too, so
    that no other key frame stands between. Looks as many frames ahead; otherwise one.
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
    """Each frame with at most so many that come after it."""
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
    """The view of the frame after that of ``view``."""
    small = within(frame.rgb, VIEW_SIDE)
    if view is None or frame.starts_shot or frame.starts_segment:
        return _View.of(small)
    flows = both_ways(estimator("dis"))
    step = Motion.between(*flows(small, view.small))
    return _View(view.key, small, step.after(view.motion), view.age + 1)


def _is_far(view: _View, every: int) -> bool:
    """Whether a frame is too far from its key frame, in frames or in what it shows of it."""
    return view.age >= every or (view.age >= CLOSEST and view.share < SEEN)
