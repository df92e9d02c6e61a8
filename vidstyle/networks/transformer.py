"""The feed-forward network that paints a frame in one pass, and its file format.

The network follows Johnson et al. (2016): downsampling, residual blocks, upsampling. Each style has
its own scales and shifts after the normalizations (Dumoulin et al. 2017), so one network can hold
several styles. It differs from these papers where that paints a clip faster or keeps more of it:

- Little is computed at full size: pixels enter in squares of 2x2.
- The output is a change to the frame, not a new frame. Before training, a painting equals its
  source.
- The network sees noise beside the picture, from which it makes strokes in flat areas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..core.errors import UsageError

MODEL_VERSION = 2
"""Version of the file format and of the computation."""
ENTRY = "vidstyle"
"""The entry of the file's metadata that holds the configuration as JSON."""
STEP = 4
"""Pixels per position of the residual blocks, down and across."""
NOISE_TILE = 256
"""Period of the noise, in positions of 2x2 pixels."""
GRAINS = (0.0, 1.0, 2.0, 4.0)
"""The layers of the noise: the sigma of each one's Gaussian blur, in positions of 2x2 pixels."""


@dataclass(frozen=True)
class ModelConfig:
    """The configuration of a model, as stored in its file."""

    styles: tuple[str, ...]
    """The names of its styles."""
    weights: tuple[float, ...]
    """The weight of each style in the blend that is painted unless another one is asked for."""
    size: tuple[int, int]
    """Width and height, in pixels, of the training frames. Its strokes are right for this size."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of its training."""
    fine: int = 24
    """Channels at half the picture's size."""
    wide: int = 48
    """Channels of the residual blocks."""
    blocks: int = 5
    """Number of residual blocks."""
    version: int = MODEL_VERSION


def noise() -> Tensor:
    """Return periodic noise of variance 1, with a layer for each of the G ``GRAINS``.

    Its shape is (1, G, ``NOISE_TILE``, ``NOISE_TILE``). It is the same on every call.
    """
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.fft2(torch.randn(len(GRAINS), NOISE_TILE, NOISE_TILE, generator=generator))
    turns = torch.fft.fftfreq(NOISE_TILE)
    square = turns[:, None] ** 2 + turns**2
    grains = torch.tensor(GRAINS)[:, None, None]
    layers = torch.fft.ifft2(spectrum * torch.exp(-2 * (torch.pi * grains) ** 2 * square)).real
    return (layers / layers.std((1, 2), keepdim=True))[None]


class ConditionalInstanceNorm(nn.Module):
    """Instance normalization with the scale and shift of one style or of a blend of styles."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return F.instance_norm(x, weight=weights @ self.scale, bias=weights @ self.shift)


class Block(nn.Module):
    """A 3x3 convolution, conditional instance normalization and, optionally, a ReLU."""

    def __init__(
        self, into: int, out: int, styles: int, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = _conv(into, out, stride)
        self.norm = ConditionalInstanceNorm(out, styles)
        self.relu = relu

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        x = self.norm(self.conv(x), weights)
        return F.relu_(x) if self.relu else x


class Residual(nn.Module):
    """Two blocks whose output is added to their input."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.first = Block(channels, channels, styles)
        self.second = Block(channels, channels, styles, relu=False)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x + self.second(self.first(x, weights), weights)


class TransformerNet(nn.Module):
    """Maps a picture and the weights of the styles to a painting.

    Args:
        about: the configuration, which sets the number of styles and of channels.
    """

    noise: Tensor

    def __init__(self, about: ModelConfig) -> None:
        super().__init__()
        self.config = about
        fine, wide, styles = about.fine, about.wide, len(about.styles)
        # The first row and column are repeated, to interpolate between the last and the first.
        self.register_buffer("noise", F.pad(noise(), (0, 1, 0, 1), mode="circular"))
        self.enter = Block(12 + len(GRAINS), fine, styles)
        self.down = Block(fine, wide, styles, stride=2)
        self.residuals = nn.ModuleList(Residual(wide, styles) for _ in range(about.blocks))
        self.up = Block(wide, fine, styles)
        self.join = Block(2 * fine, fine, styles)
        self.leave = _conv(fine, 12)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, picture: Tensor, weights: Tensor, offset: Tensor | None = None) -> Tensor:
        """Paint a picture.

        Args:
            picture: (1, 3, H, W), RGB in 0..1.
            weights: weights (S,) of the S styles, which add up to 1.
            offset: how far the noise has moved (1, 2, h, w), at any resolution: x, then y, in
                pixels of the picture. None means not at all.

        Returns:
            The painting (1, 3, H, W), RGB. It may leave 0..1 slightly and must be clamped.
        """
        high, wide = picture.shape[2:]
        whole = F.pad(picture, (0, -wide % STEP, 0, -high % STEP), mode="replicate")
        squares = F.pixel_unshuffle(whole, 2)
        fine = self.enter(torch.cat([squares, self._noise(squares, offset)], 1), weights)
        x = self.down(fine, weights)
        for residual in self.residuals:
            x = residual(x, weights)
        # Bilinear, because repeated values would show as squares.
        x = F.interpolate(self.up(x, weights), scale_factor=2, mode="bilinear")
        x = self.leave(self.join(torch.cat([x, fine], 1), weights))
        # For the same reason, average each 2x2 pixels: this removes any pattern of period two.
        change = F.avg_pool2d(F.pad(F.pixel_shuffle(x, 2), (1, 0, 1, 0), mode="replicate"), 2, 1)
        return (whole + change)[..., :high, :wide]

    def _noise(self, squares: Tensor, offset: Tensor | None) -> Tensor:
        """Return the noise (1, G, h, w) at each position of the ``squares`` (1, 12, h, w)."""
        down, across = squares.shape[2:]
        x, y = torch.arange(across).to(squares), torch.arange(down).to(squares)[:, None]
        moved = squares.new_zeros(1, 2, 1, 1)
        if offset is not None:
            moved = F.interpolate(offset, (down, across), mode="bilinear") / 2
        where = torch.stack([x + moved[:, 0] + 0 * y, y + moved[:, 1] + 0 * x], -1) % NOISE_TILE
        return F.grid_sample(self.noise, where * (2 / NOISE_TILE) - 1, align_corners=True)


def _conv(into: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, stride, 1, padding_mode="replicate")


def dump(model: TransformerNet) -> bytes:
    """Return ``model`` as the bytes of a safetensors file."""
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    return save(tensors, {ENTRY: json.dumps(asdict(model.config))})


def load(path: Path) -> TransformerNet:
    """Read a model from a safetensors file, without running any code from it.

    Raises:
        UsageError: the file is missing, damaged, not a model, or of another version.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such model")
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get(ENTRY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"{path}: not a model, or a damaged one ({error}): train it again"
        ) from error
    try:
        facts = dict(json.loads(told or "{}"))
        version = facts["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path}: not a model of vidstyle: make one with vidstyle train"
        ) from error
    if version != MODEL_VERSION:
        raise UsageError(
            f"{path}: a model of version {version}, this vidstyle reads {MODEL_VERSION}: "
            f"train it again"
        )
    try:
        lists = {name: tuple(facts[name]) for name in ("styles", "weights", "size")}
        about = ModelConfig(**facts | lists)
        if len(about.weights) != len(about.styles) or min(map(int, about.size)) < 1:
            raise ValueError("a weight for each style, and a size")
        model = TransformerNet(about)
        model.load_state_dict(tensors)
    except (TypeError, KeyError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path}: its weights are not those of the model it names") from error
    return model
