"""Each term against a reference written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidstyle.objective import losses

RANDOM = np.random.default_rng(0)


def tensor(*shape: int) -> torch.Tensor:
    return torch.from_numpy(RANDOM.standard_normal(shape).astype(np.float32))


def test_gram_is_the_mean_of_outer_products() -> None:
    features = tensor(1, 3, 4, 5)
    expected = np.zeros((3, 3))
    for row in range(4):
        for column in range(5):
            place = features[0, :, row, column].numpy()
            expected += np.outer(place, place) / 20
    assert np.allclose(losses.gram(features), expected, atol=1e-5)


def test_gram_of_a_mask_is_the_gram_of_its_part() -> None:
    features = tensor(1, 3, 4, 6)
    mask = torch.zeros(1, 1, 4, 6)
    mask[..., :2] = 1
    part = losses.gram(features[..., :2])
    assert torch.allclose(losses.gram(features, mask), part, atol=1e-5)


def test_gram_accumulates_bf16_to_fp32() -> None:
    features = tensor(1, 8, 64, 64)
    half = losses.gram(features.to(torch.bfloat16))
    assert half.dtype == torch.float32
    assert torch.allclose(half, losses.gram(features), atol=0.05)


def test_content_is_relative_to_its_target() -> None:
    features, target = tensor(1, 3, 4, 5), tensor(1, 3, 4, 5)
    difference = (features - target).numpy()
    expected = np.mean(difference**2) / np.mean(target.numpy() ** 2)
    assert losses.content_loss(features, target).item() == pytest.approx(expected, rel=1e-5)
    assert losses.content_loss(3 * features, 3 * target).item() == pytest.approx(expected, rel=1e-5)


def test_style_is_relative_to_its_target() -> None:
    one, other = tensor(4, 4), tensor(4, 4)
    expected = ((one - other).numpy() ** 2).sum() / (other.numpy() ** 2).sum()
    assert losses.style_loss(one, other).item() == pytest.approx(expected, rel=1e-5)
    assert losses.style_loss(other, other).item() == 0


def test_total_variation() -> None:
    picture = tensor(1, 3, 4, 5)
    p = picture[0].numpy()
    expected = 0.0
    for channel in range(3):
        for row in range(4):
            for column in range(5):
                if row < 3:
                    expected += (p[channel, row + 1, column] - p[channel, row, column]) ** 2
                if column < 4:
                    expected += (p[channel, row, column + 1] - p[channel, row, column]) ** 2
    assert losses.total_variation(picture).item() == pytest.approx(expected / 60, rel=1e-5)
    assert losses.total_variation(torch.ones(1, 3, 4, 5)).item() == 0


def test_chroma_weighs_more_the_less_of_it_a_style_has() -> None:
    generator = torch.Generator().manual_seed(0)
    gray = torch.rand(1, 1, 24, 32, generator=generator).expand(1, 3, 24, 32)
    colors = torch.rand(1, 3, 24, 32, generator=generator)

    def weight(share: float, most: float = 16.0) -> float:
        return losses.chroma_weight((1 - share) * gray + share * colors, most)

    assert weight(0) == 16
    assert 1 < weight(0.3) < weight(0.25) < 16
    assert weight(1) == 1
    assert weight(0, most=1) == 1


def test_smoothness_weighs_chroma_apart_from_brightness() -> None:
    picture = tensor(1, 3, 4, 5)
    gray = picture.mean(1, keepdim=True).expand(1, 3, 4, 5)
    parts = [losses.total_variation(part).item() for part in (gray, picture - gray)]
    assert losses.smoothness(picture).item() == pytest.approx(sum(parts), rel=1e-5)
    assert losses.smoothness(picture, 5.0).item() == pytest.approx(
        parts[0] + 5 * parts[1], rel=1e-5
    )


def test_temporal_counts_only_what_is_trusted() -> None:
    picture, warped = tensor(1, 3, 4, 5), tensor(1, 3, 4, 5)
    trust = torch.rand(1, 1, 4, 5)
    difference = (picture - warped).numpy()[0]
    expected = (trust.numpy()[0, 0] * difference**2).sum() / 60
    assert losses.temporal_loss(picture, warped, trust).item() == pytest.approx(expected, rel=1e-5)


def test_temporal_gradient_is_that_of_finite_differences_and_zero_where_untrusted() -> None:
    picture = tensor(1, 3, 4, 5).double().requires_grad_()
    warped = tensor(1, 3, 4, 5).double()
    trust = torch.rand(1, 1, 4, 5).double()
    trust[..., 2:4] = 0
    assert torch.autograd.gradcheck(lambda x: losses.temporal_loss(x, warped, trust), picture)
    (gradient,) = torch.autograd.grad(losses.temporal_loss(picture, warped, trust), picture)
    assert gradient[..., 2:4].abs().max() == 0
    assert gradient[..., :2].abs().min() > 0


def test_blend_weighs_the_styles() -> None:
    one, other = {"a": tensor(2, 2)}, {"a": tensor(2, 2)}
    blended = losses.blend([one, other], [3.0, 1.0])
    assert torch.allclose(blended["a"], 0.75 * one["a"] + 0.25 * other["a"])
