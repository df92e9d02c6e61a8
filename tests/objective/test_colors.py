from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidstyle.objective.colors import matched, mixed, with_chroma

from ..conftest import scene


def other() -> np.ndarray:
    return np.ascontiguousarray(255 - scene(3, 96, 80)[..., ::-1] // 2)


def test_covariance_gives_the_style_mean_and_covariance_of_the_source() -> None:
    source = np.clip(scene(0), 60, 190)
    style = (other() // 2 + 60).astype(np.uint8)
    found = matched(style, source, "covariance").reshape(-1, 3).astype(float)
    wanted = source.reshape(-1, 3).astype(float)
    assert np.allclose(found.mean(0), wanted.mean(0), atol=2)
    assert np.allclose(np.cov(found.T), np.cov(wanted.T), rtol=0.1, atol=30)


def test_histogram_gives_each_channel_the_values_of_the_source() -> None:
    found = matched(other(), scene(0), "histogram")
    for channel in range(3):
        for share in (5, 25, 50, 75, 95):
            wanted = np.percentile(scene(0)[..., channel], share)
            assert np.percentile(found[..., channel], share) == pytest.approx(wanted, abs=6)


@pytest.mark.parametrize("by", ["histogram", "covariance"])
def test_one_color_can_be_matched(by: str) -> None:
    flat = np.full((8, 8, 3), 128, np.uint8)
    assert matched(flat, scene(0), by).shape == (8, 8, 3)  # type: ignore[arg-type]
    assert np.abs(matched(scene(0), flat, by).astype(int) - 128).max() <= 8  # type: ignore[arg-type]


def test_luma_takes_lightness_of_one_and_color_of_the_other() -> None:
    painted = np.clip(other()[:48, :64], 90, 160)
    source = np.clip(scene(0), 90, 160)
    ycc = cv2.cvtColor(with_chroma(painted, source), cv2.COLOR_RGB2YCrCb).astype(int)
    light = cv2.cvtColor(painted, cv2.COLOR_RGB2YCrCb).astype(int)
    color = cv2.cvtColor(source, cv2.COLOR_RGB2YCrCb).astype(int)
    assert np.abs(ycc[..., 0] - light[..., 0]).mean() < 2
    assert np.abs(ycc[..., 1:] - color[..., 1:]).mean() < 2


def test_strength_goes_from_source_to_painting() -> None:
    painted, source = other()[:48, :64], scene(0)
    assert np.array_equal(mixed(painted, source, 1), painted)
    assert np.array_equal(mixed(painted, source, 0), source)
    half = (painted.astype(int) + source) / 2
    assert np.abs(mixed(painted, source, 0.5) - half).max() <= 0.5
