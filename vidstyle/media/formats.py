"""The formats vidstyle writes, by the name of the file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from ..core.errors import UsageError, unknown

FormatKind = Literal["video", "gif", "animation", "still", "folder"]


@dataclass(frozen=True)
class Format:
    """A file format that clips can be written in."""

    name: str
    kind: FormatKind
    codecs: tuple[str, ...] = ()
    """The video codecs that it can hold; the first is used unless another is asked for."""
    sound: str = ""
    """FFmpeg's encoder of sound that cannot be copied."""
    muxer: str = ""
    """FFmpeg's name of the container."""
    largest: int | None = None
    """Pixels of the longer side at most, where the format itself has a limit."""
    most_plays: int | None = None
    """How often an animation can say that it plays, at most."""
    longest_delay: Fraction | None = None
    """Seconds that a frame of an animation may last: a tick less than the format can say, since
    the tick at which each frame begins is rounded."""

    @property
    def suffix(self) -> str:
        return "" if self.kind == "folder" else f".{self.name}"


ALL_CODECS = ("h264", "h265", "vp9", "av1", "prores", "ffv1")
FORMATS = {
    f.name: f
    for f in (
        Format("mp4", "video", ("h264", "h265", "av1", "vp9"), "aac", "mp4"),
        Format("mov", "video", ("h264", "h265", "prores"), "aac", "mov"),
        Format("mkv", "video", ALL_CODECS, "aac", "matroska"),
        Format("webm", "video", ("vp9", "av1"), "libopus", "webm"),
        # GIF counts repeats and hundredths of seconds in 16 bits (GIF89a), WebP plays in 16 and
        # milliseconds in 24 (its container specification), APNG plays in 31 and, as Pillow writes
        # it, milliseconds in 16 (PNG, third edition).
        Format(
            "gif",
            "gif",
            largest=65535,
            most_plays=65536,
            longest_delay=Fraction(65534, 100),
        ),
        Format("apng", "animation", most_plays=2**31 - 1, longest_delay=Fraction(65534, 1000)),
        Format(
            "webp",
            "animation",
            largest=16383,
            most_plays=65535,
            longest_delay=Fraction(2**24 - 2, 1000),
        ),
        Format("png", "still"),
        Format("jpg", "still", largest=65535),
        Format("folder", "folder"),
    )
}
SAME_SUFFIX = {"png", "apng"}
SUFFIX_ALIASES = {"m4v": "mp4", "jpeg": "jpg"}


def only_one_frame(still: Format) -> UsageError:
    """The error for a clip of more frames than the format ``still`` holds."""
    return UsageError(
        f"a {still.name} holds one frame: name a video, a GIF or a folder, or use --max-frames 1"
    )


def named_format(path: Path) -> Format | None:
    """The format that the suffix of ``path`` says; None where it says none."""
    name = path.suffix.lower().removeprefix(".")
    return FORMATS.get(SUFFIX_ALIASES.get(name, name)) if name != "folder" else None


def format_of(path: Path) -> Format:
    """The format that ``path`` names: by its suffix; a name without one is a folder of frames.

    Raises:
        UsageError: no format is written under that suffix.
    """
    if not path.suffix:
        return FORMATS["folder"]
    named = named_format(path)
    if named is None:
        raise unknown("output format", path.suffix.lower().removeprefix("."), FORMATS)
    return named
