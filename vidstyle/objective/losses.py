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

from ..settings import LOSSES


def outer(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The sum over positions of the outer products (C, C) of ``features`` (1, C, h, w).

    ``mask`` (1, 1, h, w), in 0..1, counts each position by its weight. The product is
    accumulated in fp32, whatever the features are in.
    """
    rows = _rows(features)
    weighted = rows if mask is None else rows * _rows(mask).to(rows.dtype)
    return (weighted.T @ rows).float()


def outer_grad(features: Tensor, grad: Tensor, mask: Tensor) -> Tensor:
    """The gradient of ``features``, where that of their ``outer`` products, each counted by its
    ``mask``, is ``grad`` (C, C), which is symmetric."""
    rows = _rows(features)
    found = rows @ (2 * grad).to(rows.dtype)
    found *= _rows(mask).to(rows.dtype)
    _, channels, height, width = features.shape
    return found.view(1, height, width, channels).permute(0, 3, 1, 2)


def _rows(features: Tensor) -> Tensor:
    """Positions by channels; free for channels-last features: the obvious (C, HW) one copies."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The Gram matrix (C, C) of ``features`` (1, C, h, w): FᵀF over positions, divided by them,
    each counted by its weight in ``mask`` (1, 1, h, w) if there is one."""
    count = features[0, 0].numel() if mask is None else mask.sum().clamp_min(1e-6)
    return outer(features, mask) / count


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
    """Mean squared difference of neighbors (1, 3, H, W), down and across."""
    down = picture[..., 1:, :] - picture[..., :-1, :]
    across = picture[..., :, 1:] - picture[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / picture.numel()


def temporal_loss(picture: Tensor, warped: Tensor, trust: Tensor) -> Tensor:
    """1/D Σ c·(x − W(x_{t−1}))² (Ruder et al. 2016).

    ``warped`` (1, 3, H, W) is the earlier painted frame carried along the flow, ``trust``
    (1, 1, H, W) in 0..1 says where it may be believed, D counts all values of the picture.
    """
    return (trust * (picture - warped).square()).sum() / picture.numel()


def pooled(mask: Tensor, size: Sequence[int]) -> Tensor:
    """``mask`` (1, 1, H, W) averaged down to features of ``size`` (h, w)."""
    return F.adaptive_avg_pool2d(mask, (size[0], size[1]))


def inner(size: Sequence[int]) -> Tensor:
    """1 for a picture of ``size`` (h, w), 0 for its rim (1, 1, h, w).

    Features there are of what the network's padding makes up. Counted for the style, they are
    painted as lines along the sides of the picture.
    """
    height, width = size
    rim = min(RIM, min(size) // RIM_SHARE)
    return F.pad(torch.ones(1, 1, height - 2 * rim, width - 2 * rim), (rim, rim, rim, rim))


def detail(picture: Tensor, plain: float) -> Tensor:
    """How far the content of each place of a ``picture`` (1, 3, H, W), in 0..1, counts
    (1, 1, H, W): from ``plain`` where it is flat to 1 where it has contrast.

    By Weber's law: the contrast of a face in the dark is small beside that of lamps behind it, and
    large beside its own brightness.
    """
    gray = picture.mean(1, keepdim=True)
    mean = _blurred(gray)
    spread = (_blurred(gray.square()) - mean.square()).clamp_min(0).sqrt()
    return (spread / (mean + DARK_LEVEL) / CLEAR_CONTRAST).clamp(plain, 1)


def _blurred(values: Tensor) -> Tensor:
    padded = F.pad(values, [CONTRAST_RADIUS] * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * CONTRAST_RADIUS + 1, 1)


CONTRAST_RADIUS = 4
"""Pixels on each side of a place that its contrast is measured in."""
CLEAR_CONTRAST, DARK_LEVEL = 0.1, 0.1
"""The deviation over the mean, and this more, from which on a place has detail."""
RIM, RIM_SHARE = 4, 24
"""The width of a picture's rim in pixels; at most one in so many of its shorter side."""
CAFFE_RANGE = 255.0
"""Values of a picture that Caffe's networks were trained on."""
UNIT_RANGE = 4.425
"""The same of torchvision's, in which colors have a standard deviation of 1."""


@dataclass(frozen=True)
class LossScaling:
    """How a method weighs errors: by the constants before Σ(F − P)² and Σ(G − A)² of a layer.

    F and P are features (1, C, h, w), G and A Gram matrices (C, C) divided by their positions.
    """

    content: Callable[[float, int], float]
    """Of the target P: ΣP², and the number of its values."""
    style: Callable[[Tensor, float], float]
    """Of the target A and the number of positions of F."""
    adds: bool = False
    """Layers are added up; otherwise their mean is taken."""
    range: float | None = None
    """The values of a picture that its weights are meant for; None if they do not matter."""

    def share(self, layer: str, weights: Mapping[str, float]) -> float:
        """The weight of a ``layer`` of several."""
        return weights[layer] / (1.0 if self.adds else sum(weights.values()))


RELATIVE = LossScaling(
    lambda energy, n: 1 / max(energy, 1e-12),
    lambda a, n: 1 / max(float(a.square().sum()), 1e-12),
)
"""Errors relative to the energy of their targets."""
GATYS = LossScaling(lambda energy, n: 0.5, lambda a, n: 1 / (4 * len(a) ** 2), range=CAFFE_RANGE)
"""Gatys et al. (2016): ½Σ(F − P)²; 1/(4C²n²) Σ(G − A)² of Gram matrices that are sums."""
TENSORFLOW = LossScaling(lambda energy, n: 1 / n, lambda a, n: 1 / len(a) ** 2, range=CAFFE_RANGE)
"""TensorFlow's tutorial: means of squares, Gram matrices over positions."""
PYTORCH = LossScaling(
    lambda energy, n: 1 / n, lambda a, n: 1 / len(a) ** 4, adds=True, range=UNIT_RANGE
)
"""PyTorch's tutorial: means of squares, Gram matrices divided by C·n."""
UDACITY = LossScaling(
    lambda energy, n: 1 / n, lambda a, n: n / len(a) ** 3, adds=True, range=UNIT_RANGE
)
"""Udacity's exercise: the mean square of Gram matrices that are sums, divided by C·n."""


def formula(name: str) -> LossScaling:
    """Return the formula called ``name`` (``--loss``)."""
    found = LOSSES[name]
    assert isinstance(found, LossScaling), name
    return found


def blend(grams: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of several styles' Gram matrices, layer by layer."""
    total = sum(weights)
    return {
        name: torch.stack([g[name] * (w / total) for g, w in zip(grams, weights, strict=True)]).sum(
            0
        )
        for name in grams[0]
    }
