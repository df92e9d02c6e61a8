"""The output formats, and how a file name selects one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from ..core.errors import UsageError, unknown
from ..core.frames import Frame
from ..core.registry import Registry

FormatKind = Literal["video", "gif", "animation", "still", "folder"]


class Encoder(Protocol):
    """An encoder of frames into a file. It does not know the final path of the file."""

    keeps_alpha: bool
    """Whether transparency is kept."""

    def write(self, frame: Frame) -> None: ...

    def begin_shot(self) -> None:
        """Begin a new shot with the next frame."""

    def close(self) -> None:
        """Finish the file. Nothing may be written afterwards."""

    def abort(self) -> None:
        """Close the file, complete or not."""


EncoderOf = Callable[[Path, tuple[int, int], int], Encoder]
"""Makes an encoder of a file, given its path, the (width, height) of its frames, and how often an
animation plays (0 for forever)."""


@dataclass(frozen=True)
class Format:
    """A file format in which clips can be written."""

    name: str
    """The usual suffix without its dot, or "folder"."""
    kind: FormatKind
    codecs: tuple[str, ...] = ()
    """The video codecs that it can hold. The first one is the default."""
    sound: str = ""
    """FFmpeg's encoder for sound that cannot be copied."""
    muxer: str = ""
    """FFmpeg's name for the container."""
    largest: int | None = None
    """The maximum width and height in pixels. None if the format itself has no limit."""
    most_plays: int | None = None
    """The maximum number of plays that an animation can store. None if there is no limit."""
    longest_delay: Fraction | None = None
    """The maximum duration of a frame in seconds. It is a tick less than the format can store,
    since the start of each frame is rounded to a tick. None if there is no limit."""
    encoder: EncoderOf | None = None
    """Makes the encoder. None means the package's own for this kind, as a video format needs."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a video format names no codec, or has an encoder of its own.
        """
        if self.kind == "video" and (self.encoder is not None or not self.codecs):
            raise ValueError(f"{self.name}: a video format has codecs, and no encoder of its own")

    @property
    def suffix(self) -> str:
        """The suffix with its dot; empty for a folder."""
        return "" if self.kind == "folder" else f".{self.name}"


ALL_CODECS = ("h264", "h265", "vp9", "av1", "prores", "ffv1")
_OWN = (
    Format("mp4", "video", ("h264", "h265", "av1", "vp9"), "aac", "mp4"),
    Format("mov", "video", ("h264", "h265", "prores"), "aac", "mov"),
    Format("mkv", "video", ALL_CODECS, "aac", "matroska"),
    Format("webm", "video", ("vp9", "av1"), "libopus", "webm"),
    # GIF stores repeats and hundredths of a second in 16 bits each (GIF89a). WebP stores plays
    # in 16 bits and milliseconds in 24 (its container specification). APNG stores plays in 31
    # bits (PNG, third edition) and, as Pillow writes it, milliseconds in 16.
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
FORMATS: Registry[Format] = Registry("vidstyle.formats", {one.name: one for one in _OWN})
"""All formats by name: these, and those of other packages."""
SAME_SUFFIX = {"png", "apng"}
"""The formats that may be written under each other's suffix."""
SUFFIX_ALIASES = {"m4v": "mp4", "jpeg": "jpg"}
"""Names of formats, by their alternative suffixes."""


def only_one_frame(still: Format) -> UsageError:
    """Return the error for a clip of several frames, written in the format ``still``."""
    return UsageError(
        f"a {still.name} holds one frame: name a video, a GIF or a folder, or use --max-frames 1"
    )


def named_format(path: Path) -> Format | None:
    """Return the format that the suffix of ``path`` names. None if it names none."""
    name = path.suffix.lower().removeprefix(".")
    return FORMATS.get(SUFFIX_ALIASES.get(name, name)) if name != "folder" else None


def format_of(path: Path) -> Format:
    """Return the format of an output path: a folder of frames if it has no suffix.

    Raises:
        UsageError: no format has this suffix.
    """
    if not path.suffix:
        return FORMATS["folder"]
    named = named_format(path)
    if named is None:
        raise unknown("output format", path.suffix.lower().removeprefix("."), FORMATS)
    return named
