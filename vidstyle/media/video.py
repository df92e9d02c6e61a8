"""Reading video with PyAV: each frame once, upright, in sRGB, at its exact time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter

from ..core.errors import UsageError
from ..core.frames import Frame
from ..core.images import resized, resized_apart
from .clip import ClipInfo, check_pixels
from .container import (
    TECHNICAL,
    attachments,
    codecs_of,
    frame_rate,
    is_even,
    opened,
    read_chapters,
    shown_frames,
    start_time,
    video_stream,
)
from .matroska import Crop, crop_of
from .pictures import alpha_decoder, color_name, has_alpha, orientation, shown_picture

GUESSED_RATE = Fraction(25)
"""Frames per second of a video that gives no frame rate."""
RUN_UP = Fraction(1)
"""Seconds decoded before the wanted part of a clip.

Its frames may refer to earlier ones, and the deinterlacer needs neighboring frames.
"""
MOST_DELAY = 16
"""The most frames that a decoder may hold back, which is the limit of H.264."""


class VideoClip:
    """A video file.

    Args:
        path: the file.
        max_pixels: the most pixels that a frame may have. None means no limit.

    Raises:
        UsageError: the file cannot be read, no frame can be decoded, or frames are too large.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path = path
        self.notes: list[str] = []
        self.crop = Crop()
        with opened(path) as container:
            stream = video_stream(container, path)
            coded = stream.codec_context
            check_pixels(path, coded.width, coded.height, max_pixels)
            first = next((f for f, _ in self._decode(container, stream)), None)
            if first is None:
                raise UsageError(f"{path}: no frame can be decoded: is the file damaged?")
            turns, mirrored = orientation(first)
            if container.format.name.startswith("matroska"):
                self.crop = crop_of(path, stream.index)
            width = first.width - self.crop.left - self.crop.right
            height = first.height - self.crop.top - self.crop.bottom
            if min(width, height) < 1:
                self.crop, width, height = Crop(), first.width, first.height
            if turns % 2:
                width, height = height, width
            duration = container.duration
            aspect = Fraction(stream.sample_aspect_ratio or 1)
            self.info = ClipInfo(
                path=path,
                kind="video",
                container=container.format.name.split(",")[0],
                codec=stream.codec_context.name,
                width=width,
                height=height,
                frames=shown_frames(stream),
                duration=Fraction(duration, av.time_base) if duration else None,
                time_base=Fraction(stream.time_base),
                rate=frame_rate(stream),
                even=is_even(stream),
                alpha=has_alpha(first),
                sound=codecs_of(container.streams.audio),
                subtitles=codecs_of(container.streams.subtitles),
                sample_aspect=1 / aspect if turns % 2 else aspect,
                rotation=turns * 90,
                mirrored=mirrored,
                color=color_name(first),
                chapters=read_chapters(container),
                attached=attachments(container),
                metadata={k: v for k, v in container.metadata.items() if k not in TECHNICAL},
            )
        self.notes = []

    def __iter__(self) -> Iterator[Frame]:
        """Decode all frames. Each one lasts until the next begins."""
        count = 0
        for frame in self._frames():
            yield frame
            count += 1
        if self._is_short(count) and self.info.container != "avi":
            self.notes.append(
                f"{self.path.name} is truncated: {count} of {self.info.frames} frames read"
            )

    def _is_short(self, count: int) -> bool:
        """Return whether ``count`` frames are too few for the number that the file claims."""
        claimed = self.info.frames or 0
        return claimed - count > max(2, claimed // 50)

    def since(self, time: Fraction) -> Iterator[Frame]:
        """Yield the frames from the one shown at ``time`` (in seconds) on.

        Decoding starts at an intra frame before it.
        """
        return self._frames(time)

    def _frames(self, since: Fraction | None = None) -> Iterator[Frame]:
        self.notes = []
        shape = (self.info.height, self.info.width)
        held: tuple[Any, Fraction] | None = None
        scaled = count = 0
        with opened(self.path) as container:
            stream = video_stream(container, self.path)
            offset = start_time(container)
            if since is not None and since > RUN_UP:
                _seek(container, since - RUN_UP + offset)
            step = 1 / (self.info.rate or GUESSED_RATE)
            for raw, time in self._progressive(self._decode(container, stream)):
                time -= offset
                if held is not None:
                    if time <= held[1]:  # times must increase, so go on by one tick
                        time = held[1] + Fraction(stream.time_base)
                    if since is not None and time <= since:
                        step = time - held[1]  # the last frame's duration, if none is given
                        held = raw, time
                        continue
                    rgb, alpha = shown_picture(held[0], self.crop)
                    scaled += rgb.shape[:2] != shape
                    step = time - held[1]
                    yield _fitting(Frame(rgb, held[1], step, alpha), shape)
                held = raw, time
                count += 1
            if held is not None:
                raw, time = held
                whole = since is not None or not self._is_short(count)
                lasts = self._last_duration(raw, time + offset, stream) if whole else None
                rgb, alpha = shown_picture(raw, self.crop)
                scaled += rgb.shape[:2] != shape
                yield _fitting(Frame(rgb, time, lasts or step, alpha), shape)
        if scaled:
            size = f"{shape[1]}x{shape[0]}"
            self.notes.append(f"{scaled} frames of another size scaled to {size}")

    def at(self, time: Fraction) -> Frame:
        """Return the frame shown at ``time`` (in seconds), or the last one, with a duration of 0.

        Decoding starts at the nearest intra frame before it. Interlaced frames are not
        deinterlaced.

        Raises:
            UsageError: no frame can be decoded there.
        """
        with opened(self.path) as container:
            stream = video_stream(container, self.path)
            offset = start_time(container)
            _seek(container, time + offset)
            shown: tuple[Any, Fraction] | None = None
            for raw, begins in self._decode(container, stream):
                if shown is not None and begins - offset > time:
                    break
                shown = raw, begins - offset
            if shown is None:
                raise UsageError(f"{self.path}: no frame can be decoded at {float(time):g} s")
            rgb, alpha = shown_picture(shown[0], self.crop)
        return Frame(rgb, shown[1], Fraction(0), alpha)

    def _last_duration(self, frame: Any, time: Fraction, stream: Any) -> Fraction | None:
        """Return the duration of the last frame in seconds, or None if the container gives none.

        Only the durations in MOV and Matroska are used, because those in others are guesses.

        Args:
            frame: PyAV's decoded frame.
            time: its start, in seconds on the file's clock.
            stream: its stream.
        """
        base = Fraction(stream.time_base)
        if self.info.container == "mov" and stream.duration:
            # Durations are stored in decoding order. Their sum is right, or too small.
            end = ((stream.start_time or 0) + stream.duration) * base
            if end > time:
                return end - time
        says = self.info.container in ("mov", "matroska")
        return frame.duration * base if says and frame.duration else None

    def _progressive(
        self, frames: Iterator[tuple[Any, Fraction]]
    ) -> Iterator[tuple[Any, Fraction]]:
        """Deinterlace the frames that need it, since combing would be painted as strokes."""
        graph: Any = None
        kind: tuple[int, int, str] | None = None
        times: deque[Fraction] = deque()
        for frame, time in frames:
            if graph is not None and kind != _kind(frame):
                yield from _rest(graph, times)
                graph = None
            if graph is None and not frame.interlaced_frame:
                yield frame, time
                continue
            if graph is None:
                if kind is None:
                    self.notes.append("the video is interlaced: deinterlaced by FFmpeg's bwdif")
                graph, kind = _deinterlacer(frame), _kind(frame)
            times.append(time)
            graph.vpush(frame)
            yield from _pulled(graph, times)
        if graph is not None:
            yield from _rest(graph, times)

    def _decode(self, container: Any, stream: Any) -> Iterator[tuple[Any, Fraction]]:
        """Yield raw frames with their times in seconds on the file's clock."""
        stream.thread_type = "AUTO"
        decoder = alpha_decoder(stream)
        clock = _Clock(stream)
        bad = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.notes.append("the end of the file is damaged")
                packet = None
            if packet is None:
                break
            if packet.size == 0 and packet.dts is not None:
                continue  # an empty packet repeats the frame before, which just lasts longer
            clock.begin(packet)
            try:
                frames = decoder.decode(packet) if decoder else packet.decode()
            except av.error.FFmpegError:
                bad += 1
                continue
            for frame in frames:
                yield frame, clock.time(frame)
        if bad:
            self.notes.append(f"{bad} damaged packet{'s' * (bad > 1)} skipped")


def _seek(container: Any, time: Fraction) -> None:
    """Seek to the intra frame before ``time``, in seconds on the file's clock."""
    with suppress(av.error.FFmpegError):  # without seeking, read from the start
        container.seek(int(time * av.time_base), backward=True)


def _deinterlacer(frame: Any) -> Any:
    """Create a deinterlacing filter graph for frames like this, with one output per input."""
    graph: Any = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _kind(frame: Any) -> tuple[int, int, str]:
    """Return the width, height and pixel format, which must not change within a filter graph."""
    return frame.width, frame.height, frame.format.name


def _rest(graph: Any, times: deque[Fraction]) -> Iterator[tuple[Any, Fraction]]:
    """End the input of a filter graph, and yield the frames left in it."""
    graph.vpush(None)
    yield from _pulled(graph, times)


def _pulled(graph: Any, times: deque[Fraction]) -> Iterator[tuple[Any, Fraction]]:
    """Yield the frames that a filter graph has ready, each with the next of the ``times``."""
    while times:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame, times.popleft()


def _fitting(frame: Frame, shape: tuple[int, int]) -> Frame:
    """Scale ``frame`` to its clip's ``shape`` (height, width).

    Players also stretch frames when the size changes in the course of a video.
    """
    if frame.rgb.shape[:2] == shape:
        return frame
    size = shape[1], shape[0]
    if frame.alpha is None:
        return replace(frame, rgb=resized(frame.rgb, size))
    rgb, alpha = resized_apart(frame.rgb, frame.alpha, size)
    return replace(frame, rgb=rgb, alpha=alpha)


class _Clock:
    """Times of a stream's frames, even if its container leaves some out.

    They are needed because PyAV's pts is not FFmpeg's best-effort time. AVI has only the decoding
    order, and raw H.264 has no times at all.
    """

    def __init__(self, stream: Any) -> None:
        self.base = Fraction(stream.time_base)
        self.step = 1 / (frame_rate(stream) or GUESSED_RATE)
        self.by_dts = "avi" in stream.container.format.name
        self.stream = stream
        self.first: int | None = None
        self.delay: int | None = None if self.by_dts else 0
        """Ticks by which the decoder delays frames to put them in order. None if not known yet."""
        self.last: Fraction | None = None

    def begin(self, packet: Any) -> None:
        """Record the decoding time (dts) of the first packet."""
        if self.first is None:
            self.first = packet.dts

    def time(self, frame: Any) -> Fraction:
        """Return the time of the next decoded frame, in seconds on the file's clock."""
        ticks = frame.dts if self.by_dts else frame.pts
        if ticks is None and not self.by_dts:
            ticks = frame.dts
        if ticks is not None:
            if self.delay is None:
                reorders = self.stream.codec_context.has_b_frames and self.first is not None
                self.delay = min(ticks - self.first, MOST_DELAY) if reorders else 0
            time = (ticks - self.delay) * self.base
        else:
            begins = (self.stream.start_time or 0) * self.base
            time = begins if self.last is None else self.last + self.step
        self.last = time
        return time
