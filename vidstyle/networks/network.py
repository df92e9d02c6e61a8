"""What all perceptual networks are: named steps, cut after the last one asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.errors import unknown

Features = dict[str, Tensor]
"""By layer: (1, C, h, w)."""
Vjp = Callable[[Features], Tensor]
"""Maps the gradient of each layer's features to that of the picture (1, 3, H, W)."""


Sides = tuple[bool, bool, bool, bool]
"""Something of the sides above, below, to the left and to the right."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around a part of a picture that changes while all else is as it was."""

    padded: Mapping[str, Tensor]
    """By convolution: what it is given for the part, with one more on each side (1, C, h, w)."""
    known: Sides
    """Whether the picture goes on there, beyond the part."""


class Network(nn.Module):
    """Maps pictures to feature maps, step by step. What a step does is up to the subclass.

    Every convolution is padded by repeating the edge: zeros would paint a dark border round
    every frame, because the style's Gram matrix would reward it.

    Args:
        name: of the network, for messages.
        order: the names of its steps; each can be asked for.
        wanted: the steps whose features are wanted.
        mean, scale: the input it was trained on: RGB in 0..1, less ``mean``, times ``scale``.

    Raises:
        UsageError: a step is wanted that there is not, with the nearest right name.
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
        """How many pixels apart a step's features are, where that is known."""
        self.receptive_radius: int | None = None
        """How far, in pixels, the deepest features depend on the picture; None: unknown."""
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(tuple(scale)).view(1, 3, 1, 1))

    def ready(self) -> None:
        """Call at the end of a subclass's construction."""
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)
        self.eval()

    def step(self, name: str, x: Tensor) -> Tensor:
        """What the step ``name`` makes of the features (1, C, h, w) before it."""
        raise NotImplementedError

    def forward(self, picture: Tensor) -> Features:
        """Features by layer of a ``picture`` (1, 3, H, W), RGB in 0..1."""
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
        """Features of a ``picture`` (1, 3, H, W), and what lies around these ``rows`` and
        ``columns`` of it, which are multiples of the largest stride but at its edges. Only of a
        network whose strides are known."""
        raise NotImplementedError

    def forward_vjp(
        self, picture: Tensor, around: Surroundings | None = None
    ) -> tuple[Features, Vjp]:
        """Features as ``forward`` gives them, and a VJP function that may be called once.

        With what is ``around`` it, features of a part are as in the whole picture, but that what
        is around stays as it was.
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
        """A picture normalized as the network expects it."""
        dtype = next(self.parameters()).dtype
        x = (picture - self.mean) * self.scale
        return x.to(dtype, memory_format=torch.channels_last)
