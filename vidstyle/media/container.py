"""Files that FFmpeg reads and writes: opened safely, and what they say of their streams."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.stream import Disposition

from ..core.errors import UsageError

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
FASTEST_RATE = 1000
"""Frames a second, at most: what is more is not believed."""
LONGEST_WAIT = Fraction(1)


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


def frame_rate(stream: Any) -> Fraction | None:
    """Average frames a second; None where the file says none, or one that no clip has (the clock
    of a time code, as a tape's is)."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST_RATE:
            return Fraction(rate)
    return None


def is_even(stream: Any) -> bool:
    """Whether a stream says that its frames come at a constant rate."""
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        times = [entry.timestamp for entry in entries]
        steps = {after - before for before, after in pairwise(times)}
        return not steps or max(steps) - min(steps) <= 1
    return bool(stream.average_rate) and stream.average_rate == stream.base_rate


def shown_frames(stream: Any) -> int | None:
    """How many frames a stream claims to show; None where it does not say.

    What an edit list leaves out does not count: a clip that was cut without being encoded again
    holds frames that only others lean on.
    """
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        return sum(1 for entry in entries if not entry.is_discard)
    return stream.frames or None


def attachments(container: Any) -> tuple[str, ...]:
    """What a file holds beside pictures, sound and subtitles, once each."""
    names = {"attachment": "attachments (fonts)", "data": "data (time codes, telemetry)"}
    found = [names[stream.type] for stream in container.streams if stream.type in names]
    pictures = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
    more = len(_moving(container)) - 1
    if more:
        found.append(f"{more} more video stream{'s' * (more > 1)}")
    return tuple(dict.fromkeys([*found, *["a cover picture"] * bool(pictures)]))


def codecs_of(streams: Iterable[Any]) -> tuple[str, ...]:
    return tuple(getattr(stream.codec_context, "name", "unknown") for stream in streams)


TECHNICAL = {"major_brand", "minor_version", "compatible_brands", "encoder", "alpha_mode"}
