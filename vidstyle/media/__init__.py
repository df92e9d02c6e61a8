"""Reading and writing clips: frames, times, sound, transparency. Independent of painting."""

from __future__ import annotations

from .clip import Clip, ClipInfo, resample, trim
from .codecs import CODECS, check_codec
from .encoders import VideoEncoder
from .formats import FORMATS, Encoder, Format, format_of, only_one_frame
from .reader import describe, frame_at, frames_since, open_clip
from .stills import encoded_image, read_image, save_image
from .writer import Writer, loop_count, open_writer, part_writer

__all__ = [
    "CODECS",
    "FORMATS",
    "Clip",
    "ClipInfo",
    "Encoder",
    "Format",
    "VideoEncoder",
    "Writer",
    "check_codec",
    "describe",
    "encoded_image",
    "format_of",
    "frame_at",
    "frames_since",
    "loop_count",
    "only_one_frame",
    "open_clip",
    "open_writer",
    "part_writer",
    "read_image",
    "resample",
    "save_image",
    "trim",
]
