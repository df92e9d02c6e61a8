"""The terms of the objective, as small functions of tensors, and the formulas that scale them.

By default the content and style losses are relative: an error is divided by the energy of its
target. So a weight means the same for every picture size, network and range of activations. The
formulas of papers and tutorials have constants instead, which are right for one network and one
size. They are here for the recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import UsageError
from ..settings import LOSSES


def weighed(features: Tensor, root: Tensor) -> Tensor:
    """Return features as rows, each times the root of its position's weight.

    Args:
        features: (1, C, h, w).
        root: (1, 1, h, w).

    Returns:
        The rows (h·w, C), whose products are those of the features times the weights.
    """
    return _rows(features * root.to(features.dtype))


def outer(rows: Tensor) -> Tensor:
    """Sum the outer products of rows (n, C) in fp32, whatever their type: (C, C)."""
    if rows.is_cuda and rows.dtype is not torch.float32:
        return torch.mm(rows.T, rows, out_dtype=torch.float32)
    return (rows.T @ rows).float()


def outer_grad(rows: Tensor, grad: Tensor, root: Tensor, is_binary: bool = False) -> Tensor:
    """Propagate a gradient back through ``outer`` and ``weighed``.

    Args:
        rows: (h·w, C), as ``weighed`` returned them.
        grad: the gradient with respect to the result of ``outer`` (C, C). It must be symmetric.
        root: (1, 1, h, w), as given to ``weighed``.
        is_binary: whether ``root`` is 0 or 1 everywhere.

    Returns:
        The gradient with respect to the features (1, C, h, w).
    """
    found = rows @ (2 * grad).to(rows.dtype)
    if not is_binary:  # else a row counts fully, or is 0 already
        found *= _rows(root).to(rows.dtype)
    return found.view(1, *root.shape[2:], -1).permute(0, 3, 1, 2)


def _rows(features: Tensor) -> Tensor:
    """Reshape features (1, C, h, w) to (h·w, C).

    If their memory is channels-last, this copies nothing, unlike the obvious reshape to (C, h·w).
    """
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the Gram matrix of features: FᵀF, divided by the number of positions.

    Args:
        features: (1, C, h, w).
        mask: the weight of each position (1, 1, h, w), in 0..1. None means 1.

    Returns:
        The Gram matrix (C, C), float32.
    """
    if mask is None:
        return outer(_rows(features)) / features[0, 0].numel()
    return outer(weighed(features, mask.sqrt())) / mask.sum().clamp_min(1e-6)


def content_loss(features: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the relative content loss: mean((F − P)²) / mean(P²).

    Args:
        features: F (1, C, h, w).
        target: P (1, C, h, w), the features of the content.
        mask: the weight of each position in the first mean (1, 1, h, w), in 0..1. None means 1.
    """
    error = (features.float() - target.float()).square()
    energy = target.float().square().mean().clamp_min(1e-12)
    if mask is None:
        return error.mean() / energy
    return (error * mask).sum() / (mask.sum().clamp_min(1e-6) * features.shape[1]) / energy


def style_loss(gram_matrix: Tensor, target: Tensor) -> Tensor:
    """Return the relative style loss of Gram matrices (C, C): Σ(G − A)² / ΣA².

    It is 0 for the style's own texture, and 1 for a picture without any texture.

    Args:
        gram_matrix: G, that of the painting.
        target: A, that of the style.
    """
    return (gram_matrix - target).square().sum() / target.square().sum().clamp_min(1e-12)


def smoothness(picture: Tensor, chroma: float = 1.0) -> Tensor:
    """Return the total variation of a picture, with differences of chroma weighted.

    Args:
        picture: (1, 3, H, W).
        chroma: the weight of what is left of a color without its brightness, the mean of its
            channels. With 1, this is the plain total variation.
    """
    brightness = picture.mean(1, keepdim=True)
    return chroma * total_variation(picture) + (1 - chroma) * total_variation(brightness)


def chroma_weight(style: Tensor, most: float) -> float:
    """Return the weight of chroma in the smoothness, for paint that has as much of it as a style.

    Most pictures have less fine chroma than the network can see: a JPEG has hardly any. So without
    a weight, paint is speckled with color.

    Args:
        style: the style picture (1, 3, H, W).
        most: the largest weight. The least is 1.
    """
    brightness = total_variation(style.mean(1, keepdim=True))
    chroma = (total_variation(style) - brightness).clamp_min(1e-9)
    return float((brightness / chroma / COLORFUL).square().clamp(1, most))


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean squared difference of vertical and horizontal neighbors (1, C, H, W)."""
    down = picture[..., 1:, :] - picture[..., :-1, :]
    across = picture[..., :, 1:] - picture[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / picture.numel()


def temporal_loss(picture: Tensor, warped: Tensor, trust: Tensor) -> Tensor:
    """Return the temporal loss 1/D Σ c·(x − W(x_{t−1}))² (Ruder et al. 2016).

    D is the number of values in the picture.

    Args:
        picture: x (1, 3, H, W).
        warped: W(x_{t−1}), the painting of the frame before, warped along the flow (1, 3, H, W).
        trust: c, the confidence of the flow (1, 1, H, W), in 0..1.
    """
    return (trust * (picture - warped).square()).sum() / picture.numel()


def pooled(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Average ``mask`` (1, 1, H, W) down to the ``size`` (h, w) of feature maps."""
    return F.adaptive_avg_pool2d(mask, (size[0], size[1]))


def rim_width(size: Sequence[int]) -> int:
    """Return the width of the rim of a picture of ``size`` (h, w), in pixels."""
    return min(RIM, min(size) // RIM_SHARE)


def inner(size: Sequence[int]) -> Tensor:
    """Return a mask (1, 1, h, w) for a picture of ``size`` (h, w): 0 along its rim, 1 inside.

    The features of the rim depend on the network's padding. If they counted for the style, lines
    would be painted along the sides of the picture.
    """
    height, width = size
    rim = rim_width(size)
    return F.pad(torch.ones(1, 1, height - 2 * rim, width - 2 * rim), (rim, rim, rim, rim))


def detail(picture: Tensor, plain: float) -> Tensor:
    """Return the weight of the content at each pixel, by the local contrast.

    Contrast is relative to brightness, by Weber's law. That of a face in the dark is small compared
    with the lamps behind it, but large compared with its own brightness.

    Args:
        picture: (1, 3, H, W), in 0..1.
        plain: the weight where the picture is flat, in 0..1.

    Returns:
        The weights (1, 1, H, W), from ``plain`` to 1 where there is contrast.
    """
    gray = picture.mean(1, keepdim=True)
    mean = _blurred(gray)
    spread = (_blurred(gray.square()) - mean.square()).clamp_min(0).sqrt()
    return (spread / (mean + DARK_LEVEL) / CLEAR_CONTRAST).clamp(plain, 1)


def _blurred(values: Tensor) -> Tensor:
    padded = F.pad(values, [CONTRAST_RADIUS] * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * CONTRAST_RADIUS + 1, 1)


CONTRAST_RADIUS = 4
"""Radius, in pixels, of the square around a pixel in which its local contrast is measured."""
CLEAR_CONTRAST, DARK_LEVEL = 0.1, 0.1
"""Contrast that counts in full, and what is added to the brightness that it is relative to.

The contrast is the standard deviation divided by the mean plus ``DARK_LEVEL``.
"""
COLORFUL = 7.0
"""Where the brightness of a style varies so many times as much as its chroma, both weigh alike."""
RIM, RIM_SHARE = 4, 24
"""Width of a picture's rim in pixels, but at most 1 / ``RIM_SHARE`` of its shorter side."""
CAFFE_RANGE = 255.0
"""Range of the pixel values that Caffe's networks were trained on."""
UNIT_RANGE = 4.425
"""The same for torchvision's networks, whose colors have a standard deviation of 1."""


@dataclass(frozen=True)
class LossScaling:
    """The scaling of errors in a formula: the factors of Σ(F − P)² and Σ(G − A)² in each layer.

    F and P are features (1, C, h, w). G and A are Gram matrices (C, C), divided by the number of
    positions.
    """

    content: Callable[[float, int], float]
    """Maps ΣP² of the target P, and the number of its values, to the factor of Σ(F − P)²."""
    style: Callable[[Tensor, float], float]
    """Maps the target A, and the number of positions of F, to the factor of Σ(G − A)²."""
    adds: bool = False
    """Whether the layers are added up. Otherwise their mean is taken."""
    range: float | None = None
    """Range of the pixel values that the formula is meant for. None if it does not matter."""
    most_chroma: float = 1.0
    """The largest weight of chroma in the smoothness, relative to brightness."""

    def share(self, layer: str, weights: Mapping[str, float]) -> float:
        """Return the factor of a ``layer``, given the ``weights`` of all layers by name."""
        return weights[layer] / (1.0 if self.adds else sum(weights.values()))


RELATIVE = LossScaling(
    lambda energy, n: 1 / max(energy, 1e-12),
    lambda a, n: 1 / max(float(a.square().sum()), 1e-12),
    most_chroma=16.0,
)
"""Errors relative to the energy of their targets."""
GATYS = LossScaling(lambda energy, n: 0.5, lambda a, n: 1 / (4 * len(a) ** 2), range=CAFFE_RANGE)
"""Gatys et al. (2016): ½Σ(F − P)², and 1/(4C²n²) Σ(G − A)² for Gram matrices that are sums.

Here and below, n is the number of values in a content term, of positions in a style term.
"""
TENSORFLOW = LossScaling(lambda energy, n: 1 / n, lambda a, n: 1 / len(a) ** 2, range=CAFFE_RANGE)
"""TensorFlow's tutorial: means of squares, for Gram matrices divided by n, as here."""
PYTORCH = LossScaling(
    lambda energy, n: 1 / n, lambda a, n: 1 / len(a) ** 4, adds=True, range=UNIT_RANGE
)
"""PyTorch's tutorial: means of squares, for Gram matrices divided by C·n."""
UDACITY = LossScaling(
    lambda energy, n: 1 / n, lambda a, n: n / len(a) ** 3, adds=True, range=UNIT_RANGE
)
"""Udacity's exercise: means of squares, that of Gram matrices that are sums divided by C·n, too."""


def formula(name: str) -> LossScaling:
    """Return the formula with this ``name``, a value of ``--loss``.

    Raises:
        UsageError: what another package has under this name is no formula.
    """
    found = LOSSES[name]
    if not isinstance(found, LossScaling):
        raise UsageError(f"{name} of {LOSSES.group} is no LossScaling")
    return found


def blend(grams: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """Average the Gram matrices of several styles.

    Args:
        grams: the Gram matrices (C, C) of each style, by layer.
        weights: the weight of each style.

    Returns:
        The weighted means (C, C), by layer.
    """
    total = sum(weights)
    return {
        name: torch.stack([g[name] * (w / total) for g, w in zip(grams, weights, strict=True)]).sum(
            0
        )
        for name in grams[0]
    }
