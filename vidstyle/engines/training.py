"""Training of the feed-forward network on crops of a clip, with the objective of the engines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import devices
from ..core.errors import NotFiniteError
from ..core.frames import Frame
from ..core.images import Field, resized
from ..networks.transformer import NOISE_TILE, TransformerNet
from ..objective.objective import Objective, TemporalTarget
from ..objective.styles import Weights
from ..temporal.warm_start import trusted
from .base import BaseEngine

Progress = Callable[[int, float, float, Mapping[str, float]], None]
"""Called after each step, with the arguments (number, done, loss, terms).

The number is counted from 1, ``done`` is the share of the training that is done (0..1), and
``terms`` are those of the loss, by name.
"""
Look = tuple[Tensor, Tensor | None]
"""A blend of S styles, and where it is painted.

The blend is given by its weights (S,), the place by the share of each pixel (1, 1, H, W), in 0..1.
None means everywhere.
"""

WHOLE = (slice(None), slice(None))
"""The rows and columns of a whole frame of any size."""

CROPS = 48
"""Number of crops that the network is trained on, in rounds over all of them."""
FEWEST_PAIRS, KEPT_BYTES = 8, 200_000_000
"""Smallest number of frame pairs that is kept, and the bytes that may be used to keep more."""
SMALLEST_CROP = 16
"""Shortest side of a crop, in pixels."""
CROP_AREA = 216 * 160
"""Largest area of a crop, in pixels. It is enough for the larger strokes of a style."""
CROP_COST = 1.4
"""The cost of a training step, in optimizer steps on the same number of pixels."""
ZOOM = 0.25
"""Crops are scaled by a random factor from ``2**-ZOOM`` to ``2**ZOOM``."""
LEARNING_RATE, BETAS = 1e-3, (0.9, 0.9)
"""Adam's learning rate and betas.

Its memory is short, since the gradient of a Gram matrix grows with the cube of the features.
"""
NETWORK_FOCUS = 0.6
"""Factor of the content weight. With the optimizer's own weight, a network hardly paints."""
STEADY = 30.0
"""Factor of the temporal weight.

A network keeps no pixels of the frame before, so it has to learn all of its steadiness.
"""
WARMUP_STEPS = 10
"""Steps over which the learning rate rises to ``LEARNING_RATE``."""
GAIN = 0.04
"""The cooldown begins once two rounds of all crops lower the loss by less than this share."""
COOLDOWN_RATIO = 0.5
"""Length of the cooldown, as a share of the steps before it.

In the cooldown, the learning rate falls to zero. Then the training ends.
"""


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame and the one before it. The first frame of a shot is paired with itself."""

    frame: Frame
    before: Frame


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """The same crop of a frame and of the frame before. Their paintings should agree in time."""

    source: Tensor
    """The crop of the frame (1, 3, H, W), in 0..1."""
    looks: Sequence[Look]
    objective: Objective
    before: Tensor
    """The crop of the frame before (1, 3, H, W), in 0..1."""
    looks_before: Sequence[Look]
    grid: Tensor
    """Position of each pixel in the frame before (1, H, W, 2), in -1..1, for ``grid_sample``."""
    trust: Tensor
    """Confidence of the flow (1, 1, H, W), in 0..1."""
    offset: Tensor
    """Offset of each pixel into the noise (1, 2, H, W), in pixels."""
    offset_before: Tensor
    """The same for the frame before (1, 2, 1, 1): that of the same noise before it moved."""


def pairs(frames: Iterable[Frame]) -> list[Pair]:
    """Select frames to train on: evenly spread over a clip of any length, and first ones of shots.

    No pair spans a cut.

    Args:
        frames: of the clip, in order.

    Returns:
        Pairs in the order of their times: at most ``CROPS`` spread ones, and as many of first
        frames. There are fewer if the frames are large.
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
    looks: Sequence[Look],
    offset: Tensor | None = None,
) -> Tensor:
    """Paint a picture with a model.

    Args:
        engine: says on which device and in which precision to compute.
        model: the model.
        picture: (1, 3, H, W), in 0..1.
        looks: the blends of styles, and where each is painted.
        offset: how far the noise has moved (1, 2, h, w), in pixels. None means not at all.

    Returns:
        The painting (1, 3, H, W), float32, which may leave 0..1 slightly.
    """
    low = engine.dtype is torch.bfloat16
    with torch.autocast(engine.device.type, torch.bfloat16, enabled=low):
        layers = [
            (1.0 if share is None else share) * model(picture, weights, offset)
            for weights, share in looks
        ]
    return torch.stack(layers).sum(0).float()


def train(
    engine: BaseEngine,
    model: TransformerNet,
    seen: Sequence[Pair],
    progress: Progress,
    blends: Sequence[Weights] = (),
) -> None:
    """Train a model on a clip, until it learns no more or has had the settings' number of steps.

    Each step lowers the objective of a crop of one frame. Its temporal term is the difference from
    the model's own painting of the frame before, warped along the flow (Huang et al. 2017,
    Real-Time Neural Style Transfer for Videos).

    Args:
        engine: provides the objective and the settings.
        model: the model, which is changed in place.
        seen: the frames to train on.
        progress: called after each step.
        blends: the blends of styles to learn, in turn. Empty means those that the frames ask for.

    Raises:
        NotFiniteError: the loss is not finite.
    """
    with devices.repeatable(engine.device):
        _train(engine, model, seen, progress, blends)


def _train(
    engine: BaseEngine,
    model: TransformerNet,
    seen: Sequence[Pair],
    progress: Progress,
    blends: Sequence[Weights],
) -> None:
    steps = engine.settings.training_steps
    generator = np.random.default_rng(engine.settings.seed)
    often = max(1.0, len(seen) / CROPS)
    places = [_place(engine, seen[int(i * often) % len(seen)], generator) for i in range(CROPS)]
    crops: dict[int, TrainingCrop] = {}
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, BETAS)
    losses: list[float] = []
    warm = round(steps / (1 + COOLDOWN_RATIO))
    """The step at which the learning rate begins to fall."""
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
        terms = _step(engine, model, crops[place], optimizer)
        losses.append(sum(terms.values()))
        if number < warm and learned(losses):
            warm = number + 1
        done = (number + 1) / min(steps, round(warm * (1 + COOLDOWN_RATIO)))
        progress(number + 1, done, losses[-1], terms)


def _place(engine: BaseEngine, pair: Pair, generator: np.random.Generator) -> Pair:
    """Return the same random crop of both frames of a pair, scaled a little."""
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
        looks(engine, pair.frame, base),
        engine.objective(content, regions, focus=NETWORK_FOCUS),
        engine.tensor(before),
        looks(engine, pair.before, base),
        _grid(forward).to(engine.device),
        engine.tensor(trust),
        engine.tensor(forward + offset),
        engine.tensor(offset),
    )


def looks(engine: BaseEngine, frame: Frame, base: Weights | None = None) -> list[Look]:
    """Return the blends of styles in a frame, and where each is painted.

    Args:
        engine: knows the styles.
        frame: the frame, with its masks.
        base: the blend outside all masks. None means that of the frame's time.
    """
    return [
        (
            torch.tensor(weights, device=engine.device),
            None if share is None else engine.tensor(share),
        )
        for weights, share in engine.blends(frame, engine.size, WHOLE, base)
    ]


def _step(
    engine: BaseEngine,
    model: TransformerNet,
    crop: TrainingCrop,
    optimizer: torch.optim.Optimizer,
) -> dict[str, float]:
    """Take one training step on a crop, and return the terms of the loss by name."""
    with torch.no_grad():
        past = painting(engine, model, crop.before, crop.looks_before, crop.offset_before).clamp(
            0, 1
        )
        warped = F.grid_sample(past, crop.grid, padding_mode="border", align_corners=True)
    crop.objective.temporal = TemporalTarget(warped, STEADY * crop.trust)
    painted = painting(engine, model, crop.source, crop.looks, crop.offset)
    terms, grad = crop.objective(painted.detach().clamp(0, 1))
    numbers = terms.tolist()
    if not (np.isfinite(sum(numbers)) and bool(grad.isfinite().all())):
        raise NotFiniteError
    # Values outside 0..1 may only move back toward it, as with the bounds of the optimizers.
    grad[((painted > 1) & (grad < 0)) | ((painted < 0) & (grad > 0))] = 0
    optimizer.zero_grad()
    torch.autograd.backward(painted, grad)
    optimizer.step()
    return dict(zip(crop.objective.names, numbers, strict=True))


def learned(losses: Sequence[float]) -> bool:
    """Whether the last two rounds of all crops hardly lowered the loss.

    This is only judged at the end of a round, and False in between.

    Args:
        losses: those of all steps so far.
    """
    rounds = 2 * CROPS
    if len(losses) % CROPS or len(losses) < 2 * rounds:
        return False
    last, before = np.mean(losses[-rounds:]), np.mean(losses[-2 * rounds : -rounds])
    return bool(last > before * (1 - GAIN))


def _grid(forward: Field) -> Tensor:
    """Convert a flow (H, W, 2), in pixels, to the positions in -1..1 that ``grid_sample`` takes."""
    height, width = forward.shape[:2]
    x = (np.arange(width) + forward[..., 0]) / max(1, width - 1)
    y = (np.arange(height)[:, None] + forward[..., 1]) / max(1, height - 1)
    return torch.from_numpy(np.stack([x, y], -1).astype(np.float32) * 2 - 1)[None]
