"""What the engine tells while it works, for a callback. Only the command line draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .images import Image


@dataclass(frozen=True)
class Started:
    """The work is understood and begins."""

    frames: int | None
    """How many pictures will be painted: a frame that is painted again counts again."""
    width: int
    height: int
    device: str
    precision: str
    again: int = 0
    """How many of them are of frames that were painted before, for a loop or another pass."""
    about: bool = False
    """Whether they may be some more or fewer."""


@dataclass(frozen=True, eq=False)
class Step:
    """The optimizer took a step."""

    done: float
    """The share of the frame's steps that is done, 0..1; it may end before 1."""
    loss: float
    terms: Mapping[str, float]
    """What the loss is the sum of: content, style, smoothness, temporal."""
    picture: Callable[[], Image]
    """Gives the frame as it is now (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Stepped:
    """The optimizer took a step on a frame."""

    frame: int
    step: Step


@dataclass(frozen=True, eq=False)
class Learned:
    """A model took a step in its training."""

    number: int
    """Counted from 1."""
    done: float
    """The share of the training that is done, 0..1, as far as is known."""
    loss: float
    terms: Mapping[str, float]
    """What the loss is the sum of."""
    picture: Callable[[], Image]
    """Gives what the model makes of some frames, below their sources."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A frame is done."""

    frame: int
    """Counted from 1."""
    seconds: float
    first: bool
    """Whether it began a shot, which takes longer."""
    picture: Image | None
    """As the engine has painted it (H, W, 3); None where a worker of a cluster did."""


@dataclass(frozen=True)
class LookedAt:
    """A frame is looked at, where none is painted."""

    frame: int
    """Counted from 1."""
    frames: int | None
    """How many there are, as far as is known."""


@dataclass(frozen=True)
class Notice:
    """Something the user should know."""

    message: str


Event = Started | Stepped | Learned | Painted | LookedAt | Notice
Listener = Callable[[Event], None]


class Pace:
    """Seconds a frame, as they will be: a shot's first frame takes longer and does not count."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counted = False

    def add(self, seconds: float, first: bool) -> None:
        if not self.counted:
            self.seconds = seconds
        elif not first:
            self.seconds += 0.2 * (seconds - self.seconds)
        self.counted = self.counted or not first

    def left(self, frames: int) -> float | None:
        """Seconds for so many ``frames`` more; None: only first frames are painted so far."""
        return self.seconds * max(0, frames) if self.counted or frames <= 0 else None
