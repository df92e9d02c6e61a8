"""Flow, trust and painting on moving layers, whose true flow and occlusions are known.

python -m benchmarks.layers --style IMAGE [--frames 24] [--ways WAY,WAY] [--json FILE]

A textured ground pans by a fraction of a pixel, and two textured discs cross it and each other.
The first rows: how far each flow is off (end-point error, pixels), how much of what is really
seen in the frame before is trusted, and how much of what is trusted was not. The other rows, as
Ruder et al. (2016) measured theirs on Sintel: the mean squared change of the painting along the
true flow, where nothing is hidden.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidstyle import media, stylize
from vidstyle.temporal import flow

from .table import Row, parser, show

WIDTH, HEIGHT = 320, 180
PAN = (1.4, 0.5)
DISCS = ((70.0, 90.0, 38.0, (3.3, -0.6)), (230.0, 80.0, 30.0, (-2.6, 1.2)))
"""Where each disc begins (x, y), its radius, and how it moves (pixels a frame)."""
WAYS: dict[str, dict[str, Any]] = {
    "unwarped": {"init": "previous"},
    "warped": {"temporal_weight": 0.0},
    "short-term": {},
}

Array = NDArray[Any]


def texture(seed: int, side: int) -> Array:
    """Blobs of many sizes (side, side, 3), as real things have."""
    random = np.random.default_rng(seed)
    total: Array = np.zeros((side, side, 3), np.float32)
    for cells in (6, 14, 32, 80, 160):
        noise = random.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        total += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) / cells**0.35
    total -= total.min()
    return total / total.max() * 255


def render(count: int) -> Iterator[tuple[Array, Array, Array]]:
    """Each frame, its true flow into the frame before, and where that shows the same thing."""
    ground, skins = texture(1, 640), [texture(2 + i, 200) for i in range(len(DISCS))]
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    before: Array | None = None
    for t in range(count):
        picture = _sample(ground, x + 100 - PAN[0] * t, y + 100 - PAN[1] * t)
        motion = np.zeros((HEIGHT, WIDTH, 2), np.float32)
        motion[:] = PAN
        owner = np.zeros((HEIGHT, WIDTH), np.float32)
        for number, (left, top, radius, speed) in enumerate(DISCS, 1):
            dx, dy = x - left - speed[0] * t, y - top - speed[1] * t
            inside = np.hypot(dx, dy) < radius
            skin = _sample(skins[number - 1], dx + 100, dy + 100)
            picture[inside], motion[inside], owner[inside] = skin[inside], speed, number
        there = -motion
        was = x + there[..., 0], y + there[..., 1]
        seen = (was[0] >= 0) & (was[0] <= WIDTH - 1) & (was[1] >= 0) & (was[1] <= HEIGHT - 1)
        if before is not None:
            seen &= cv2.remap(before, *was, cv2.INTER_NEAREST) == owner
        yield np.rint(picture.clip(0, 255)).astype(np.uint8), there, seen
        before = owner


def _sample(picture: Array, x: Array, y: Array) -> Array:
    return cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def judge_flow(name: str, scene: list[tuple[Array, Array, Array]]) -> Row:
    estimate = flow.estimator(name)
    errors, recall, wrong = [], [], []
    for (before, _, _), (now, true, seen) in pairwise(scene):
        there = estimate(now, before)
        trusted = flow.trust(there, estimate(before, now)) > 0.5
        errors.append(float(np.hypot(*np.moveaxis(there - true, -1, 0))[seen].mean()))
        recall.append(float(trusted[seen].mean()))
        wrong.append(float((trusted & ~seen).sum() / max(1, (~seen).sum())))
    return {
        "row": f"flow {name}",
        "end-point error": fmean(errors),
        "seen and trusted": fmean(recall),
        "hidden but trusted": fmean(wrong),
        "change along the true flow": "",
    }


def judge_painting(name: str, pictures: list[Array], scene: list[Any]) -> Row:
    errors = []
    for before, now, (_, true, seen) in zip(pictures, pictures[1:], scene[1:], strict=False):
        warped = flow.warp(before.astype(np.float32), true)
        errors.append(float(np.square((now - warped) / 255).mean(-1)[seen].mean()))
    return {
        "row": name,
        "end-point error": "",
        "seen and trusted": "",
        "hidden but trusted": "",
        "change along the true flow": fmean(errors),
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--frames", type=int, default=24)
    made.add_argument("--ways", default=",".join(WAYS))
    options = made.parse_args()
    scene = list(render(options.frames))
    rows = [judge_flow(name, scene) for name in ("dis", "farneback")]
    rows.append(judge_painting("source", [picture for picture, _, _ in scene], scene))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for index, (picture, _, _) in enumerate(scene):
            media.save_image(source / f"{index:04}.png", picture)
        for way in options.ways.split(","):
            output = Path(folder) / way
            stylize(source, options.style, output, size="full", engine="gatys", **WAYS[way])
            painted = [frame.rgb for frame in media.open_clip(output)]
            rows.append(judge_painting(way, painted, scene))
    show(rows, options.json)


if __name__ == "__main__":
    main()
