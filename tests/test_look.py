"""What the default settings paint looks as it is to look: figures within bounds.

The bounds are the figures of eight ways to compute (fp32 and bf16, one thread and two, with the
instructions of four kinds of processors), and as much again on each side. ``benchmarks/mutations``
shows which changes to the program lead out of them.
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
        "style": (0.1195, 0.1225),
        "texture": (0.1863, 0.1911),
        "content": (0.3125, 0.3375),
        "warping": (3.41e-4, 3.86e-4),
        "flicker": (2.27, 2.34),
        "edge": (0.14, 0.35),
    },
    # A GIF whose edges are clear, in which a fish and bubbles move, by key frames.
    "fish": {
        "style": (0.143, 0.189),
        "texture": (0.193, 0.199),
        "content": (0.592, 0.639),
        "warping": (1.53e-3, 1.87e-3),
        "flicker": (1.15, 1.42),
        "edge": (0.46, 0.66),
    },
    # A fish before a city that stays, each frame painted.
    "passing": {
        "style": (0.1045, 0.1145),
        "texture": (0.171, 0.177),
        "content": (0.324, 0.338),
        "content_moving": (0.669, 0.761),
        "warping": (1.37e-4, 2e-4),
        "flicker": (0.15, 0.21),
        "edge": (0.03, 0.15),
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
