"""What goes wrong while painting, and is helped on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import vidstyle
from vidstyle import VidstyleError, media
from vidstyle.engines import gatys
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.objective.objective import Loss, Objective, WindowObjective

from ..conftest import QUICK


def failing(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[Loss, int], Exception | float | None]
) -> list[int]:
    """Let steps fail; counts them."""
    real, count = Loss.__call__, [0]

    def step(self: Loss, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count[0] += 1
        found = fails(self, count[0])
        if isinstance(found, Exception):
            raise found
        terms, grad = real(self, picture)
        return (terms if found is None else terms + found), grad

    monkeypatch.setattr(Loss, "__call__", step)
    return count


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_where_memory_ends_smaller_tiles_paint_the_same(
    error: Exception, video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow = QUICK | {"content_weight": 0.0, "size": 96, "precision": "fp32"}
    whole = vidstyle.stylize(video, style, tmp_path / "whole", **shallow)
    monkeypatch.setattr(gatys, "SMALLEST_TILE", 1000)
    failing(monkeypatch, lambda objective, _: error if len(objective.tiles) < 3 else None)
    parts = vidstyle.stylize(video, style, tmp_path / "parts", **shallow)
    assert sum("out of memory: going on in" in note for note in parts.notes) >= 1
    frames = zip(media.open_clip(parts.output), media.open_clip(whole.output), strict=True)
    for number, (one, other) in enumerate(frames):
        apart = np.abs(one.rgb.astype(int) - other.rgb)
        # Without tiles, what surrounds a window of a later frame stays as it was.
        assert apart.mean() < 2 if number else apart.max() <= 2


def test_where_nothing_helps_memory_ends_in_one_line_and_nothing_is_lost(
    video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, lambda _, count: MemoryError() if count > 8 else None)
    with pytest.raises(VidstyleError, match="out of memory: use a smaller --size") as failed:
        vidstyle.stylize(video, style, tmp_path / "out.mp4", coarse_to_fine=1.0, **QUICK)
    assert "kept: the same command" in " ".join(failed.value.__notes__)
    assert not (tmp_path / "out.mp4").exists()


def test_a_loss_that_is_not_finite_is_tried_again_in_smaller_steps(
    video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped: list[bool] = []

    def fails(loss: Loss, count: int) -> float | None:
        objective = loss.whole if isinstance(loss, WindowObjective) else loss
        assert isinstance(objective, Objective)
        if objective.settings.optimizer == "adam":
            helped.append(True)
        return float("nan") if count > 4 and not helped else None

    failing(monkeypatch, fails)
    done = vidstyle.stylize(video, style, tmp_path / "out", coarse_to_fine=1.0, **QUICK)
    assert done.frames == 5 and sum("smaller steps" in note for note in done.notes) == 1
    for frame, source in zip(media.open_clip(done.output), media.open_clip(video), strict=True):
        assert np.abs(frame.rgb.astype(int) - source.rgb).mean() > 1


def test_a_loss_that_is_never_finite_stops_the_work(
    video: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, lambda _, count: float("inf") if count > 3 else None)
    with pytest.raises(VidstyleError, match="not finite") as failed:
        vidstyle.stylize(video, style, tmp_path / "out.mp4", coarse_to_fine=1.0, **QUICK)
    assert "1 painting kept" in " ".join(failed.value.__notes__)


def test_lower_precision_comes_after_the_smallest_tiles(
    style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidstyle import Settings
    from vidstyle.objective.styles import StyleSchedule

    picture, _ = media.read_image(style)
    engine = OptimizingEngine(
        Settings(**QUICK, precision="fp32", device="cpu"), StyleSchedule.of(picture), (64, 48)
    )
    assert engine.reduce_memory() is None
    monkeypatch.setattr(gatys, "SMALLEST_TILE", 64 * 48 // 2)
    assert "tiles" in str(engine.reduce_memory()) and engine.reduce_memory() is None
    monkeypatch.setattr(gatys.devices, "forget", lambda device: None)
    engine.device = torch.device("cuda")
    assert engine.reduce_memory() == "in bf16" and engine.dtype is torch.bfloat16
    assert engine.reduce_memory() is None
