"""What the default settings paint looks as it is to look: figures within bounds.

The bounds are the figures of seven ways to compute (fp32 and bf16, one thread and two, with the
instructions of three kinds of processors), and as much again on each side, or at least 5 %.
``benchmarks/mutations`` shows which changes to the program lead out of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from vidstyle import media, stylize
from vidstyle.core.images import resized
from vidstyle.metrics import measure

SAMPLES = Path(__file__).parents[1] / "samples"
BOUNDS = {
    # A moving camera, by key frames.
    "city": {
        "style": (0.1123, 0.1242),
        "texture": (0.1737, 0.1919),
        "content": (0.3145, 0.3487),
        "warping": (0.0004755, 0.0005255),
        "flicker": (2.355, 2.603),
        "edge": (0.163, 0.23),
    },
    # A GIF whose edges are clear, in which a fish and bubbles move, by key frames.
    "fish": {
        "style": (0.131, 0.1732),
        "texture": (0.1722, 0.1904),
        "content": (0.5757, 0.6363),
        "warping": (0.00137, 0.00176),
        "flicker": (1.13, 1.27),
        "edge": (0.35, 0.84),
    },
    # A fish before a city that stays, each frame painted.
    "passing": {
        "style": (0.1013, 0.112),
        "texture": (0.1607, 0.1776),
        "content": (0.3035, 0.3355),
        "content_moving": (0.607, 0.676),
        "warping": (0.000164, 0.00023),
        "flicker": (0.169, 0.236),
        "edge": (0.184, 0.24),
    },
}


def passing(folder: Path) -> Path:
    """Four frames of a fish that crosses a corner of the city's first one."""
    folder.mkdir()
    city, fish = (next(iter(media.open_clip(SAMPLES / name))) for name in ("city.mp4", "fish.gif"))
    ground = resized(city.rgb, (112, 63))
    cut = resized(fish.rgb[78:125, 130:218], (24, 14))
    for step in range(4):
        picture = ground.copy()
        picture[4:18, 2 + 5 * step : 26 + 5 * step] = cut
        media.save_image(folder / f"{step}.png", picture)
    return folder


@pytest.mark.parametrize(
    ("name", "style", "size", "frames"),
    [
        ("city", "starry_night.jpg", 112, 8),
        ("fish", "auvers.jpg", 96, 6),
        ("passing", "starry_night.jpg", 112, 4),
    ],
    ids=[*BOUNDS],
)
def test_the_default_settings_paint_as_they_did(
    name: str, style: str, size: int, frames: int, tmp_path: Path
) -> None:
    suffix = {"city": ".mp4", "fish": ".gif"}.get(name)
    clip = passing(tmp_path / name) if suffix is None else SAMPLES / f"{name}{suffix}"
    look = SAMPLES / style
    made = stylize(clip, look, tmp_path / "painted", size=size, max_frames=frames)
    found = measure(clip, made.output, look, max_frames=frames)
    wrong = {
        figure: (getattr(found, figure), bounds)
        for figure, bounds in BOUNDS[name].items()
        if not bounds[0] <= getattr(found, figure) <= bounds[1]
    }
    assert not wrong
