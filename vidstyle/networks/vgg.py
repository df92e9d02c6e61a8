"""VGG as a set of feature maps (Simonyan and Zisserman 2014), cut after the last one asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import unknown
from . import weights as weight_files

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


def shapes(network: str) -> dict[str, tuple[int, int]]:
    """Each convolution of ``network``, in order, with its (out, in) channels."""
    found, into = {}, 3
    for block, (count, out) in enumerate(zip(CONVOLUTIONS[network], CHANNELS, strict=True), 1):
        for number in range(1, count + 1):
            found[f"conv{block}_{number}"] = (out, into)
            into = out
    return found


def layers(network: str) -> list[str]:
    """The names a layer of ``network`` can be asked for by, in order: conv1_1, relu1_1 … pool5."""
    names = []
    for block, count in enumerate(CONVOLUTIONS[network], 1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    return names


class VGG(nn.Module):
    """Maps pictures to feature maps.

    Every convolution is padded by repeating the edge: zeros would paint a dark border round
    every frame, because the style's Gram matrix would reward it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        network: str,
        weights: weight_files.Weights,
        wanted: Iterable[str],
        pooling: Literal["max", "avg"] = "max",
    ) -> None:
        super().__init__()
        self.pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        wanted = set(wanted)
        order = layers(network)
        for name in wanted:
            if name not in order:
                raise unknown(f"layer of {network}", name, order)
        last = max(order.index(name) for name in wanted)
        self.plan = order[: last + 1]
        self.wanted = wanted
        self.register_buffer("mean", torch.tensor(weights.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(weights.scale).view(1, 3, 1, 1))
        self.convolutions = nn.ModuleDict()
        for name in self.plan:
            if name.startswith("conv"):
                weight, bias = weights.convolutions[name]
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3)
                conv.load_state_dict({"weight": weight, "bias": bias})
                self.convolutions[name] = conv
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def forward(self, picture: Tensor) -> Mapping[str, Tensor]:
        """Features (1, C, h, w) by layer of a ``picture`` (1, 3, H, W), RGB in 0..1."""
        dtype = next(self.convolutions.parameters()).dtype
        x = ((picture - self.mean) * self.scale).to(dtype, memory_format=torch.channels_last)
        features = {}
        for name in self.plan:
            if name.startswith("conv"):
                x = self.convolutions[name](F.pad(x, (1, 1, 1, 1), mode="replicate"))
            elif name.startswith("relu"):
                x = F.relu(x)
            elif min(x.shape[2:]) > 1:  # a picture of a few pixels still has deep features
                x = self.pool(x, 2)
            if name in self.wanted:
                features[name] = x
        return features
