"""The base class of perceptual networks: named steps, cut after the last one that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType

import torch
from torch import Tensor, nn

from ..core.errors import unknown

Features = dict[str, Tensor]
"""Feature maps (1, C, h, w) by layer."""
Vjp = Callable[[Features], Tensor]
"""A vector-Jacobian product.

It maps the gradients of the layers' features to the gradient of the picture (1, 3, H, W).
"""


Sides = tuple[bool, bool, bool, bool]
"""A flag for each side of a rectangle: above, below, left, right."""
NOT_THE_WEIGHTS = (True, False, False)
"""Which gradients of a convolution to compute: that of its input, not of weights or bias."""

NOWHERE: Sides = (False, False, False, False)
Lines = tuple[EllipsisType, int, slice] | tuple[EllipsisType, int]
EDGES: tuple[tuple[Lines, Lines], ...] = (
    ((..., 0, slice(None)), (..., 1, slice(None))),
    ((..., -1, slice(None)), (..., -2, slice(None))),
    ((..., 0), (..., 1)),
    ((..., -1), (..., -2)),
)
"""Indices of the outermost line of padded features and of the line next to it.

In the order of ``Sides``: above, below, left, right.
"""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The features around a part of a picture, for when only that part changes."""

    padded: Mapping[str, Tensor]
    """By convolution: its input for the part, with one more position on each side (1, C, h, w)."""
    known: Sides
    """Whether the picture continues beyond the part on that side."""


class Network(nn.Module):
    """Maps pictures to feature maps in named steps, which subclasses implement.

    Every convolution pads its input by repeating the edge. Zero padding would paint a dark border
    around every frame, because the style's Gram matrix would reward it.

    Args:
        name: the network's name, for error messages.
        order: the names of all its steps, in order.
        wanted: the names of the steps whose features are wanted.
        mean, scale: the input it was trained on: RGB in 0..1, minus ``mean``, times ``scale``.

    Raises:
        UsageError: a wanted step does not exist. The message names the closest existing one.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        name: str,
        order: Sequence[str],
        wanted: Iterable[str],
        mean: Collection[float],
        scale: Collection[float],
    ) -> None:
        super().__init__()
        self.layers = set(wanted)
        for step in self.layers:
            if step not in order:
                raise unknown(f"layer of {name}", step, order)
        last = max((order.index(step) for step in self.layers), default=-1)
        self.order: Sequence[str] = order[: last + 1]
        self.strides = dict.fromkeys(self.order, 1)
        """The distance of neighboring features in pixels, by step; 1 where it is not known."""
        self.receptive_radius: int | None = None
        """Radius, in pixels, of the deepest layer's receptive field. None if unknown."""
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(tuple(scale)).view(1, 3, 1, 1))

    def ready(self) -> None:
        """Freeze the network and set its memory layout.

        Subclasses call this at the end of their constructor.
        """
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)
        self.eval()

    def step(self, name: str, x: Tensor) -> Tensor:
        """Apply the step ``name`` to ``x`` (1, C, h, w), the output of the step before it."""
        raise NotImplementedError

    def forward(self, picture: Tensor) -> Features:
        """Return the wanted features of a ``picture`` (1, 3, H, W), RGB in 0..1, by layer."""
        x = self.ranged(picture)
        features = {}
        for name in self.order:
            x = self.step(name, x)
            if name in self.layers:
                features[name] = x
        return features

    def surroundings(
        self, picture: Tensor, rows: slice, columns: slice
    ) -> tuple[Features, Surroundings]:
        """Compute the features of a picture, and the surroundings of a part of it.

        Only networks whose strides are known implement this.

        Args:
            picture: the whole picture (1, 3, H, W), RGB in 0..1.
            rows, columns: the part, in pixels. Its bounds are multiples of the largest stride,
                except at the picture's edges.

        Returns:
            The features of the whole picture, and the surroundings of the part.
        """
        raise NotImplementedError

    def forward_vjp(
        self, picture: Tensor, around: Surroundings | None = None
    ) -> tuple[Features, Vjp]:
        """Compute features as ``forward`` does, and a VJP function that may be called once.

        Args:
            picture: (1, 3, H, W), RGB in 0..1.
            around: the surroundings, if ``picture`` is a part of a larger one. The features are
                then those of the part within the larger picture, with all that lies around it
                taken as unchanged.

        Returns:
            The features, and the function from their gradients to the gradient of ``picture``.
        """
        picture = picture.detach().requires_grad_()
        with torch.enable_grad():
            features = self(picture)

        def back(grads: Features) -> Tensor:
            names = [*grads]
            (grad,) = torch.autograd.grad(
                [features[name] for name in names], picture, [grads[name] for name in names]
            )
            return grad

        return {name: values.detach() for name, values in features.items()}, back

    def ranged(self, picture: Tensor) -> Tensor:
        """Normalize a picture (1, 3, H, W) as the network expects it, in the network's dtype."""
        dtype = next(self.parameters()).dtype
        x = (picture - self.mean) * self.scale
        return x.to(dtype, memory_format=torch.channels_last)
