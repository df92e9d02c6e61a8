"""VGG's forward and backward pass for GPUs, where copying features costs as much as convolving.

All features keep a border of one position on each side. A convolution pads with zeros and computes
the border, too. Before the next convolution, the border is overwritten with what that is to see
there. So nothing is copied to be padded or cropped. Where arithmetic costs more than memory, as on
a CPU, this would not pay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .network import EDGES, NOT_THE_WEIGHTS, NOWHERE, Features, Sides, Surroundings, Vjp

if TYPE_CHECKING:
    from .vgg import VGG

INSIDE = (..., slice(1, -1), slice(1, -1))
"""The index of features without their border."""
Back = Callable[[Tensor], Tensor]
"""Maps the gradient of a step's output to that of its input, both 0 on the border."""


@torch.no_grad()
def forward_vjp(
    network: VGG, picture: Tensor, around: Surroundings | None = None
) -> tuple[Features, Vjp]:
    """Compute the same as ``VGG.forward_vjp``."""
    known = NOWHERE if around is None else around.known
    features: Features = {}
    way: list[tuple[str, Back]] = []
    x = F.pad(network.ranged(picture), (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
    is_rectified = False
    for name, following in zip(network.order, [*network.order[1:], ""], strict=True):
        if name.startswith("conv"):
            _set_border(x, known, None if around is None else around.padded[name])
            conv = network.convolutions[name]
            back: Back = partial(_conv_back, x.shape, conv.get_parameter("weight"), known)
            is_rectified = following.startswith("relu") and name not in network.layers
            x = _convolved(x, conv, is_rectified)
        elif name.startswith("relu"):
            x = x if is_rectified else F.relu(x)
            back = partial(_relu_back, x)
            is_rectified = False
        else:
            x, back = _pooled(x, network.pool is F.max_pool2d)
        way.append((name, back))
        if name in network.layers:
            features[name] = x[INSIDE]
    return features, lambda grads: _vjp(way, grads)[INSIDE].float() * network.scale


def padded(x: Tensor) -> Tensor:
    """Pad features (1, C, h, w) by repeating their edge."""
    found = F.pad(x, (1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
    _set_border(found, NOWHERE, None)
    return found


@torch.no_grad()
def _vjp(way: list[tuple[str, Back]], grads: Features) -> Tensor:
    """Return the gradient of the network's input (1, 3, H + 2, W + 2)."""
    grad: Tensor | None = None
    while way:
        name, back = way.pop()
        if name in grads:
            if grad is None:
                grad = F.pad(grads[name], (1, 1, 1, 1))
                grad = grad.contiguous(memory_format=torch.channels_last)
            else:
                grad[INSIDE].add_(grads[name])
        if grad is not None:
            grad = back(grad)
    assert grad is not None
    return grad


def _convolved(x: Tensor, conv: torch.nn.Module, with_relu: bool) -> Tensor:
    weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
    if with_relu and x.is_cuda:  # at once, and rounded once
        return torch.cudnn_convolution_relu(x, weight, bias, (1, 1), (1, 1), (1, 1), 1)
    out = F.conv2d(x, weight, bias, padding=1)
    return F.relu_(out) if with_relu else out


def _pooled(x: Tensor, by_max: bool) -> tuple[Tensor, Back]:
    """Halve features with a border, in windows of 2x2.

    With a padding of 1, the first window covers the padding and the border, and the second one the
    first two features: the border of the result comes from borders alone, and its inside is what it
    would be without them.
    """
    size, pads, aten = [2, 2], [1, 1], torch.ops.aten
    if min(x.shape[2:]) - 2 <= 1:
        return x, lambda grad: grad
    if not by_max:
        return aten.avg_pool2d(x, size, size, pads), lambda grad: aten.avg_pool2d_backward(
            grad, x, size, size, pads, False, True, None
        )
    pooled, places = aten.max_pool2d_with_indices(x, size, size, pads)
    return pooled, lambda grad: aten.max_pool2d_with_indices_backward(
        grad, x, size, size, pads, [1, 1], False, places
    )


def _relu_back(seen: Tensor, grad: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(grad, seen, 0, grad_input=grad)


def _conv_back(shape: torch.Size, weight: Tensor, known: Sides, grad: Tensor) -> Tensor:
    # Only the shape of the convolution's input matters, not its values.
    given = weight.new_empty(shape).contiguous(memory_format=torch.channels_last)
    around: Tensor = torch.ops.aten.convolution_backward(
        grad, given, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, NOT_THE_WEIGHTS
    )[0]
    _fold_border(around, known)
    return around


def _set_border(x: Tensor, known: Sides, around: Tensor | None) -> None:
    """Set the border of features (1, C, h + 2, w + 2) to what the next convolution is to see there.

    Args:
        x: the features, changed in place.
        known: the sides on which the border is that of ``around``. On the others, the edge of the
            features is repeated.
        around: features of the same shape. None if no side is known.
    """
    high, wide = x.shape[2] - 2, x.shape[3] - 2
    if known == NOWHERE and min(high, wide) > 1:  # opposite sides at once
        x[:, :, :: high + 1] = x[:, :, 1 : high + 1 : high - 1]
        x[..., :: wide + 1] = x[..., 1 : wide + 1 : wide - 1]
        return
    for (edge, beside), fixed in zip(EDGES, known, strict=True):
        x[edge] = around[edge] if around is not None and fixed else x[beside]


def _fold_border(grad: Tensor, known: Sides) -> None:
    """Add the gradient of a border to the edge that it is a copy of, and set it to 0."""
    high, wide = grad.shape[2] - 2, grad.shape[3] - 2
    if known == NOWHERE and min(high, wide) > 1:
        grad[:, :, 1 : high + 1 : high - 1] += grad[:, :, :: high + 1]
        grad[..., 1 : wide + 1 : wide - 1] += grad[..., :: wide + 1]
    else:
        for (edge, beside), fixed in zip(EDGES, known, strict=True):
            if not fixed:
                grad[beside] += grad[edge]
    grad[:, :, :: high + 1] = 0
    grad[..., :: wide + 1] = 0
