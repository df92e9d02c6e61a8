"""Parts of a frame: the windows that need painting, and tiles of what is too large at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import cv2
import numpy as np
from numpy.typing import NDArray

CONTEXT = 24
"""Pixels of surroundings that a window shows the network, so that paint joins."""
GRID = 16
"""Windows lie on the grid of the coarsest layer, so that features fall as in the whole frame."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame: rows ``top``..``bottom``, columns ``left``..``right``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, down: int, right: int) -> Window:
        """This window so many pixels further down and to the right."""
        return Window(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def __or__(self, other: Window) -> Window:
        """The smallest window around both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


Place = tuple[slice, slice, slice, slice]
"""Of a tensor (1, C, h, w)."""
Span = tuple[tuple[int, int], tuple[int, int]]
"""Where a part of a side begins and ends, and the same with what is around it."""
TILES = 64
"""Tiles down and across, at most."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture that goes through a network by itself."""

    counts: Window
    """What is wanted of it; of a picture in tiles, all together are the picture."""
    window: Window
    """The same with its surroundings."""

    @property
    def shown(self) -> Place:
        """What the network is shown, in the picture."""
        return _all(*self.window.place)

    def at(self, stride: int) -> Place:
        """What counts, in features of the whole picture that are ``stride`` pixels apart."""
        rows = slice(self.counts.top // stride, self._end("bottom", stride, 0))
        columns = slice(self.counts.left // stride, self._end("right", stride, 0))
        return _all(rows, columns)

    def core(self, stride: int) -> Place:
        """What counts, in features of what is shown."""
        top, left = self.window.top, self.window.left
        rows = slice((self.counts.top - top) // stride, self._end("bottom", stride, top))
        columns = slice((self.counts.left - left) // stride, self._end("right", stride, left))
        return _all(rows, columns)

    @property
    def inside(self) -> Window:
        """What counts, in what is shown."""
        return self.counts.moved(-self.window.top, -self.window.left)

    def _end(self, side: str, stride: int, origin: int) -> int | None:
        # At the picture's edge there may be less than a whole stride left over.
        end: int = getattr(self.counts, side)
        return None if end == getattr(self.window, side) else (end - origin) // stride


def _all(rows: slice, columns: slice) -> Place:
    return slice(None), slice(None), rows, columns


def windows(changed: NDArray[np.bool_]) -> list[Tile]:
    """The connected parts of ``changed`` (H, W), each with its surroundings.

    Two are made one where that is no more to look at.
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
    # By what is shown: a small part beside a large one would be painted for the style of both.
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
    """The least part of a side on the grid around ``start`` to ``end``. At the end of the side
    there may be less than a whole step left over, which alone would be too little.
    """
    return max(0, min(start, length - GRID) // GRID * GRID), min(length, _up(end, GRID))


def tiles(size: Sequence[int], tile_pixels: int | None, reach: int | None) -> list[Tile]:
    """Tiles of a picture of ``size`` (height, width), of at most ``tile_pixels`` each as far as
    that goes, with the least around them. Features depend on ``reach`` pixels on each side, and
    where that is None, on all.
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
    """The ways to cut a side, into ever more parts."""
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
    """``value``, or the next multiple of ``step``."""
    return -(-value // step) * step
