"""The rim of a frame has the chroma of what it mirrors."""

import pytest
import torch

from vidstyle.objective.losses import RIM
from vidstyle.objective.rim import Rim
from vidstyle.objective.tiles import Window

SIZE = 120, 160
PARTS = {
    "whole": (Window(0, 120, 0, 160), (RIM, RIM, RIM, RIM)),
    "corner": (Window(0, 48, 96, 160), (0, RIM, RIM, 0)),
    "middle": (Window(32, 64, 32, 80), (0, 0, 0, 0)),
}


def noise(part: Window, channels: int = 3) -> torch.Tensor:
    """Half-way between black and white, so that no color is clipped."""
    generator = torch.Generator().manual_seed(part.right)
    size = part.bottom - part.top, part.right - part.left
    return 0.3 + 0.4 * torch.rand(1, channels, *size, generator=generator)


def chroma(picture: torch.Tensor) -> torch.Tensor:
    return picture - picture.mean(1, keepdim=True)


@pytest.mark.parametrize("name", PARTS)
def test_it_lies_along_the_sides_of_the_frame_alone(name: str) -> None:
    part, widths = PARTS[name]
    left, right, top, bottom = widths
    start = noise(part)
    rim = Rim.of(start, None, part, SIZE)
    assert rim.widths == widths
    picture = rim.colored(start)
    height, width = start.shape[2:]
    inside = (..., slice(top, height - bottom), slice(left, width - right))
    assert torch.equal(picture[inside], start[inside])
    torch.testing.assert_close(picture.mean(1), start.mean(1))
    colors = chroma(picture)
    for distance in range(top):
        torch.testing.assert_close(colors[..., distance, :], colors[..., 2 * top - distance, :])
    for distance in range(1, right + 1):
        opposite = -2 * right - 2 + distance
        torch.testing.assert_close(colors[..., -distance], colors[..., opposite])


@pytest.mark.parametrize("name", PARTS)
def test_what_it_mirrors_has_the_gradient_of_both(name: str) -> None:
    part, _ = PARTS[name]
    held = (noise(part, 1) > 0.6).float()
    start = noise(part)
    rim = Rim.of(start, held, part, SIZE)
    weights, other = noise(part), noise(part).flip(3)

    def loss(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (weights * picture).sum()[None], weights

    picture = torch.where(held > 0, start, other).requires_grad_()
    _, gradient = rim.closure(loss)(picture.detach())
    (expected,) = torch.autograd.grad((weights * rim.colored(picture)).sum(), picture)
    torch.testing.assert_close(gradient * (held == 0), expected * (held == 0))


def test_a_color_that_is_clipped_pulls_nothing() -> None:
    part, _ = PARTS["whole"]
    picture = noise(part)
    picture[:, :, :RIM] = 1.0
    rim = Rim.of(picture, None, part, SIZE)
    assert 0 <= rim.colored(picture).min() <= rim.colored(picture).max() <= 1

    def loss(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return picture.sum()[None], torch.ones_like(picture)

    _, gradient = rim.closure(loss)(picture)
    assert (gradient[..., 0, RIM:-RIM] < 1).all()


def test_what_is_held_stays_at_the_rim_too() -> None:
    part, _ = PARTS["whole"]
    start, held = noise(part), (noise(part, 1) > 0.5).float()
    rim = Rim.of(start, held, part, SIZE)
    picture = rim.colored(torch.full_like(start, 0.5))
    assert torch.equal(picture, torch.where(held > 0, start, 0.5))


def test_a_small_picture_has_a_narrow_rim() -> None:
    part = Window(0, 50, 0, 70)
    assert Rim.of(noise(part), None, part, (50, 70)).widths == (2, 2, 2, 2)
    tiny = Window(0, 5, 0, 5)
    rim = Rim.of(noise(tiny), None, tiny, (5, 5))
    assert torch.equal(rim.colored(rim.start), rim.start)
