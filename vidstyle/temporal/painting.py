"""A painted frame, taken apart into colors that follow its source and strokes that do not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..core.images import Field, Image, unit

STROKE_TILE = 32
"""Side, in pixels, of the squares that strokes are copied in."""
SAMPLED = 3
"""The color map uses one pixel in so many, across and down. Odd, because the patterns of dithered
animations are even."""


@dataclass(frozen=True, eq=False)
class Painting:
    """A painted picture and its source, both (H, W, 3) uint8."""

    source: Image
    painted: Image

    @cached_property
    def colors(self) -> ColorMap:
        """The map from the colors of the source to those of the painting."""
        return ColorMap(self)

    @cached_property
    def strokes(self) -> Field:
        """Brush strokes (H, W, 3), around 0: the painting less what the color map explains."""
        rest = unit(self.painted) - self.colors(self.source)
        # Around 0 everywhere: what is lighter in one place would make it lighter in all others.
        rest -= cv2.blur(rest, (STROKE_TILE, STROKE_TILE), borderType=cv2.BORDER_REPLICATE)
        limit = 2 * rest.std()  # the outlines of things are not strokes, and stand out
        return rest.clip(-limit, limit)

    def where(self, mask: NDArray[np.bool_], other: Painting) -> Painting:
        """Return this painting inside ``mask`` (H, W), and the ``other`` one outside."""
        if mask.all():
            return self
        if not mask.any():
            return other
        inside = mask.astype(np.uint8)
        return Painting(
            *(
                np.asarray(cv2.copyTo(here, inside, there.copy()), np.uint8)
                for here, there in ((self.source, other.source), (self.painted, other.painted))
            )
        )


class ColorMap:
    """A map from source colors to painted colors that varies slowly over the picture.

    The guided filter (He et al. 2013), with the source as the guide I and the painting as the
    input p: in each window of ``radius`` pixels p is fitted as a·I + b. Where a window has too
    little contrast for that, the fit falls back on that of the whole picture. Applied to another
    source, the sky takes the colors of the painted sky, and a coat those of painted coats. The
    fit uses one pixel in nine (the fast guided filter, He and Sun 2015).

    Args:
        painting: the source and its painting.
        radius: of a window, in pixels.
        eps: the regularization of the fit; ε in the paper.
    """

    def __init__(self, painting: Painting, radius: int = 24, eps: float = 1e-2) -> None:
        step = SAMPLED if min(painting.source.shape[:2]) >= 2 * radius * SAMPLED else 1
        self.window = (2 * (radius // step) + 1,) * 2
        guide = unit(painting.source[::step, ::step])
        paint = unit(painting.painted[::step, ::step])
        mean_i, mean_p = self._mean(guide), self._mean(paint)
        cov_i = self._mean(guide[..., :, None] * guide[..., None, :])
        cov_i -= mean_i[..., :, None] * mean_i[..., None, :]
        cov_ip = self._mean(guide[..., :, None] * paint[..., None, :])
        cov_ip -= mean_i[..., :, None] * mean_p[..., None, :]
        ridge = eps * np.eye(3, dtype=np.float32)
        # NumPy's takes seven times as long for many small systems.
        a = torch.linalg.solve(
            torch.from_numpy(cov_i + ridge),
            torch.from_numpy(cov_ip + ridge @ _global_fit(guide, paint)),
        ).numpy()
        b = mean_p - np.einsum("hwi,hwij->hwj", mean_i, a)
        self.mean_a, self.mean_b = np.moveaxis(self._mean(a), 2, 0).copy(), self._mean(b)

    def __call__(self, source: Image) -> Field:
        """Return ``source`` (H, W, 3) in painted colors (H, W, 3), in 0..1."""
        size = source.shape[1::-1]
        found = cv2.resize(self.mean_b, size, interpolation=cv2.INTER_LINEAR)
        for channel, a in zip(cv2.split(unit(source)), self.mean_a, strict=True):
            found += channel[..., None] * cv2.resize(a, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(found.clip(0, 1), np.float32)

    def _mean(self, values: Field) -> Field:
        flat = values.reshape(*values.shape[:2], -1)
        blurred = cv2.blur(flat, self.window, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(blurred, np.float32).reshape(values.shape)


def _global_fit(guide: Field, paint: Field) -> Field:
    """Fit the linear map (3, 3) of a whole source to its painting, about their means."""
    centered = [p.reshape(-1, 3) - p.mean((0, 1)) for p in (guide, paint)]
    cov_i = centered[0].T @ centered[0] / len(centered[0]) + 1e-3 * np.eye(3)
    return np.asarray(
        np.linalg.solve(cov_i, centered[0].T @ centered[1] / len(centered[0])), np.float32
    )
