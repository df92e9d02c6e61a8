"""The terms of the objective: small functions of tensors, and the formulas that weigh them.

By default content and style are relative: an error is divided by the energy of its target. So a
weight means the same for every picture size, network and range of activations. The formulas of
the papers and tutorials instead carry constants that are right for one network and one size;
they are here for the recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The Gram matrix (C, C) of ``features`` (1, C, h, w): FᵀF over positions, divided by them.

    ``mask`` (1, 1, h, w), in 0..1, counts each position by its weight instead. The product is
    accumulated in fp32, whatever the features are in.
    """
    channels = features.shape[1]
    # The channels-last view costs nothing, forward or backward; the obvious (C, HW) one copies.
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
    if mask is None:
        return (rows.T @ rows).float() / rows.shape[0]
    weight = mask.reshape(-1, 1)
    return ((rows * weight.to(rows.dtype)).T @ rows).float() / weight.sum().clamp_min(1e-6)


def content_loss(features: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """mean((F − P)²) / mean(P²) over the positions of ``mask`` (1, 1, h, w), or over all."""
    error = (features.float() - target.float()).square()
    energy = target.float().square().mean().clamp_min(1e-12)
    if mask is None:
        return error.mean() / energy
    return (error * mask).sum() / (mask.sum().clamp_min(1e-6) * features.shape[1]) / energy


def style_loss(gram_matrix: Tensor, target: Tensor) -> Tensor:
    """Σ(G − A)² / ΣA²: 0 for the style's own texture, 1 for a picture without any."""
    return (gram_matrix - target).square().sum() / target.square().sum().clamp_min(1e-12)


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of neighbours (1, 3, H, W), down and across."""
    down = picture[..., 1:, :] - picture[..., :-1, :]
    across = picture[..., :, 1:] - picture[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / picture.numel()


def temporal_loss(picture: Tensor, warped: Tensor, trust: Tensor) -> Tensor:
    """1/D Σ c·(x − W(x_{t−1}))² (Ruder et al. 2016).

    ``warped`` (1, 3, H, W) is the earlier painted frame carried along the flow, ``trust``
    (1, 1, H, W) in 0..1 says where it may be believed, D counts all values of the picture.
    """
    return (trust * (picture - warped).square()).sum() / picture.numel()


def pool_mask(mask: Tensor, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``mask`` (1, 1, H, W) averaged down to the size of each layer's features."""
    return {
        name: F.adaptive_avg_pool2d(mask, (f.shape[2], f.shape[3])) for name, f in features.items()
    }


CAFFE_RANGE = 255.0
"""Values of a picture that Caffe's networks were trained on."""
UNIT_RANGE = 4.425
"""The same of torchvision's, in which colours have a standard deviation of 1."""


@dataclass(frozen=True)
class Formula:
    """How a method weighs errors: by the constants before Σ(F − P)² and Σ(G − A)² of a layer.

    F and P are features (1, C, h, w), G and A Gram matrices (C, C) divided by their positions.
    """

    content: Callable[[Tensor], float]
    """Of the target P."""
    style: Callable[[Tensor, float], float]
    """Of the target A and the number of positions of F."""
    adds: bool = False
    """Layers are added up; otherwise their mean is taken."""
    range: float | None = None
    """The values of a picture that its weights are meant for; None if they do not matter."""

    def share(self, layer: str, weights: Mapping[str, float]) -> float:
        """The weight of a ``layer`` of several."""
        return weights[layer] / (1.0 if self.adds else sum(weights.values()))


def _energy(target: Tensor) -> float:
    return max(float(target.float().square().sum()), 1e-12)


FORMULAS: Mapping[str, Formula] = {
    "relative": Formula(lambda p: 1 / _energy(p), lambda a, n: 1 / _energy(a)),
    # Gatys et al. (2016): ½Σ(F − P)²; 1/(4C²n²) Σ(G − A)² of Gram matrices that are sums.
    "gatys": Formula(lambda p: 0.5, lambda a, n: 1 / (4 * len(a) ** 2), range=CAFFE_RANGE),
    # TensorFlow's tutorial: means of squares, Gram matrices over positions.
    "tensorflow": Formula(lambda p: 1 / p.numel(), lambda a, n: 1 / len(a) ** 2, range=CAFFE_RANGE),
    # PyTorch's tutorial: means of squares, Gram matrices divided by C·n.
    "pytorch": Formula(
        lambda p: 1 / p.numel(), lambda a, n: 1 / len(a) ** 4, adds=True, range=UNIT_RANGE
    ),
    # Udacity's exercise: the mean square of Gram matrices that are sums, divided by C·n.
    "udacity": Formula(
        lambda p: 1 / p.numel(), lambda a, n: n / len(a) ** 3, adds=True, range=UNIT_RANGE
    ),
}


def mean(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The mean of the terms of several layers, each with its weight."""
    total = sum(weights[name] for name in terms)
    return torch.stack([weights[name] / total * term for name, term in terms.items()]).sum()


def blend(grams: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of several styles' Gram matrices, layer by layer."""
    total = sum(weights)
    return {
        name: torch.stack([g[name] * (w / total) for g, w in zip(grams, weights, strict=True)]).sum(
            0
        )
        for name in grams[0]
    }
