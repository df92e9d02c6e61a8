"""What a page has chosen to paint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ..core.errors import UsageError
from ..core.frames import FOUND
from ..settings import Settings
from ..settings.times import seconds_of
from .runs import Order

MAX_PIXELS = Settings().max_pixels
"""The most pixels of a frame or picture that a page accepts."""


class ChosenStyle(NamedTuple):
    """A picture to paint like."""

    path: str
    weight: float = 1.0
    since: str = ""
    """The second from which on it counts, as typed. Empty means from the beginning on."""

    @property
    def seconds(self) -> float | None:
        """``since``, as a number. None if it is empty.

        Raises:
            UsageError: it is no time.
        """
        try:
            return seconds_of(self.since) if self.since.strip() else None
        except ValueError:
            raise UsageError(
                f"{Path(self.path).name}, from {self.since}: write seconds, or 1:30"
            ) from None


@dataclass  # not frozen, because Gradio would require a frozen one to be hashable
class Choice:
    """The clip, styles and mask that a page has chosen. All files are given by path."""

    clip: str | None = None
    stills: list[str] = field(default_factory=list)
    """PNG files of the frames that can be tuned."""
    times: list[float] = field(default_factory=list)
    """When they are shown, in seconds since the beginning of the part to paint."""
    mask_stills: list[str] = field(default_factory=list)
    """PNG files of the mask at the same times. Empty without a mask, and with one that follows."""
    tuned: int = 0
    """Index in ``stills`` of the frame that is tuned."""
    styles: list[ChosenStyle] = field(default_factory=list)
    mask: str | None = None
    """A file, or one of ``FOUND``."""
    inside: str | None = None
    """The picture that the mask's inside is painted like. None leaves it unpainted."""
    part: tuple[str, str] = ("", "")
    """Start and end of the part to paint, as typed. Empty means the clip's own."""
    keys: str | None = None
    """A folder of given paintings, each called by the number of its frame."""

    def with_style(self, number: int, *style: ChosenStyle) -> Choice:
        """Return the choice with another style instead of the one of this ``number``, or none."""
        return replace(self, styles=[*self.styles[:number], *style, *self.styles[number + 1 :]])

    @classmethod
    def of(cls, order: Order) -> Choice:
        """Return what was chosen for an ``order``, without stills."""
        first = [ChosenStyle(str(path), weight) for path, weight in order.styles]
        later = [ChosenStyle(str(path), weight, f"{time:g}") for time, path, weight in order.later]
        mask, inside, keys = (
            None if path is None else str(path) for path in (order.mask, order.inside, order.keys)
        )
        return cls(str(order.clip), styles=[*first, *later], mask=mask, inside=inside, keys=keys)

    def order(self, settings: Settings) -> Order:
        """Return the order to paint this choice.

        Raises:
            UsageError: there is no clip, or no style, or a time is none.
        """
        if self.clip is None:
            raise UsageError("no clip yet: drop one, or take a sample")
        if not self.styles and self.keys is None:
            raise UsageError("no style yet: drop a picture, or take one from the shelf")
        first, later = [], []
        for style in self.styles:
            path, since = Path(style.path), style.seconds
            if since is None:
                first.append((path, style.weight))
            else:
                later.append((since, path, style.weight))
        found = [one for one in FOUND if one == self.mask]
        mask = found[0] if found else Path(self.mask) if self.mask else None
        inside = Path(self.inside) if mask and self.inside else None
        keys = Path(self.keys) if self.keys else None
        return Order(
            Path(self.clip), tuple(first), settings, mask, inside, later=tuple(later), keys=keys
        )
