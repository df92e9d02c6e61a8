"""Optimizers that keep a picture inside its box: between a lower and an upper bound per pixel.

A painting is judged as it is written, clamped to 0..1. If an optimizer leaves the box and its
result is clamped at the end, the loss is several times what the optimizer reported. Each pixel has
its own box here: that of a pixel that must not change is a single point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..settings import Settings

POWER = 0.85
"""Of the frequency, by which the preconditioner divides. With more, broad strokes come at the cost
of fine ones, with less, speckle is left."""
LOWEST, HIGHEST = 1 / 64, 0.35
"""Frequencies, in cycles per pixel, beyond which the preconditioner makes no difference."""
Closure = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps a picture to the terms of its loss (N,), and the gradient of their sum in its shape."""


class Optimizer(Protocol):
    """Protocol of an optimizer, which lowers a loss step by step."""

    picture: Tensor

    def step(self, closure: Closure) -> list[float]: ...


def optimizer_of(settings: Settings, start: Tensor, lower: Tensor, upper: Tensor) -> Optimizer:
    """Make the optimizer that ``settings`` name.

    Args:
        settings: the options.
        start: the picture to begin with.
        lower, upper: the bounds of each value, of the same shape.
    """
    if settings.optimizer == "lbfgs":
        return BoxLBFGS(start, lower, upper)
    return BoxAdam(
        start,
        lower,
        upper,
        rate=settings.learning_rate,
        betas=settings.betas,
        epsilon=settings.epsilon,
    )


@dataclass(frozen=True, eq=False)
class Trial:
    """A picture that was evaluated."""

    picture: Tensor
    gradient: Tensor
    held: Tensor
    """Where a descent would leave the box."""
    scaled: Tensor
    """P times the gradient of what is not held."""
    terms: list[float]
    """Those of the loss."""
    expected: float
    """The change of the loss that the gradient before it promised."""
    steepest: float
    """The largest absolute value of ``scaled``, where the picture is not held."""
    products: NDArray[np.float64]
    """Those of ``Curvature.products``."""

    @property
    def loss(self) -> float:
        return sum(self.terms)


class BoxLBFGS:
    """L-BFGS (Nocedal 1980) with projection: only the free pixels take part in a step.

    A pixel at a bound of its box is held if a descent would leave the box (the two-metric
    projection of Bertsekas 1982). A step must lower the loss (Armijo's rule along the
    projected path). If it does not, it is shortened, and after a few failures the curvature is
    forgotten. So the loss never rises, and no run diverges.

    All numbers that decide about a step are read from the device at once, after an evaluation. A
    GPU is waited for only then.

    Args:
        start: the initial picture.
        lower, upper: the bounds of each pixel, in the picture's shape.
        history: number of past steps that the curvature is estimated from.
    """

    def __init__(self, start: Tensor, lower: Tensor, upper: Tensor, *, history: int = 12) -> None:
        self.lower, self.upper = lower, upper
        self.picture = start.clamp(lower, upper)
        self.curvature = Curvature(start, history)
        self.fixed = lower >= upper
        self.at: Trial | None = None
        """The picture as it was evaluated."""

    def step(self, closure: Closure) -> list[float]:
        """Take one step and return the terms of the loss after it.

        This mostly takes one evaluation of ``closure``, and two the first time.
        """
        if self.at is None:
            self.at = self._evaluated(closure, self.picture)
        for _ in range(2):
            if self._search(closure, self.at):
                break
            if not self.curvature.pairs:
                break
            self.curvature.forget()
        self.picture = self.at.picture
        return self.at.terms

    def _search(self, closure: Closure, at: Trial) -> bool:
        direction = self.curvature.descent(at.scaled, at.products)
        if direction is None:
            # No scale is known yet: let the largest gradient move its pixel by 0.1 of the range.
            direction = at.scaled * (-0.1 / max(at.steepest, 1e-20))
        direction.masked_fill_(at.held, 0)
        length = 1.0
        for _ in range(4):
            picture = torch.add(at.picture, direction, alpha=length).clamp(self.lower, self.upper)
            trial = self._evaluated(closure, picture, at)
            if trial.expected >= 0:
                return False
            if trial.loss <= at.loss + 1e-4 * trial.expected:
                self.curvature.add(trial.products)
                self.at = trial
                return True
            # Try the minimum of the parabola through both losses and the slope.
            bend = trial.loss - at.loss - trial.expected
            shorter = -trial.expected / (2 * bend) if bend < float("inf") else 0.0
            length *= min(0.5, max(0.1, shorter))
        return False

    def _evaluated(self, closure: Closure, picture: Tensor, before: Trial | None = None) -> Trial:
        """Evaluate a ``picture``, which the one ``before`` was moved to."""
        terms, gradient = closure(picture)
        gradient = gradient.masked_fill(self.fixed, 0)
        held = ((picture <= self.lower) & (gradient > 0)) | (
            (picture >= self.upper) & (gradient < 0)
        )
        free = gradient.masked_fill(held, 0)
        if before is None:
            moved, turned, slope = (torch.zeros_like(picture),) * 3
        else:
            moved, slope = picture - before.picture, before.gradient
            turned = gradient - slope
        products = self.curvature.products(free, moved, turned)
        scaled = self.curvature.precondition(free)
        single = torch.stack([torch.sum(moved * slope), scaled.masked_fill(held, 0).abs().max()])
        numbers = np.array(torch.cat([terms, single, products.flatten()]).tolist())
        of_terms, (expected, steepest), found = np.split(numbers, [len(terms), len(terms) + 2])
        return Trial(
            picture,
            gradient,
            held,
            scaled,
            of_terms.tolist(),
            float(expected),
            float(steepest),
            found.reshape(products.shape),
        )


class Curvature:
    """The pairs of moves and turns that L-BFGS estimates the inverse Hessian H from.

    A move s is the change of the picture in a step, a turn y that of the gradient. Where nothing is
    known of it, H is a multiple of P (see ``Preconditioner``). H is applied by the compact
    representation of Byrd et al. (1994): one pass over all pairs for their products with the
    gradient, small matrices on the host, and one pass to add the pairs up.

    Args:
        like: a picture (1, C, H, W), for its size, type and device.
        history: number of pairs that are kept.
    """

    def __init__(self, like: Tensor, history: int) -> None:
        self.precondition = Preconditioner(like)
        size, lines, width = history + 1, like.numel() // like.shape[-1], like.shape[-1]
        self.vectors = like.new_empty((size, 2, lines, width))
        """s and P·y in each slot. One slot more than is kept is for those of a trial."""
        self.used = 0
        """Number of slots that have been written to, the first ones."""
        self.pairs: list[int] = []
        """The slots of the pairs that count, from the oldest on."""
        self.moves_turns = np.zeros((size, size))
        """s·y of a move in one slot and a later turn, or that of the same pair, in another."""
        self.turns_turns = np.zeros((size, size))
        """y·P·y of two turns."""

    def forget(self) -> None:
        self.pairs.clear()
        self.used = 0

    def products(self, free: Tensor, moved: Tensor, turned: Tensor) -> Tensor:
        """Take the pair of a trial, and multiply it and the gradient there with all pairs.

        Args:
            free: the gradient of the free pixels.
            moved, turned: the pair.

        Returns:
            The scalar products (slots, 2, 2): of each s and P·y with ``free`` and with ``turned``.
        """
        slot = self._spare
        self.used = max(self.used, slot + 1)
        _, _, lines, width = self.vectors.shape
        self.vectors[slot, 0] = moved.view(lines, width)
        self.vectors[slot, 1] = self.precondition(turned).view(lines, width)
        others = torch.stack([free.view(lines, width), turned.view(lines, width)], dim=-1)
        # Line by line: sums of many numbers at once would be less exact in fp32.
        by_line = self.vectors[: self.used].view(-1, lines, width).transpose(0, 1) @ others
        return by_line.sum(0).view(self.used, 2, 2)

    def add(self, products: NDArray[np.float64]) -> None:
        """Let the pair of the last trial count, unless it does not curve upward.

        Args:
            products: those of the trial.
        """
        slot, there = self._spare, slice(self.used)
        self.moves_turns[there, slot] = products[:, 0, 1]
        self.turns_turns[there, slot] = self.turns_turns[slot, there] = products[:, 1, 1]
        if self.moves_turns[slot, slot] > 1e-10 * self.turns_turns[slot, slot]:
            self.pairs.append(slot)
            if len(self.pairs) == len(self.vectors):
                self.pairs.pop(0)

    def descent(self, scaled: Tensor, products: NDArray[np.float64]) -> Tensor | None:
        """Return -H times a gradient. None as long as there are no pairs.

        Args:
            scaled: P times the gradient.
            products: those of the trial that it belongs to.
        """
        if not self.pairs:
            return None
        both = np.ix_(self.pairs, self.pairs)
        upper, turns = np.triu(self.moves_turns[both]), self.turns_turns[both]
        scale = upper[-1, -1] / turns[-1, -1]
        with_moves, with_turns = products[self.pairs, :, 0].T
        factor = np.linalg.solve(upper, with_moves)
        rest = (np.diag(np.diag(upper)) + scale * turns) @ factor - scale * with_turns
        shares = np.zeros((self.used, 2))
        shares[self.pairs, 0] = np.linalg.solve(upper.T, rest)
        shares[self.pairs, 1] = -scale * factor
        found = torch.addmv(
            scaled.flatten(),
            self.vectors[: self.used].view(2 * self.used, -1).T,
            torch.as_tensor(shares.ravel(), dtype=scaled.dtype).to(scaled.device),
            beta=-scale,
            alpha=-1,
        )
        return found.view_as(scaled)

    @property
    def _spare(self) -> int:
        return next(slot for slot in range(len(self.vectors)) if slot not in self.pairs)


class Preconditioner:
    """P, which L-BFGS starts from instead of the identity: the coarser, the farther.

    The objective is much flatter along coarse changes of a picture than along fine ones. So without
    P, strokes grow slowly, and the first thing that a step makes is speckle. P multiplies the
    spectrum of the evenly mirrored picture by f^-``POWER``, where f is the frequency in cycles per
    pixel, with bounds. What is finer than the upper bound keeps its factor. So the rest is worked
    out at half the size, by cosine transforms, at an eighth of the cost.

    P is symmetric and positive.

    Args:
        like: a picture (…, H, W), for its size, type and device.
    """

    def __init__(self, like: Tensor) -> None:
        height, width = (side // 2 for side in like.shape[-2:])
        self.is_identity = min(height, width) < 2
        if self.is_identity:
            return
        self.down, self.across = _like(_cosines(height), like), _like(_cosines(width), like)
        rows, columns = (
            torch.arange(side, dtype=torch.float64) / (4 * side) for side in (height, width)
        )
        frequency = torch.hypot(rows[:, None], columns).clamp(LOWEST, HIGHEST)
        # Relative to what is finest. Shrinking and growing take away cos³ of each frequency.
        kept = torch.cos(torch.pi * rows)[:, None] * torch.cos(torch.pi * columns)
        self.factors = _like(4 * ((HIGHEST / frequency) ** POWER - 1) / kept**6, like)
        soft = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.kernel = _like((soft[:, None] * soft)[None, None], like)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return P times a gradient."""
        if self.is_identity:
            return gradient.clone()
        *_, height, width = gradient.shape
        channels = gradient.reshape(-1, 1, height, width)
        coarse = F.conv2d(channels, self.kernel, stride=2, padding=1)
        coarse = self.down.T @ (self.down @ coarse @ self.across.T * self.factors) @ self.across
        odd = (height % 2, width % 2)
        fine = F.conv_transpose2d(coarse, self.kernel, stride=2, padding=1, output_padding=odd)
        return (channels + fine).view_as(gradient)


def _like(values: Tensor, other: Tensor) -> Tensor:
    """Return ``values`` in the type and on the device of ``other``, in this order: "mps" has no
    fp64."""
    return values.to(other.dtype).to(other.device)


@lru_cache(maxsize=16)
def _cosines(count: int) -> Tensor:
    """Return the matrix of the orthonormal cosine transform (DCT-II) of ``count`` numbers."""
    order = torch.arange(count, dtype=torch.float64)
    found = torch.cos(torch.pi * order[:, None] * (order + 0.5) / count) * (2 / count) ** 0.5
    found[0] /= 2**0.5
    return found


class BoxAdam:
    """Adam (Kingma and Ba 2015) that clamps the picture to its box after each step.

    Args:
        start: the initial picture.
        lower, upper: the bounds of each pixel, in the picture's shape.
        rate: the learning rate.
        betas: decay of the mean gradient and of the mean squared gradient, per step.
        epsilon: added to the denominator of a step, to keep it from being 0.
    """

    def __init__(
        self,
        start: Tensor,
        lower: Tensor,
        upper: Tensor,
        *,
        rate: float = 0.02,
        betas: Sequence[float] = (0.9, 0.99),
        epsilon: float = 1e-8,
    ) -> None:
        self.lower, self.upper = lower, upper
        self.picture = start.clamp(lower, upper)
        self.rate, self.betas, self.epsilon = rate, betas, epsilon
        self.mean = torch.zeros_like(start)
        self.square = torch.zeros_like(start)
        self.steps = 0

    def step(self, closure: Closure) -> list[float]:
        """Take one step and return the terms of the loss before it.

        This takes one evaluation of ``closure``.
        """
        terms, gradient = closure(self.picture)
        first, second = self.betas
        self.steps += 1
        self.mean.lerp_(gradient, 1 - first)
        self.square.lerp_(gradient.square(), 1 - second)
        size = (self.square / (1 - second**self.steps)).sqrt_().add_(self.epsilon)
        moved = self.mean / (1 - first**self.steps) / size
        self.picture = (self.picture - self.rate * moved).clamp(self.lower, self.upper)
        return terms.tolist()


class Average:
    """A weighted mean of the pictures of a run, in which later ones count more.

    Args:
        keep: the weight of a picture relative to the next one, 0..1. With 0, only the last picture
            counts.
    """

    def __init__(self, keep: float) -> None:
        self.keep = keep
        self.sum: Tensor | float = 0.0
        self.weight = 0.0

    def add(self, picture: Tensor) -> None:
        self.sum = self.sum * self.keep + picture
        self.weight = self.weight * self.keep + 1

    @property
    def picture(self) -> Tensor:
        assert isinstance(self.sum, Tensor)
        return self.sum / self.weight
