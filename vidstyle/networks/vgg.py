"""VGG as a set of feature maps (Simonyan and Zisserman 2014), cut after the last one asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from . import weights as weight_files
from .network import Network

Pooling = Literal["max", "avg"]

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


class VGG(Network):
    """VGG-16 or VGG-19."""

    def __init__(
        self,
        network: str,
        weights: weight_files.Weights,
        wanted: Iterable[str],
        pooling: Pooling = "max",
    ) -> None:
        super().__init__(network, layers(network), wanted, weights.mean, weights.scale)
        self.pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        self.convolutions = nn.ModuleDict()
        for name in self.plan:
            if name.startswith("conv"):
                weight, bias = weights.convolutions[name]
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3)
                conv.load_state_dict({"weight": weight, "bias": bias})
                self.convolutions[name] = conv
        self.ready()

    def step(self, name: str, x: Tensor) -> Tensor:
        if name.startswith("conv"):
            return self.convolutions[name](F.pad(x, (1, 1, 1, 1), mode="replicate"))
        if name.startswith("relu"):
            return F.relu(x)
        # A picture of a few pixels still has deep features.
        return self.pool(x, 2) if min(x.shape[2:]) > 1 else x
