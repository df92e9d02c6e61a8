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
"""How many loaded networks a process caches for reuse. Each takes 20 to 60 MB."""

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
    """Load ``network`` with ``weights``, cut after its last ``wanted`` layer, onto ``device``.

    Args:
        network: "vgg16", "vgg19" or "googlenet".
        weights: "bundled", "torchvision", "random" or the path of a file.
        wanted: names of the layers whose features are wanted.
        device: where the network runs.
        dtype: precision of the network's layers.
        seed: seed of random weights.
        pooling: "max", or "avg" for average pooling.

    Returns:
        The network. Callers with the same arguments share it, so it must not be modified.

    Raises:
        UsageError: unknown layer, or weights that are missing or do not fit.
    """
    layers = tuple(sorted({*wanted}))
    version = _version(Path(weights))
    return _loaded(network, weights, version, layers, device, dtype, seed, pooling)


def _version(path: Path) -> tuple[int, int] | None:
    """Return a file's modification time (ns) and size (bytes), which change with its weights.

    None if there is no such file.
    """
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
    # Only the layers change precision; the normalization of pictures stays in float32.
    for part in net.children():
        part.to(dtype)
    return net.to(device)


def _googlenet(weights: str, wanted: Iterable[str], seed: int, pooling: Pooling) -> Network:
    from . import googlenet  # importing torchvision's models is slow

    if weights == "random":
        state = googlenet.random(seed)
    elif weights == "torchvision":
        state = googlenet.fitting(_weights.downloaded("googlenet"), "torchvision's googlenet")
    else:
        _weights.refuse_bundled(weights, "googlenet")
        state = googlenet.fitting(_weights.read(Path(weights)), weights)
    return googlenet.GoogLeNet(state, wanted, pooling)
