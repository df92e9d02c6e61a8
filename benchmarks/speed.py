"""How fast it is, as ratios taken in one run: a step, peers, a clip, motion, memory.

python -m benchmarks.speed WORK --clip PATH --style IMAGE [--only NAME,NAME] [--json FILE]

``clip`` is best one before a still camera. A picture of loss against seconds, peers.png, and the
frames of the clip as painted by pastiche and by vidstyle stay in the folder WORK.
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vidstyle import Settings, media, stylize
from vidstyle.core.frames import Frame
from vidstyle.core.images import Image, at_area, resized
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.metrics import measure
from vidstyle.objective.styles import StyleSchedule
from vidstyle.render.scheduler import Scheduler

from . import step
from .peers import OURS, ObjectiveJudge, by_pastiche, by_tutorial, by_vidstyle, reached
from .table import Row, machine, parser, show

STEPS = 60
"""Of each peer on one picture."""
PASTICHE_STEPS = 100
"""On each frame of the clip: a tenth of what pastiche takes when nobody says."""
CLIP_FRAMES, ALONE = 48, 3
"""Frames of the clip that we paint, and that pastiche does."""
SHARES = (0.0, 0.01, 0.05, 0.2, 1.0)
"""Of the pixels that change."""
SIZES = ((480, 270), (960, 540), (1920, 1080))
"""Whose memory is measured."""


def a_step(rounds: int) -> list[Row]:
    """A step of the optimizer over the convolutions alone."""
    return [step.measure(512, 288, precision, "auto", rounds) for precision in step.precisions()]


def one_picture(content: Image, style: Image, work: Path) -> list[Row]:
    """Seconds to the same loss: that of each peer's last picture, and of its half-way one."""
    height, width = content.shape[:2]
    style = at_area(style, width * height)
    judge = ObjectiveJudge(content, style)
    curves = {
        name: [(seconds, judge(picture)) for seconds, picture in curve]
        for name, curve in (
            ("vidstyle", by_vidstyle(content, style, OURS)),
            ("pastiche", by_pastiche(content, style, STEPS)),
            ("PyTorch's tutorial", by_tutorial(content, style, STEPS)),
        )
    }
    draw(curves, work / "peers.png")
    rows = []
    for name, curve in curves.items():
        seconds, loss = curve[-1]
        ours = reached(curves["vidstyle"], loss)
        middle = curve[len(curve) // 2]
        rows.append(
            {
                "painted by": name,
                "size": f"{width}x{height}",
                "seconds": seconds,
                "loss": loss,
                "our seconds to it": ours,
                "times faster": seconds / ours,
                "half-way": middle[0] / reached(curves["vidstyle"], middle[1]),
            }
        )
    return rows


def draw(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """The loss of each contender against its seconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), label=name)
    axes.set(
        xlabel="seconds", ylabel="loss of the picture as written", yscale="log", xlim=(0, None)
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def a_clip(frames: list[Image], style: Image, style_path: Path, work: Path) -> list[Row]:
    """Frames of a clip, as we paint them and one by one with pastiche."""
    source, ours, theirs = (work / name for name in ("source", "vidstyle", "pastiche"))
    height, width = frames[0].shape[:2]
    for index, picture in enumerate(frames):
        save(picture, source / f"{index:04}.png")
    small = at_area(style, width * height)
    seconds = []
    for index, picture in enumerate(frames[:ALONE]):
        curve = by_pastiche(picture, small, PASTICHE_STEPS)
        save(curve[-1][1], theirs / f"{index:04}.png")
        seconds.append(curve[-1][0])
    result = stylize(
        source, style_path, ours, engine="gatys", size="full", overwrite=True, device="cpu"
    )
    rows: list[Row] = []
    for name, folder, each in (
        ("pastiche, each frame", theirs, statistics.mean(seconds)),
        ("vidstyle", ours, result.seconds / result.frames),
    ):
        found = measure(source, folder, style_path)
        rows.append(
            {
                "painted by": name,
                "frames": len(list(folder.iterdir())),
                "seconds a frame": each,
                "style": found.style,
                "content": found.content,
                "warping": found.warping,
                "flicker": found.flicker,
                "motion": found.motion,
            }
        )
    for row in rows:
        row["times faster"] = rows[0]["seconds a frame"] / row["seconds a frame"]
    return rows


def save(picture: Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    media.save_image(path, picture)


def motion(picture: Image, style: Image, precision: Any) -> list[Row]:
    """Seconds a frame where a part of each is new, over those where all of it is."""
    height, width = picture.shape[:2]
    random = np.random.default_rng(0)
    rows: list[Row] = []
    for share in SHARES:
        engine = OptimizingEngine(
            Settings(first_iterations=20, precision=precision),
            StyleSchedule.of(style),
            (width, height),
        )
        side = math.sqrt(share)
        high, wide = round(height * side), round(width * side)
        frames = [picture]
        for _ in range(4):
            other = picture.copy()
            top, left = random.integers(height - high + 1), random.integers(width - wide + 1)
            moved = np.roll(picture, random.integers(1, width), 1)
            other[top : top + high, left : left + wide] = moved[:high, :wide]
            frames.append(other)
        given = (
            Frame(frame, Fraction(index), Fraction(1), starts_shot=index == 0)
            for index, frame in enumerate(frames)
        )
        scheduler = Scheduler(engine, lambda event: None)
        ends = [time.perf_counter() for _ in scheduler.paint(given)]
        seconds = [after - before for before, after in pairwise(ends)]
        rows.append({"share that changes": share, "seconds a frame": statistics.median(seconds)})
    for row in rows:
        row["of a whole one"] = row["seconds a frame"] / rows[-1]["seconds a frame"]
    return rows


def memory() -> list[Row]:
    """Peak memory of two steps, over what the process takes without them."""
    rows = []
    for width, height in SIZES:
        for most in (None, 600_000):
            if most is None or width * height > most:
                command = [
                    sys.executable,
                    "-m",
                    __spec__.name,
                    "--peak",
                    f"{width}x{height}x{most or 0}",
                ]
                made = subprocess.run(command, capture_output=True, text=True, check=True)
                rows.append(json.loads(made.stdout))
    return rows


def peak(width: int, height: int, most: int) -> Row:
    """What ``memory`` runs in a process of its own."""
    random = np.random.default_rng(0)
    source, style = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    engine = OptimizingEngine(
        Settings(precision="fp32", device="cpu"), StyleSchedule.of(style), (width, height)
    )
    engine.tile_pixels = most or engine.tile_pixels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.perf_counter()
    objective, start = engine.task(source)
    objective(start)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {
        "size": f"{width}x{height}",
        "tiles": engine.tiles,
        "GB": used / 1e9,
        "bytes a pixel": used / (width * height),
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK", nargs="?")
    made.add_argument("--clip", type=Path)
    made.add_argument("--style", type=Path)
    made.add_argument("--size", type=int, default=320)
    made.add_argument("--only", default="step,picture,clip,motion,memory")
    made.add_argument("--precision", default="auto", help="of motion")
    made.add_argument("--peak", help="WIDTHxHEIGHTxMOST: for this program itself")
    options = made.parse_args()
    if options.peak:
        print(json.dumps(peak(*map(int, options.peak.split("x")))))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    style, _ = media.read_image(options.style)
    opened = media.open_clip(options.clip)
    scale = options.size / max(opened.info.width, opened.info.height)
    size = round(opened.info.width * scale), round(opened.info.height * scale)
    frames = [resized(f.rgb, size) for f in media.trim(opened, max_frames=CLIP_FRAMES)]
    tables = {
        "step": lambda: a_step(7),
        "picture": lambda: one_picture(frames[0], style, options.work),
        "clip": lambda: a_clip(frames, style, options.style, options.work),
        "motion": lambda: motion(frames[0], style, options.precision),
        "memory": memory,
    }
    found = {}
    for name in options.only.split(","):
        found[name] = tables[name]()
        print(f"\n{name}\n")
        show(found[name])
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), **found}, indent=1))


if __name__ == "__main__":
    main()
