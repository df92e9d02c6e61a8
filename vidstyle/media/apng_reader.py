"""Reading APNGs as browsers show them.

Pillow decodes each picture, but it blends semitransparent pictures over others in its own way, so
frames are composed here (PNG, third edition, sections 11.3.6 and 13).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .stills import in_eight_bits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_CHUNKS = (b"PLTE", b"tRNS")
"""The chunks that define the colors of all pictures."""
APNG_CLEARED, APNG_RESTORED = 1, 2
"""Disposal methods that clear a picture's area, or restore what was there, after it was shown."""
OVER = 1
"""Blend method: the picture is drawn over the canvas instead of replacing its content."""


@dataclass
class Picture:
    """One picture, and how it is shown."""

    control: bytes
    """Content of its fcTL chunk."""
    data: list[bytes] = field(default_factory=list)
    """Its compressed pixels, from IDAT or fdAT chunks."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.control[4:12])
        return width, height

    @property
    def milliseconds(self) -> float:
        """Duration as given by the file."""
        number, parts = struct.unpack(">HH", self.control[20:24])
        return float(number) * 1000 / (parts or 100)


def composed(file: BinaryIO) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Yield the composed frames of an APNG.

    Yields:
        Each frame (H, W, 4) uint8 RGBA, and its duration in milliseconds, as given by the file.

    Raises:
        EOFError, OSError, ValueError, struct.error, DecompressionBombError: the rest of the file
            is damaged.
    """
    if file.read(8) != SIGNATURE:
        raise ValueError("no PNG")
    header, colors = b"", b""
    canvas = np.zeros((0, 0, 4), np.uint8)
    picture: Picture | None = None
    for kind, data in _chunks(file):
        if kind == b"IHDR":
            header = data
            width, height = struct.unpack(">II", data[:8])
            canvas = np.zeros((height, width, 4), np.uint8)
        elif kind in COLOR_CHUNKS:
            colors += _chunk(kind, data)
        elif kind == b"IDAT" and picture is not None:
            picture.data.append(data)
        elif kind == b"fdAT" and picture is not None:
            picture.data.append(data[4:])
        elif kind in (b"fcTL", b"IEND"):
            if picture is not None and picture.data:
                before = canvas.copy() if picture.control[24] == APNG_RESTORED else canvas
                place = _draw(picture, canvas, header, colors)
                yield canvas.copy(), picture.milliseconds
                if picture.control[24] == APNG_CLEARED:
                    canvas[place] = 0
                canvas = before
            picture = Picture(data)


def _draw(
    picture: Picture, canvas: NDArray[np.uint8], header: bytes, colors: bytes
) -> tuple[slice, slice]:
    """Draw a picture on the canvas, and return the area that it covers."""
    width, height = picture.size
    left, top = struct.unpack(">II", picture.control[12:20])
    place = slice(top, top + height), slice(left, left + width)
    drawn, there = _decoded(picture, header, colors), canvas[place]
    if there.shape != drawn.shape:
        raise ValueError("a picture beyond the canvas")
    canvas[place] = _over(drawn, there) if picture.control[25] == OVER else drawn
    return place


def _decoded(picture: Picture, header: bytes, colors: bytes) -> NDArray[np.uint8]:
    """Decode a picture to RGBA (H, W, 4) by wrapping its data in a PNG of its own."""
    alone = SIGNATURE + _chunk(b"IHDR", picture.control[4:12] + header[8:]) + colors
    alone += _chunk(b"IDAT", b"".join(picture.data)) + _chunk(b"IEND", b"")
    with Image.open(io.BytesIO(alone), formats=["PNG"]) as image:
        return np.asarray(in_eight_bits(image).convert("RGBA"))


def _over(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend the RGBA picture ``above`` (H, W, 4) over the picture ``below``."""
    alpha, beneath = (one[..., 3:].astype(np.float32) / 255 for one in (above, below))
    shown = beneath * (1 - alpha)
    whole = alpha + shown
    rgb = (above[..., :3] * alpha + below[..., :3] * shown) / np.maximum(whole, 1e-6)
    return np.rint(np.dstack([rgb, whole * 255])).astype(np.uint8)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and content of each chunk."""
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", file.read(8))
        data = file.read(length)
        if len(data) < length:
            raise EOFError
        file.read(4)  # skip the checksum: the compressed pixels have one of their own
        yield kind, data


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Encode a chunk."""
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
