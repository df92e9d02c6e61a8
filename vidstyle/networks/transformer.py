"""The feed-forward network that paints a frame at once, and the file that it lives in.

After Johnson et al. (2016): down, residual blocks, up; each style has its own scales and shifts
after the normalizations (Dumoulin et al. 2017), so several live in one network. It differs where
that paints a clip faster or keeps more of it: little is computed at full size (pixels come in as
squares of two by two), and what comes out is a change of the frame, not a new one: before any
training the painting is its source. And it sees noise beside the picture, for strokes where that is
flat.
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
"""Of the file and of what is computed with it."""
ENTRY = "vidstyle"
"""The entry of the file's metadata that says what is in it."""
STEP = 4
"""Pixels that a place of the residual blocks stands for, down and across."""
NOISE_TILE = 256
"""Places after which the noise repeats itself; each is two pixels wide."""
GRAINS = (0.0, 1.0, 2.0, 4.0)
"""The layers of the noise: how far each is blurred, in places."""


@dataclass(frozen=True)
class ModelConfig:
    """What a model is, as its file says it."""

    styles: tuple[str, ...]
    """The names of its styles."""
    weights: tuple[float, ...]
    """How much of each it was asked for: the blend if nothing is said."""
    size: tuple[int, int]
    """Width and height of the frames it was trained on: its strokes are right for those."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it was trained with."""
    fine: int = 24
    """Channels at half the size."""
    wide: int = 48
    """Channels of the residual blocks."""
    blocks: int = 5
    """Residual blocks."""
    version: int = MODEL_VERSION


def noise() -> Tensor:
    """Periodic noise of variance 1 (1, G, ``NOISE_TILE``, ``NOISE_TILE``), a layer per grain."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.fft2(torch.randn(len(GRAINS), NOISE_TILE, NOISE_TILE, generator=generator))
    turns = torch.fft.fftfreq(NOISE_TILE)
    square = turns[:, None] ** 2 + turns**2
    grains = torch.tensor(GRAINS)[:, None, None]
    layers = torch.fft.ifft2(spectrum * torch.exp(-2 * (torch.pi * grains) ** 2 * square)).real
    return (layers / layers.std((1, 2), keepdim=True))[None]


class ConditionalInstanceNorm(nn.Module):
    """Instance normalization with the scale and shift of a style, or of a blend of styles."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return F.instance_norm(x, weight=weights @ self.scale, bias=weights @ self.shift)


class Block(nn.Module):
    """A convolution, normalized, perhaps with a ReLU."""

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
    """Two blocks whose result is added to what goes in."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.first = Block(channels, channels, styles)
        self.second = Block(channels, channels, styles, relu=False)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x + self.second(self.first(x, weights), weights)


class TransformerNet(nn.Module):
    """Maps a picture (1, 3, H, W) and the ``weights`` (S,) of its styles to the painting.

    RGB in 0..1; the painting may leave that range a little, and is to be clamped. The noise below
    has moved by an ``offset`` (1, 2, h, w), in pixels: x, then y, at any resolution.
    """

    noise: Tensor

    def __init__(self, about: ModelConfig) -> None:
        super().__init__()
        self.config = about
        fine, wide, styles = about.fine, about.wide, len(about.styles)
        # Once more its first row and column, for places between the last and the first.
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
        high, wide = picture.shape[2:]
        whole = F.pad(picture, (0, -wide % STEP, 0, -high % STEP), mode="replicate")
        squares = F.pixel_unshuffle(whole, 2)
        fine = self.enter(torch.cat([squares, self._noise(squares, offset)], 1), weights)
        x = self.down(fine, weights)
        for residual in self.residuals:
            x = residual(x, weights)
        # Not by repeating values: the squares would be seen.
        x = F.interpolate(self.up(x, weights), scale_factor=2, mode="bilinear")
        x = self.leave(self.join(torch.cat([x, fine], 1), weights))
        # The mean of each four pixels, for the same reason: no grid of two by two passes it.
        change = F.avg_pool2d(F.pad(F.pixel_shuffle(x, 2), (1, 0, 1, 0), mode="replicate"), 2, 1)
        return (whole + change)[..., :high, :wide]

    def _noise(self, squares: Tensor, offset: Tensor | None) -> Tensor:
        """The noise in each place of the ``squares``."""
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
    """A model as a file of safetensors."""
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    return save(tensors, {ENTRY: json.dumps(asdict(model.config))})


def load(path: Path) -> TransformerNet:
    """The model in a file, without running anything of it.

    Raises:
        UsageError: it is not there, damaged, of another kind or of another version.
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
