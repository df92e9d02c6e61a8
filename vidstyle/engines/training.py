"""How a model learns to paint: from frames of the clip, by the objective of every other frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.errors import NotFiniteError
from ..core.images import Field, resized
from ..media import Frame
from ..networks.transformer import TILE, TransformerNet
from ..objective.objective import Objective
from ..objective.styles import Weights
from ..temporal.warm_start import trusted
from .problem import StyleProblem

Progress = Callable[[int, float, float, Mapping[str, float]], None]
"""Told after each step: its number, the share that is done, the loss and its terms."""
Part = tuple[Tensor, Tensor | None]
"""The weights (S,) of a blend of styles, and where it belongs (1, 1, H, W); None: everywhere."""

WHOLE = (slice(None), slice(None))
"""Of a frame as it is, whatever its size."""

CROPS = 48
"""What is learned from: so many places of the clip, again and again."""
LEAST, KEPT_BYTES = 8, 200_000_000
"""Of large frames so many are kept, or what fits into that."""
SMALLEST = 16
"""Pixels that a lesson has at least, down and across."""
AREA = 216 * 160
"""Pixels of a lesson: about what holds the larger strokes of a style."""
CROP_COST = 1.4
"""What a step on it costs, in steps of an optimiser on as many pixels."""
ZOOM = 0.25
"""Lessons are enlarged or reduced by up to this power of two."""
RATE, BETAS = 1e-3, (0.9, 0.9)
"""Adam's, until it learns no more: with a short memory, since a Gram matrix's slope grows with the
cube of features."""
FOCUS = 1.5
"""How many times the content counts: a network trades it for style sooner than an optimiser."""
STEADY = 30.0
"""How many times staying with the frame before counts: of what a network paints nothing is kept,
so all of its calm has to be learned."""
WARMUP_STEPS = 10
"""Steps over which the rate rises to that."""
GAIN = 0.04
"""Two rounds of all lessons that lower the loss by a smaller share are the last but …"""
COOLDOWN_RATIO = 0.5
"""… so many times the steps until then, over which the rate falls to nothing."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame of the clip and the one before it; the same again where there is none."""

    frame: Frame
    before: Frame


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """A place of a frame to be painted, and the same place a frame earlier, for it to stay with."""

    source: Tensor
    parts: Sequence[Part]
    objective: Objective
    before: Tensor
    parts_before: Sequence[Part]
    grid: Tensor
    """Where each pixel was before (1, H, W, 2), as ``grid_sample`` has it."""
    trust: Tensor
    """Where that is to be believed (1, 1, H, W)."""
    offset: Tensor
    """Which noise lies under it (1, 2, H, W) …"""
    offset_before: Tensor
    """… and lay under it before (1, 2, 1, 1): the same, moved along."""


def pairs(frames: Iterable[tuple[Frame, bool]]) -> list[Pair]:
    """Frames evenly spread over a clip of any length, with those before them, and the first ones
    of shots. A pair never reaches over a cut.
    """
    spread: list[Pair] = []
    firsts: list[Pair] = []
    every, most, before = 1, CROPS, None
    for number, (frame, begins) in enumerate(frames):
        most = min(CROPS, max(LEAST, KEPT_BYTES // (2 * frame.rgb.nbytes)))
        if begins:
            firsts.append(Pair(frame, frame))
        elif number % every == 0 and before is not None:
            spread.append(Pair(frame, before))
        before = frame
        if len(spread) > most:
            spread, every = spread[1::2], every * 2
        if len(firsts) > most:
            firsts = firsts[::2]
    return sorted([*spread, *firsts], key=lambda pair: pair.frame.time)


def painting(
    problem: StyleProblem,
    model: TransformerNet,
    picture: Tensor,
    parts: Sequence[Part],
    offset: Tensor | None = None,
) -> Tensor:
    """What ``model`` makes of a ``picture`` (1, 3, H, W), each part in its own style, where the
    noise has moved by an ``offset`` (1, 2, h, w)."""
    low = problem.dtype is torch.bfloat16
    with torch.autocast(problem.device.type, torch.bfloat16, enabled=low):
        layers = [
            (1.0 if share is None else share) * model(picture, weights, offset)
            for weights, share in parts
        ]
    return torch.stack(layers).sum(0).float()


def train(
    problem: StyleProblem,
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
    steps = problem.settings.training_steps
    generator = np.random.default_rng(problem.settings.seed)
    often = max(1.0, len(seen) / CROPS)
    places = [_place(problem, seen[int(i * often) % len(seen)], generator) for i in range(CROPS)]
    crops: dict[int, TrainingCrop] = {}
    optimizer = torch.optim.Adam(model.parameters(), RATE, BETAS)
    losses: list[float] = []
    warm = round(steps / (1 + COOLDOWN_RATIO))
    """How many steps come before the rate falls."""
    order: list[int] = []
    while len(losses) < min(steps, round(warm * (1 + COOLDOWN_RATIO))):
        number = len(losses)
        order = order or generator.permutation(CROPS).tolist()
        place = order.pop()
        if place not in crops:
            base = blends[place % len(blends)] if blends else None
            crops[place] = _crop(problem, places[place], base, generator)
        left = 1 - (number - warm) / max(1, warm * COOLDOWN_RATIO)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (number + 1) / WARMUP_STEPS, left)
        losses.append(_step(problem, model, crops[place], optimizer))
        if number < warm and learned(losses):
            warm = number + 1
        done = (number + 1) / min(steps, round(warm * (1 + COOLDOWN_RATIO)))
        progress(number + 1, done, losses[-1], crops[place].objective.terms)


def _place(problem: StyleProblem, pair: Pair, generator: np.random.Generator) -> Pair:
    """A place of two frames, enlarged or reduced a little."""
    zoom = 2 ** generator.uniform(-ZOOM, ZOOM)
    width, height = (max(SMALLEST, round(side * zoom)) for side in problem.size)
    share = min(1.0, (AREA / (width * height)) ** 0.5)
    high, wide = max(SMALLEST, round(height * share)), max(SMALLEST, round(width * share))
    top, left = generator.integers(height - high + 1), generator.integers(width - wide + 1)

    def cropped(frame: Frame) -> Frame:
        rgb, *masks = (
            np.ascontiguousarray(
                resized(layer, (width, height))[top : top + high, left : left + wide]
            )
            for layer in (frame.rgb, *frame.masks)
        )
        return replace(frame, rgb=rgb, masks=tuple(masks))

    return Pair(cropped(pair.frame), cropped(pair.before))


def _crop(
    problem: StyleProblem, pair: Pair, base: Weights | None, generator: np.random.Generator
) -> TrainingCrop:
    source, before = pair.frame.rgb, pair.before.rgb
    there = np.zeros((*source.shape[:2], 2), np.float32)
    trust = np.zeros(source.shape[:2], np.float32)
    if problem.flows is not None:
        there, back = problem.flows(source, before)
        trust = trusted(source, before, there, back)
    content = problem.tensor(source)
    regions = problem.regions(pair.frame, problem.size, WHOLE, base)
    offset = generator.integers(2 * TILE, size=(1, 1, 2)).astype(np.float32)
    return TrainingCrop(
        content,
        parts(problem, pair.frame, base),
        problem.objective(content, regions, focus=FOCUS),
        problem.tensor(before),
        parts(problem, pair.before, base),
        _grid(there).to(problem.device),
        problem.tensor(trust),
        problem.tensor(there + offset),
        problem.tensor(offset),
    )


def parts(problem: StyleProblem, frame: Frame, base: Weights | None = None) -> list[Part]:
    """The blends of styles in a frame, and where they belong."""
    return [
        (
            torch.tensor(weights, device=problem.device),
            None if share is None else problem.tensor(share),
        )
        for weights, share in problem.parts(frame, problem.size, WHOLE, base)
    ]


def _step(
    problem: StyleProblem,
    model: TransformerNet,
    crop: TrainingCrop,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Learn from a lesson; returns the loss."""
    with torch.no_grad():
        past = painting(problem, model, crop.before, crop.parts_before, crop.offset_before).clamp(
            0, 1
        )
        warped = F.grid_sample(past, crop.grid, padding_mode="border", align_corners=True)
    crop.objective.kept = warped, STEADY * crop.trust
    painted = painting(problem, model, crop.source, crop.parts, crop.offset)
    loss, grad = crop.objective(painted.detach().clamp(0, 1))
    if not (np.isfinite(loss) and bool(grad.isfinite().all())):
        raise NotFiniteError
    # What has left the range of a picture is led back, never on: the box of the optimisers.
    grad[((painted > 1) & (grad < 0)) | ((painted < 0) & (grad > 0))] = 0
    optimizer.zero_grad()
    torch.autograd.backward(painted, grad)
    optimizer.step()
    return loss


def learned(losses: Sequence[float]) -> bool:
    """Whether the last two rounds of all lessons hardly lowered the loss."""
    rounds = 2 * CROPS
    if len(losses) % CROPS or len(losses) < 2 * rounds:
        return False
    last, before = np.mean(losses[-rounds:]), np.mean(losses[-2 * rounds : -rounds])
    return bool(last > before * (1 - GAIN))


def _grid(there: Field) -> Tensor:
    """A flow (H, W, 2) as ``grid_sample`` has it: where to look, in -1..1."""
    high, wide = there.shape[:2]
    x = (np.arange(wide) + there[..., 0]) / max(1, wide - 1)
    y = (np.arange(high)[:, None] + there[..., 1]) / max(1, high - 1)
    return torch.from_numpy(np.stack([x, y], -1).astype(np.float32) * 2 - 1)[None]
