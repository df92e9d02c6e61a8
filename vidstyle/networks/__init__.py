"""The perceptual networks: pictures in, feature maps out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from . import weights as _weights
from .network import Features, Network, Surroundings, Vjp
from .vgg import VGG, Pooling, layers, shapes

__all__ = ["VGG", "Features", "Network", "Surroundings", "Vjp", "layers", "load", "shapes"]


def load(
    network: str,
    weights: str,
    wanted: Iterable[str],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    pooling: Pooling = "max",
) -> Network:
    """``network`` with ``weights``, cut after the last layer ``layers``, ready on ``device``.

    Raises:
        UsageError: unknown layer, or weights that are missing or do not fit.
    """
    net: Network
    if network == "googlenet":
        net = _googlenet(weights, wanted, seed, pooling)
    else:
        net = VGG(network, _weights.load(weights, network, shapes(network), seed), wanted, pooling)
    # What brings pictures into range stays exact; only the network itself is rounded.
    for part in net.children():
        part.to(dtype)
    return net.to(device)


def _googlenet(weights: str, wanted: Iterable[str], seed: int, pooling: Pooling) -> Network:
    from . import googlenet  # torchvision's models take a while to come

    if weights == "random":
        state = googlenet.random(seed)
    elif weights == "torchvision":
        state = googlenet.fitting(_weights.downloaded("googlenet"), "torchvision's googlenet")
    else:
        _weights.refuse_bundled(weights, "googlenet")
        state = googlenet.fitting(_weights.read(Path(weights)), weights)
    return googlenet.GoogLeNet(state, wanted, pooling)
