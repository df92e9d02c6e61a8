"""Reading video with PyAV: every frame once, upright, in sRGB, at its exact time."""

from __future__ import annotations

import os
import re
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.images import resized, resized_apart
from .clip import ClipInfo, Frame, check_pixels
from .color import EXACT, Gamut, to_sdr, to_srgb
from .matroska import Crop, crop_of

MATRICES = {1, 4, 5, 6, 7, 9, 10}
"""Those of ITU-T H.273 that FFmpeg converts by: BT.709, FCC, BT.601 (twice), SMPTE 240M, BT.2020
(twice)."""
WIDE_GAMUTS: dict[int, Gamut] = {9: "BT.2020", 12: "Display P3"}
"""By FFmpeg's number of the primaries (ITU-T H.273)."""
CODEC_NAMES = {
    "mov": rb"vmhd.*?stsd.{12}([\x20-\x7e]{4})",
    "matroska": rb"(V_[A-Z0-9/_]+)",
    "avi": rb"vids([\x20-\x7e]{4})",
}
"""Where the name of a codec stands, by the format of the file."""
SEARCHED = 1 << 22
"""Bytes at both ends of a file that this is looked for in."""
WRITES = 2
"""Among FFmpeg's flags for opening: for writing, too."""
HD = (1280, 720)
ALPHA_FORMATS = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8")
GUESSED_RATE = Fraction(25)
FASTEST = 1000
"""Frames a second, at most: what is more is not believed."""
LONGEST_WAIT = Fraction(1)
RUN_UP = Fraction(1)
"""Seconds that are decoded before the part of a clip that is wanted: frames there may lean on some
before, and a deinterlacer on its neighbours."""
MOST_DELAY = 16
"""Frames that a decoder may hold back: what H.264 allows."""


def opened(path: Path) -> Any:
    """The container at ``path``, to be closed by ``with``, or one clear line.

    FFmpeg takes a path for an address, as ``http:`` or ``concat:`` are, and follows what a playlist
    or a list of files refers to. Here every path is a file, and what it refers to may only be
    another file of its own folder.

    Metadata that is not UTF-8 must not stop it: PyAV before 19 has an argument for that and
    raises without it, PyAV from 19 on has neither.

    Raises:
        UsageError: it is not there, may not be read, or is nothing that can be shown.
    """
    # libav would print over the progress bar. Worse, where messages go through Python, a decoder
    # that has one waits for the interpreter, which waits for the decoder to end. Again each time:
    # older versions of torchvision set a level of their own as they are imported.
    av.logging.set_level(None)
    # Its name without what FFmpeg cannot be told: the file itself is opened here.
    url = f"file:{path.name.encode(errors='replace').decode()}"
    beside = partial(_file_beside, path, url)
    try:
        try:
            return av.open(url, metadata_errors="replace", io_open=beside)
        except TypeError:
            return av.open(url, io_open=beside)
    except UsageError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, PermissionError) and not os.access(path, os.R_OK):
            raise UsageError(f"{path}: permission denied: make it readable") from error
        raise UsageError(
            f"{path}: not a video, an animation or an image that can be read: "
            f"is it damaged or another kind of file?"
        ) from error


def created(path: Path, muxer: str, options: dict[str, str]) -> Any:
    """A container to be written to the file ``path``, in a format of FFmpeg's.

    Raises:
        UsageError: the name of its folder is none that FFmpeg can be told.
    """
    try:
        return av.open(f"file:{path}", "w", format=muxer, options=options)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{path.parent}: its name is not in UTF-8: choose another folder with --output"
        ) from error


def _file_beside(path: Path, own: str, url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    """Open for reading what the file ``path``, called ``own``, refers to by ``url``: itself, or
    another file of its folder.

    Raises:
        UsageError: it is none.
    """
    if url == own:
        return path.open("rb")
    folder = path.resolve().parent
    wanted = (folder / url.removeprefix("file:")).resolve()
    if flags & WRITES or wanted.parent != folder or not wanted.is_file():
        raise UsageError(
            f"{path}: refers to {url}, and may only refer to files of its own folder: "
            f"name that file itself"
        )
    return wanted.open("rb")


def video_stream(container: Any, path: Path) -> Any:
    """The stream that players show: the one that the file names as its default, of several the
    largest, of several of a size the longest. The cover of a song is a picture, not a video.

    Raises:
        UsageError: there is none, or none that can be decoded.
    """
    shown = _moving(container)
    if not shown and container.streams.audio:
        raise UsageError(f"{path}: only sound, no picture: there is nothing to paint")
    if not shown:
        raise UsageError(f"{path}: no video in this file: there is nothing to paint")
    whole = [stream for stream in shown if not stream.disposition & Disposition.dependent]
    if not whole:
        raise UsageError(
            f"{path}: a picture in {len(shown)} tiles (HEIC), which cannot be put together here: "
            f"convert it to a JPEG or PNG"
        )
    decoded = [stream for stream in whole if stream.codec_context is not None]
    if not decoded:
        raise UsageError(
            f"{path}: {_coded_as(container, path)}, for which there is no decoder here: "
            f"convert it to H.264"
        )

    def rank(stream: Any) -> tuple[bool, int, float]:
        coded = stream.codec_context
        lasts = float((stream.duration or 0) * (stream.time_base or 0))
        return bool(stream.disposition & Disposition.default), coded.width * coded.height, lasts

    return max(decoded, key=rank)


def _moving(container: Any) -> list[Any]:
    """The streams of video that are no attached pictures."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def _coded_as(container: Any, path: Path) -> str:
    """What is known of video that FFmpeg has no decoder for: the name that the file has for its
    codec, or what kind of file it is."""
    kind = container.format.name.split(",")[0]
    if kind in CODEC_NAMES:
        with path.open("rb") as file:
            found = re.search(CODEC_NAMES[kind], file.read(SEARCHED), re.DOTALL)
            file.seek(max(0, path.stat().st_size - SEARCHED))
            found = found or re.search(CODEC_NAMES[kind], file.read(), re.DOTALL)
        if found:
            return f"its codec is {found[1].decode('latin1').strip()!r}"
    return f"its format is {kind.removesuffix('_pipe')}"


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
        self.crop = Crop()
        with opened(path) as container:
            stream = video_stream(container, path)
            coded = stream.codec_context
            check_pixels(path, coded.width, coded.height, max_pixels)
            first = next((f for f, _ in self._decode(container, stream)), None)
            if first is None:
                raise UsageError(f"{path}: no frame can be decoded: is the file damaged?")
            turns, mirrored = _orientation(first)
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
                frames=_shown_frames(stream),
                duration=Fraction(duration, av.time_base) if duration else None,
                time_base=Fraction(stream.time_base),
                rate=_rate(stream),
                even=_is_even(stream),
                alpha=_has_alpha(first),
                sound=_codecs(container.streams.audio),
                subtitles=_codecs(container.streams.subtitles),
                sample_aspect=1 / aspect if turns % 2 else aspect,
                rotation=turns * 90,
                mirrored=mirrored,
                color=_color_name(first),
                chapters=read_chapters(container),
                attached=_attached(container),
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
                    rgb, alpha = _picture(held[0], self.crop)
                    scaled += rgb.shape[:2] != shape
                    step = time - held[1]
                    yield _fitting(Frame(rgb, held[1], step, alpha), shape)
                held = raw, time
                count += 1
            if held is not None:
                raw, time = held
                whole = since is not None or not self._is_short(count)
                lasts = self._last_duration(raw, time + offset, stream) if whole else None
                rgb, alpha = _picture(raw, self.crop)
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
            rgb, alpha = _picture(shown[0], self.crop)
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


def _rate(stream: Any) -> Fraction | None:
    """Average frames a second; None where the file says none, or one that no clip has (the clock
    of a time code, as a tape's is)."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST:
            return Fraction(rate)
    return None


def _is_even(stream: Any) -> bool:
    """Whether a stream says that its frames come at a constant rate."""
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        times = [entry.timestamp for entry in entries]
        steps = {after - before for before, after in pairwise(times)}
        return not steps or max(steps) - min(steps) <= 1
    return bool(stream.average_rate) and stream.average_rate == stream.base_rate


def _shown_frames(stream: Any) -> int | None:
    """How many frames a stream claims to show; None where it does not say.

    What an edit list leaves out does not count: a clip that was cut without being encoded again
    holds frames that only others lean on.
    """
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        return sum(1 for entry in entries if not entry.is_discard)
    return stream.frames or None


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


def _attached(container: Any) -> tuple[str, ...]:
    """What a file holds beside pictures, sound and subtitles, once each."""
    names = {"attachment": "attachments (fonts)", "data": "data (time codes, telemetry)"}
    found = [names[stream.type] for stream in container.streams if stream.type in names]
    pictures = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
    more = len(_moving(container)) - 1
    if more:
        found.append(f"{more} more video stream{'s' * (more > 1)}")
    return tuple(dict.fromkeys([*found, *["a cover picture"] * bool(pictures)]))


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
        self.step = 1 / (_rate(stream) or GUESSED_RATE)
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
    try:
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # beside it lies something that PyAV has no name for
        return frame.rotation // 90 % 4, False
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
    if gamut := WIDE_GAMUTS.get(int(frame.color_primaries)):
        return f"{gamut}{' full' * full}"
    return f"{'BT.709' if _matrix(frame) == Colorspace.ITU709 else 'BT.601'}{' full' * full}"


def _matrix(frame: Any) -> Any:
    """The matrix of a YUV frame; players guess BT.709 for HD, BT.601 below, where none is said, or
    none that is known."""
    if int(frame.colorspace) in MATRICES:
        return frame.colorspace
    hd = frame.width >= HD[0] or frame.height >= HD[1]
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def _picture(frame: Any, crop: Crop) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What is shown of a frame, upright, in RGB, with its alpha."""
    if int(frame.color_trc) in (int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)):
        deep = frame.to_ndarray(format="rgb48le", interpolation=EXACT)
        rgba = to_sdr(deep, pq=int(frame.color_trc) == int(ColorTrc.SMPTE2084))
        alpha = None
    else:
        wanted = "rgba" if _has_alpha(frame) else "rgb24"
        unsaid = int(frame.colorspace) not in MATRICES and not frame.format.is_rgb
        matrix = _matrix(frame) if unsaid else None
        rgba = frame.to_ndarray(format=wanted, src_colorspace=matrix, interpolation=EXACT)
        alpha = rgba[..., 3] if rgba.shape[2] == 4 else None
        if gamut := WIDE_GAMUTS.get(int(frame.color_primaries)):
            rgba = to_srgb(rgba[..., :3], gamut)
    turns, mirrored = _orientation(frame)
    shown = np.s_[crop.top : frame.height - crop.bottom, crop.left : frame.width - crop.right]
    return _upright(rgba[shown][..., :3], turns, mirrored), (
        None if alpha is None else _upright(alpha[shown], turns, mirrored)
    )


def _upright(picture: NDArray[np.uint8], turns: int, mirrored: bool) -> NDArray[np.uint8]:
    turned = np.rot90(picture, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
