"""The output of a plan while it is written: pictures, and the sound beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, lcm
from pathlib import Path
from typing import Any

from .. import media
from ..core.frames import Frame
from ..core.images import Image
from ..media.sound import Sound
from ..plan import Plan
from ..plan.output import wrote
from ..settings import rate_of
from .checkpoint import CheckpointStore


class OutputWriter:
    """Writes the frames of a plan, while its ``writer`` is open in a ``with``.

    Raises:
        UsageError: it cannot be written.
    """

    def __init__(self, work: Plan) -> None:
        self.work = work
        self.sound = _sound(work)
        self.writer = _writer(work, self.sound)
        self.count = 0
        self.last: Frame | None = None

    @property
    def keeps_alpha(self) -> bool:
        """Whether transparency can be written."""
        return self.writer.encoder.keeps_alpha

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say of the sound."""
        return tuple(self.sound.notes) if self.sound else ()

    def write(self, frame: Frame, shown: Image) -> None:
        """Write the next frame as it is ``shown``."""
        if frame.starts_shot:
            self.writer.begin_shot()
        self.writer.write(replace(frame, rgb=shown))
        self._wrote([frame])

    def join(self, part: Path, frames: Sequence[Frame]) -> None:
        """Write the next ``frames`` as a worker has encoded them into the file ``part``."""
        self.writer.join(part, frames)
        self._wrote(frames)

    def _wrote(self, frames: Sequence[Frame]) -> None:
        self.count, self.last = self.count + len(frames), frames[-1]
        if self.count == self.work.settings.max_frames:
            self._end_sound()

    def leave_partial(self, store: CheckpointStore | None, error: BaseException) -> None:
        """Leave what is written as a clip that plays, and say so with the ``error``."""
        work = self.work
        self._end_sound()
        own = store is not None and wrote(store.folder, work.partial)
        with suppress(Exception):  # the disk may be full; the store is whole anyway
            self.writer.keep(work.partial, work.overwrite or own)
            error.add_note(f"what is painted plays: {work.partial}")
            if store is not None:
                store.left(work.partial)

    def _end_sound(self) -> None:
        """The sound ends with the last frame."""
        if self.sound is not None and self.last is not None:
            self.sound.end = self.sound.start + self.last.time + self.last.duration


def _sound(work: Plan) -> Sound | None:
    """What is to be heard and read beside the pictures."""
    info, mode = work.clip.info, work.settings.audio
    heard = bool(info.sound) and mode != "none"
    if work.format.kind != "video" or not (heard or info.subtitles):
        return None
    return Sound(info.path, work.format, mode, *work.settings.span)


def part_writer(work: Plan, path: Path) -> media.VideoEncoder:
    """An encoder of a part of the output, for its writer to join."""
    size, settings = (work.width, work.height), work.settings
    return media.part_writer(
        path, _info(work), work.format, size, crf=settings.crf, codec=settings.codec
    )


def _writer(work: Plan, sound: Sound | None) -> media.Writer:
    settings = work.settings
    return media.open_writer(
        work.output,
        _info(work),
        work.format,
        (work.width, work.height),
        loop=settings.loop,
        overwrite=work.overwrite,
        sound=sound,
        crf=settings.crf,
        codec=settings.codec,
    )


def _within(
    chapters: Iterable[Mapping[str, Any]], start: Fraction, end: Fraction | None
) -> Iterator[Mapping[str, Any]]:
    """What lies between ``start`` and ``end`` seconds of each of the ``chapters``, counted from
    there on."""
    for chapter in chapters:
        base = Fraction(chapter["time_base"])
        first, last = ceil(start / base), None if end is None else floor(end / base)
        begins = max(chapter["start"], first)
        ends = chapter["end"] if last is None else min(chapter["end"], last)
        if begins < ends:
            yield {**chapter, "start": begins - first, "end": ends - first}


def _info(work: Plan) -> media.ClipInfo:
    """What the output takes over from the clip."""
    info, settings = work.clip.info, work.settings
    start, end = settings.span
    rate = rate_of(settings.fps) if settings.fps else info.rate
    if settings.max_frames is not None and rate:
        until = start + settings.max_frames / rate
        end = until if end is None else min(end, until)
    if start or end is not None:
        info = replace(info, chapters=tuple(_within(info.chapters, start, end)))
    if settings.fps and rate:
        info = replace(info, time_base=1 / rate / 1000, rate=rate)
    elif start:  # it may lie between two ticks
        ticks = lcm(info.time_base.denominator, start.denominator)
        info = replace(info, time_base=Fraction(1, ticks))
    return info
