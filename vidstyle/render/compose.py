"""What is shown of a painting: the engine goes on from its own, the viewer sees this."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..core.frames import Frame
from ..core.images import Image, contact_sheet, laid_over
from ..metrics import MetricAccumulator, Metrics
from ..objective.colors import mixed, with_chroma
from ..objective.masks import shares
from ..plan import Plan

SHEET_COLUMNS = 6
"""Frames shown on a preview's contact sheet, at most."""


def composed(painted: Image, frame: Frame, work: Plan) -> Image:
    """A painting (H, W, 3) with the colors, the strength and the bare parts that are wanted."""
    source, settings = frame.rgb, work.settings
    if settings.keep_colors == "luma":
        painted = with_chroma(painted, source)
    if settings.strength < 1:
        painted = mixed(painted, source, settings.strength)
    if None in work.schedule.regions:
        parts = zip(work.schedule.regions, shares(frame.masks)[1:], strict=True)
        bare = sum(share for region, share in parts if region is None)
        painted = mixed(painted, source, 1 - bare)
    return painted


def is_composed(work: Plan) -> bool:
    """Whether that differs from what was painted."""
    settings = work.settings
    return settings.keep_colors == "luma" or settings.strength < 1 or None in work.schedule.regions


class Summary:
    """What there is to show and to say of all frames of a plan, taken up as they are made."""

    def __init__(self, work: Plan) -> None:
        self.losses: list[float] = []
        self.shown: list[tuple[Image, Image]] | None = None if work.sheet is None else []
        self.accumulator: MetricAccumulator | None = None
        if work.settings.report:
            size = (work.height, work.width)
            self.accumulator = MetricAccumulator(work.schedule.pictures[0], size)

    def add(self, frame: Frame, shown: Image, loss: float) -> None:
        """Take up a frame, as it is ``shown`` (H, W, 3)."""
        self.losses.append(loss)
        if self.shown is not None and len(self.shown) < SHEET_COLUMNS:
            white = partial(laid_over, alpha=frame.alpha, ground=np.float32(255))
            self.shown.append((white(frame.rgb), white(shown)))
        if self.accumulator is not None:
            self.accumulator.add(frame.rgb, shown)

    def sheet(self) -> Image:
        """Some frames, and their paintings below."""
        return contact_sheet(list(zip(*(self.shown or ()), strict=True)))

    def metrics(self) -> Metrics | None:
        """What the painting is worth, if that was asked for and there is more than one frame."""
        if self.accumulator is None or len(self.losses) < 2:
            return None
        return self.accumulator.measures()
