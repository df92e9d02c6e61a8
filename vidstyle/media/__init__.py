"""Clips in and out: frames, times, sound, transparency. Knows nothing of painting."""

from __future__ import annotations

from .clip import Clip, ClipInfo, Frame, resample, trim
from .formats import FORMATS, Format, format_of, only_one_frame
from .reader import describe, open_clip
from .stills import read_image, save_image
from .writer import Writer, open_writer, plays, refuse, sweep

__all__ = [
    "FORMATS",
    "Clip",
    "ClipInfo",
    "Format",
    "Frame",
    "Writer",
    "describe",
    "format_of",
    "only_one_frame",
    "open_clip",
    "open_writer",
    "plays",
    "read_image",
    "refuse",
    "resample",
    "save_image",
    "sweep",
    "trim",
]
