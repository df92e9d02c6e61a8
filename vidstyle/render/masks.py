"""Masks that are found in a clip, written as clips that a person can mend."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import media
from ..core import files
from ..core.events import Listener, LookedAt, Notice
from ..plan import MaskPlan
from .frames import frames_of


@dataclass(frozen=True)
class MaskResult:
    """A mask that was written."""

    output: Path
    frames: int
    shown: int
    """How many of these frames show what it is of."""
    seconds: float
    notes: tuple[str, ...] = ()


def write_mask(plan: MaskPlan, listener: Listener = lambda event: None) -> MaskResult:
    """Write a mask of a clip: white is inside.

    Args:
        plan: as ``plan_mask`` makes it.
        listener: told of each frame that is looked at, and of what is worth knowing.

    Raises:
        UsageError: the clip has no frames, or the output cannot be written.
    """
    began = time.monotonic()
    footage, output, settings = plan.footage, plan.output, plan.footage.settings
    notes: list[str] = []

    def tell(*told: str) -> None:
        notes.extend(told)
        for note in told:
            listener(Notice(note))

    count = shown = 0
    tell(*plan.notes)
    with (
        files.made(output.folder),
        media.open_writer(
            output.path,
            footage.clip.info,
            output.format,
            footage.whole,
            overwrite=output.overwrite,
            crf=settings.crf,
            codec=settings.codec,
        ) as writer,
    ):
        for count, frame in enumerate(frames_of(footage), 1):
            (mask,) = frame.masks
            tell(*frame.notes)
            shown += bool((mask > 127).any())
            gray = np.repeat(mask[..., None], 3, axis=2)
            writer.write(replace(frame, rgb=gray, alpha=None))
            listener(LookedAt(count, footage.frames))
        if not count:
            raise footage.empty_error
        tell(*footage.clip.notes)
    return MaskResult(output.path, count, shown, time.monotonic() - began, tuple(notes))
