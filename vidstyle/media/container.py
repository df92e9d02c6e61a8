"""Containers that FFmpeg reads and writes: safe opening, and facts about their streams."""

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
"""Patterns whose first group matches the codec's name in a file, by container format."""
SEARCHED = 1 << 22
"""Bytes at each end of a file that are searched for the codec's name."""
WRITES = 2
"""FFmpeg's flag for opening a file for writing."""
FASTEST_RATE = 1000
"""Highest credible frame rate, in frames per second."""
LONGEST_WAIT = Fraction(1)
"""The longest wait before the first frame, in seconds, that counts as part of the clip."""


def opened(path: Path) -> Any:
    """Open the container at ``path`` for reading.

    FFmpeg interprets a path as an address, such as ``http:`` or ``concat:``, and follows the
    references in a playlist or a list of files. Here every path is a file, and it may only refer
    to other files in its own folder.

    Metadata that is not UTF-8 must not prevent opening. PyAV before 19 raises an error for it
    unless an argument is given; PyAV from 19 on has neither the argument nor the error.

    Returns:
        PyAV's input container, to be closed by ``with``.

    Raises:
        UsageError: the file does not exist, may not be read, or is not a video, an animation or
            an image.
    """
    # FFmpeg's messages would be printed over the progress bar. Worse, messages that go through
    # Python can deadlock: the decoder waits for the interpreter, which waits for the decoder to
    # end. The level is set at each call because older versions of torchvision set their own when
    # they are imported.
    av.logging.set_level(None)
    # FFmpeg accepts only UTF-8 names. Replacing other characters is harmless because
    # ``_file_beside`` opens the file itself.
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
    """Create a container to be written to the file ``path``.

    Args:
        path: the file to write.
        muxer: FFmpeg's name of the container format.
        options: options of the muxer.

    Returns:
        PyAV's output container.

    Raises:
        UsageError: the folder's name is not UTF-8, so FFmpeg cannot open it.
    """
    try:
        return av.open(f"file:{path}", "w", format=muxer, options=options)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{path.parent}: its name is not in UTF-8: choose another folder with --output"
        ) from error


def _file_beside(path: Path, own: str, url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    """Open for reading a file that ``path`` refers to: itself, or another file in its folder.

    Args:
        path: the file that FFmpeg was told to open.
        own: its URL.
        url: the URL to open, either ``own`` or a reference in the file.
        flags: FFmpeg's flags for opening.
        options: not used.

    Raises:
        UsageError: ``url`` is not a file in that folder.
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
    """Return the video stream that players show.

    That is a stream marked as default; among several, the largest; among several of one size, the
    longest. The cover of a song is a picture and does not count as video.

    Args:
        container: PyAV's container.
        path: its file, for error messages.

    Raises:
        UsageError: there is no video stream, or none that can be decoded.
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
    """List the video streams that are not attached pictures."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def _coded_as(container: Any, path: Path) -> str:
    """Describe video that FFmpeg has no decoder for: by its codec's name, or its file format."""
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
    """Return the time on the file's clock from which the clip's times are counted, in seconds.

    A broadcast's clock starts anywhere, so its times are counted from its start. In other files,
    a short wait before the first frame is part of the clip, because its sound may begin earlier.
    """
    start = Fraction(container.start_time or 0, av.time_base)
    broadcast = container.format.name.startswith("mpeg")
    return start if broadcast or start > LONGEST_WAIT else Fraction(0)


def read_chapters(container: Any) -> tuple[dict[str, Any], ...]:
    """Return the container's chapters in PyAV's format. PyAV before 14 gives none."""
    return tuple(container.chapters()) if hasattr(container, "chapters") else ()


def frame_rate(stream: Any) -> Fraction | None:
    """Return the average frame rate in frames per second, or None if the file gives none.

    A rate that no clip has is ignored: it is the clock of a time code, such as a tape's.
    """
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST_RATE:
            return Fraction(rate)
    return None


def is_even(stream: Any) -> bool:
    """Return whether a stream declares a constant frame rate."""
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        times = [entry.timestamp for entry in entries]
        steps = {after - before for before, after in pairwise(times)}
        return not steps or max(steps) - min(steps) <= 1
    return bool(stream.average_rate) and stream.average_rate == stream.base_rate


def shown_frames(stream: Any) -> int | None:
    """Return how many frames a stream claims to show, or None if it does not say.

    Frames that an edit list leaves out do not count. A clip that was cut without reencoding holds
    such frames, because other frames refer to them.
    """
    entries = stream.index_entries
    if stream.frames and len(entries) == stream.frames:
        return sum(1 for entry in entries if not entry.is_discard)
    return stream.frames or None


def attachments(container: Any) -> tuple[str, ...]:
    """Describe a file's content besides the shown video, sound and subtitles, each kind once."""
    names = {"attachment": "attachments (fonts)", "data": "data (time codes, telemetry)"}
    found = [names[stream.type] for stream in container.streams if stream.type in names]
    pictures = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
    more = len(_moving(container)) - 1
    if more:
        found.append(f"{more} more video stream{'s' * (more > 1)}")
    return tuple(dict.fromkeys([*found, *["a cover picture"] * bool(pictures)]))


def codecs_of(streams: Iterable[Any]) -> tuple[str, ...]:
    """Return the name of each stream's codec, "unknown" without a decoder."""
    return tuple(getattr(stream.codec_context, "name", "unknown") for stream in streams)


TECHNICAL = {"major_brand", "minor_version", "compatible_brands", "encoder", "alpha_mode"}
"""Metadata keys that describe the coding of the file, not the clip."""
