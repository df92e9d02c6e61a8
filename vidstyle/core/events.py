"""Events that report progress to a callback. Only the command line prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .images import Image


@dataclass(frozen=True)
class Started:
    """The start of the work, after it has been planned."""

    frames: int | None
    """How many pictures will be painted. A frame counts each time it is painted.
    None if unknown."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    device: str
    precision: str
    again: int = 0
    """How many of these pictures are repeats of a frame that is painted more than once: to close
    a loop or to join segments."""
    about: bool = False
    """Whether ``frames`` is only an estimate."""


@dataclass(frozen=True, eq=False)
class Step:
    """A step of the optimizer."""

    done: float
    """The share of the frame's steps that is done, 0..1. The frame may be finished before 1."""
    loss: float
    terms: Mapping[str, float]
    """The terms whose sum is the loss, by name: content, style, smoothness, temporal."""
    picture: Callable[[], Image]
    """Returns the frame as painted so far, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Stepped:
    """A step of the optimizer on a frame of a clip."""

    frame: int
    """Counted from 1."""
    step: Step


@dataclass(frozen=True, eq=False)
class Learned:
    """A step in the training of a model."""

    number: int
    """Counted from 1."""
    done: float
    """The share of the training that is done, 0..1, as an estimate."""
    loss: float
    terms: Mapping[str, float]
    """The terms whose sum is the loss, by name."""
    picture: Callable[[], Image]
    """Returns a contact sheet: some frames of the clip, and below them the model's paintings."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A painted frame."""

    frame: int
    """Counted from 1."""
    seconds: float
    first: bool
    """Whether it is the first frame of a shot, or of a segment: a part of a shot that is painted
    by itself. First frames take longer."""
    picture: Image | None
    """The painting, (H, W, 3) uint8 RGB. None if a worker of a cluster painted it."""


@dataclass(frozen=True)
class LookedAt:
    """A frame that was examined, in work that paints none."""

    frame: int
    """Counted from 1."""
    frames: int | None
    """How many frames will be examined. None if unknown."""


@dataclass(frozen=True)
class Notice:
    """Something the user should know."""

    message: str


Event = Started | Stepped | Learned | Painted | LookedAt | Notice
Listener = Callable[[Event], None]


class Pace:
    """An estimate of the seconds per frame, as a moving average.

    The first frames of shots and segments take longer, so they do not count.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counted = False

    def add(self, seconds: float, first: bool) -> None:
        """Take in the ``seconds`` of a frame. For ``first``, see ``Painted.first``."""
        if not self.counted:
            self.seconds = seconds
        elif not first:
            self.seconds += 0.2 * (seconds - self.seconds)
        self.counted = self.counted or not first

    def left(self, frames: int) -> float | None:
        """Return the estimated seconds for ``frames`` more frames.

        None if frames are left, but only first frames have been painted so far.
        """
        return self.seconds * max(0, frames) if self.counted or frames <= 0 else None
