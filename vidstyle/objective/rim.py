"""The rim of a frame has the chroma of what it mirrors, so that no fringe is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .losses import rim_width
from .optimizers import Closure
from .tiles import Window


@dataclass(frozen=True, eq=False)
class Rim:
    """The outermost pixels of a frame, in a part of it.

    No Gram matrix counts them (``losses.inner``). If their color were free, it would be whatever
    improves the features beside them. So only their brightness (the mean of the channels) is. If
    that were mirrored, too, one would see a symmetric pattern along the sides.
    """

    widths: tuple[int, int, int, int]
    """Pixels on the left, on the right, at the top and at the bottom of the part."""
    start: Tensor
    """The part at first (1, 3, h, w)."""
    held: Tensor | None = None
    """Where it stays as it is (1, 1, h, w), 1 or 0."""

    @classmethod
    def of(cls, start: Tensor, held: Tensor | None, part: Window, size: Sequence[int]) -> Rim:
        """Return the rim of the ``part`` of a frame of this ``size`` (height, width)."""
        height, width = size
        rim = rim_width(size)
        sides = part.left == 0, part.right == width, part.top == 0, part.bottom == height
        left, right, top, bottom = (rim * at_side for at_side in sides)
        return cls((left, right, top, bottom), start, held)

    def colored(self, picture: Tensor) -> Tensor:
        """Return a ``picture`` (1, 3, h, w) whose rim has the chroma of what it mirrors."""
        return self._colored(picture).clamp(0, 1) if any(self.widths) else picture

    def closure(self, loss: Closure) -> Closure:
        """Return the ``loss`` of a picture with that rim, as a function of any picture."""
        if not any(self.widths):
            return loss

        def evaluate(picture: Tensor) -> tuple[Tensor, Tensor]:
            colored = self._colored(picture)
            terms, gradient = loss(colored.clamp(0, 1))
            return terms, self._gradient(gradient.masked_fill((colored < 0) | (colored > 1), 0))

        return evaluate

    def _colored(self, picture: Tensor) -> Tensor:
        mirrored = F.pad(self._inside(picture), self.widths, mode="reflect")
        # Inside, this changes nothing but the last bits.
        colored = mirrored + (picture - mirrored).mean(1, keepdim=True)
        self._inside(colored).copy_(self._inside(picture))
        return colored if self.held is None else torch.where(self.held > 0, self.start, colored)

    def _gradient(self, gradient: Tensor) -> Tensor:
        """Differentiate by a picture, given the ``gradient`` by what it becomes."""
        if self.held is not None:
            gradient = gradient.masked_fill(self.held > 0, 0)
        brightness = gradient.mean(1, keepdim=True).expand_as(gradient).clone()
        chroma = gradient - brightness
        self._inside(chroma).copy_(self._inside(gradient))
        left, right, top, bottom = self.widths
        self._inside(brightness).copy_(_folded(_folded(chroma, 2, top, bottom), 3, left, right))
        return brightness

    def _inside(self, picture: Tensor) -> Tensor:
        """Return a view of a picture (1, C, h, w) without the rim."""
        left, right, top, bottom = self.widths
        height, width = picture.shape[2:]
        return picture[..., top : height - bottom, left : width - right]


def _folded(gradient: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Add what so many lines ``before`` and ``after`` the others mirror to those that they mirror.

    Line by line and not by autograd, which adds in no fixed order on a GPU.
    """
    count = gradient.shape[axis] - before - after
    inside = gradient.narrow(axis, before, count).clone()
    inside.narrow(axis, 1, before).add_(gradient.narrow(axis, 0, before).flip(axis))
    last = gradient.narrow(axis, before + count, after).flip(axis)
    inside.narrow(axis, count - 1 - after, after).add_(last)
    return inside
