from __future__ import annotations

import pytest
import torch

from vidstyle.objective.optimizers import HIGHEST, POWER, BoxAdam, BoxLBFGS, Preconditioner


class Bowl:
    """An ill-conditioned quadratic whose free minimum lies partly outside the box."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self.bottom = torch.rand(1, 3, 6, 6, generator=generator).double() * 2 - 0.5  # -0.5 .. 1.5
        self.steep = 10 ** (torch.rand(1, 3, 6, 6, generator=generator) * 3)
        self.calls = 0

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        difference = x - self.bottom
        return (self.steep * difference**2).sum()[None], 2 * self.steep * difference

    @property
    def best(self) -> torch.Tensor:
        return self.bottom.clamp(0, 1)


def start() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = torch.full((1, 3, 6, 6), 0.5, dtype=torch.float64)
    return x, torch.zeros_like(x), torch.ones_like(x)


def test_lbfgs_finds_the_minimum_in_the_box() -> None:
    bowl = Bowl()
    optimizer = BoxLBFGS(*start())
    losses = [sum(optimizer.step(bowl)) for _ in range(150)]
    assert torch.allclose(optimizer.picture, bowl.best, atol=1e-3)
    assert losses == sorted(losses, reverse=True)


def test_lbfgs_mostly_needs_one_evaluation_a_step() -> None:
    bowl = Bowl()
    optimizer = BoxLBFGS(*start())
    for _ in range(20):
        optimizer.step(bowl)
    assert bowl.calls <= 30


def test_lbfgs_never_climbs_on_a_curved_valley() -> None:
    def rosenbrock(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x.detach().requires_grad_()
        a, b = y[..., ::2], y[..., 1::2]
        value = ((1 - 2 * a) ** 2 + 100 * (2 * b - (2 * a) ** 2) ** 2).sum()
        (gradient,) = torch.autograd.grad(value, y)
        return value.detach()[None], gradient

    x = torch.tensor([[[[0.05, 0.9, 0.3, 0.1]]]])
    optimizer = BoxLBFGS(x, torch.zeros_like(x), torch.ones_like(x))
    losses = [sum(optimizer.step(rosenbrock)) for _ in range(150)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


@pytest.mark.parametrize("size", [(16, 16), (33, 20), (7, 9), (6, 6), (3, 5), (1, 4), (1, 1)])
def test_the_preconditioner_is_symmetric_and_positive(size: tuple[int, int]) -> None:
    height, width = size
    precondition = Preconditioner(torch.zeros(1, 1, height, width, dtype=torch.float64))
    units = torch.eye(height * width, dtype=torch.float64).view(-1, 1, height, width)
    matrix = torch.stack([precondition(unit[None]).flatten() for unit in units])
    assert torch.allclose(matrix, matrix.T, atol=1e-12)
    assert torch.linalg.eigvalsh(matrix).min() > 1 - 1e-6


def test_the_preconditioner_grows_coarse_changes() -> None:
    """A wave is multiplied by the power of its frequency, but for the edges."""
    place = torch.arange(256, dtype=torch.float64)
    precondition = Preconditioner(torch.zeros(1, 3, 64, 256, dtype=torch.float64))
    for period in (64, 32, 16, 8):
        wave = torch.cos(torch.pi * (2 * place + 1) / period).expand(1, 3, 64, 256)
        found = precondition(wave)[..., 24:40, 64:-64]
        inside = wave[..., 24:40, 64:-64]
        factor = float((found * inside).sum() / inside.square().sum())
        assert factor == pytest.approx((HIGHEST * period) ** POWER, rel=0.03), period
        assert float((found - factor * inside).abs().max()) < 0.1 * factor, period
    noise = torch.randn(1, 3, 64, 256, dtype=torch.float64)
    fine = noise - torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    assert float(precondition(fine).norm() / fine.norm()) < 1.5


@pytest.mark.parametrize("kind", [BoxLBFGS, BoxAdam])
def test_a_still_pixel_stays_to_the_bit(kind: type[BoxLBFGS] | type[BoxAdam]) -> None:
    bowl = Bowl()
    x, lower, upper = start()
    lower[..., :3], upper[..., :3] = x[..., :3], x[..., :3]
    optimizer = kind(x, lower, upper)
    for _ in range(30):
        optimizer.step(bowl)
    assert torch.equal(optimizer.picture[..., :3], x[..., :3])
    assert not torch.equal(optimizer.picture[..., 3:], x[..., 3:])
    assert optimizer.picture.min() >= 0 and optimizer.picture.max() <= 1


def test_adam_goes_down() -> None:
    bowl = Bowl()
    optimizer = BoxAdam(*start())
    losses = [sum(optimizer.step(bowl)) for _ in range(100)]
    least, _ = bowl(bowl.best)
    assert losses[-1] - least < 0.01 * (losses[0] - least)
    assert torch.allclose(optimizer.picture, bowl.best, atol=0.05)
