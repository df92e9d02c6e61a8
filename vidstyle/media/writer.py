"""Writing of outputs under a temporary name, moved into place only when complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Self

from ..core import files
from ..core.errors import VidstyleError
from ..core.frames import Frame
from .clip import ClipInfo
from .codecs import CODECS
from .encoders import AnimationEncoder, FolderEncoder, StillEncoder, VideoEncoder
from .formats import Encoder, Format
from .gif import GifEncoder
from .sound import Sound
from .video import VideoClip


class Writer:
    """An output that is being written, used in a ``with`` statement.

    If the ``with`` ends without an exception, the output is moved into place. If it ends with one,
    the unfinished output is removed, unless ``keep`` has moved it.

    Args:
        output: the final path.
        partial: the temporary file or folder beside it.
        encoder: writes ``partial``.
        overwrite: whether an existing output may be replaced.
        longest: the longest duration of a frame, in seconds, that the format can store. Longer
            frames are written several times. None means no limit.
    """

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
        self.overwrite = overwrite
        self.frames = 0
        self.kept = False
        """Whether the unfinished output was moved elsewhere by ``keep``."""

    def write(self, frame: Frame) -> None:
        for part in _lasting(frame, self.longest):
            self.encoder.write(part)
        self.frames += 1

    def join(self, part: Path, frames: Sequence[Frame]) -> None:
        """Write the next frames from a part that is already encoded.

        A video copies its packets. For other formats, the part is decoded and encoded again.

        Args:
            part: the file of the part (``part_writer``).
            frames: the frames in that file, for their times, durations and shots.
        """
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
        """Finish the output with the frames so far, and move it to ``path`` instead.

        Args:
            path: where the incomplete output is kept.
            overwrite: whether an existing file at ``path`` may be replaced.
        """
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
    """Open a writer for an output with the properties of a source clip.

    The encoders of video and sound are opened here, so that unsupported settings are found before
    the first frame.

    Args:
        output: the final path.
        source: the clip whose time base, metadata and loop count the output takes over.
        file_format: the format of the output.
        size: (width, height) of the frames in pixels.
        loop: how often an animation plays, 0 for forever. None means as often as the source.
        overwrite: whether an existing output may be replaced.
        sound: the sound and subtitles of a video. None for a video without.
        crf: the quality of a video. None means the codec's default.
        codec: the name of the video codec. None means the format's default.

    Returns:
        The writer, to be used in a ``with`` statement.

    Raises:
        UsageError: the output exists, its folder cannot be written to, or an encoder does not
            accept the settings.
    """
    files.check_writable(output, overwrite)
    folder = file_format.kind == "folder"
    plays = loop_count(source, loop)
    if file_format.most_plays is not None:
        plays = min(plays, file_format.most_plays)
    partial = files.temporary_folder(output) if folder else files.temporary_file(output)
    try:
        encoder: Encoder
        if file_format.encoder is not None:
            encoder = file_format.encoder(partial, size, plays)
        elif file_format.kind == "video":
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
    """Split a frame into as few equal parts as last at most ``longest`` seconds each."""
    count = 1 if longest is None else max(1, ceil(frame.duration / longest))
    each = frame.duration / count
    for number in range(count):
        rgb = frame.rgb
        if number % 2:  # one bit differs, because Pillow merges identical frames
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
    """Open an encoder for a part of an output, which the output's writer will ``join``.

    Parts of outputs that are not video are encoded losslessly (FFV1).

    Args:
        path: the file of the part.
        source: the clip whose properties the output takes over.
        file_format: the format of the whole output.
        size: (width, height) of the frames in pixels.
        crf: the quality, as for the whole output.
        codec: the name of the codec, as for the whole output.

    Raises:
        UsageError: the encoder does not accept the settings.
    """
    if file_format.kind == "video":
        codec = codec or file_format.codecs[0]
    else:
        codec, crf = "ffv1", None
    part = Format("part", "video", (codec,), muxer=CODECS[codec].muxer)
    return VideoEncoder(path, source, part, size, None, crf, codec)


def loop_count(source: ClipInfo, asked: int | None) -> int:
    """Return how often an animation plays, where 0 means forever.

    Args:
        source: the source clip, whose loop count is used if none is asked for.
        asked: the wanted count, or None. If the source has none either, the result is 0.
    """
    if asked is not None:
        return asked
    return 0 if source.loop is None else source.loop
