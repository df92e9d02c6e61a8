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
        "style": (0.1137, 0.1288),
        "texture": (0.1719, 0.1916),
        "content": (0.3115, 0.3542),
        "warping": (0.0006594, 0.0007425),
        "flicker": (2.147, 2.39),
        "edge": (0.1524, 0.1974),
    },
    # A GIF whose edges are clear, in which a fish and bubbles move, by key frames.
    "fish": {
        "style": (0.115, 0.1876),
        "texture": (0.1662, 0.1886),
        "content": (0.5802, 0.6505),
        "warping": (0.0008377, 0.0009898),
        "flicker": (1.333, 1.543),
        "edge": (0.0725, 0.629),
    },
    # A fish before a city that stays, each frame painted.
    "passing": {
        "style": (0.1011, 0.115),
        "texture": (0.1602, 0.1797),
        "content": (0.2979, 0.3367),
        "content_moving": (0.5831, 0.7106),
        "warping": (0.0001519, 0.000223),
        "flicker": (0.2358, 0.3003),
        "edge": (0.1826, 0.2483),
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
