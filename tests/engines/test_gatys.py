"""The optimizing engine, frame by frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from vidstyle import Settings
from vidstyle.core.events import Step
from vidstyle.core.frames import Frame
from vidstyle.engines import gatys
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


def test_large_pictures_take_fewer_steps_where_strokes_are_laid_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gatys, "COARSEST", 40)
    monkeypatch.setattr(gatys, "LAID", 72)
    monkeypatch.setattr(gatys, "LEAST_DETAIL", 2)
    settings = Settings(first_iterations=8, content_layers=("relu2_1",), style_layers=("relu1_1",))
    taken = []
    for factor in (2.0, 1.0):
        made = replace(settings, coarse_to_fine=factor)
        engine = OptimizingEngine(made, StyleSchedule.of(scene(9)), (WIDE, HIGH))
        steps: list[Step] = []
        engine.paint(Frame(scene(0, WIDE, HIGH), Fraction(0), Fraction(1)), steps.append)
        taken.append(len(steps))
        assert steps[-1].done == 1
        cost = OptimizingEngine.cost(made, (WIDE, HIGH), 1)
        assert cost == pytest.approx(2 + 8 / 4 + 8 / 16 if factor > 1 else 8)
    assert taken == [8 + 8 + 2, 8], "a method that paints at one size does so as it says"


def test_up_to_a_usual_size_all_steps_are_taken() -> None:
    for size in ((512, 288), (640, 480)):
        cost = OptimizingEngine.cost(Settings(), size, 1)
        assert cost > 60 * (1 + 1 / 4)
    for size, most in (((1280, 720), 0.5), ((1920, 1080), 0.3), ((3840, 2160), 0.2)):
        assert OptimizingEngine.cost(Settings(), size, 1) < most * 60 * 4 / 3
