"""Writing: into a temporary name first, moved into place only when whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ..core import files
from ..core.errors import VidstyleError
from ..core.frames import Frame
from .clip import ClipInfo
from .codecs import CODECS
from .encoders import AnimationEncoder, FolderEncoder, StillEncoder, VideoEncoder
from .formats import Format
from .gif import GifEncoder
from .sound import Sound
from .video import VideoClip


class Encoder(Protocol):
    """What turns frames into a file. Knows nothing of where the file ends up."""

    keeps_alpha: bool
    """Whether what is transparent stays so."""

    def write(self, frame: Frame) -> None: ...

    def begin_shot(self) -> None:
        """The next frame begins a new shot."""

    def close(self) -> None:
        """Finish the file. Nothing may be written after."""

    def abort(self) -> None:
        """Let go of the file, whole or not."""


class Writer:
    """An output being written. Leaving the ``with`` by an exception leaves nothing behind."""

    def __init__(
        self,
        output: Path,
        partial: Path,
        encoder: Encoder,
        overwrite: bool,
        longest: Fraction | None = None,
    ) -> None:
        self.output, self.partial = output, partial
        self.encoder = encoder
        self.longest = longest
        """Seconds that the format can say that a frame lasts; None: any."""
        self.overwrite = overwrite
        self.frames = 0
        self.kept = False
        """Whether what is there was left somewhere else."""

    def write(self, frame: Frame) -> None:
        for part in _lasting(frame, self.longest):
            self.encoder.write(part)
        self.frames += 1

    def join(self, part: Path, frames: Sequence[Frame]) -> None:
        """Write ``frames`` as they are encoded in the file ``part``, or once more where a format
        has no parts."""
        if isinstance(self.encoder, VideoEncoder):
            self.encoder.join(part, frames)
            self.frames += len(frames)
            return
        for frame, shown in zip(frames, VideoClip(part), strict=True):
            if frame.starts_shot:
                self.begin_shot()
            self.write(replace(frame, rgb=shown.rgb, alpha=shown.alpha))

    def begin_shot(self) -> None:
        self.encoder.begin_shot()

    def keep(self, path: Path, overwrite: bool) -> None:
        """Close what is there, and leave that at ``path`` instead."""
        self.encoder.close()
        files.put_in_place(self.partial, path, overwrite)
        self.kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if not self.frames:
                    raise VidstyleError(f"{self.output}: no frame was painted, nothing is written")
                self.encoder.close()
                files.put_in_place(self.partial, self.output, self.overwrite)
            elif not self.kept:
                self.encoder.abort()
        finally:
            files.discard(self.partial)


def open_writer(
    output: Path,
    source: ClipInfo,
    file_format: Format,
    size: tuple[int, int],
    *,
    loop: int | None = None,
    overwrite: bool = False,
    sound: Sound | None = None,
    crf: int | None = None,
    codec: str | None = None,
) -> Writer:
    """A writer of frames of ``size`` (width, height) with the properties of ``source``.

    Encoders of video and sound are open when it returns: what they cannot do is told here.

    Raises:
        UsageError: the output exists, its folder cannot be written to, or an encoder refuses.
    """
    files.check_writable(output, overwrite)
    folder = file_format.kind == "folder"
    plays = loop_count(source, loop)
    if file_format.most_plays is not None:
        plays = min(plays, file_format.most_plays)
    partial = files.temporary_folder(output) if folder else files.temporary_file(output)
    try:
        encoder: Encoder
        if file_format.kind == "video":
            encoder = VideoEncoder(partial, source, file_format, size, sound, crf, codec)
        elif file_format.kind == "gif":
            encoder = GifEncoder(partial, size, plays)
        elif file_format.kind == "animation":
            encoder = AnimationEncoder(partial, file_format, plays)
        elif file_format.kind == "still":
            encoder = StillEncoder(partial, file_format)
        else:
            encoder = FolderEncoder(partial)
    except BaseException:
        files.discard(partial)
        raise
    return Writer(output, partial, encoder, overwrite, file_format.longest_delay)


def _lasting(frame: Frame, longest: Fraction | None) -> Iterator[Frame]:
    """A ``frame`` in equal parts, as few as last no longer than ``longest`` seconds each."""
    count = 1 if longest is None else max(1, ceil(frame.duration / longest))
    each = frame.duration / count
    for number in range(count):
        rgb = frame.rgb
        if number % 2:  # Pillow would join what is the same
            rgb = rgb.copy()
            rgb[0, 0, 2] ^= 1
        yield replace(frame, rgb=rgb, time=frame.time + number * each, duration=each)


def part_writer(
    path: Path,
    source: ClipInfo,
    file_format: Format,
    size: tuple[int, int],
    *,
    crf: int | None = None,
    codec: str | None = None,
) -> VideoEncoder:
    """An encoder of a part of a file of this format, for its writer to ``join``; the parts of what
    is no video are without loss."""
    if file_format.kind == "video":
        codec = codec or file_format.codecs[0]
    else:
        codec, crf = "ffv1", None
    part = Format("part", "video", (codec,), muxer=CODECS[codec].muxer)
    return VideoEncoder(path, source, part, size, None, crf, codec)


def loop_count(source: ClipInfo, asked: int | None) -> int:
    """How often an animation plays, 0 for ever: as asked, as the source does, else for ever."""
    if asked is not None:
        return asked
    return 0 if source.loop is None else source.loop
