"""What a page has chosen to paint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import UsageError
from ..core.frames import FOUND
from ..settings import Settings
from .runs import Order

MAX_PIXELS = Settings().max_pixels
"""The most pixels of a frame or picture that a page accepts."""


@dataclass  # not frozen, because Gradio would require a frozen one to be hashable
class Choice:
    """The clip, styles and mask that a page has chosen. All files are given by path."""

    clip: str | None = None
    stills: list[str] = field(default_factory=list)
    """PNG files of the frames that can be tuned."""
    mask_stills: list[str] = field(default_factory=list)
    """PNG files of the mask at the same times. Empty without a mask."""
    tuned: int = 0
    """Index in ``stills`` of the frame that is tuned."""
    styles: list[tuple[str, float]] = field(default_factory=list)
    """Pictures and their weights."""
    mask: str | None = None
    """A file, or one of ``FOUND``."""
    inside: str | None = None
    """The picture that the mask's inside is painted like. None leaves it unpainted."""
    part: tuple[str, str] = ("", "")
    """Start and end of the part to paint, as typed. Empty means the clip's own."""

    def order(self, settings: Settings) -> Order:
        """Return the order to paint this choice.

        Raises:
            UsageError: there is no clip, or no style.
        """
        if self.clip is None:
            raise UsageError("no clip yet: drop one, or take a sample")
        if not self.styles:
            raise UsageError("no style yet: drop a picture, or take one from the shelf")
        styles = tuple((Path(path), weight) for path, weight in self.styles)
        found = [one for one in FOUND if one == self.mask]
        mask = found[0] if found else Path(self.mask) if self.mask else None
        inside = Path(self.inside) if mask and self.inside else None
        return Order(Path(self.clip), styles, settings, mask, inside)
