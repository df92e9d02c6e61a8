"""Extras of a finished run: a contact sheet, and a video of source and painting side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from .. import media
from ..core.files import write_whole
from ..core.frames import Frame
from ..core.images import Image, contact_sheet, laid_over, resized
from ..media import Clip, ClipInfo
from ..media.sound import Sound
from ..settings import Settings, recipes
from .runs import RECIPE, SHEET, SIDE_BY_SIDE, Run

COLUMNS = 6
"""Frames on a sheet, at most."""
FASTEST_SHOWN = Fraction(30)
"""Highest frame rate of a side-by-side video, in frames per second."""
USUAL_RATE = Fraction(25)
"""Frame rate of a side-by-side video if that of the clip is unknown, in frames per second."""


def leave_extras(run: Run) -> None:
    """Write the recipe, the contact sheet and the side-by-side video of what is painted into a
    run's folder.

    One that cannot be made is left out without an error, because the painting itself is complete.
    """
    assert run.output is not None
    with suppress(Exception):
        recipes.save(run.order.settings, run.folder / RECIPE)
    with suppress(Exception):
        sheet = _sheet(_source(run), media.open_clip(run.output))
        write_whole(run.folder / SHEET, media.encoded_image(sheet, suffix=".jpg"))
    with suppress(Exception):
        if run.done > 1:
            write_beside([_source(run), media.open_clip(run.output)], run.folder / SIDE_BY_SIDE)


def write_beside(clips: Sequence[Clip], output: Path) -> None:
    """Write clips side by side and synchronized, as an mp4 that browsers play.

    Args:
        clips: from left to right. All are scaled to the height of the last one, and the sound is
            that of the last one, too.
        output: the path of the video. An existing file is replaced.

    Raises:
        UsageError: a clip cannot be read, or the video cannot be written.
    """
    last = clips[-1].info
    rate = max(_rate(clip) for clip in clips)
    height = last.height // 2 * 2
    widths = [max(2, round(c.info.width / c.info.height * last.height / 2) * 2) for c in clips]
    about = ClipInfo(
        output, "video", "mp4", "h264", sum(widths), height, None, None,
        time_base=1 / rate / 1000, rate=rate,
    )  # fmt: skip
    mp4 = media.FORMATS["mp4"]
    sound = Sound(last.path, mp4) if last.sound else None
    size = (sum(widths), height)
    with media.open_writer(output, about, mp4, size, sound=sound, overwrite=True) as writer:
        for number, pictures in enumerate(_in_step(clips, rate)):
            parts = [resized(p, (w, height)) for p, w in zip(pictures, widths, strict=True)]
            writer.write(Frame(np.hstack(parts), number / rate, 1 / rate))


def _in_step(clips: Sequence[Clip], rate: Fraction) -> Iterator[tuple[Image, ...]]:
    """Yield the pictures that ``clips`` show at the same times, ``rate`` times per second."""
    both = (media.resample(clip, rate) for clip in clips)
    for frames in zip(*both, strict=False):
        yield tuple(laid_over(frame.rgb, frame.alpha, np.float32(255)) for frame in frames)


def _rate(clip: Clip) -> Fraction:
    info = clip.info
    if info.rate is None and info.times and info.duration:
        shortest = min(
            after - before
            for before, after in zip(info.times, (*info.times[1:], info.duration), strict=True)
        )
        return min(FASTEST_SHOWN, 1 / shortest) if shortest else USUAL_RATE
    return min(FASTEST_SHOWN, info.rate or USUAL_RATE)


class Part:
    """The part of a clip that was painted, without its sound."""

    def __init__(self, clip: Clip, settings: Settings) -> None:
        self.clip, self.settings = clip, settings
        self.info = replace(clip.info, times=(), sound=())
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Frame]:
        start, end = self.settings.span
        return media.trim(self.clip, start, end)


def _source(run: Run) -> Clip:
    settings = run.order.settings
    return Part(media.open_clip(run.order.clip, settings.max_pixels), settings)


def _sheet(source: Clip, painted: Clip) -> Image:
    """Return a sheet of evenly spaced frames of ``source``, with their paintings below."""
    rate = _rate(painted)
    every = max(1, int((painted.info.duration or 1) * rate) // COLUMNS)
    pairs = islice(_in_step([source, painted], rate), 0, every * COLUMNS, every)
    shown = [(resized(before, after.shape[1::-1]), after) for before, after in pairs]
    return contact_sheet([*zip(*shown, strict=True)])
