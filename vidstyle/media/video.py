"""Reading video with PyAV: every frame once, upright, in sRGB, at its exact time."""

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
RUN_UP = Fraction(1)
"""Seconds that are decoded before the part of a clip that is wanted: frames there may lean on some
before, and a deinterlacer on its neighbors."""
MOST_DELAY = 16
"""Frames that a decoder may hold back: what H.264 allows."""


class VideoClip:
    """A video file."""

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
        """Decode; each frame lasts until the next one begins."""
        count = 0
        for frame in self._frames():
            yield frame
            count += 1
        if self._is_short(count) and self.info.container != "avi":
            self.notes.append(
                f"{self.path.name} is truncated: {count} of {self.info.frames} frames read"
            )

    def _is_short(self, count: int) -> bool:
        """Whether so many frames are too few for what the file claims."""
        claimed = self.info.frames or 0
        return claimed - count > max(2, claimed // 50)

    def since(self, time: Fraction) -> Iterator[Frame]:
        """The frames from the one that is shown at ``time`` seconds on, decoded from an intra frame
        before it."""
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
                    if time <= held[1]:  # times must rise; a clock that stumbles is carried on
                        time = held[1] + Fraction(stream.time_base)
                    if since is not None and time <= since:
                        step = time - held[1]  # the last frame may have to last as long
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
        """The frame that is shown at ``time`` seconds, or the last one, without its duration.

        Decodes from the nearest intra frame before it on; what is interlaced stays so.
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
        """How long the last frame lasts, in containers that say; others only guess.

        ``time`` is when it begins, on the file's clock.
        """
        base = Fraction(stream.time_base)
        if self.info.container == "mov" and stream.duration:
            # Durations are counted in the order of decoding: their sum is right, or too small.
            end = ((stream.start_time or 0) + stream.duration) * base
            if end > time:
                return end - time
        says = self.info.container in ("mov", "matroska")
        return frame.duration * base if says and frame.duration else None

    def _progressive(
        self, frames: Iterator[tuple[Any, Fraction]]
    ) -> Iterator[tuple[Any, Fraction]]:
        """``frames``, deinterlaced where they need it: a comb would be painted as strokes."""
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
        """Raw frames with their times in seconds on the file's clock."""
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
                continue  # "repeat the picture before": it simply lasts longer
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
    """Go on with the intra frame before ``time``, in seconds on the file's clock."""
    with suppress(av.error.FFmpegError):  # where it cannot seek, it reads from the start
        container.seek(int(time * av.time_base), backward=True)


def _deinterlacer(frame: Any) -> Any:
    """A filter graph for frames like this one, that gives as many as it takes."""
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
    """What a filter graph cannot have change on the way."""
    return frame.width, frame.height, frame.format.name


def _rest(graph: Any, times: deque[Fraction]) -> Iterator[tuple[Any, Fraction]]:
    graph.vpush(None)
    yield from _pulled(graph, times)


def _pulled(graph: Any, times: deque[Fraction]) -> Iterator[tuple[Any, Fraction]]:
    while times:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame, times.popleft()


def _fitting(frame: Frame, shape: tuple[int, int]) -> Frame:
    """A ``frame`` in the ``shape`` (height, width) of its clip, as players stretch one whose size
    changes on the way."""
    if frame.rgb.shape[:2] == shape:
        return frame
    size = shape[1], shape[0]
    if frame.alpha is None:
        return replace(frame, rgb=resized(frame.rgb, size))
    rgb, alpha = resized_apart(frame.rgb, frame.alpha, size)
    return replace(frame, rgb=rgb, alpha=alpha)


class _Clock:
    """Times of a stream's frames, whatever its container left out.

    PyAV's pts is not FFmpeg's best-effort time: AVI has only the order of decoding, raw H.264
    nothing at all.
    """

    def __init__(self, stream: Any) -> None:
        self.base = Fraction(stream.time_base)
        self.step = 1 / (frame_rate(stream) or GUESSED_RATE)
        self.by_dts = "avi" in stream.container.format.name
        self.stream = stream
        self.first: int | None = None
        self.delay: int | None = None if self.by_dts else 0
        """Ticks that the decoder holds frames back for, to put them in order."""
        self.last: Fraction | None = None

    def begin(self, packet: Any) -> None:
        """Note when the first packet is decoded."""
        if self.first is None:
            self.first = packet.dts

    def time(self, frame: Any) -> Fraction:
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
