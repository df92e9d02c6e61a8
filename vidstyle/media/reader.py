"""Opening whatever the user points at."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from ..core.errors import UsageError
from .animation import AnimationClip
from .clip import Clip, Frame
from .stills import STILL_FORMATS, StillsClip, folder_images, natural_order
from .video import VideoClip

ANIMATION_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")


def open_clip(path: str | Path, max_pixels: int | None = None) -> Clip:
    """Open a video, an animation, a still, a folder of stills or a glob of them.

    What a file is, is read from its content, never from its name.

    Raises:
        UsageError: nothing there, nothing that can be shown, or frames of more than
            ``max_pixels``, which is told before one is decoded.
    """
    path = Path(path)
    if path.is_dir():
        return StillsClip(path, folder_images(path), max_pixels)
    if not path.exists():
        found = natural_order(Path(p) for p in glob.glob(str(path)))  # noqa: PTH207
        if not found:
            raise UsageError(f"{path}: no such file: check the name")
        return StillsClip(path, found, max_pixels)
    if path.stat().st_size == 0:
        raise UsageError(f"{path}: the file is empty")
    if (format_name := _image_format(path)) is None:
        return VideoClip(path, max_pixels)
    if format_name == "GIF" or (format_name in ANIMATION_FORMATS and _frames(path) != 1):
        return AnimationClip(path, max_pixels)
    return StillsClip(path, [path], max_pixels)


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
                return image.format
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the picture is too large to be opened safely") from error
    except Exception:  # Pillow raises whatever damage leads it to
        return None


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
