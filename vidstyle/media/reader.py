"""Opening clips of any kind, and reading frames at given times."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from ..core.errors import UsageError
from ..core.frames import Frame
from .animation import AnimationClip
from .clip import Clip
from .stills import STILL_FORMATS, StillsClip, folder_images, natural_order
from .video import VideoClip

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""Start of a network address, also after conversion to a path (``http:/``)."""
MOST_JPEG = 1 << 24
"""Bytes of a file that are searched for the end of its first JPEG."""
ANIMATION_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")


def open_clip(path: str | Path, max_pixels: int | None = None) -> Clip:
    """Open a video, an animation, a still, a folder of stills or a glob of them.

    The type of a file is detected from its content, never from its name.

    Args:
        path: a file, a folder of images, or a glob of images.
        max_pixels: the most pixels that a frame may have. None means no limit.

    Raises:
        UsageError: nothing exists at ``path``, it cannot be shown, or a frame has more than
            ``max_pixels``, which is checked before any frame is decoded.
    """
    address = ADDRESS.match(str(path))
    path = Path(path)
    if address and not path.exists():
        raise UsageError(f"{path}: an address, and vidstyle opens files only: download it first")
    if path.is_dir():
        return StillsClip(path, folder_images(path), max_pixels)
    if not path.exists():
        found = natural_order(Path(name) for name in _matching(path))
        if not found:
            raise UsageError(f"{path}: no such file: check the name")
        return StillsClip(path, found, max_pixels)
    if path.is_fifo():
        raise UsageError(f"{path}: a pipe, which can only be read once: use its content as a file")
    if path.stat().st_size == 0:
        raise UsageError(f"{path}: the file is empty")
    if (format_name := _image_format(path)) is None:
        return VideoClip(path, max_pixels)
    if format_name == "GIF" or (format_name in ANIMATION_FORMATS and _frames(path) != 1):
        return AnimationClip(path, max_pixels)
    return StillsClip(path, [path], max_pixels)


def _matching(path: Path) -> list[str]:
    """List the files that match a glob, even if the name of its folder has brackets."""
    inside = os.path.join(glob.escape(str(path.parent)), path.name)  # noqa: PTH118
    return glob.glob(str(path)) or glob.glob(inside)  # noqa: PTH207


def frame_at(clip: Clip, time: Fraction) -> Frame:
    """Return the frame of a clip shown at ``time`` (in seconds), or its last one.

    A frame of a video has a duration of 0.

    Raises:
        UsageError: no frame can be decoded.
    """
    if isinstance(clip, VideoClip):
        return clip.at(time)
    shown: Frame | None = None
    for frame in clip:
        if shown is not None and frame.time > time:
            break
        shown = frame
    if shown is None:
        raise UsageError(f"{clip.info.path}: no frame can be decoded")
    return shown


def frames_since(clip: Clip, time: Fraction) -> Iterator[Frame]:
    """Return the frames of a clip from the one shown at ``time`` (in seconds) on.

    Animations start from their first frame, because each frame is drawn over those before it.
    """
    if isinstance(clip, (VideoClip, StillsClip)):
        return clip.since(time)
    return iter(clip)


def _frames(path: Path) -> int | None:
    """Return how many frames an image file claims to have, or None if it is damaged."""
    try:
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # damage can make Pillow raise any error
        return None


def _image_format(path: Path) -> str | None:
    """Detect the format of an image file from its content, or return None for other files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=(*ANIMATION_FORMATS, *STILL_FORMATS)) as image:
                return None if image.format == "JPEG" and _goes_on(path) else image.format
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the picture is too large to be opened safely") from error
    except Exception:  # damage can make Pillow raise any error
        return None


def _goes_on(path: Path) -> bool:
    """Return whether a file is raw MJPEG video: a second JPEG directly follows the first.

    A camera's file with several pictures (MPO) is not video. Its first picture announces the
    others.
    """
    with path.open("rb") as file:
        start = file.read(MOST_JPEG)
    first = start.find(b"\xff\xd9\xff\xd8\xff")
    return first > 0 and b"MPF\0" not in start[:first]


def describe(clip: Clip) -> dict[str, Any]:
    """Describe a clip from its information and from reading all its frames.

    Returns:
        Each known fact by its name, for example "size" or "seconds".
    """
    info = clip.info
    count, end = 0, Fraction(0)
    durations: set[Fraction] = set()
    transparent = False
    for frame in clip:
        count += 1
        end = frame.time + frame.duration
        durations.add(frame.duration)
        transparent |= frame.alpha is not None
    # With a clock of whole milliseconds, equal durations can differ by one tick.
    even = not durations or max(durations) - min(durations) <= info.time_base
    facts = {
        "clip": str(info.path),
        "kind": info.kind,
        "container": info.container,
        "codec": info.codec,
        "size": f"{info.width}x{info.height}",
        "frames": count,
        "seconds": round(float(end), 6),
        "rate": "constant" if even else "variable",
        "fps": round(count / float(end), 3) if end else None,
        "loop": info.loop,
        "transparent": transparent,
        "sound": list(info.sound),
        "subtitles": list(info.subtitles),
        "pixel aspect": str(info.sample_aspect),
        "rotation": info.rotation,
        "mirrored": info.mirrored,
        "color": info.color,
        "chapters": len(info.chapters),
        "notes": clip.notes,
    }
    return {name: value for name, value in facts.items() if value not in (None, [])}
