"""What of a painted frame is kept for the next one.

A warm start is what makes painting a clip affordable, and what freezes, smears or leaves
unpainted whatever moves. So each pixel of the new frame gets one of three treatments:

- *still*: the source there is what it was when it was painted, or what lay there before
  something passed by. The paint stays, or comes back, to the bit.
- *trusted*: it moved, and the flow says where from. The paint is carried along.
- *untrusted*: it was not seen before. The source is recolored as the paint around it was,
  and painted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..core.images import Field, Image, difference, resized, unit
from . import flow
from .flow import Both

NOISE = 8.0
"""A source color (0..255, mean of 5x5) that differs by less is unchanged: video is noisy."""
MISMATCH = 25.0
"""A flow is wrong where the colors that it joins differ by more."""
SWAY = 0.4
"""Where more than this share of the sharp places along the sides of the frame changes …"""
SPREAD = 0.25
"""… in more than this share of the outer cells of an 8x8 grid, the camera moves."""
SHARP = 16.0
"""A slope of color, in levels a pixel, that is seen to change when it moves by half a pixel."""
SETTLED = 5
"""Frames that a place must be still for to be remembered as background."""
BORDER = 15
"""What changes takes so much around it along, in pixels across: its outline is painted there."""
SMALLEST_CHANGE = 17
"""Changes smaller than this, in pixels across, are the noise of compression."""
SAMPLED = 3
"""Pixels, across and down, of which the map of colors takes one: an odd number, since the patterns
of dithered animations have even ones."""
STROKE_TILE, OVERLAP = 32, 8
"""Strokes are taken over in squares of so many pixels, that fade into each other."""
UNLIKE = 3 * NOISE
"""Levels by which sources differ, on average, that nothing there is alike."""
ENOUGH = 0.05
"""The share of a tile that strokes are known for, at least, to go on from them."""
COARSE, SMALL = 2, 4
"""The fractions of the size at which strokes are compared, and sources."""
PLACES = 1000
"""Alike places whose strokes are compared, at most."""
TOGETHER = 64
"""Tiles that are looked for at once."""
_ramp = np.minimum(1, (np.arange(STROKE_TILE, dtype=np.float32) + 0.5) / OVERLAP)
_ramp = np.minimum(_ramp, _ramp[::-1])
FADE = (_ramp[:, None] * _ramp)[..., None]
"""The weight of a tile's pixels (STROKE_TILE, STROKE_TILE, 1)."""


@dataclass(frozen=True, eq=False)
class Painting:
    """A painted picture and the source that it is the painting of (H, W, 3)."""

    source: Image
    painted: Image

    @cached_property
    def colors(self) -> ColorMap:
        """How its source was colored."""
        return ColorMap(self)

    @cached_property
    def strokes(self) -> Field:
        """What its colors cannot explain (H, W, 3), around 0: brush strokes."""
        rest = unit(self.painted) - self.colors(self.source)
        # Around 0 everywhere: what is lighter in one place would make it lighter in all others.
        rest -= cv2.blur(rest, (STROKE_TILE, STROKE_TILE), borderType=cv2.BORDER_REPLICATE)
        limit = 2 * rest.std()  # the outlines of things are not strokes, and stand out
        return rest.clip(-limit, limit)

    def where(self, mask: NDArray[np.bool_], other: Painting) -> Painting:
        """This painting where ``mask`` (H, W) is, the ``other`` one elsewhere."""
        mask = mask[..., None]
        return Painting(
            np.where(mask, self.source, other.source), np.where(mask, self.painted, other.painted)
        )


@dataclass(frozen=True, eq=False)
class TemporalState:
    """What is remembered of a shot."""

    first: Painting
    """The shot's first frame, whose look the others keep: copies of copies would fade."""
    last: Painting
    """The frame before; its still parts with the source of the frame that they were painted in."""
    background: Painting
    """What each place looked like when it last lay still for long: what comes back when a
    passer-by has gone is not painted anew."""
    known: NDArray[np.bool_]
    """Where the background has been seen."""
    calm: NDArray[np.uint8]
    """For how many frames each place has been still (H, W)."""
    past: tuple[Painting, ...]
    """The last frames as they were, the latest last."""

    @classmethod
    def begin(cls, source: Image, painted: Image, first: Painting | None = None) -> TemporalState:
        """The state after the first frame of a shot, or of a pass through one."""
        last = Painting(source, painted)
        shape = source.shape[:2]
        return cls(
            first or last, last, last, np.zeros(shape, bool), np.zeros(shape, np.uint8), (last,)
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name, for ``of``."""
        paintings = {"first": self.first, "last": self.last, "ground": self.background}
        paintings |= {f"past{i}": painting for i, painting in enumerate(self.past)}
        found = {
            f"{name}.{part}": getattr(painting, part)
            for name, painting in paintings.items()
            for part in ("source", "painted")
        }
        return {"known": self.known, "calm": self.calm, **found}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> TemporalState:
        """The state that ``arrays`` were taken of."""

        def painting(name: str) -> Painting:
            return Painting(arrays[f"{name}.source"], arrays[f"{name}.painted"])

        past: list[Painting] = []
        while f"past{len(past)}.source" in arrays:
            past.append(painting(f"past{len(past)}"))
        first, last, background = (painting(name) for name in ("first", "last", "ground"))
        return cls(first, last, background, arrays["known"], arrays["calm"], tuple(past))


@dataclass(frozen=True, eq=False)
class WarmStart:
    """Where the painting of a new frame begins. Pictures (H, W, 3) and masks (H, W) in 0..1."""

    start: Field
    """What to paint over."""
    warped: Field
    """The paintings before, laid over this frame."""
    trust: Field
    """Where ``warped`` is to be kept."""
    still: NDArray[np.bool_]
    """Where nothing may change."""
    origin: Image
    """The source that was there when it was painted, where it is still."""

    def over(self, own: Image, share: float) -> WarmStart:
        """For a frame that has a painting of its ``own``: only a ``share`` of the others' goes
        into it, where they are trusted (Ruder et al. 2016, their multi-pass algorithm)."""
        values = unit(own)
        warped = values + share * (self.warped - values)
        # As the optimizer will see it: a still pixel must be a color that can be written.
        warped = np.rint(warped.clip(0, 1) * 255) / 255
        return replace(
            self, start=values + self.trust[..., None] * (warped - values), warped=warped
        )

    def remember(
        self, state: TemporalState, source: Image, painted: Image, frames: int = 1
    ) -> TemporalState:
        """The state for the next frame, with the last ``frames`` frames in it."""
        last = Painting(np.where(self.still[..., None], self.origin, source), painted)
        calm = np.where(self.still, np.minimum(state.calm, 254) + 1, 0).astype(np.uint8)
        settled = calm >= SETTLED
        background = last.where(settled, state.background)
        past = (*state.past, Painting(source, painted))[-frames:]
        return TemporalState(state.first, last, background, state.known | settled, calm, past)


def warm_start(
    state: TemporalState, source: Image, flows: Both, distances: Sequence[int] = (1,)
) -> WarmStart:
    """Carry what is in ``state`` over to the frame ``source``.

    ``distances`` says which earlier frames to take paint from, so many frames back. Each pixel is
    trusted once: to an older frame it only goes where no nearer one is to be had (the long-term
    consistency of Ruder et al. 2016; also after a motion that hides things for a while). Since
    all trust adds up to 1 at most, one loss against the mean of what is carried has the
    gradient of their sum of losses.
    """
    same, bared = unchanged(state, source)
    still = same | bared
    kept = state.last.where(same, state.background)
    trust = still.astype(np.float32)
    warped = unit(np.where(still[..., None], kept.painted, 0))
    for distance in sorted(distances):
        if distance <= len(state.past) and not (trust == 1).all():
            warm, reached = _along(state.past[-distance], source, flows)
            new = np.clip(reached - trust, 0, 1)
            trust += new
            warped += new[..., None] * warm
    warped /= np.maximum(trust, 1e-6)[..., None]
    colors = state.last.colors(source)
    start = np.clip(colors + strokes_for(source, state.first, warped - colors, trust), 0, 1)
    start += trust[..., None] * (warped - start)
    return WarmStart(start, warped, trust, still, kept.source)


def trusted(source: Image, old: Image, forward: Field, backward: Field) -> Field:
    """Where the flow ``forward`` of a frame ``source`` into an ``old`` one may be believed (H, W),
    given the flow ``backward``: not where it joins different colors, either."""
    trust = flow.trust(forward, backward)
    if flow.blind(source):
        trust[:] = 0
    trust[difference(source, flow.warp(old, forward)) > MISMATCH] = 0
    return trust


def _along(old: Painting, source: Image, flows: Both) -> tuple[Field, Field]:
    """An ``old`` painting laid over the frame ``source``, and where that is to be trusted."""
    forward, backward = flows(source, old.source)
    trust = trusted(source, old.source, forward, backward)
    # A sharper interpolation than bilinear: paint that is carried a hundred times must not fog.
    return unit(flow.warp(old.painted, forward, cv2.INTER_LANCZOS4)), trust


def unchanged(state: TemporalState, source: Image) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the source is what it was, but for noise, and where the background has come back.

    What changes has a border around it, for paint to join; the background may come close to it.
    """
    changed = difference(source, state.last.source) >= NOISE
    if _sways(state.last.source, changed):
        nothing = np.zeros_like(changed)
        return nothing, nothing
    grown = cv2.dilate(changed.astype(np.uint8), np.ones((BORDER, BORDER), np.uint8))
    same = (
        cv2.morphologyEx(
            grown, cv2.MORPH_OPEN, np.ones((SMALLEST_CHANGE, SMALLEST_CHANGE), np.uint8)
        )
        == 0
    )
    other = (difference(source, state.background.source) >= NOISE).astype(np.uint8)
    returned = state.known & (cv2.dilate(other, np.ones((3, 3), np.uint8)) == 0)
    return same, returned & ~same


def _sways(picture: Image, changed: NDArray[np.bool_]) -> bool:
    """Whether the camera moves: what cannot move unseen has changed, along the frame's sides, and
    not in one place only. (What fills the middle may well be one thing that moves.)
    """
    gray = cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (5, 5))
    down, across = np.gradient(gray)
    sharp = np.hypot(down, across) > SHARP
    height, width = (side // 8 for side in sharp.shape)
    sharp[height:-height, width:-width] = False
    cells = cv2.resize(changed.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA) > 0.02
    outer = np.ones((8, 8), bool)
    outer[1:-1, 1:-1] = False
    return bool(sharp.any() and changed[sharp].mean() > SWAY and cells[outer].mean() > SPREAD)


class ColorMap:
    """How the colors of a source were painted, place by place.

    The guided filter (He et al. 2013) as a map of colors: in every window of ``radius`` the
    painting is fitted as a linear function of its source; where a window has too little in it
    for that, as all the frame has it. Used on another source, the sky takes the colors of the
    painted sky, and a coat those of painted coats. It changes slowly from place to place, so it is
    made of one pixel in nine (the fast guided filter, He and Sun 2015).
    """

    def __init__(self, painting: Painting, radius: int = 24, smooth: float = 1e-2) -> None:
        step = SAMPLED if min(painting.source.shape[:2]) >= 2 * radius * SAMPLED else 1
        self.size = (2 * (radius // step) + 1,) * 2
        guide = unit(painting.source[::step, ::step])
        paint = unit(painting.painted[::step, ::step])
        guide_mean, paint_mean = self._mean(guide), self._mean(paint)
        variance = self._mean(guide[..., :, None] * guide[..., None, :])
        variance -= guide_mean[..., :, None] * guide_mean[..., None, :]
        shared = self._mean(guide[..., :, None] * paint[..., None, :])
        shared -= guide_mean[..., :, None] * paint_mean[..., None, :]
        ridge = smooth * np.eye(3, dtype=np.float32)
        # NumPy's takes seven times as long for many small systems.
        grad = torch.linalg.solve(
            torch.from_numpy(variance + ridge),
            torch.from_numpy(shared + ridge @ _global_slope(guide, paint)),
        ).numpy()
        offset = paint_mean - np.einsum("hwi,hwij->hwj", guide_mean, grad)
        self.grad, self.offset = np.moveaxis(self._mean(grad), 2, 0).copy(), self._mean(offset)

    def _mean(self, values: Field) -> Field:
        flat = values.reshape(*values.shape[:2], -1)
        blurred = cv2.blur(flat, self.size, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32).reshape(values.shape)

    def __call__(self, source: Image) -> Field:
        """``source`` in painted colors (0..1)."""
        size = source.shape[1::-1]
        found = cv2.resize(self.offset, size, interpolation=cv2.INTER_LINEAR)
        for channel, slope in zip(cv2.split(unit(source)), self.grad, strict=True):
            found += channel[..., None] * cv2.resize(slope, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(found.clip(0, 1), np.float32)


def _global_slope(guide: Field, paint: Field) -> Field:
    """The linear map (3, 3) of all of a source to its painting, about their means."""
    centered = [p.reshape(-1, 3) - p.mean((0, 1)) for p in (guide, paint)]
    variance = centered[0].T @ centered[0] / len(centered[0]) + 1e-3 * np.eye(3)
    slope = np.linalg.solve(variance, centered[0].T @ centered[1] / len(centered[0]))
    return np.asarray(slope, np.float32)


def strokes_for(source: Image, painting: Painting, known: Field, kept: Field) -> Field:
    """Brush strokes (H, W, 3), around 0, for the frame ``source``, where it has none to be
    ``kept`` (H, W), in 0..1.

    Each tile takes those of a place of ``painting`` whose source looks like its own; of any place,
    where none does. Of these it takes the one that best goes on from the ``known`` strokes
    (H, W, 3) beside it: what a scene uncovers frame by frame is one piece, not strip after strip
    of the same strokes (by the neighborhoods of Efros and Leung 1999).
    """
    height, width = kept.shape
    found = np.zeros((height, width, 3), np.float32)
    if min(height, width) < STROKE_TILE:
        return found
    size = (width // COARSE, height // COARSE)
    side = STROKE_TILE // COARSE
    strokes, covered, laid = (
        np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
        for values in (painting.strokes, kept, kept[..., None] * known)
    )
    laid /= np.maximum(covered, 1e-6)[..., None]
    patches = np.lib.stride_tricks.sliding_window_view(strokes, (side, side), (0, 1))
    weight = np.full((height, width, 1), 1e-6, np.float32)
    tiles = _bare_tiles(kept)
    for (y, x), places in zip(tiles, _alike(painting.source, source, tiles), strict=True):
        here = slice(y, y + side), slice(x, x + side)
        share = covered[here]
        if share.mean() > ENOUGH:
            worth = _mismatch(patches[places[:, 0], places[:, 1]], laid[here], share)
        else:
            worth = np.square(places - (y, x)).sum(1)
        there = (
            slice(y * COARSE, y * COARSE + STROKE_TILE),
            slice(x * COARSE, x * COARSE + STROKE_TILE),
        )
        y, x = places[worth.argmin()]
        taken = np.s_[y * COARSE : y * COARSE + STROKE_TILE, x * COARSE : x * COARSE + STROKE_TILE]
        found[there] += painting.strokes[taken] * FADE
        weight[there] += FADE
        added = strokes[y : y + side, x : x + side]
        laid[here] += (1 - share[..., None]) * (added - laid[here])
        covered[here] = 1
    return found / weight


def _bare_tiles(kept: Field) -> list[tuple[int, int]]:
    """Where those tiles of a frame begin that are not all ``kept`` (H, W): row and column, at
    1 / ``COARSE`` of its size."""
    height, width = kept.shape
    found = []
    for top in range(0, height, STROKE_TILE - OVERLAP):
        for left in range(0, width, STROKE_TILE - OVERLAP):
            # The last tile of a row or column is moved in, to be whole.
            y, x = (
                (min(at, most - STROKE_TILE) // COARSE)
                for at, most in ((top, height), (left, width))
            )
            if (kept[y * COARSE :, x * COARSE :][:STROKE_TILE, :STROKE_TILE] < 1).any():
                found.append((y, x))
    return found


def _alike(
    source: Image, other: Image, tiles: Sequence[tuple[int, int]]
) -> Iterator[NDArray[np.intp]]:
    """For each tile of the frame ``other``, the places (N, 2) of a ``source`` (H, W, 3) that look
    like it, ``PLACES`` of them at most; of all, where none does. As ``_bare_tiles`` says where.

    Compared at 1 / ``SMALL`` of the size, where sums of squares are exact in single precision.
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
            found = np.arange(one.size) if none else np.flatnonzero(one <= least + NOISE**2)
            found = found[:: -(-len(found) // PLACES)]
            yield np.stack(np.unravel_index(found, energy.shape[2:]), -1) * step


def _mismatch(patches: Field, tile: Field, share: Field) -> Field:
    """How much each of some ``patches`` (N, 3, h, w) differs from a ``tile`` (h, w, 3), of which
    each pixel counts by its ``share`` (h, w): (N,)."""
    mean = (tile * share[..., None]).sum((0, 1)) / share.sum()
    differs = (patches - (tile - mean).transpose(2, 0, 1)) * share
    return np.asarray(np.einsum("nchw,nchw->n", differs, differs), np.float32)
