"""The same frames in the same style by other programs, as their users run them (rivals.toml).

    python -m benchmarks.rivals WORK HOME --clip NAME=PATH[@SECONDS] ... --style IMAGE [--only NAME]
        [--frames N] [--size N] [--json FILE]

HOME holds what nobody installs for you: ``env``, a virtual environment with the other programs,
and their checkouts by name. Those that would download VGG-19 find ours there, once ``--weights``
has written it. Paintings stay in WORK, and what is there is not painted again, so that programs can
be run one after the other. Seconds are those of one processor core (set OMP_NUM_THREADS=1), with
the start of each process, since that is what a person waits for.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vidstyle.core.images import Image, resized
from vidstyle.metrics import measure
from vidstyle.networks import layers, shapes, weights
from vidstyle.temporal.truth import FLOW_SUFFIXES

from .sheets import write_gif
from .table import Row, parser, show
from .temporal import clip_of, cut_out, frames_of

RIVALS = Path(__file__).with_suffix(".toml")
FIGURES = ("style", "texture", "content", "flicker", "flicker_source", "rmse", "rmse_source")
WEIGHTS = "torch/hub/checkpoints/vgg19-dcbb9e9d.pth"
"""Where torchvision looks for VGG-19 below TORCH_HOME, before it downloads it."""
WIDTH, LABEL, LASTS = 256, 20, Fraction(1, 5)
"""Of a clip beside others: its width and its label's height in pixels, and seconds of a frame."""
MEAN, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""torchvision's: of what it expects to see."""


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("home", type=Path, metavar="HOME")
    made.add_argument("--clip", action="append", default=[], metavar="NAME=PATH[@SECONDS]")
    made.add_argument("--style", type=Path)
    made.add_argument("--only", action="append", metavar="NAME", help="of rivals.toml")
    made.add_argument("--frames", type=int, default=8)
    made.add_argument("--size", type=int, default=256)
    made.add_argument("--weights", action="store_true", help="write VGG-19 for the others, and end")
    options = made.parse_args()
    work, home = options.work.absolute(), options.home.absolute()
    if options.weights:
        write_weights(home / WEIGHTS)
        return
    rivals = tomllib.loads(RIVALS.read_text())
    rows: list[Row] = []
    rows_of: dict[str, dict[str, list[Image]]] = {}
    for given in options.clip:
        name, path, start = clip_of(given)
        source = work / name / "source"
        cut_out(path, start, options.frames, options.size, source)
        for called in options.only or rivals:
            out = work / name / options.style.stem / called.replace(" ", "_")
            facts = out.with_suffix(".json")
            if not facts.exists():
                found = painted(rivals[called], home, source, options.style.absolute(), out)
                facts.write_text(json.dumps(found))
            rows_of.setdefault(name, {})[called] = frames_of(out)
            row = {"clip": name, "program": called, **json.loads(facts.read_text())}
            there = {one.suffix for one in Path(path).glob("*")}
            truth = Path(path) if there & {*FLOW_SUFFIXES} else None
            figures = dataclasses.asdict(measure(source, out, options.style, flow_truth=truth))
            rows.append(row | {figure: figures[figure] for figure in FIGURES})
            show(rows, options.json)
        beside(frames_of(source), rows_of[name], work / f"{name}.gif")


def painted(rival: dict[str, Any], home: Path, source: Path, style: Path, out: Path) -> Row:
    """Paint the frames in the folder ``source`` by another program, into the folder ``out``.

    Returns:
        Seconds of one core for each frame, and peak memory in MB.
    """
    frames = sorted(source.glob("*.png"))
    words: dict[str, Any] = {
        "own": sys.executable,
        "bin": home / "env" / "bin",
        "python": home / "env" / "bin" / "python",
        "frames": source,
        "style": style,
        "out": out,
        "side": max(frames_of(source)[0].shape[:2]),
        "end": len(frames) - 1,
        "cache": out.with_name(f"{out.name}.cache"),
        "keys": out.with_name("keys"),
    }
    keys = two_keys(out.parent, words["keys"]) if rival.get("keys") else []
    words |= dict(zip(("first", "last"), keys, strict=False))
    out.parent.mkdir(parents=True, exist_ok=True)
    if "config" in rival:
        words["config"] = out.with_suffix(".yml")
        words["config"].write_text(rival["config"].format(**words))
    folder = home / rival["checkout"] if "checkout" in rival else home
    if "whole" in rival:
        if "-m vidstyle" not in rival["whole"]:
            out.mkdir()
        usages = [run(rival["whole"].format(**words), folder, home)]
    else:
        out.mkdir()
        usages = []
        for number, frame in enumerate(frames):
            words |= {"frame": frame, "painted": out / frame.name}
            if keys:
                end = 0 if 2 * number < len(frames) else -1
                words |= {"key": keys[end], "key_frame": frames[end]}
            usages.append(run(rival["each"].format(**words), folder, home))
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    memory = max(usage.ru_maxrss for usage in usages) / 1024
    return {"s a frame": seconds / len(frames), "MB": memory}


def beside(source: list[Image], painted: dict[str, list[Image]], output: Path) -> None:
    """Write clips side by side, in two columns, as a GIF with their names."""
    height, width = source[0].shape[:2]
    size = WIDTH, round(WIDTH * height / width)
    shown = {"the clip": source} | painted
    nothing = np.full((size[1] + LABEL, size[0], 3), 255, np.uint8)
    pictures = []
    for number in range(len(source)):
        cells = [_labeled(clip[number], name, size) for name, clip in shown.items()]
        cells += [nothing] * (len(cells) % 2)
        rows = [np.hstack(cells[at : at + 2]) for at in range(0, len(cells), 2)]
        pictures.append(np.vstack(rows))
    write_gif(pictures, [LASTS] * len(pictures), output)


def _labeled(picture: Image, name: str, size: tuple[int, int]) -> Image:
    label = np.full((LABEL, size[0], 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(label, name, (4, LABEL - 6), font, 0.45, (30, 41, 59), 1, cv2.LINE_AA)
    return np.vstack([label, resized(picture, size)])


def two_keys(folder: Path, keys: Path) -> list[Path]:
    """Take the first and the last frame that "vidstyle" has painted in a ``folder``."""
    done = sorted((folder / "vidstyle").glob("*.png"))
    keys.mkdir(exist_ok=True)
    found = []
    for path in (done[0], done[-1]):
        (keys / path.name).write_bytes(path.read_bytes())
        found.append(keys / path.name)
    return found


def run(command: str, folder: Path, home: Path) -> Any:
    """Run a ``command`` in a ``folder``, and return what it used."""
    environment = os.environ | {"TORCH_HOME": str(home / "torch")}
    process = subprocess.Popen(
        shlex.split(command), cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {command}")
    return usage


def write_weights(path: Path) -> None:
    """Write our VGG-19 as torchvision's would be: for pictures that are normalized as it does, and
    with features as large, so that weights of losses mean about the same."""
    from torchvision.models import vgg19

    bundled = weights.load("bundled", "vgg19", shapes("vgg19"), 0)
    mean, scale = torch.tensor(MEAN), torch.tensor(SCALE)
    state = vgg19(weights=None).state_dict()
    names = [name for name in state if name.startswith("features") and name.endswith("weight")]
    convolutions = [name for name in layers("vgg19") if name.startswith("conv")]
    smaller = float((torch.tensor(bundled.scale) * scale).mean())
    for name, layer in zip(names, convolutions, strict=True):
        weight, bias = bundled.convolutions[layer]
        if name == names[0]:
            moved = (mean - torch.tensor(bundled.mean)) * torch.tensor(bundled.scale)
            bias = bias + torch.einsum("oihw,i->o", weight, moved)
            weight = weight * (torch.tensor(bundled.scale) * scale).view(1, 3, 1, 1) / smaller
        state[name] = weight
        state[name.replace("weight", "bias")] = bias / smaller
    for name in state:
        if name.startswith("classifier"):  # which none of them needs
            state[name] = torch.zeros(1).expand(state[name].shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


if __name__ == "__main__":
    main()
