"""The perceptual networks: pictures in, feature maps out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import torch

from . import weights as _weights
from .network import Features, Network, Surroundings, Vjp
from .vgg import VGG, Pooling, layers, shapes

NETWORKS_KEPT = 4
"""Networks that a process keeps for whoever asks for the same once more: 20 to 60 MB each."""

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
    """``network`` with ``weights``, cut after its last ``wanted`` layer, ready on ``device``.

    It is shared by all that ask for the same, and must stay as it is.

    Raises:
        UsageError: unknown layer, or weights that are missing or do not fit.
    """
    layers = tuple(sorted({*wanted}))
    version = _version(Path(weights))
    return _loaded(network, weights, version, layers, device, dtype, seed, pooling)


def _version(path: Path) -> tuple[int, int] | None:
    """What tells the weights in the file ``path`` from those that it had before; None: no file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=NETWORKS_KEPT)
def _loaded(
    network: str,
    weights: str,
    version: tuple[int, int] | None,
    wanted: tuple[str, ...],
    device: torch.device,
    dtype: torch.dtype,
    seed: int,
    pooling: Pooling,
) -> Network:
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
