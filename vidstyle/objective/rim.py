"""The rim of a frame mirrors what is further in, so that no fringe is painted along its sides."""

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

    No Gram matrix counts them (``losses.inner``). If they were free, they would take any color that
    improves the features beside them.
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

    def inside(self, picture: Tensor) -> Tensor:
        """Return a picture or mask (1, C, h, w) without the rim."""
        left, right, top, bottom = self.widths
        height, width = picture.shape[2:]
        return picture[..., top : height - bottom, left : width - right]

    def around(self, inside: Tensor) -> Tensor:
        """Return the picture that is ``inside``, with the rim."""
        picture = F.pad(inside, self.widths, mode="reflect")
        return picture if self.held is None else torch.where(self.held > 0, self.start, picture)

    def folded(self, gradient: Tensor) -> Tensor:
        """Differentiate by what is inside, given the gradient by the picture."""
        if self.held is not None:
            gradient = gradient.masked_fill(self.held > 0, 0)
        left, right, top, bottom = self.widths
        return _folded(_folded(gradient, 2, top, bottom), 3, left, right)

    def closure(self, loss: Closure) -> Closure:
        """Return ``loss`` as a function of what is inside."""

        def evaluate(inside: Tensor) -> tuple[Tensor, Tensor]:
            terms, gradient = loss(self.around(inside))
            return terms, self.folded(gradient)

        return evaluate


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
