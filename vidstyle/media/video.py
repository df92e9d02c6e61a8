"""Reading video with PyAV: every frame once, upright, in sRGB, at its exact time."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from ..core.errors import UsageError
from .clip import ClipInfo, Frame, check_pixels
from .color import EXACT, to_sdr

UNSPECIFIED = 2
HD = (1280, 720)
ALPHA_FORMATS = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8")
GUESSED_RATE = Fraction(25)
LONGEST_WAIT = Fraction(1)
RUN_UP = Fraction(1)
"""Seconds that are decoded before the part of a clip that is wanted: frames there may lean on some
before, and a deinterlacer on its neighbours."""
MOST_DELAY = 16
"""Frames that a decoder may hold back: what H.264 allows."""


def opened(path: Path) -> Any:
    """The container at ``path``, to be closed by ``with``, or one clear line.

    Metadata that is not UTF-8 must not stop it: PyAV before 19 has an argument for that and
    raises without it, PyAV from 19 on has neither.
    """
    # libav would print over the progress bar. Worse, where messages go through Python, a decoder
    # that has one waits for the interpreter, which waits for the decoder to end. Again each time:
    # older versions of torchvision set a level of their own as they are imported.
    av.logging.set_level(None)
    try:
        try:
            return av.open(str(path), metadata_errors="replace")
        except TypeError:
            return av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UsageError(
            f"{path}: not a video, an animation or an image that can be read: "
            f"is it damaged or another kind of file?"
        ) from error


def video_stream(container: Any, path: Path) -> Any:
    """The first stream that moves (the cover of a song is a picture, not a video)."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    if container.streams.audio:
        raise UsageError(f"{path}: only sound, no picture: there is nothing to paint")
    raise UsageError(f"{path}: no video in this file: there is nothing to paint")


def start_time(container: Any) -> Fraction:
    """The second on the file's clock that times are counted from.

    A broadcast's clock starts anywhere. Elsewhere a short wait before the first frame belongs to
    the clip, for its sound may begin earlier.
    """
    start = Fraction(container.start_time or 0, av.time_base)
    broadcast = container.format.name.startswith("mpeg")
    return start if broadcast or start > LONGEST_WAIT else Fraction(0)


def read_chapters(container: Any) -> tuple[dict[str, Any], ...]:
    """The container's chapters, as PyAV gives them; none before PyAV 14."""
    return tuple(container.chapters()) if hasattr(container, "chapters") else ()


class VideoClip:
    """A video file."""

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path = path
        self.notes: list[str] = []
        with opened(path) as container:
            stream = video_stream(container, path)
            coded = stream.codec_context
            check_pixels(path, coded.width, coded.height, max_pixels)
            first = next((f for f, _ in self._decode(container, stream)), None)
            if first is None:
                raise UsageError(f"{path}: no frame can be decoded: is the file damaged?")
            turns, mirrored = _orientation(first)
            width, height = first.width, first.height
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
                frames=stream.frames or None,
                duration=Fraction(duration, av.time_base) if duration else None,
                time_base=Fraction(stream.time_base),
                rate=Fraction(stream.average_rate) if stream.average_rate else None,
                alpha=_has_alpha(first),
                sound=_codecs(container.streams.audio),
                subtitles=_codecs(container.streams.subtitles),
                sample_aspect=1 / aspect if turns % 2 else aspect,
                rotation=turns * 90,
                mirrored=mirrored,
                color=_color_name(first),
                chapters=read_chapters(container),
                metadata={k: v for k, v in container.metadata.items() if k not in TECHNICAL},
            )
        self.notes = []

    def __iter__(self) -> Iterator[Frame]:
        """Decode; each frame lasts until the next one begins."""
        count = 0
        for frame in self._frames():
            yield frame
            count += 1
        claimed = self.info.frames or 0
        if claimed - count > max(2, claimed // 50) and self.info.container != "avi":
            self.notes.append(f"{self.path.name} is truncated: {count} of {claimed} frames read")

    def since(self, time: Fraction) -> Iterator[Frame]:
        """The frames from the one that is shown at ``time`` seconds on, decoded from an intra frame
        before it."""
        return self._frames(time)

    def _frames(self, since: Fraction | None = None) -> Iterator[Frame]:
        self.notes = []
        shape = (self.info.height, self.info.width)
        held: tuple[Any, Fraction] | None = None
        sized = 0
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
                    rgb, alpha = _picture(held[0])
                    if rgb.shape[:2] == shape:
                        step = time - held[1]
                        yield Frame(rgb, held[1], step, alpha)
                    else:
                        sized += 1
                held = raw, time
            if held is not None:
                raw, time = held
                duration = self._last_duration(raw, time + offset, stream) or step
                rgb, alpha = _picture(raw)
                if rgb.shape[:2] == shape:
                    yield Frame(rgb, time, duration, alpha)
        if sized:
            self.notes.append(f"{sized} frames of another size skipped")

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
            rgb, alpha = _picture(shown[0])
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
        decoder = _alpha_decoder(stream)
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


def _codecs(streams: Iterable[Any]) -> tuple[str, ...]:
    return tuple(getattr(stream.codec_context, "name", "unknown") for stream in streams)


TECHNICAL = {"major_brand", "minor_version", "compatible_brands", "encoder", "alpha_mode"}


class _Clock:
    """Times of a stream's frames, whatever its container left out.

    PyAV's pts is not FFmpeg's best-effort time: AVI has only the order of decoding, raw H.264
    nothing at all.
    """

    def __init__(self, stream: Any) -> None:
        self.base = Fraction(stream.time_base)
        self.step = 1 / Fraction(stream.average_rate or stream.guessed_rate or GUESSED_RATE)
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
            time = Fraction(0) if self.last is None else self.last + self.step
        self.last = time
        return time


def _alpha_decoder(stream: Any) -> Any:
    """libvpx for VP8 and VP9 with alpha, which FFmpeg's own decoders drop."""
    if stream.metadata.get("alpha_mode") != "1":
        return None
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None:
        return None
    decoder = av.CodecContext.create(name, "r")
    if stream.codec_context.extradata:
        decoder.extradata = stream.codec_context.extradata
    return decoder


def _orientation(frame: Any) -> tuple[int, bool]:
    """Quarter turns counter-clockwise, and then whether left and right are swapped."""
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return 0, False
    m = struct.unpack("<9i", bytes(matrix))
    a, b, c, d = (int(np.sign(v)) if abs(v) > 1 << 12 else 0 for v in (m[0], m[1], m[3], m[4]))
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the mirror first: what is left is a turn
        a, c = -a, -c
    turns = {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}.get((a, b), 0)
    return turns, mirrored


def _has_alpha(frame: Any) -> bool:
    return frame.format.name.startswith(ALPHA_FORMATS)


def _color_name(frame: Any) -> str:
    transfer = {int(ColorTrc.SMPTE2084): "HDR (PQ)", int(ColorTrc.ARIB_STD_B67): "HDR (HLG)"}
    if name := transfer.get(int(frame.color_trc)):
        return name
    full = int(frame.color_range) == int(ColorRange.JPEG)
    return f"{'BT.709' if _matrix(frame) == Colorspace.ITU709 else 'BT.601'}{' full' * full}"


def _matrix(frame: Any) -> Any:
    """The matrix of a YUV frame; players guess BT.709 for HD, BT.601 below, where none is said."""
    if int(frame.colorspace) != UNSPECIFIED:
        return frame.colorspace
    hd = frame.width >= HD[0] or frame.height >= HD[1]
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def _picture(frame: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The frame upright, in RGB, with its alpha."""
    if int(frame.color_trc) in (int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)):
        deep = frame.to_ndarray(format="rgb48le", interpolation=EXACT)
        rgba = to_sdr(deep, pq=int(frame.color_trc) == int(ColorTrc.SMPTE2084))
        alpha = None
    else:
        wanted = "rgba" if _has_alpha(frame) else "rgb24"
        unsaid = int(frame.colorspace) == UNSPECIFIED and "yuv" in frame.format.name
        matrix = _matrix(frame) if unsaid else None
        rgba = frame.to_ndarray(format=wanted, src_colorspace=matrix, interpolation=EXACT)
        alpha = rgba[..., 3] if rgba.shape[2] == 4 else None
    turns, mirrored = _orientation(frame)
    return _upright(rgba[..., :3], turns, mirrored), (
        None if alpha is None else _upright(alpha, turns, mirrored)
    )


def _upright(picture: NDArray[np.uint8], turns: int, mirrored: bool) -> NDArray[np.uint8]:
    turned = np.rot90(picture, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
