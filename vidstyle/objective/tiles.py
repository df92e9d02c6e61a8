"""Parts of a frame: windows that need painting, and tiles of pictures too large for one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import cv2
import numpy as np
from numpy.typing import NDArray

CONTEXT = 24
"""Pixels around a window that the network also sees, so that the paint joins."""
GRID = 16
"""Spacing, in pixels, of the grid that windows lie on.

It is that of the coarsest layer, so that features fall as in the whole frame.
"""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame, in pixels.

    It has the rows from ``top`` to before ``bottom``, and the columns from ``left`` to before
    ``right``.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def place(self) -> tuple[slice, slice]:
        """Slices of rows and columns, for indexing."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, down: int, right: int) -> Window:
        """Return this window moved by so many pixels down and to the right."""
        return Window(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def __or__(self, other: Window) -> Window:
        """Return the smallest window that contains both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


Place = tuple[slice, slice, slice, slice]
"""Index of a part of a tensor (1, C, h, w)."""
Span = tuple[tuple[int, int], tuple[int, int]]
"""Start and end, in pixels, of a part of a side; then the same with its surroundings."""
TILES = 64
"""Largest number of tiles down, and of tiles across."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture that passes through a network by itself."""

    counts: Window
    """The area whose features count. The tiles of a picture divide it into these areas."""
    window: Window
    """The same area with its surroundings, which the network also sees."""

    @property
    def shown(self) -> Place:
        """Index of the part of the picture that the network sees."""
        return _all(*self.window.place)

    def at(self, stride: int) -> Place:
        """Return the index of the area that counts in features of the whole picture.

        Features are ``stride`` pixels apart.
        """
        rows = slice(self.counts.top // stride, self._end("bottom", stride, 0))
        columns = slice(self.counts.left // stride, self._end("right", stride, 0))
        return _all(rows, columns)

    def core(self, stride: int) -> Place:
        """Return the index of the area that counts in features of what the network sees.

        Features are ``stride`` pixels apart.
        """
        top, left = self.window.top, self.window.left
        rows = slice((self.counts.top - top) // stride, self._end("bottom", stride, top))
        columns = slice((self.counts.left - left) // stride, self._end("right", stride, left))
        return _all(rows, columns)

    @property
    def inside(self) -> Window:
        """The area that counts, relative to the part that the network sees."""
        return self.counts.moved(-self.window.top, -self.window.left)

    def _end(self, side: str, stride: int, origin: int) -> int | None:
        # At the picture's edge, less than a whole stride may be left over. It counts, too.
        end: int = getattr(self.counts, side)
        return None if end == getattr(self.window, side) else (end - origin) // stride


def _all(rows: slice, columns: slice) -> Place:
    return slice(None), slice(None), rows, columns


def windows(changed: NDArray[np.bool_]) -> list[Tile]:
    """Return the connected parts of ``changed`` (H, W), each with its surroundings.

    Two parts become one where a window around both is no larger than their two windows.
    """
    height, width = changed.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8))

    def around(window: Window, margin: int) -> Window:
        return Window(
            *_on_grid(window.top - margin, window.bottom + margin, height),
            *_on_grid(window.left - margin, window.right + margin, width),
        )

    found = []
    for left, top, wide, high, _ in stats[1:count].tolist():
        part = around(Window(top, top + high, left, left + wide), 0)
        found.append(Tile(part, around(part, CONTEXT)))
    # Compared with their surroundings: a small part beside a large one, which its surroundings
    # show, would otherwise be painted to fit the style of both.
    while pair := next(
        (
            (a, b)
            for a, b in combinations(found, 2)
            if (a.window | b.window).area <= a.window.area + b.window.area
        ),
        None,
    ):
        one, other = pair
        both = Tile(one.counts | other.counts, one.window | other.window)
        found = [tile for tile in found if tile not in pair] + [both]
    return sorted(found, key=lambda tile: (tile.window.top, tile.window.left))


def _on_grid(start: int, end: int, length: int) -> tuple[int, int]:
    """Return the smallest range on the grid around ``start``..``end`` of a side.

    At the end of the side, less than a whole grid step may be left over. It never makes a range
    by itself, because it would be too small.
    """
    return max(0, min(start, length - GRID) // GRID * GRID), min(length, _up(end, GRID))


def tiles(size: Sequence[int], tile_pixels: int | None, reach: int | None) -> list[Tile]:
    """Divide a picture into tiles, with as few pixels of surroundings as possible.

    Args:
        size: height and width of the picture, in pixels.
        tile_pixels: largest number of pixels of a tile with its surroundings, as far as that is
            possible. None means no limit.
        reach: pixels on each side that features depend on. None means all of the picture, which
            is then a single tile.

    Returns:
        The tiles, row by row.
    """
    high, wide = size
    if tile_pixels is None or reach is None or high * wide <= tile_pixels:
        whole = Window(0, high, 0, wide)
        return [Tile(whole, whole)]

    def cost(given: tuple[list[Span], list[Span]]) -> tuple[int, int]:
        down, across = ([end - start for _, (start, end) in spans] for spans in given)
        return max(0, max(down) * max(across) - tile_pixels), sum(down) * sum(across)

    rows, columns = min(product(_spans(high, reach), _spans(wide, reach)), key=cost)
    return [
        Tile(Window(*inner_rows, *inner_columns), Window(*outer_rows, *outer_columns))
        for (inner_rows, outer_rows), (inner_columns, outer_columns) in product(rows, columns)
    ]


def _spans(length: int, reach: int) -> list[list[Span]]:
    """Return the ways to divide a side into parts, from one part to ``TILES`` parts."""
    margin = _up(reach, GRID)
    steps = sorted({_up(-(-length // count), GRID) for count in range(1, TILES + 1)}, reverse=True)
    return [
        [
            (
                (start, min(length, start + step)),
                (max(0, start - margin), min(length, start + step + margin)),
            )
            for start in range(0, length, step)
        ]
        for step in steps
    ]


def _up(value: int, step: int) -> int:
    """Round ``value`` up to a multiple of ``step``."""
    return -(-value // step) * step
