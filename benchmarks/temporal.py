"""What keeps a painted clip together in time: the same clips, each painted in several ways.

python -m benchmarks.temporal WORK --clip NAME=PATH[@SECONDS] ... --style IMAGE [--json FILE]

Paintings stay in the folder WORK, and what is there is not painted again; so are the contact
sheets, NAME.jpg: the source above, then a row for each way.
"""

from __future__ import annotations

import dataclasses
import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidstyle import Settings, media, stylize
from vidstyle.core.images import contact_sheet, resized
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.metrics import measure
from vidstyle.objective.optimizers import BoxLBFGS
from vidstyle.objective.styles import StyleSchedule

from .table import Row, parser, show

STEPS = 100
"""Of each frame that is painted by itself."""
WAYS: dict[str, dict[str, Any]] = {
    "unwarped": {"init": "previous"},
    "warped": {"temporal_weight": 0.0},
    "short-term": {},
    "more steps": {"first_iterations": 150, "iterations": 40, "tolerance": 0.1},
}
SHOWN = 8
"""Frames on a contact sheet."""
LEFT_OUT = (
    "frames",
    "rmse_source",
    "rmse_far_source",
    "warping_source",
    "flicker_source",
    "drift_source",
    "edge_source",
    "seam_source",
    "moving",
)
"""What belongs to the source: printed once."""


def frames_of(path: Path) -> list[Any]:
    return [frame.rgb for frame in media.open_clip(path)]


def clip_of(text: str) -> tuple[str, str, float]:
    """The name, the path and the first second of ``NAME=PATH[@SECONDS]``."""
    name, _, rest = text.partition("=")
    path, _, start = rest.partition("@")
    return name, path, float(start or 0)


def cut_out(clip: str, start: float, count: int, size: int, folder: Path) -> None:
    """``count`` frames of a clip, as pictures."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    opened = media.open_clip(clip)
    begin = Fraction(start).limit_denominator(1000)
    for index, frame in enumerate(media.trim(opened, begin, None, count)):
        height, width = frame.rgb.shape[:2]
        scale = size / max(height, width)
        small = resized(frame.rgb, (round(width * scale), round(height * scale)))
        media.save_image(folder / f"{index:04}.png", small)


def paint_alone(source: Path, style: Path, folder: Path, count: int) -> float:
    """Each frame by itself from its content: what there is to have without any warm start.

    Returns the seconds of the last frame.
    """
    folder.mkdir(exist_ok=True)
    look, _ = media.read_image(style)
    engine: OptimizingEngine | None = None
    seconds = 0.0
    for index, picture in enumerate(frames_of(source)[:count]):
        target = folder / f"{index:04}.png"
        if target.exists():
            continue
        began = time.monotonic()
        height, width = picture.shape[:2]
        engine = engine or OptimizingEngine(Settings(), StyleSchedule.of(look), (width, height))
        objective, start = engine.task(picture)
        optimizer = BoxLBFGS(start, torch.zeros_like(start), torch.ones_like(start))
        for _ in range(STEPS):
            optimizer.step(objective)
        values = (optimizer.picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
        media.save_image(target, values.numpy())
        seconds = time.monotonic() - began
    return seconds


def paint(way: str, source: Path, style: Path, loops: bool, folder: Path, alone: int) -> Row:
    """The figures of one row; painted unless it was before."""
    kept = folder.with_suffix(".json")
    if not kept.exists():
        if way == "independent":
            seconds = paint_alone(source, style, folder, alone)
        else:
            result = stylize(
                source,
                style,
                folder,
                size="full",
                seamless=loops,
                overwrite=True,
                engine="gatys",
                **WAYS[way],
            )
            seconds = result.seconds / result.frames
        found = measure(source, folder, style)
        kept.write_text(json.dumps({"seconds": seconds, **dataclasses.asdict(found)}))
    return json.loads(kept.read_text())


def sheet(pictures: list[list[Any]], path: Path) -> None:
    """Some frames of each row, nothing where it has none."""
    count = len(pictures[0])
    chosen = [round(i * (count - 1) / (SHOWN - 1)) for i in range(SHOWN)]
    nothing = np.full_like(pictures[0][0], 255)
    rows = [[row[i] if i < len(row) else nothing for i in chosen] for row in pictures]
    media.save_image(path, contact_sheet(rows, 1600))


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", action="append", required=True, metavar="NAME=PATH[@SECONDS]")
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--ways", default=",".join(("independent", *WAYS)))
    made.add_argument("--frames", type=int, default=24)
    made.add_argument("--alone", type=int, default=6, help="frames of the independent row")
    made.add_argument("--size", type=int, default=320)
    options = made.parse_args()
    table: list[Row] = []
    for given in options.clip:
        name, path, start = clip_of(given)
        folder = options.work / name
        cut_out(path, start, options.frames, options.size, folder / "source")
        pictures = [frames_of(folder / "source")]
        for way in options.ways.split(","):
            if way not in WAYS and way != "independent":
                raise SystemExit(f"unknown way {way}: {', '.join(('independent', *WAYS))}")
            loops = path.endswith(".gif")
            row = paint(way, folder / "source", options.style, loops, folder / way, options.alone)
            if not any(r["clip"] == name for r in table):
                source = {k.removesuffix("_source"): row[k] for k in LEFT_OUT if k in row}
                table.append({"clip": name, "painted": "source", **source})
            figures = {k: v for k, v in row.items() if k not in LEFT_OUT}
            table.append({"clip": name, "painted": way, **figures})
            pictures.append(frames_of(folder / way))
        sheet(pictures, options.work / f"{name}.jpg")
    names = list(table[1])
    show([{key: row.get(key, "") for key in names} for row in table], options.json)


if __name__ == "__main__":
    main()
