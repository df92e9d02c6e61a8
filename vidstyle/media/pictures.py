"""Conversion of decoded video frames to upright sRGB pictures with alpha."""

from __future__ import annotations

import struct
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from .color import EXACT, Gamut, to_sdr, to_srgb
from .matroska import Crop

MATRICES = {1, 4, 5, 6, 7, 9, 10}
"""Numbers (ITU-T H.273) of the YUV matrices that FFmpeg converts from.

BT.709, FCC, BT.601 (twice), SMPTE 240M, BT.2020 (twice).
"""
WIDE_GAMUTS: dict[int, Gamut] = {9: "BT.2020", 12: "Display P3"}
"""Wide gamuts by FFmpeg's number of their primaries (ITU-T H.273)."""
HD = (1280, 720)
"""Width and height in pixels. A frame that reaches either counts as HD."""
ALPHA_FORMATS = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8")
"""Prefixes of the names of FFmpeg's pixel formats with alpha."""


def alpha_decoder(stream: Any) -> Any:
    """Create a libvpx decoder for VP8 or VP9 with alpha, which FFmpeg's own decoders drop.

    Returns:
        The decoder, or None if the stream is not VP8 or VP9 with alpha.
    """
    if stream.metadata.get("alpha_mode") != "1":
        return None
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None:
        return None
    decoder = av.CodecContext.create(name, "r")
    if stream.codec_context.extradata:
        decoder.extradata = stream.codec_context.extradata
    return decoder


def orientation(frame: Any) -> tuple[int, bool]:
    """Return the rotation and mirroring that bring a frame upright, from its display matrix.

    Returns:
        The number of quarter turns counterclockwise (0..3), and whether left and right are
        swapped after that.
    """
    try:
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # the frame has another kind of side data, unknown to PyAV
        return frame.rotation // 90 % 4, False
    if matrix is None:
        return 0, False
    m = struct.unpack("<9i", bytes(matrix))
    a, b, c, d = (int(np.sign(v)) if abs(v) > 1 << 12 else 0 for v in (m[0], m[1], m[3], m[4]))
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the mirroring first: a pure rotation is left
        a, c = -a, -c
    turns = {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}.get((a, b), 0)
    return turns, mirrored


def has_alpha(frame: Any) -> bool:
    """Return whether the pixel format of a frame has alpha."""
    return frame.format.name.startswith(ALPHA_FORMATS)


def color_name(frame: Any) -> str:
    """Name the color space of a frame: HDR, a wide gamut, BT.709 or BT.601."""
    transfer = {int(ColorTrc.SMPTE2084): "HDR (PQ)", int(ColorTrc.ARIB_STD_B67): "HDR (HLG)"}
    if name := transfer.get(int(frame.color_trc)):
        return name
    full = int(frame.color_range) == int(ColorRange.JPEG)
    if gamut := WIDE_GAMUTS.get(int(frame.color_primaries)):
        return f"{gamut}{' full' * full}"
    return f"{'BT.709' if _matrix(frame) == Colorspace.ITU709 else 'BT.601'}{' full' * full}"


def _matrix(frame: Any) -> Any:
    """Return the matrix of a YUV frame.

    If the frame names none, or an unknown one, guess as players do: BT.709 for HD, BT.601 below.
    """
    if int(frame.colorspace) in MATRICES:
        return frame.colorspace
    hd = frame.width >= HD[0] or frame.height >= HD[1]
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def shown_picture(frame: Any, crop: Crop) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Convert the visible part of a frame to an upright sRGB picture.

    Args:
        frame: PyAV's decoded frame.
        crop: pixels to remove at each side, before the picture is turned upright.

    Returns:
        The picture (H, W, 3) uint8 sRGB, and its alpha (H, W) uint8 or None.
    """
    if int(frame.color_trc) in (int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)):
        deep = frame.to_ndarray(format="rgb48le", interpolation=EXACT)
        rgba = to_sdr(deep, pq=int(frame.color_trc) == int(ColorTrc.SMPTE2084))
        alpha = None
    else:
        wanted = "rgba" if has_alpha(frame) else "rgb24"
        unsaid = int(frame.colorspace) not in MATRICES and not frame.format.is_rgb
        matrix = _matrix(frame) if unsaid else None
        rgba = frame.to_ndarray(format=wanted, src_colorspace=matrix, interpolation=EXACT)
        alpha = rgba[..., 3] if rgba.shape[2] == 4 else None
        if gamut := WIDE_GAMUTS.get(int(frame.color_primaries)):
            rgba = to_srgb(rgba[..., :3], gamut)
    turns, mirrored = orientation(frame)
    shown = np.s_[crop.top : frame.height - crop.bottom, crop.left : frame.width - crop.right]
    return _upright(rgba[shown][..., :3], turns, mirrored), (
        None if alpha is None else _upright(alpha[shown], turns, mirrored)
    )


def _upright(picture: NDArray[np.uint8], turns: int, mirrored: bool) -> NDArray[np.uint8]:
    turned = np.rot90(picture, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
