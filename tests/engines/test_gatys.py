"""The optimizing engine, frame by frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from vidstyle import Settings
from vidstyle.core.frames import Frame
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.networks import Network
from vidstyle.objective.styles import StyleSchedule

from ..conftest import scene

WIDE, HIGH = 160, 128


def test_the_first_frame_of_a_shot_goes_through_the_network_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(first_iterations=2, iterations=2, coarse_to_fine=1.0, precision="fp32")
    style = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    engine = OptimizingEngine(settings, StyleSchedule.of(style), (WIDE, HIGH))
    frames = [
        Frame(scene(step, WIDE, HIGH), Fraction(step, 25), Fraction(1, 25)) for step in range(4)
    ]
    engine.paint(frames[0])
    real, sizes = Network.forward, []

    def forward(self: Network, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(tuple(picture.shape[2:]))
        return real(self, picture)

    monkeypatch.setattr(Network, "forward", forward)
    for frame in frames[1:]:
        engine.paint(frame)
    assert sizes.count((HIGH, WIDE)) == 2  # itself and its painting
    assert len(sizes) >= 5
    engine.reset()
    engine.paint(frames[0])
    engine.paint(frames[1])
    assert sizes.count((HIGH, WIDE)) == 2 + 1 + 2  # another shot, and its own content
