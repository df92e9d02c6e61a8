"""Training of the feed-forward network, on crops of the clip and with the engines' objective."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import NotFiniteError
from ..core.frames import Frame
from ..core.images import Field, resized
from ..networks.transformer import NOISE_TILE, TransformerNet
from ..objective.objective import Objective, TemporalTarget
from ..objective.styles import Weights
from ..temporal.warm_start import trusted
from .base import BaseEngine

Progress = Callable[[int, float, float, Mapping[str, float]], None]
"""Called after each step with its number, the share of the training done, the loss, its terms."""
Part = tuple[Tensor, Tensor | None]
"""The weights (S,) of a blend of styles, and where it belongs (1, 1, H, W); None: everywhere."""

WHOLE = (slice(None), slice(None))
"""All of a frame, whatever its size."""

CROPS = 48
"""The number of crops that are learned from, over and over."""
FEWEST_PAIRS, KEPT_BYTES = 8, 200_000_000
"""Of large frames, the fewest that are kept, and the memory that may hold more."""
SMALLEST_CROP = 16
"""Shortest side of a crop, in pixels."""
CROP_AREA = 216 * 160
"""Pixels of a crop: enough for the larger strokes of a style."""
CROP_COST = 1.4
"""The cost of a training step, in optimizer steps on as many pixels."""
ZOOM = 0.25
"""Crops are scaled up or down by up to this power of two."""
LEARNING_RATE, BETAS = 1e-3, (0.9, 0.9)
"""Adam's learning rate and betas. Its memory is short, since the gradient of a Gram matrix grows
with the cube of the features."""
NETWORK_FOCUS = 0.6
"""Factor of the content weight: a network that is to keep as much as the optimizer is, hardly
paints."""
STEADY = 30.0
"""Factor of the temporal weight: a network keeps no pixels of the frame before, so it has to learn
all of its steadiness."""
WARMUP_STEPS = 10
"""Steps over which the learning rate rises to ``LEARNING_RATE``."""
GAIN = 0.04
"""Training is nearly done when two rounds of all crops lower the loss by a smaller share …"""
COOLDOWN_RATIO = 0.5
"""… and ends after this many times the steps so far, over which the rate falls to zero."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame of the clip and the one before it; the same again where there is none."""

    frame: Frame
    before: Frame


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """A crop of a frame, and of the frame before, whose painting its own is to agree with."""

    source: Tensor
    parts: Sequence[Part]
    objective: Objective
    before: Tensor
    parts_before: Sequence[Part]
    grid: Tensor
    """Where each pixel was before (1, H, W, 2), as ``grid_sample`` has it."""
    trust: Tensor
    """Confidence of the flow (1, 1, H, W), in 0..1."""
    offset: Tensor
    """Offset into the noise field (1, 2, H, W) …"""
    offset_before: Tensor
    """… and that of the frame before (1, 2, 1, 1): the same noise, before it moved."""


def pairs(frames: Iterable[Frame]) -> list[Pair]:
    """Frames evenly spread over a clip of any length, with those before them, and the first ones
    of shots. A pair never reaches over a cut.
    """
    spread: list[Pair] = []
    firsts: list[Pair] = []
    every, max_pairs, before = 1, CROPS, None
    for number, frame in enumerate(frames):
        max_pairs = min(CROPS, max(FEWEST_PAIRS, KEPT_BYTES // (2 * frame.rgb.nbytes)))
        if frame.starts_shot:
            firsts.append(Pair(frame, frame))
        elif number % every == 0 and before is not None:
            spread.append(Pair(frame, before))
        before = frame
        if len(spread) > max_pairs:
            spread, every = spread[1::2], every * 2
        if len(firsts) > max_pairs:
            firsts = firsts[::2]
    return sorted([*spread, *firsts], key=lambda pair: pair.frame.time)


def painting(
    engine: BaseEngine,
    model: TransformerNet,
    picture: Tensor,
    parts: Sequence[Part],
    offset: Tensor | None = None,
) -> Tensor:
    """What ``model`` makes of a ``picture`` (1, 3, H, W), each part in its own style, where the
    noise has moved by an ``offset`` (1, 2, h, w)."""
    low = engine.dtype is torch.bfloat16
    with torch.autocast(engine.device.type, torch.bfloat16, enabled=low):
        layers = [
            (1.0 if share is None else share) * model(picture, weights, offset)
            for weights, share in parts
        ]
    return torch.stack(layers).sum(0).float()


def train(
    engine: BaseEngine,
    model: TransformerNet,
    seen: Sequence[Pair],
    progress: Progress,
    blends: Sequence[Weights] = (),
) -> None:
    """Fit ``model`` to what was ``seen`` of a clip: until it learns no more, or as long as the
    settings allow. It learns the ``blends`` of styles in turn, or those that frames ask for.

    Each step lowers the objective of one place of one frame, staying with what the model itself
    makes of the frame before (Huang et al. 2017, Real-Time Neural Style Transfer for Videos).

    Raises:
        NotFiniteError: the loss is not finite.
    """
    steps = engine.settings.training_steps
    generator = np.random.default_rng(engine.settings.seed)
    often = max(1.0, len(seen) / CROPS)
    places = [_place(engine, seen[int(i * often) % len(seen)], generator) for i in range(CROPS)]
    crops: dict[int, TrainingCrop] = {}
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, BETAS)
    losses: list[float] = []
    warm = round(steps / (1 + COOLDOWN_RATIO))
    """The step at which the rate begins to fall."""
    order: list[int] = []
    while len(losses) < min(steps, round(warm * (1 + COOLDOWN_RATIO))):
        number = len(losses)
        order = order or generator.permutation(CROPS).tolist()
        place = order.pop()
        if place not in crops:
            base = blends[place % len(blends)] if blends else None
            crops[place] = _crop(engine, places[place], base, generator)
        left = 1 - (number - warm) / max(1, warm * COOLDOWN_RATIO)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (number + 1) / WARMUP_STEPS, left)
        losses.append(_step(engine, model, crops[place], optimizer))
        if number < warm and learned(losses):
            warm = number + 1
        done = (number + 1) / min(steps, round(warm * (1 + COOLDOWN_RATIO)))
        progress(number + 1, done, losses[-1], crops[place].objective.terms)


def _place(engine: BaseEngine, pair: Pair, generator: np.random.Generator) -> Pair:
    """The same random crop of two frames, scaled a little."""
    zoom = 2 ** generator.uniform(-ZOOM, ZOOM)
    width, height = (max(SMALLEST_CROP, round(side * zoom)) for side in engine.size)
    share = min(1.0, (CROP_AREA / (width * height)) ** 0.5)
    down, across = (max(SMALLEST_CROP, round(side * share)) for side in (height, width))
    top, left = generator.integers(height - down + 1), generator.integers(width - across + 1)

    def cropped(frame: Frame) -> Frame:
        rgb, *masks = (
            np.ascontiguousarray(
                resized(layer, (width, height))[top : top + down, left : left + across]
            )
            for layer in (frame.rgb, *frame.masks)
        )
        return replace(frame, rgb=rgb, masks=tuple(masks))

    return Pair(cropped(pair.frame), cropped(pair.before))


def _crop(
    engine: BaseEngine, pair: Pair, base: Weights | None, generator: np.random.Generator
) -> TrainingCrop:
    source, before = pair.frame.rgb, pair.before.rgb
    forward = np.zeros((*source.shape[:2], 2), np.float32)
    trust = np.zeros(source.shape[:2], np.float32)
    if engine.flows is not None:
        forward, backward = engine.flows(source, before)
        trust = trusted(source, before, forward, backward)
    content = engine.tensor(source)
    regions = engine.regions(pair.frame, engine.size, WHOLE, base)
    offset = generator.integers(2 * NOISE_TILE, size=(1, 1, 2)).astype(np.float32)
    return TrainingCrop(
        content,
        parts(engine, pair.frame, base),
        engine.objective(content, regions, focus=NETWORK_FOCUS),
        engine.tensor(before),
        parts(engine, pair.before, base),
        _grid(forward).to(engine.device),
        engine.tensor(trust),
        engine.tensor(forward + offset),
        engine.tensor(offset),
    )


def parts(engine: BaseEngine, frame: Frame, base: Weights | None = None) -> list[Part]:
    """The blends of styles in a frame, and where they belong."""
    return [
        (
            torch.tensor(weights, device=engine.device),
            None if share is None else engine.tensor(share),
        )
        for weights, share in engine.parts(frame, engine.size, WHOLE, base)
    ]


def _step(
    engine: BaseEngine,
    model: TransformerNet,
    crop: TrainingCrop,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Take one training step on a crop; returns the loss."""
    with torch.no_grad():
        past = painting(engine, model, crop.before, crop.parts_before, crop.offset_before).clamp(
            0, 1
        )
        warped = F.grid_sample(past, crop.grid, padding_mode="border", align_corners=True)
    crop.objective.temporal = TemporalTarget(warped, STEADY * crop.trust)
    painted = painting(engine, model, crop.source, crop.parts, crop.offset)
    loss, grad = crop.objective(painted.detach().clamp(0, 1))
    if not (np.isfinite(loss) and bool(grad.isfinite().all())):
        raise NotFiniteError
    # Values outside 0..1 are only ever pushed back into it, as by the optimizers' bounds.
    grad[((painted > 1) & (grad < 0)) | ((painted < 0) & (grad > 0))] = 0
    optimizer.zero_grad()
    torch.autograd.backward(painted, grad)
    optimizer.step()
    return loss


def learned(losses: Sequence[float]) -> bool:
    """Whether the last two rounds of all crops hardly lowered the loss."""
    rounds = 2 * CROPS
    if len(losses) % CROPS or len(losses) < 2 * rounds:
        return False
    last, before = np.mean(losses[-rounds:]), np.mean(losses[-2 * rounds : -rounds])
    return bool(last > before * (1 - GAIN))


def _grid(forward: Field) -> Tensor:
    """A flow (H, W, 2) as ``grid_sample`` has it: where to look, in -1..1."""
    height, width = forward.shape[:2]
    x = (np.arange(width) + forward[..., 0]) / max(1, width - 1)
    y = (np.arange(height)[:, None] + forward[..., 1]) / max(1, height - 1)
    return torch.from_numpy(np.stack([x, y], -1).astype(np.float32) * 2 - 1)[None]
