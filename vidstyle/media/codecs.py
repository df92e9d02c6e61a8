"""Video codecs, and how FFmpeg's encoders are asked for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.errors import UsageError, unknown
from .formats import Format


@dataclass(frozen=True)
class Codec:
    """How a video codec is asked for: FFmpeg's name, pixel format, options."""

    encoder: str
    pixels: str
    crf: int | None = None
    """The quality that is used unless another is asked for; None for codecs without one."""
    worst: int = 0
    """The largest ``crf`` that it knows."""
    alpha: str = ""
    """The pixel format that holds transparency, if one does."""
    muxer: str = "nut"
    """The container of a part of a file: NUT keeps exact times, and the data as they are encoded;
    Matroska has what NUT cannot hold."""
    even: bool = False
    """Whether it has no odd sizes: what is odd is written with its edge repeated by one pixel."""
    early: int = 0
    """By how many frames a picture may be decoded before its turn: it is one that others lean
    on."""
    options: Mapping[str, str] = field(default_factory=dict)
    alpha_options: Mapping[str, str] = field(default_factory=dict)

    def written(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a file of frames of ``width`` x ``height`` pixels."""
        return (width + width % 2, height + height % 2) if self.even else (width, height)


CODECS = {
    # What they make of the same frames depends on how many threads they have, and by themselves
    # they have as many as there are processors.
    "h264": Codec(
        "libx264",
        "yuv420p",
        17,
        51,
        even=True,
        early=2,
        # Macroblock-tree rate control makes of the same frames another file now and then.
        options={"preset": "medium", "threads": "4", "mbtree": "0"},
    ),
    "h265": Codec(
        "libx265",
        "yuv420p",
        19,
        51,
        even=True,
        early=2,
        options={"preset": "medium", "x265-params": "log-level=none:frame-threads=2"},
    ),
    "vp9": Codec(
        "libvpx-vp9",
        "yuv420p",
        24,
        63,
        alpha="yuva420p",
        muxer="matroska",
        options={"b": "0", "row-mt": "1", "cpu-used": "4"},
        alpha_options={"auto-alt-ref": "0"},
    ),
    "av1": Codec("libsvtav1", "yuv420p", 24, 63, options={"preset": "7"}),
    "prores": Codec(
        "prores_ks",
        "yuv422p10le",
        alpha="yuva444p10le",
        muxer="matroska",
        options={"profile": "3"},  # 422 HQ
        alpha_options={"profile": "4"},  # 4444
    ),
    "ffv1": Codec("ffv1", "bgr0", alpha="bgra"),
}


def check_codec(file_format: Format, name: str | None, crf: int | None) -> Codec:
    """The codec called ``name`` for a format, or its own.

    Raises:
        UsageError: there is none of this name, the format cannot hold it, or it does not know this
            ``crf``.
    """
    name = name or file_format.codecs[0]
    if name not in CODECS:
        raise unknown("codec", name, CODECS)
    if name not in file_format.codecs:
        raise UsageError(
            f"{file_format.name} cannot hold {name}: "
            f"use {' or '.join(file_format.codecs)}, or another format"
        )
    codec = CODECS[name]
    if crf is not None and codec.crf is not None and crf > codec.worst:
        raise UsageError(f"--crf {crf}: for {name} it is at most {codec.worst}")
    return codec
