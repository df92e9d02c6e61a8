"""The perceptual networks: pictures in, feature maps out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch

from . import weights as _weights
from .vgg import VGG, layers, shapes

__all__ = ["VGG", "layers", "load"]


def load(
    network: str,
    weights: str,
    wanted: Iterable[str],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    pooling: Literal["max", "avg"] = "max",
) -> VGG:
    """``network`` with ``weights``, cut after the last layer ``wanted``, ready on ``device``.

    Raises:
        UsageError: unknown layer, or weights that are missing or do not fit.
    """
    loaded = _weights.load(weights, network, shapes(network), seed)
    net = VGG(network, loaded, wanted, pooling)
    for conv in net.convolutions.values():
        conv.to(dtype)
    return net.to(device).eval()
