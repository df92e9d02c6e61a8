"""Encoders for video (PyAV), and for still pictures and animations (Pillow)."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image

from ..core.errors import UsageError, VidstyleError
from ..core.files import frame_name
from ..core.frames import Frame
from .clip import ClipInfo
from .codecs import check_codec
from .color import EXACT
from .container import created, opened, video_stream
from .formats import Format, only_one_frame
from .sound import Sound
from .stills import save_image

SHORTEST_MS = 11
"""Milliseconds. Browsers show shorter frames for 100 ms."""
DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
"""The error numbers for which the disk is the cause."""
MOV_CLOCKS = 1_000_000
"""The finest clock that is kept, in ticks per second. Players have trouble with finer ones, so
these are replaced by 90,000 ticks per second."""


# Errors only: otherwise the AV1 encoder prints over the progress bar.
os.environ.setdefault("SVT_LOG", "1")


class VideoEncoder:
    """An encoder for mp4, mov, mkv and webm that keeps frame times to the source's clock tick.

    Args:
        path: the file to write.
        source: the clip whose time base, metadata, chapters, pixel aspect and transparency the
            file takes over.
        file_format: the format of the file.
        size: (width, height) of the frames in pixels.
        sound: the sound and subtitles to write as well. None for a file without.
        crf: the quality. None means the codec's default.
        codec: the name of the codec. None means the format's default.

    Raises:
        UsageError: the format or the encoder does not accept these settings.
    """

    def __init__(
        self,
        path: Path,
        source: ClipInfo,
        file_format: Format,
        size: tuple[int, int],
        sound: Sound | None,
        crf: int | None = None,
        codec: str | None = None,
    ) -> None:
        self.path, self.sound = path, sound
        self.width, self.height = size
        self.codec = check_codec(file_format, codec, crf)
        # An mp4 cannot store the alpha of VP9.
        self.keeps_alpha = bool(self.codec.alpha) and file_format.muxer != "mp4"
        self.with_alpha = source.alpha and self.keeps_alpha
        base = source.time_base
        self.base = base if base.denominator <= MOV_CLOCKS else Fraction(1, 90000)
        self.mov = mov = file_format.muxer in ("mp4", "mov")
        # Sound may begin before the picture by the priming samples of its codec. Without this
        # option, the Matroska muxer would delay the picture by as much.
        options = {"movflags": "+faststart"} if mov else {"avoid_negative_ts": "disabled"}
        options["fflags"] = "+bitexact"  # otherwise Matroska puts a random number in each file
        self.output: Any = created(path, file_format.muxer, options)
        self.output.metadata.update(source.metadata)
        if source.chapters and hasattr(self.output, "set_chapters"):
            chapters: list[Any] = [dict(chapter) for chapter in source.chapters]
            self.output.set_chapters(chapters)
        self.stream: Any = self.output.add_stream(self.codec.encoder, rate=source.rate or 25)
        self._set_up(source, crf)
        self.frames = 0
        self.last = -1
        """The tick at which the previous frame begins."""
        self.end = 0
        """The tick at which the previous frame ends."""
        self.durations: dict[int, int] = {}
        """Durations in ticks, by the tick at which the frame begins."""
        self.held: list[Any] = []
        """The last joined packet, held back because ``close`` changes the last one of the file."""
        self.decoded: deque[int] = deque()
        """The decoding times, in ticks, of the next joined packets."""
        self.encodes = False
        """Whether the encoder has been given a frame."""
        try:
            if sound is not None:
                sound.attach(self.output)
            self.output.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            with suppress(av.error.FFmpegError, ValueError):
                self.abort()
            raise UsageError(
                f"{file_format.name} cannot be encoded as asked, {self.width}x{self.height} in "
                f"{codec or file_format.codecs[0]} ({_reason(error)}): choose another --codec, "
                f"--size or --audio"
            ) from error

    def _set_up(self, source: ClipInfo, crf: int | None) -> None:
        context: Any = self.stream.codec_context
        context.width, context.height = self.codec.written(self.width, self.height)
        context.pix_fmt = self.codec.alpha if self.with_alpha else self.codec.pixels
        context.time_base = self.base
        context.sample_aspect_ratio = source.sample_aspect
        if "yuv" in context.pix_fmt:
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        quality = self.codec.crf if crf is None else crf
        context.options = dict(self.codec.options)
        if self.with_alpha:
            context.options |= self.codec.alpha_options
        if quality is not None and self.codec.crf is not None:
            context.options["crf"] = str(quality)

    def write(self, frame: Frame) -> None:
        picture = frame.rgb
        if self.with_alpha:
            opaque = np.full(picture.shape[:2], 255, np.uint8)
            picture = np.dstack([picture, opaque if frame.alpha is None else frame.alpha])
        context = self.stream.codec_context
        missing = (context.height - picture.shape[0], context.width - picture.shape[1])
        if any(missing):
            picture = np.pad(picture, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        raw = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture), format="rgba" if self.with_alpha else "rgb24"
        )
        if "yuv" in context.pix_fmt:
            raw = raw.reformat(
                format=context.pix_fmt,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=EXACT,
                threads=1,
            )
        raw.pts, raw.time_base = self._begin(frame), self.base
        self.encodes = True
        self._mux(self._encode(raw))

    def _begin(self, frame: Frame) -> int:
        """Return the tick at which the next frame begins, and record its duration."""
        # Two frames may begin within one tick, but times must increase.
        self.last = max(self.last + 1, round(frame.time / self.base))
        until = round((frame.time + frame.duration) / self.base)
        self.end = max(self.last + 1, until)
        self.durations[self.last] = self.end - self.last
        self.frames += 1
        return self.last

    def join(self, part: Path, frames: Sequence[Frame]) -> None:
        """Write the next frames by copying their packets from a part that is already encoded.

        Args:
            part: a file by an encoder of the same settings (``part_writer``).
            frames: the frames in that file, for their times and durations.

        Raises:
            VidstyleError: the part does not match the frames or this encoder.
        """
        ticks = [self._begin(frame) for frame in frames]
        if not self.decoded:
            early, step = self.codec.early, self.durations[ticks[0]]
            self.decoded.extend(ticks[0] - step * (early - number) for number in range(early))
        with opened(part) as container:
            stream = video_stream(container, part)
            mine, given = self.stream.codec_context.extradata, stream.codec_context.extradata
            packets = [packet for packet in container.demux(stream) if packet.size]
            if (mine and mine != given) or len(packets) != len(ticks):
                raise VidstyleError(
                    f"{part.name}: {len(packets)} frames that do not fit the output: "
                    f"is the same FFmpeg on all machines?"
                )
            shown = dict(zip(sorted(packet.pts for packet in packets), ticks, strict=True))
            self.decoded.extend(ticks)
            for packet in packets:
                self._mux(self.held)
                packet.pts, packet.dts = shown[packet.pts], self.decoded.popleft()
                packet.stream, packet.time_base = self.stream, self.base
                self.held = [packet]

    def _encode(self, raw: Any) -> list[Any]:
        with self._told("the video encoder failed"):
            return list(self.stream.encode(raw))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Raise FFmpeg's errors as a ``VidstyleError`` of one line, but leave disk errors as is."""
        try:
            yield
        except av.error.FFmpegError as error:
            if isinstance(error, OSError) and error.errno in DISK:
                raise
            raise VidstyleError(f"{what}: {_reason(error)}") from error

    def begin_shot(self) -> None:
        """Nothing to do: the codec places its own key frames."""

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            # The container needs the duration of the last frame, which the encoder does not know.
            packet.duration = self.durations.pop(packet.pts, packet.duration)
            self._mux_sound(packet.dts * Fraction(packet.time_base))
            with self._told("the video could not be written"):
                self.output.mux(packet)

    def _mux_sound(self, until: Fraction | None) -> None:
        if self.sound is None:
            return
        try:
            with self._told("it could not be written"):
                for sounded in self.sound.until(until):
                    self.output.mux(sounded)
        except VidstyleError as error:
            self.sound.give_up(str(error))

    def close(self) -> None:
        packets = self._encode(None) if self.encodes else self.held
        if self.frames <= 2:
            for packet in packets:
                packet.dts = packet.pts  # two frames are never reordered, and x265 sets no dts
        if packets and self.mov:
            # mp4 adds up durations in decoding order. Unless the frame that is decoded last lasts
            # until the end, the frame that is shown last is cut short.
            last = packets[-1]
            last.dts = last.pts
            self.durations[last.pts] = self.end - last.pts
        self._mux(packets)
        self._mux_sound(None)
        with self._told("the end of the file could not be written"):
            self.abort()

    def abort(self) -> None:
        if self.sound:
            self.sound.close()
        self.output.close()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


class AnimationEncoder:
    """An encoder for APNG and animated WebP.

    Pillow needs all frames at once, so memory grows with the clip.

    Args:
        path: the file to write.
        file_format: the format of the file.
        loop: how often the animation plays. 0 means forever.
    """

    keeps_alpha = True

    def __init__(self, path: Path, file_format: Format, loop: int) -> None:
        self.path, self.format, self.loop = path, file_format, loop
        self.pictures: list[Image.Image] = []
        self.begins: list[int] = []
        """When each frame begins, in milliseconds. These times are rounded, not the durations, so
        that rounding errors do not add up: 30 frames a second stay in time."""
        self.end = 0
        """When the previous frame ends, in milliseconds."""

    def write(self, frame: Frame) -> None:
        begin = round(frame.time * 1000)
        self.end = round((frame.time + frame.duration) * 1000)
        if self.begins and begin - self.begins[-1] < SHORTEST_MS:
            return  # too short to be shown, as in a GIF
        rgb = frame.rgb
        picture = rgb if frame.alpha is None else np.dstack([rgb, frame.alpha])
        self.pictures.append(Image.fromarray(picture))
        self.begins.append(begin)

    def begin_shot(self) -> None:
        """Nothing to do: no palette."""

    def close(self) -> None:
        first, *rest = self.pictures
        if self.format.name == "apng":
            options: dict[str, Any] = {"format": "PNG", "default_image": False}
        else:
            options = {"format": "WEBP", "quality": 90, "method": 4, "exact": True}
        ends = [*self.begins[1:], max(self.end, self.begins[-1] + SHORTEST_MS)]
        first.save(
            self.path,
            save_all=True,
            append_images=rest,
            duration=[end - begin for begin, end in zip(self.begins, ends, strict=True)],
            loop=self.loop,
            **options,
        )

    def abort(self) -> None:
        self.pictures.clear()


class StillEncoder:
    """An encoder for a single picture. It refuses a second frame.

    Args:
        path: the file to write.
        file_format: the format of the file.
    """

    def __init__(self, path: Path, file_format: Format) -> None:
        self.path, self.format = path, file_format
        self.keeps_alpha = file_format.name == "png"
        self.frames = 0

    def write(self, frame: Frame) -> None:
        if self.frames:
            raise only_one_frame(self.format)
        self.frames += 1
        save_image(self.path, frame.rgb, frame.alpha, self.format.suffix)

    def begin_shot(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: the picture is already written."""

    def abort(self) -> None:
        """Nothing to do: the picture is complete or was never begun."""


class FolderEncoder:
    """An encoder for a folder of numbered PNG files. ``path`` is the folder."""

    keeps_alpha = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0

    def write(self, frame: Frame) -> None:
        self.frames += 1
        save_image(self.path / frame_name(self.frames), frame.rgb, frame.alpha)

    def begin_shot(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: every frame is already written."""

    def abort(self) -> None:
        """Nothing to do: the writer removes the whole folder."""
