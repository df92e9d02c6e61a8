"""The noise that a model's strokes grow on goes along with what is painted."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from vidstyle.networks.transformer import NOISE_TILE, ModelConfig, TransformerNet, noise
from vidstyle.temporal.noise import NoiseField


def scenery(width: int = 320, height: int = 120) -> np.ndarray:
    """Blurred noise: something for the optical flow to follow."""
    rough = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    picture = cv2.GaussianBlur(rough, (0, 0), 3).astype(np.float32)
    return np.clip((picture - picture.mean()) * 8 + 128, 0, 255).astype(np.uint8)


def test_the_noise_goes_on_at_its_other_side() -> None:
    layers = noise()[0]
    for layer in layers[1:]:
        steps = (layer[:, 1:] - layer[:, :-1]).std()
        assert torch.isclose((layer[:, 0] - layer[:, -1]).std(), steps, rtol=0.2)
    torch.testing.assert_close(layers.std((1, 2)), torch.ones(len(layers)))
    assert torch.equal(layers, noise()[0])


def test_an_offset_moves_the_noise() -> None:
    model = TransformerNet(ModelConfig(("one",), (1.0,), (64, 48)))
    squares = torch.zeros(1, 12, 24, 32)
    still = model._noise(squares, None)
    torch.testing.assert_close(still, noise()[..., :24, :32])
    right = torch.tensor([2.0 * (NOISE_TILE + 5), 0.0]).view(1, 2, 1, 1)
    moved = model._noise(squares, right)
    torch.testing.assert_close(moved, noise()[..., :24, 5:37], atol=1e-3, rtol=0)


def test_flat_ground_is_painted_with_strokes() -> None:
    torch.manual_seed(0)
    model = TransformerNet(ModelConfig(("one",), (1.0,), (64, 48)))
    torch.nn.init.normal_(model.leave.weight, std=0.1)
    painted = model(torch.full((1, 3, 48, 64), 0.5), torch.ones(1))
    assert painted[..., 8:-8, 8:-8].std() > 0.01


def test_the_ground_of_a_still_camera_stays_to_the_bit() -> None:
    ground = NoiseField()
    picture = scenery()[:, :160]
    first = ground.under(picture).copy()
    assert not first.any()
    walker = picture.copy()
    walker[40:60, 50:60] = 255
    assert not ground.under(walker)[:, 100:].any()


def test_the_ground_goes_along_with_a_camera() -> None:
    ground, whole = NoiseField(), scenery()
    for step in range(6):
        offset = ground.under(whole[:, 4 * step : 4 * step + 160])
    # What is new on the right goes on as what lies beside it.
    np.testing.assert_allclose(offset[20:-20, 20:, 0], 20, atol=2)
    np.testing.assert_allclose(offset[20:-20, 20:, 1], 0, atol=1)
    ground.reset()
    assert not ground.under(whole[:, :160]).any()


def test_offsets_are_in_pixels_of_the_frame() -> None:
    ground, whole = NoiseField(), cv2.resize(scenery(), None, fx=3, fy=3)
    ground.under(whole[:, :480])
    offset = ground.under(whole[:, 12:492])
    assert offset.shape[1] == 160
    np.testing.assert_allclose(offset[10:-10, 10:-10, 0], 12, atol=2)


def test_a_ground_can_be_taken_up_again() -> None:
    one, other, whole = NoiseField(), NoiseField(), scenery()
    for step in range(3):
        one.under(whole[:, 4 * step : 4 * step + 160])
    other.restore(one.state())
    following = whole[:, 12:172]
    assert np.array_equal(one.under(following), other.under(following))
    other.restore({})
    assert not other.under(following).any()


def test_without_flow_the_ground_stays() -> None:
    ground, whole = NoiseField(follows=False), scenery()
    ground.under(whole[:, :160])
    assert not ground.under(whole[:, 8:168]).any()
