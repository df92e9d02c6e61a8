"""The rim of a frame mirrors what is further in."""

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
    generator = torch.Generator().manual_seed(part.right)
    size = part.bottom - part.top, part.right - part.left
    return torch.rand(1, channels, *size, generator=generator)


@pytest.mark.parametrize("name", PARTS)
def test_it_lies_along_the_sides_of_the_frame_alone(name: str) -> None:
    part, widths = PARTS[name]
    start = noise(part)
    rim = Rim.of(start, None, part, SIZE)
    assert rim.widths == widths
    picture = rim.around(rim.inside(start))
    assert picture.shape == start.shape
    assert torch.equal(rim.inside(picture), rim.inside(start))
    for distance in range(widths[2]):
        assert torch.equal(picture[..., distance, :], picture[..., 2 * RIM - distance, :])
    for distance in range(1, widths[1] + 1):
        column = -2 * RIM - 2 + distance
        assert torch.equal(picture[..., -distance], picture[..., column])


@pytest.mark.parametrize("name", PARTS)
def test_what_it_mirrors_has_the_gradient_of_both(name: str) -> None:
    part, _ = PARTS[name]
    held = (noise(part, 1) > 0.7).float()
    rim = Rim.of(noise(part), held, part, SIZE)
    weights = noise(part)

    def loss(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (weights * picture).sum()[None], weights

    inside = rim.inside(noise(part)).clone().requires_grad_()
    terms, gradient = rim.closure(loss)(inside)
    (expected,) = torch.autograd.grad(terms.sum(), inside)
    torch.testing.assert_close(gradient, expected)


def test_what_is_held_stays_at_the_rim_too() -> None:
    part, _ = PARTS["whole"]
    start, held = noise(part), (noise(part, 1) > 0.5).float()
    rim = Rim.of(start, held, part, SIZE)
    picture = rim.around(torch.zeros_like(rim.inside(start)))
    assert torch.equal(picture, torch.where(held > 0, start, 0.0))


def test_a_small_picture_has_a_narrow_rim() -> None:
    part = Window(0, 50, 0, 70)
    assert Rim.of(noise(part), None, part, (50, 70)).widths == (2, 2, 2, 2)
    tiny = Window(0, 5, 0, 5)
    rim = Rim.of(noise(tiny), None, tiny, (5, 5))
    assert torch.equal(rim.around(rim.inside(rim.start)), rim.start)
