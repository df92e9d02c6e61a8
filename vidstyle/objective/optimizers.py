"""Optimizers that keep a picture inside its box: between a lower and an upper bound per pixel.

A painting is judged as it is written, clamped to 0..1. If an optimizer leaves the box and its
result is clamped at the end, the loss is several times what the optimizer reported. Each pixel has
its own box here: that of a pixel that must not change is a single point.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..settings import Settings

Closure = Callable[[Tensor], tuple[float, Tensor]]
"""Maps a picture to its loss and the gradient of the loss, in the picture's shape."""


class Optimizer(Protocol):
    """Protocol of an optimizer, which lowers a loss step by step."""

    picture: Tensor

    def step(self, closure: Closure) -> float: ...


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


class BoxLBFGS:
    """L-BFGS (Nocedal 1980) with projection: only the free pixels take part in a step.

    A pixel at a bound of its box is held if a descent would leave the box (the two-metric
    projection of Bertsekas 1982). A step must lower the loss (Armijo's rule along the
    projected path). If it does not, it is shortened, and after a few failures the curvature is
    forgotten. So the loss never rises, and no run diverges.

    Args:
        start: the initial picture.
        lower, upper: the bounds of each pixel, in the picture's shape.
        history: number of past steps that the curvature is estimated from.
    """

    def __init__(self, start: Tensor, lower: Tensor, upper: Tensor, *, history: int = 12) -> None:
        self.lower, self.upper = lower, upper
        self.picture = start.clamp(lower, upper)
        self.pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self.loss: float | None = None
        self.gradient = torch.zeros_like(start)

    def step(self, closure: Closure) -> float:
        """Take one step and return the loss after it.

        This mostly takes one evaluation of ``closure``, and two the first time.
        """
        if self.loss is None:
            self.loss, self.gradient = closure(self.picture)
        for _ in range(2):
            if self._search(closure):
                break
            if not self.pairs:
                break
            self.pairs.clear()
        return self.loss

    def _search(self, closure: Closure) -> bool:
        assert self.loss is not None
        held = ((self.picture <= self.lower) & (self.gradient > 0)) | (
            (self.picture >= self.upper) & (self.gradient < 0)
        )
        free = self.gradient.masked_fill(held, 0)
        direction = self._direction(free).masked_fill_(held, 0)
        if self.pairs and torch.sum(direction * free) >= 0:
            self.pairs.clear()
            direction = self._direction(free)
        length = 1.0
        for _ in range(4):
            picture = (self.picture + length * direction).clamp(self.lower, self.upper)
            moved = picture - self.picture
            expected = float(torch.sum(moved * self.gradient))
            if expected >= 0:
                return False
            loss, gradient = closure(picture)
            if loss <= self.loss + 1e-4 * expected:
                self._remember(moved, gradient - self.gradient)
                self.picture, self.loss, self.gradient = picture, loss, gradient
                return True
            # Try the minimum of the parabola through both losses and the slope.
            bend = loss - self.loss - expected
            length *= min(0.5, max(0.1, -expected / (2 * bend))) if bend < float("inf") else 0.1
        return False

    def _remember(self, moved: Tensor, turned: Tensor) -> None:
        curvature = float(torch.sum(moved * turned))
        if curvature > 1e-10 * float(torch.sum(turned.square())):
            self.pairs.append((moved, turned, curvature))

    def _direction(self, gradient: Tensor) -> Tensor:
        """Return minus the inverse Hessian times ``gradient``, by the two-loop recursion."""
        if not self.pairs:
            # No scale is known yet: let the largest gradient move its pixel by 0.1 of the range.
            return -gradient * (0.1 / gradient.abs().max().clamp_min(1e-20))
        q = gradient.clone()
        alphas = []
        for moved, turned, curvature in reversed(self.pairs):
            alpha = torch.sum(moved * q) / curvature
            q.sub_(turned * alpha)
            alphas.append(alpha)
        _, turned, curvature = self.pairs[-1]
        q.mul_(curvature / torch.sum(turned.square()))
        for (moved, turned, curvature), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q.add_(moved * (alpha - torch.sum(turned * q) / curvature))
        return q.neg_()


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

    def step(self, closure: Closure) -> float:
        """Take one step and return the loss before it, at the cost of one evaluation."""
        loss, gradient = closure(self.picture)
        first, second = self.betas
        self.steps += 1
        self.mean.lerp_(gradient, 1 - first)
        self.square.lerp_(gradient.square(), 1 - second)
        size = (self.square / (1 - second**self.steps)).sqrt_().add_(self.epsilon)
        moved = self.mean / (1 - first**self.steps) / size
        self.picture = (self.picture - self.rate * moved).clamp(self.lower, self.upper)
        return loss


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
