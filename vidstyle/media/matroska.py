"""Reading the crop of a Matroska track, which FFmpeg does not expose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SEGMENT, TRACKS, TRACK, VIDEO, CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675
CROP_BOTTOM, CROP_TOP, CROP_LEFT, CROP_RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
"""IDs of elements (RFC 9559)."""


@dataclass(frozen=True)
class Crop:
    """Pixels to hide at each side of a coded picture."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


def crop_of(path: Path, index: int) -> Crop:
    """Read the crop of a track.

    Args:
        path: the Matroska file.
        index: number of the track, counted from 0.

    Returns:
        The crop. It is empty if the file has none or cannot be parsed.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            tracks = [*_within(file, 0, size, SEGMENT, TRACKS, TRACK)]
            begin, end = tracks[index]
            found = {
                number: int.from_bytes(_bytes(file, first, last))
                for video in _within(file, begin, end, VIDEO)
                for number, first, last in _elements(file, *video)
                if number in (CROP_TOP, CROP_BOTTOM, CROP_LEFT, CROP_RIGHT)
            }
    except (OSError, IndexError, EOFError):
        return Crop()
    return Crop(
        *(found.get(number, 0) for number in (CROP_TOP, CROP_BOTTOM, CROP_LEFT, CROP_RIGHT))
    )


def _within(file: BinaryIO, begin: int, end: int, *path: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end offset of the content of each element at a ``path`` of IDs."""
    wanted, *rest = path
    for number, first, last in _elements(file, begin, end):
        if number == CLUSTER:  # clusters hold the frames, and all descriptions come before them
            return
        if number == wanted:
            if rest:
                yield from _within(file, first, last, *rest)
            else:
                yield first, last


def _elements(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each element's ID and its content's start and end offset, in a range of bytes."""
    while begin < end:
        file.seek(begin)
        number, _ = _variable(file, marked=True)
        length, unknown = _variable(file, marked=False)
        first = file.tell()
        begin = end if unknown else min(end, first + length)
        yield number, first, begin


def _variable(file: BinaryIO, *, marked: bool) -> tuple[int, bool]:
    """Read a variable-size integer (RFC 8794), and whether it stands for an unknown value.

    Its first byte marks its length. The mark is part of the value only if ``marked``.
    """
    first = _bytes(file, file.tell(), file.tell() + 1)[0]
    if not first:  # longer than any number may be
        raise EOFError
    more = 8 - first.bit_length()
    data = bytes([first]) + _bytes(file, file.tell(), file.tell() + more)
    value = int.from_bytes(data)
    mark = 1 << 7 * (more + 1)
    return value if marked else value - mark, value == 2 * mark - 1


def _bytes(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    data = file.read(end - begin)
    if len(data) < end - begin or end - begin > 8:
        raise EOFError
    return data
