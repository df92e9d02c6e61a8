"""VGG as a set of feature maps (Simonyan and Zisserman 2014), cut after the last wanted layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import bordered
from . import weights as weight_files
from .network import EDGES, NOT_THE_WEIGHTS, NOWHERE, Features, Network, Sides, Surroundings, Vjp

Pooling = Literal["max", "avg"]

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def shapes(network: str) -> dict[str, tuple[int, int]]:
    """Return the (out, in) channels of each convolution of ``network``, in order."""
    found, into = {}, 3
    for block, (count, out) in enumerate(zip(CONVOLUTIONS[network], CHANNELS, strict=True), 1):
        for number in range(1, count + 1):
            found[f"conv{block}_{number}"] = (out, into)
            into = out
    return found


def layers(network: str) -> list[str]:
    """Return the names of the layers of ``network``, in order: conv1_1, relu1_1 … pool5."""
    names = []
    for block, count in enumerate(CONVOLUTIONS[network], 1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    return names


class VGG(Network):
    """VGG-16 or VGG-19.

    Args:
        network: "vgg16" or "vgg19".
        weights: its convolutions, and the normalization of their input.
        wanted: names of the layers whose features are wanted.
        pooling: "max", or "avg" for average pooling.
    """

    def __init__(
        self,
        network: str,
        weights: weight_files.Weights,
        wanted: Iterable[str],
        pooling: Pooling = "max",
    ) -> None:
        super().__init__(network, layers(network), wanted, weights.mean, weights.scale)
        self.pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        if pooling == "max":
            self.order = _cheaper(self.order, self.layers)
        self.convolutions = nn.ModuleDict()
        stride, self.receptive_radius = 1, 0
        for name in self.order:
            stride *= 2 if name.startswith("pool") else 1
            self.receptive_radius += stride if name.startswith("conv") else 0
            self.strides[name] = stride
        for name in self.order:
            if name.startswith("conv"):
                weight, bias = weights.convolutions[name]
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, device="meta")
                conv.load_state_dict({"weight": weight, "bias": bias}, assign=True)
                self.convolutions[name] = conv
        self.ready()

    def step(self, name: str, x: Tensor) -> Tensor:
        if name.startswith("conv"):
            return self.convolutions[name](_padded(x))
        if name.startswith("relu"):
            return F.relu(x)
        # Skipping the pooling gives even a picture of a few pixels deep features.
        return self.pool(x, 2) if min(x.shape[2:]) > 1 else x

    @torch.no_grad()
    def surroundings(
        self, picture: Tensor, rows: slice, columns: slice
    ) -> tuple[Features, Surroundings]:
        height, width = picture.shape[2:]
        known = (rows.start > 0, rows.stop < height, columns.start > 0, columns.stop < width)
        features, found = {}, {}
        x = self.ranged(picture)
        for name in self.order:
            if name.startswith("conv"):
                stride, x = self.strides[name], _padded(x)
                down, across = _part(rows, stride, known[1]), _part(columns, stride, known[3])
                found[name] = x[:, :, down, across].clone()
                x = self.convolutions[name](x)
            else:
                x = self.step(name, x)
            if name in self.layers:
                features[name] = x
        return features, Surroundings(found, known)

    @torch.no_grad()
    def forward_vjp(
        self, picture: Tensor, around: Surroundings | None = None
    ) -> tuple[Features, Vjp]:
        if picture.is_cuda:
            return bordered.forward_vjp(self, picture, around)
        known = NOWHERE if around is None else around.known
        # Differentiated by hand, because autograd spends most of its time moving memory. Here, a
        # ReLU copies no input, padding writes no zeros, and gradients are added in place.
        features: Features = {}
        way: list[tuple[str, Callable[[Tensor], Tensor]]] = []
        x = self.ranged(picture)
        before = ""
        for name in self.order:
            if name.startswith("relu"):
                x = F.relu(x) if before in self.layers else F.relu_(x)
                back = partial(_relu_back, x)
            elif name.startswith("conv"):
                back = partial(self._conv_back, name, x.shape, known)
                x = self.convolutions[name](_padded(x, name, around))
            else:
                with torch.enable_grad():
                    pooled = self.step(name, given := x.requires_grad_())
                back = partial(_pool_back, given, pooled)
                x = pooled.detach()
            way.append((name, back))
            if name in self.layers:
                features[name] = x.detach()
            before = name
        return features, lambda grads: self._vjp(way, grads)

    @torch.no_grad()
    def _vjp(self, way: list[tuple[str, Callable[[Tensor], Tensor]]], grads: Features) -> Tensor:
        grad: Tensor | None = None
        while way:
            name, back = way.pop()
            if name in grads:
                grad = grads[name] if grad is None else grads[name].add_(grad)
            if grad is not None:
                grad = back(grad)
        assert grad is not None
        return grad.float() * self.scale

    def _conv_back(self, name: str, shape: torch.Size, known: Sides, grad: Tensor) -> Tensor:
        one, channels, height, width = shape
        weight = self.convolutions[name].get_parameter("weight")
        # Only the shape of the convolution's input matters, not its values.
        given = torch.empty(
            (one, channels, height + 2, width + 2),
            dtype=weight.dtype,
            device=weight.device,
            memory_format=torch.channels_last,
        )
        around: Tensor = torch.ops.aten.convolution_backward(
            grad, given, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, NOT_THE_WEIGHTS
        )[0]
        # The gradient of a repeated edge belongs to the line that it is a copy of.
        for (edge, beside), fixed in zip(EDGES, known, strict=True):
            if not fixed:
                around[beside] += around[edge]
        return around[:, :, 1:-1, 1:-1]


def _padded(x: Tensor, name: str = "", around: Surroundings | None = None) -> Tensor:
    """Pad features (1, C, h, w) by one position on each side.

    The padding comes from the features ``around`` them before the convolution ``name``. Without
    these, and at the picture's edges, the edge of the features is repeated.
    """
    if around is None:
        # On a GPU, torch's own would change the memory format to and fro.
        return bordered.padded(x) if x.is_cuda else F.pad(x, (1, 1, 1, 1), mode="replicate")
    padded = around.padded[name]
    padded[:, :, 1:-1, 1:-1] = x
    for (edge, beside), fixed in zip(EDGES, around.known, strict=True):
        if not fixed:
            padded[edge] = padded[beside]
    return padded


def _part(side: slice, stride: int, goes_on: bool) -> slice:
    """Convert a slice in pixels to one in padded features, with one more feature at both ends."""
    return slice(side.start // stride, side.stop // stride + 2 if goes_on else None)


def _relu_back(seen: Tensor, grad: Tensor) -> Tensor:
    if grad.is_contiguous(memory_format=torch.channels_last):
        return torch.ops.aten.threshold_backward.grad_input(grad, seen, 0, grad_input=grad)
    return torch.ops.aten.threshold_backward(grad, seen, 0)


def _pool_back(given: Tensor, pooled: Tensor, grad: Tensor) -> Tensor:
    return torch.autograd.grad(pooled, given, grad)[0]


def _cheaper(plan: Sequence[str], wanted: Collection[str]) -> list[str]:
    """Move each ReLU after the max pooling that follows it, where it has fewer values.

    The result is the same. Layers that are ``wanted`` stay where they are.
    """
    found = [*plan]
    for i, (name, following) in enumerate(pairwise(plan)):
        if following.startswith("pool") and not {name, following} & set(wanted):
            found[i : i + 2] = [following, name]
    return found
