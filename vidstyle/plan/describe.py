"""What a plan will do, in words and numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core import devices
from ..core.errors import UsageError
from ..core.folders import LocalFolder
from ..engines import ENGINES, ClipEngine
from ..settings.quality import QUALITIES
from .engine import at_quality, make_engine
from .output import room
from .types import Plan

STATE_BYTES = 24
"""A pixel, of what an engine needs for the next frame (``TemporalState``)."""


def describe(work: Plan) -> dict[str, Any]:
    """What a plan will do, by name, with an estimate of its time from one measured step."""
    engine = make_engine(work)
    check_room(work)
    with devices.threads(work.settings.threads):
        step = _frame_step(work, engine)
    info = work.clip.info
    sound = ", ".join(info.sound) if work.format.kind == "video" else ""
    return {
        "clip": str(info.path),
        "source": f"{info.container} {info.width}x{info.height}",
        "frames": work.frames,
        "frames are counted": work.is_counted,
        "size": f"{work.width}x{work.height}",
        "sound": sound or "none",
        "output": str(work.output),
        "journal": _journal_size(work),
        "engine": str(work.engine),
        "painted by": _executor(work),
        "network": f"{work.settings.network}, {work.settings.weights} weights",
        "device": str(engine.device),
        "precision": work.settings.precision,
        "threads": work.settings.threads,
        "tiles": engine.tiles,
        "memory": f"about {engine.memory / 1e6:.0f} MB",
        "notes": "; ".join(work.notes) or "none",
        "estimated seconds": _estimate(work, step),
        "seconds by quality": _estimates(work, step),
    }


def frames_told(facts: Mapping[str, Any]) -> str:
    """How many frames a plan has by its ``facts``, in words."""
    if facts["frames"] is None:
        return "unknown"
    return f"{'' if facts['frames are counted'] else 'about '}{facts['frames']}"


def _executor(work: Plan) -> str:
    segment, cluster = work.settings.segment, work.settings.cluster
    if segment is None:
        return "this process"
    return f"{'this process' if cluster is None else cluster}, in segments of {segment} frames"


def _journal_size(work: Plan) -> str:
    if work.journal is None:
        return "none"
    minimum, maximum = journal_bytes(work)
    needed = f"from {minimum / 1e6:.0f} MB"
    if work.settings.segment is not None:
        needed += " for each segment at work"
    if maximum is not None:
        needed += f", up to {maximum / 1e6:.0f} MB with all paintings and the output"
    return f"{work.parts}: {needed}"


def journal_bytes(work: Plan) -> tuple[int, int | None]:
    """What the journal takes on the disk to begin with, and at most, with the output, as far as
    that is known."""
    pixels = work.width * work.height
    # A state is whole before the one before it goes.
    state = 2 * pixels * (STATE_BYTES + 6 * max(work.settings.long_term))
    if work.settings.segment is not None:  # after its key frame, and after two chunks
        state *= 3
    painting = pixels * 3 * (2 if work.keep_frames else 1)
    if work.frames is None:
        return state + painting, None
    again = work.frames // 2 if work.closes else 0  # what leads into the first frame once more
    written = work.frames * pixels * _output_bytes(work)
    return state + painting, state + painting * (work.frames + again) + round(written)


def _output_bytes(work: Plan) -> float:
    """A pixel of an output takes so many bytes at most, as it is before it is compressed; of a
    GIF, with the colors that its palettes are made of."""
    if work.format.kind == "gif":
        return 5.0
    lossless = work.settings.codec in ("ffv1", "prores")
    return 1.5 if work.format.kind == "video" and not lossless else 4.0


def check_room(work: Plan) -> list[str]:
    """What there is to say of the room on the disk for the paintings that are kept.

    Raises:
        UsageError: not even the first one can be kept.
    """
    if not isinstance(work.parts, LocalFolder):  # a store elsewhere says itself when it is full
        return []
    minimum, maximum = journal_bytes(work)
    free = room(work.parts.path)
    line = f"{work.parts.path.parent}: {free / 1e6:.0f} MB are free, and the painting needs"
    if free < minimum:
        raise UsageError(f"{line} {minimum / 1e6:.0f}: make room, or name another --output")
    if maximum is None or free >= maximum:
        return []
    return [f"{line} up to {maximum / 1e6:.0f}; where the disk ends it stops, and goes on later"]


def _frame_step(work: Plan, engine: ClipEngine) -> float:
    """Seconds of an optimizer's step on a whole frame."""
    side = 96
    return step_seconds(engine, (side, side)) * work.width * work.height / side**2


def _estimate(work: Plan, step: float) -> float | None:
    """Seconds the painting takes at most; None if the length is unknown."""
    if work.frames is None:
        return None
    size = (work.width, work.height)
    return step * ENGINES[work.settings.engine].cost(work.settings, size, work.frames)


def _estimates(work: Plan, step: float) -> dict[str, float | None]:
    """What each quality would take."""
    return {name: _estimate(at_quality(work, name), step) for name in QUALITIES}


def step_seconds(engine: ClipEngine, size: tuple[int, int], measured: float = 0.0) -> float:
    """Seconds of an optimizer's step on a picture of ``size`` (width, height), from one that is
    ``measured``, or from as many as take so long."""
    width, height = size
    probe = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    objective, start = engine.task(probe)
    objective(start)  # the first one is slower
    began, steps, passed = time.perf_counter(), 0, 0.0
    while not steps or passed < measured:
        objective(start)
        steps += 1
        passed = time.perf_counter() - began
    return passed / steps
