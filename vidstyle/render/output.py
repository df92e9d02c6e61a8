"""The output while it is written: pictures, and the sound beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, lcm
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .. import media
from ..core.frames import Frame
from ..core.images import Image
from ..journal import Journal, has_left
from ..media import ClipInfo, Format
from ..media.sound import Sound
from ..plan import Footage, Output
from ..settings import Settings, rate_of


class OutputWriter:
    """Writes frames to the output. Use it in a ``with``: leaving by an error leaves no output.

    Args:
        output: where to.
        footage: the frames that will be written, and the clip whose sound goes along.

    Raises:
        UsageError: it cannot be written.
    """

    def __init__(self, output: Output, footage: Footage) -> None:
        self.output, self.footage = output, footage
        self.sound = _sound(output.format, footage)
        settings = footage.settings
        self.writer = media.open_writer(
            output.path,
            _output_info(footage),
            output.format,
            footage.whole,
            loop=settings.loop,
            overwrite=output.overwrite,
            sound=self.sound,
            crf=settings.crf,
            codec=settings.codec,
        )
        self.count = 0
        self.last: Frame | None = None

    @property
    def keeps_alpha(self) -> bool:
        """Whether transparency can be written."""
        return self.writer.encoder.keeps_alpha

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept of the sound."""
        return tuple(self.sound.notes) if self.sound else ()

    def __enter__(self) -> Self:
        self.writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.__exit__(kind, error, trace)

    def write(self, frame: Frame, shown: Image) -> None:
        """Write the next frame, given what is ``shown`` of its painting (H, W, 3)."""
        if frame.starts_shot:
            self.writer.begin_shot()
        self.writer.write(replace(frame, rgb=self.footage.framed(shown, frame)))
        self._wrote([frame])

    def join(self, part: Path, frames: Sequence[Frame]) -> None:
        """Write the next ``frames`` as a worker has encoded them into the file ``part``."""
        self.writer.join(part, frames)
        self._wrote(frames)

    def _wrote(self, frames: Sequence[Frame]) -> None:
        self.count, self.last = self.count + len(frames), frames[-1]
        if self.count == self.footage.settings.max_frames:
            self._end_sound()

    @contextmanager
    def partial_on_error(self, journal: Journal, wanted: bool) -> Iterator[None]:
        """Within this context, an error leaves the frames so far as a clip that plays, if that is
        ``wanted``. The journal notes that the clip may be replaced."""
        try:
            yield
        except BaseException as error:
            if wanted and self.count:
                self._leave_partial(journal, error)
            raise

    def _leave_partial(self, journal: Journal, error: BaseException) -> None:
        self._end_sound()
        partial = self.output.partial
        own = journal.folder is not None and has_left(journal.folder, partial)
        with suppress(Exception):  # the disk may be full; the journal is whole anyway
            self.writer.keep(partial, self.output.overwrite or own)
            error.add_note(f"the frames so far are in {partial}")
            journal.left(partial)

    def _end_sound(self) -> None:
        """End the sound with the last frame."""
        if self.sound is not None and self.last is not None:
            self.sound.end = self.sound.start + self.last.time + self.last.duration


def part_writer(footage: Footage, file_format: Format, path: Path) -> media.VideoEncoder:
    """Open an encoder for a part of the output, which an ``OutputWriter`` joins."""
    settings = footage.settings
    return media.part_writer(
        path,
        _output_info(footage),
        file_format,
        footage.whole,
        crf=settings.crf,
        codec=settings.codec,
    )


def _sound(file_format: Format, footage: Footage) -> Sound | None:
    """Return the sound and the subtitles of the output, if it has any."""
    info, mode = footage.clip.info, footage.settings.audio
    heard = bool(info.sound) and mode != "none"
    if file_format.kind != "video" or not (heard or info.subtitles):
        return None
    return Sound(info.path, file_format, mode, *footage.settings.span)


def _output_info(footage: Footage) -> ClipInfo:
    """Return what the output takes over from the clip."""
    info, settings = footage.clip.info, footage.settings
    start, end = settings.span
    rate = rate_of(settings.fps) if settings.fps else info.rate
    if settings.max_frames is not None and rate:
        until = start + settings.max_frames / rate
        end = until if end is None else min(end, until)
    if start or end is not None:
        info = replace(info, chapters=tuple(_within(info.chapters, start, end)))
    return _with_clock(info, settings, start, rate)


def _with_clock(
    info: ClipInfo, settings: Settings, start: Fraction, rate: Fraction | None
) -> ClipInfo:
    """Return ``info`` with a time base that has a tick for each frame."""
    if settings.fps and rate:
        return replace(info, time_base=1 / rate / 1000, rate=rate)
    if start:  # it may lie between two ticks
        ticks = lcm(info.time_base.denominator, start.denominator)
        return replace(info, time_base=Fraction(1, ticks))
    return info


def _within(
    chapters: Iterable[Mapping[str, Any]], start: Fraction, end: Fraction | None
) -> Iterator[Mapping[str, Any]]:
    """Cut ``chapters`` to a part of the clip, in seconds. Their times count from its start."""
    for chapter in chapters:
        base = Fraction(chapter["time_base"])
        first, last = ceil(start / base), None if end is None else floor(end / base)
        begins = max(chapter["start"], first)
        ends = chapter["end"] if last is None else min(chapter["end"], last)
        if begins < ends:
            yield {**chapter, "start": begins - first, "end": ends - first}
