"""Opening whatever the user points at."""

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
"""How an address on a network begins, also where it has been taken for a path."""
MOST_JPEG = 1 << 24
"""Bytes of a file in which the end of its first JPEG is looked for."""
ANIMATION_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")


def open_clip(path: str | Path, max_pixels: int | None = None) -> Clip:
    """Open a video, an animation, a still, a folder of stills or a glob of them.

    What a file is, is read from its content, never from its name.

    Raises:
        UsageError: nothing there, nothing that can be shown, or frames of more than
            ``max_pixels``, which is told before one is decoded.
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
    """The names that a glob means; the name of its folder may have brackets itself."""
    inside = os.path.join(glob.escape(str(path.parent)), path.name)  # noqa: PTH118
    return glob.glob(str(path)) or glob.glob(inside)  # noqa: PTH207


def frame_at(clip: Clip, time: Fraction) -> Frame:
    """The frame of a clip that is shown at ``time`` seconds, or its last one.

    Raises:
        UsageError: there is none.
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
    """The frames of a clip from the one that is shown at ``time`` seconds on, or from the first
    one, where each is drawn over those before."""
    if isinstance(clip, (VideoClip, StillsClip)):
        return clip.since(time)
    return iter(clip)


def _frames(path: Path) -> int | None:
    """How many frames an image file claims to have; None where it is damaged."""
    try:
        with Image.open(path) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # Pillow raises whatever damage leads it to
        return None


def _image_format(path: Path) -> str | None:
    """The format of an image file by its content, or None if it is not one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=(*ANIMATION_FORMATS, *STILL_FORMATS)) as image:
                return None if image.format == "JPEG" and _goes_on(path) else image.format
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the picture is too large to be opened safely") from error
    except Exception:  # Pillow raises whatever damage leads it to
        return None


def _goes_on(path: Path) -> bool:
    """Whether a JPEG follows right after the first one in a file: that is video (raw MJPEG). The
    further pictures of a camera's file (MPO) are announced in the first one."""
    with path.open("rb") as file:
        start = file.read(MOST_JPEG)
    first = start.find(b"\xff\xd9\xff\xd8\xff")
    return first > 0 and b"MPF\0" not in start[:first]


def describe(clip: Clip) -> dict[str, Any]:
    """Everything that is understood of ``clip``, by name, from reading all its frames."""
    info = clip.info
    count, end = 0, Fraction(0)
    durations: set[Fraction] = set()
    transparent = False
    for frame in clip:
        count += 1
        end = frame.time + frame.duration
        durations.add(frame.duration)
        transparent |= frame.alpha is not None
    # A clock of whole milliseconds makes even frames uneven by one.
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
