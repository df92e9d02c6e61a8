"""What is shown of a painting. The engine goes on from its own; the viewer sees this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..core.frames import Frame
from ..core.images import Image, contact_sheet, laid_over, stacked
from ..metrics import MetricAccumulator, Metrics
from ..objective.colors import mixed, with_chroma
from ..objective.masks import shares
from ..objective.styles import StyleSchedule
from ..settings import Settings

SHEET_COLUMNS = 6
"""Frames on a preview's contact sheet, at most."""


@dataclass(frozen=True)
class Composer:
    """Lays a painting over its source, as the settings want it."""

    keep_luma_colors: bool
    """Whether each frame has the colors of its source."""
    strength: float
    """How much of the painting is seen, in 0..1."""
    regions: tuple[int | None, ...]
    """The style of each mask. None means that its inside is not painted."""
    fades: tuple[tuple[float, float], ...] = ()
    """The factor of the strength (0..1) at each of these times (seconds), linear in between."""

    @classmethod
    def of(cls, settings: Settings, schedule: StyleSchedule) -> Composer:
        """Return the composer of a plan."""
        return cls(
            settings.keep_colors == "luma", settings.strength, schedule.regions, settings.fades
        )

    @property
    def changes(self) -> bool:
        """Whether what is shown differs from what is painted."""
        whole = self.strength == 1 and not self.fades
        return self.keep_luma_colors or not whole or None in self.regions

    def __call__(self, painted: Image, frame: Frame) -> Image:
        """Return what is shown of ``frame``, given its painting; both (H, W, 3)."""
        source = frame.rgb
        if self.keep_luma_colors:
            painted = with_chroma(painted, source)
        strength = self.strength
        if self.fades:
            times, factors = zip(*self.fades, strict=True)
            strength *= float(np.interp(float(frame.time), times, factors))
        if strength < 1:
            painted = mixed(painted, source, strength)
        if None in self.regions:
            parts = zip(self.regions, shares(frame.masks)[1:], strict=True)
            bare = sum(share for region, share in parts if region is None)
            painted = mixed(painted, source, 1 - bare)
        return painted


class Summary:
    """What is known of a painting as a whole, taken up frame by frame.

    Args:
        has_sheet: whether a contact sheet is wanted.
        style: the picture that a report compares with. None means no report.
        size: width and height of the frames.
    """

    def __init__(self, has_sheet: bool, style: Image | None, size: tuple[int, int]) -> None:
        self.losses: list[float] = []
        self.faces = 0
        """The most faces in a frame."""
        self.given = 0
        """How many frames had a painting given."""
        self.shown: list[tuple[Image, Image]] | None = [] if has_sheet else None
        width, height = size
        self.accumulator = None if style is None else MetricAccumulator(style, (height, width))

    def add(self, frame: Frame, shown: Image, loss: float) -> None:
        """Take up a frame, as it is ``shown`` (H, W, 3)."""
        self.losses.append(loss)
        self.given += frame.painting is not None
        self.faces = max(self.faces, len(frame.faces))
        if self.shown is not None and len(self.shown) < SHEET_COLUMNS:
            white = partial(laid_over, alpha=frame.alpha, ground=np.float32(255))
            self.shown.append((white(frame.rgb), white(shown)))
        if self.accumulator is not None:
            self.accumulator.add(frame.rgb, shown)

    def sheet(self, detail: tuple[Image, Image] | None = None) -> Image:
        """Return some frames, and their paintings below; and below these a ``detail`` and its
        painting, if there is one."""
        frames = contact_sheet(list(zip(*(self.shown or ()), strict=True)))
        if detail is None:
            return frames
        return stacked([frames, contact_sheet([detail])])

    def metrics(self) -> Metrics | None:
        """Return the report, if one is wanted and there is more than one frame."""
        if self.accumulator is None or len(self.losses) < 2:
            return None
        return self.accumulator.measures()
