"""Reading GIFs as browsers show them.

Pillow decodes each picture, but it fills areas that were never drawn, or were disposed of, with the
background color of the file. Browsers leave them transparent, so frames are composed here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXTENSION, PICTURE, END = 0x21, 0x2C, 0x3B
"""The first byte of each kind of block in a GIF (GIF89a)."""
CONTROL = 0xF9
"""Label of the extension that says how the next picture is shown."""
GIF_CLEARED, GIF_RESTORED = 2, 3
"""Disposal methods that clear a picture's area, or restore what was there, after it was shown."""


@dataclass(frozen=True)
class Control:
    """How a picture is shown."""

    disposal: int = 0
    """The disposal method. 0 lets the picture stay."""
    delay: int = 0
    """Hundredths of a second."""
    clear: int | None = None
    """Index of the transparent color, which is not drawn. None means that all are drawn."""


def composed(file: BinaryIO) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield the composed frames of a GIF.

    Yields:
        Each frame (H, W, 4) uint8 RGBA, and its duration in milliseconds, as given by the file.

    Raises:
        EOFError, OSError, ValueError, DecompressionBombError: the rest of the file is damaged.
    """
    signature, width, height, flags, _, _ = struct.unpack("<6sHHBBB", _read(file, 13))
    if not signature.startswith(b"GIF8"):
        raise ValueError("no GIF")
    common = _palette(file, flags)
    canvas: NDArray[np.uint8] | None = None
    control = Control()
    while (kind := _read(file, 1)[0]) != END:
        if kind == EXTENSION:
            label, data = _read(file, 1)[0], _blocks(file)
            if label == CONTROL and len(data) >= 6:
                packed, delay, clear = struct.unpack("<BHB", data[1:5])
                control = Control(packed >> 2 & 7, delay, clear if packed & 1 else None)
        elif kind == PICTURE:
            at = struct.unpack("<HHHHB", _read(file, 9))
            if canvas is None:  # the first picture may be larger than the header says
                size = max(height, at[1] + at[3]), max(width, at[0] + at[2])
                canvas = np.zeros((*size, 4), np.uint8)
            before = canvas.copy() if control.disposal == GIF_RESTORED else canvas
            place = _draw(file, at, canvas, common, control.clear)
            yield canvas.copy(), control.delay * 10
            if control.disposal == GIF_CLEARED:
                canvas[place] = 0
            canvas = before
            control = Control()
        else:
            raise ValueError(f"no block of a GIF begins with {kind}")


def _draw(
    file: BinaryIO,
    at: Sequence[int],
    canvas: NDArray[np.uint8],
    common: NDArray[np.uint8] | None,
    clear: int | None,
) -> tuple[slice, slice]:
    """Draw the next picture of a file on the canvas, and return the area that it covers.

    Args:
        file: read from where the picture's own palette or its data begin.
        at: left, top, width, height and flags, from the picture's header.
        canvas: (H, W, 4) uint8 RGBA, changed in place.
        common: the palette (N, 3) of pictures without their own.
        clear: index of the transparent color, which is not drawn.
    """
    left, top, width, height, flags = at
    palette = _palette(file, flags)
    palette = common if palette is None else palette
    if palette is None:
        palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    indices = _decoded(file, width, height, flags)
    place = (
        slice(top, min(top + height, canvas.shape[0])),
        slice(left, min(left + width, canvas.shape[1])),
    )
    seen = canvas[place]
    indices = indices[: seen.shape[0], : seen.shape[1]]
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = palette
    drawn = np.ones(indices.shape, bool) if clear is None else indices != clear
    seen[drawn, :3] = colors[indices[drawn]]
    seen[drawn, 3] = 255
    return place


def _decoded(file: BinaryIO, width: int, height: int, flags: int) -> NDArray[np.uint8]:
    """Decode the next picture to color indices (H, W) by wrapping its data in a GIF of its own."""
    start = _read(file, 1)
    data = _blocks(file)
    gray = bytes(value for number in range(256) for value in (number,) * 3)
    alone = (
        struct.pack("<6sHHBBB", b"GIF89a", width, height, 0xF7, 0, 0)
        + gray
        + struct.pack("<BHHHHB", PICTURE, 0, 0, width, height, flags & 0x40)
        + start
        + data
        + bytes([END])
    )
    with Image.open(io.BytesIO(alone), formats=["GIF"]) as picture:
        return np.asarray(picture.convert("L"))


def _palette(file: BinaryIO, flags: int) -> NDArray[np.uint8] | None:
    """Read the palette (N, 3) that comes next, or return None if ``flags`` announce none."""
    if not flags & 0x80:
        return None
    return np.frombuffer(_read(file, 3 << (flags & 7) + 1), np.uint8).reshape(-1, 3)


def _blocks(file: BinaryIO) -> bytes:
    """Read blocks of data up to an empty one, each with its length in front."""
    found = io.BytesIO()
    while True:
        length = _read(file, 1)
        found.write(length + _read(file, length[0]))
        if not length[0]:
            return found.getvalue()


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data
