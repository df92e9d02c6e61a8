"""Video codecs, and the settings of FFmpeg's encoders for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.errors import UsageError, unknown
from .formats import Format


@dataclass(frozen=True)
class Codec:
    """A video codec, with the settings of FFmpeg's encoder for it."""

    encoder: str
    """FFmpeg's name for the encoder."""
    pixels: str
    """FFmpeg's name for the pixel format of frames without transparency."""
    crf: int | None = None
    """The default quality (``--crf``). None if the codec has no such setting."""
    worst: int = 0
    """The largest ``crf`` that the codec accepts, which gives the lowest quality."""
    alpha: str = ""
    """The pixel format of frames with transparency. Empty if the codec has none."""
    muxer: str = "nut"
    """FFmpeg's name for the container of encoded parts of a file. NUT keeps the times exact and
    the encoded data unchanged. Matroska is for the codecs that NUT cannot hold."""
    even: bool = False
    """Whether width and height must be even. An odd side is extended by repeating its edge once."""
    early: int = 0
    """How many frames earlier than it is shown a picture may be decoded, because other pictures
    refer to it. Set it for codecs with B-frames."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder."""
    alpha_options: Mapping[str, str] = field(default_factory=dict)
    """Options that are added for frames with transparency."""

    def written(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height in pixels at which frames of this size are encoded."""
        return (width + width % 2, height + height % 2) if self.even else (width, height)


CODECS = {
    # The numbers of threads are fixed, because the encoded bytes depend on them. By default, there
    # are as many threads as processors.
    "h264": Codec(
        "libx264",
        "yuv420p",
        17,
        51,
        even=True,
        early=2,
        # With macroblock-tree rate control, the same frames sometimes give a different file.
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
    # Every frame by itself, so that parts of a file that are joined give the same bytes.
    "ffv1": Codec("ffv1", "bgr0", alpha="bgra", options={"g": "1"}),
}


def check_codec(file_format: Format, name: str | None, crf: int | None) -> Codec:
    """Return the codec for a format, and check that the two and ``crf`` fit.

    Args:
        file_format: the format of the output.
        name: the name of the codec. None means the format's default.
        crf: the wanted quality. None means the codec's default.

    Raises:
        UsageError: there is no codec of this name, the format cannot hold it, or ``crf`` is larger
            than the codec accepts.
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
