"""Strokes for ground that no painting has shown before, copied from where the scene looks alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..core.images import Field, Image, resized
from .painting import STROKE_TILE, Painting

OVERLAP = 8
"""Pixels over which neighboring tiles fade into each other."""
SAME_LOOK = 8.0
"""Levels of 255, root mean square. Places are equally alike if they match so nearly as well as the
best one."""
UNLIKE = 24.0
"""Levels of 255, root mean square, from which on two places do not look alike at all."""
ENOUGH = 0.05
"""The share of a tile whose strokes must be known for a candidate to be compared with them."""
COARSE, SMALL = 2, 4
"""Strokes are compared at one half of the size, sources at one quarter."""
PLACES, CLOSER = 1000, 100
"""Candidates per tile, at most, and how many of them are compared at one half of the size. These
are the best ones by their brightness at one quarter."""
TOGETHER = 64
"""Tiles that are searched for at once."""
WORTH, WORTH_SEARCH = 0.01, 0.05
"""The share of a tile that must be bare for it to be given strokes, and for them to be looked for.
Otherwise they are those of the same place."""
_ramp = np.minimum(1, (np.arange(STROKE_TILE, dtype=np.float32) + 0.5) / OVERLAP)
_ramp = np.minimum(_ramp, _ramp[::-1])
FADE = (_ramp[:, None] * _ramp)[..., None]
"""The weight of each pixel of a tile (STROKE_TILE, STROKE_TILE, 1)."""


def strokes_for(source: Image, painting: Painting, known: Field, kept: Field) -> Field:
    """Find brush strokes for the bare parts of a frame.

    The candidates of a tile are the places of ``painting`` whose source looks like the tile, or all
    places where none does. The candidate wins that best continues the strokes around the tile, so
    that ground that a scene uncovers frame by frame becomes one piece, not strip after strip of the
    same strokes (after the neighborhoods of Efros and Leung 1999).

    Args:
        source: the frame (H, W, 3).
        painting: where strokes are copied from.
        known: the strokes that the frame has already (H, W, 3), around 0.
        kept: where it has them (H, W), in 0..1.

    Returns:
        Strokes (H, W, 3), around 0.
    """
    height, width = kept.shape
    found = np.zeros((height, width, 3), np.float32)
    if min(height, width) < STROKE_TILE:
        return found
    tiles = _bare_tiles(kept)
    if not tiles:
        return found
    searched = [place for place, bare in tiles.items() if bare > WORTH_SEARCH]
    side = STROKE_TILE // COARSE
    strokes, covered, laid = (
        _coarse(values) for values in (painting.strokes, kept, kept[..., None] * known)
    )
    laid /= np.maximum(covered, 1e-6)[..., None]
    patches = _Patches(strokes)
    weight = np.full((height, width, 1), 1e-6, np.float32)
    alike = _alike(painting.source, source, searched)
    for (y, x), bare in tiles.items():
        here = slice(y, y + side), slice(x, x + side)
        share = covered[here]
        if bare <= WORTH_SEARCH:
            row, column = y, x
        elif share.mean() > ENOUGH:
            row, column = patches.like(laid[here], share, next(alike))
        else:
            places = patches.at(next(alike))
            row, column = places[np.square(places - (y, x)).sum(1).argmin()]
        found[_full_size(y, x)] += painting.strokes[_full_size(row, column)] * FADE
        weight[_full_size(y, x)] += FADE
        added = strokes[row : row + side, column : column + side]
        laid[here] += (1 - share[..., None]) * (added - laid[here])
        covered[here] = 1
    return found / weight


class _Patches:
    """Strokes (h, w, 3) at 1 / ``COARSE`` of the size, cut out at every place."""

    def __init__(self, strokes: Field) -> None:
        side = STROKE_TILE // COARSE
        faint = _coarse(np.asarray(strokes.mean(2), np.float32))
        windows = np.lib.stride_tricks.sliding_window_view
        self.whole = windows(strokes, (side, side), (0, 1))
        few = windows(faint, (side // COARSE, side // COARSE))
        self.grid = few.shape[:2]
        self.faint = np.ascontiguousarray(few).reshape(-1, (side // COARSE) ** 2)

    def at(self, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the places (N, 2) with these ``numbers``, counted at 1 / ``SMALL``."""
        return np.stack(np.unravel_index(numbers, self.grid), -1) * COARSE

    def like(self, tile: Field, share: Field, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the one of the places with these ``numbers`` that is most like a ``tile``
        (h, w, 3) of strokes, whose pixels have the weights ``share`` (h, w)."""
        weighted = tile * share[..., None]
        mean = weighted.sum((0, 1)) / share.sum()
        if len(numbers) > CLOSER:
            weights = _coarse(share)
            faint = _coarse(weighted.mean(2)) / np.maximum(weights, 1e-6) - mean.mean()
            cost = np.square(self.faint[numbers] - faint.ravel()) @ np.square(weights).ravel()
            numbers = numbers[np.argpartition(cost, CLOSER)[:CLOSER]]
        places = self.at(numbers)
        differs = self.whole[places[:, 0], places[:, 1]] - (tile - mean).transpose(2, 0, 1)
        differs *= share
        return np.asarray(places[np.einsum("nchw,nchw->n", differs, differs).argmin()])


def _coarse(values: Field) -> Field:
    size = values.shape[1] // COARSE, values.shape[0] // COARSE
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _full_size(y: int, x: int) -> tuple[slice, slice]:
    """Return the place, at full size, of the tile that begins at ``y``, ``x`` at 1 / ``COARSE``."""
    top, left = y * COARSE, x * COARSE
    return slice(top, top + STROKE_TILE), slice(left, left + STROKE_TILE)


def _bare_tiles(kept: Field) -> dict[tuple[int, int], float]:
    """Return the tiles that are not ``kept`` (H, W), by row and column at 1 / ``COARSE``, with the
    share that is bare."""
    height, width = kept.shape
    found = {}
    bare = cv2.integral(1 - kept)
    for top in range(0, height, STROKE_TILE - OVERLAP):
        for left in range(0, width, STROKE_TILE - OVERLAP):
            # The last tile of a row or column is moved in, to be whole.
            y = min(top, height - STROKE_TILE) // COARSE
            x = min(left, width - STROKE_TILE) // COARSE
            above, below = (bare[line] for line in (y * COARSE, y * COARSE + STROKE_TILE))
            before, after = x * COARSE, x * COARSE + STROKE_TILE
            area = below[after] - below[before] - above[after] + above[before]
            if area > WORTH * STROKE_TILE**2:
                found[y, x] = float(area) / STROKE_TILE**2
    return found


def _alike(
    source: Image, other: Image, tiles: Sequence[tuple[int, int]]
) -> Iterator[NDArray[np.intp]]:
    """Yield, for each tile of the frame ``other``, the numbers of the places of ``source`` that
    look like it, or of all places where none does; ``PLACES`` at most.

    Pictures are compared at 1 / ``SMALL``, where sums of squares are exact in single precision.
    """
    size = (source.shape[1] // SMALL, source.shape[0] // SMALL)
    side, step = STROKE_TILE // SMALL, SMALL // COARSE
    old, new = (
        torch.from_numpy(resized(picture, size)).permute(2, 0, 1)[None].float()
        for picture in (source, other)
    )
    energy = F.conv2d(old.square(), torch.ones(1, 3, side, side))
    for begin in range(0, len(tiles), TOGETHER):
        cut = [
            new[:, :, y // step : y // step + side, x // step : x // step + side]
            for y, x in tiles[begin : begin + TOGETHER]
        ]
        looks = torch.cat(cut)
        match = F.conv2d(old, looks).mul_(-2).add_(energy)
        match.add_(looks.square().sum((1, 2, 3))[:, None, None]).div_(looks[0].numel())
        for one in match[0].flatten(1).numpy():
            least = one.min()
            none = least > UNLIKE**2
            found = np.arange(one.size) if none else np.flatnonzero(one <= least + SAME_LOOK**2)
            yield found[:: -(-len(found) // PLACES)]
