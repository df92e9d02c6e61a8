"""What a plan will do, with an estimate of its time from one measured step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import media
from ..core import devices
from ..core.errors import UsageError
from ..core.folders import Folder, LocalFolder, NoFolder
from ..core.images import within
from ..engines import ClipEngine, engine_class
from ..settings import Settings
from ..settings.quality import QUALITIES
from ..subjects.faces import FaceDetector
from .engine import at_quality, make_engine
from .styles import brush_told
from .types import PaintPlan

STATE_BYTES = 30
"""Bytes a pixel of what an engine needs for the next frame (``TemporalState``)."""
PROBE_AREA, PROBES = 320 * 180, 3
"""Pixels of the picture that a step is measured on, at most, and how often. The fastest counts:
other work on the machine comes and goes, and in small pictures a pixel costs more."""


@dataclass(frozen=True)
class PlanSummary:
    """What a plan will do."""

    clip: str
    source: str
    frames: int | None
    """None if the length of the clip is unknown."""
    frames_are_counted: bool
    """Whether ``frames`` is exact."""
    size: str
    sound: str
    brush: str
    faces: str
    output: str
    journal: str
    engine: str
    painted_by: str
    network: str
    device: str
    precision: str
    threads: int | None
    tiles: int
    memory: str
    notes: str
    estimated_seconds: float | None
    """At most; None if the number of frames is unknown."""
    seconds_by_quality: Mapping[str, float | None]

    @property
    def frames_told(self) -> str:
        """How many frames there are, in words."""
        if self.frames is None:
            return "unknown"
        return f"{'' if self.frames_are_counted else 'about '}{self.frames}"

    def facts(self) -> dict[str, Any]:
        """Return all of it by name, as ``--dry-run --json`` prints it."""
        return {spec.name.replace("_", " "): getattr(self, spec.name) for spec in fields(self)}


def describe(plan: PaintPlan) -> PlanSummary:
    """Say what a plan will do. One step of the optimizer is measured for the estimate.

    Raises:
        UsageError: the disk has no room for it, or memory for its frames.
    """
    settings, info = plan.settings, plan.footage.clip.info
    engine = make_engine(settings, plan.schedule, plan.size, plan.tile_pixels)
    check_room(plan)
    width, height = plan.size
    with devices.threads(settings.threads):
        step = _whole_step(engine, width, height)

    def seconds(settings: Settings) -> float | None:
        frames = plan.footage.frames
        if frames is None:
            return None
        return step * engine_class(settings.engine).cost(settings, plan.size, frames)

    return PlanSummary(
        clip=str(info.path),
        source=f"{info.container} {info.width}x{info.height}",
        frames=plan.footage.frames,
        frames_are_counted=plan.footage.is_counted,
        size="x".join(map(str, plan.footage.whole)),
        sound=(", ".join(info.sound) if plan.output.format.kind == "video" else "") or "none",
        brush=brush_told(plan.schedule.pictures, plan.size, settings),
        faces=_faces_told(plan),
        output=str(plan.output.path),
        journal=_journal_told(plan.parts, journal_bytes(plan), settings),
        engine=str(plan.engine),
        painted_by=_executor(settings),
        network=f"{settings.network}, {settings.weights} weights",
        device=str(engine.device),
        precision=settings.precision,
        threads=settings.threads,
        tiles=engine.tiles,
        memory=f"about {engine.memory / 1e6:.0f} MB",
        notes="; ".join(plan.notes) or "none",
        estimated_seconds=seconds(settings),
        seconds_by_quality={
            name: seconds(at_quality(plan.footage, plan.engine, plan.preview, name))
            for name in QUALITIES
        },
    )


def _faces_told(plan: PaintPlan) -> str:
    """Say how many faces the first frame shows."""
    footage = plan.footage
    if not footage.looks_for_faces:
        return "not looked for"
    start, end = footage.settings.span
    first = next(iter(media.trim(media.frames_since(footage.clip, start), start, end)), None)
    if first is None:
        return "none"
    faces = FaceDetector()(within(first.rgb, max(footage.whole)))
    count = sum(face.is_sure for face in faces)
    return f"{count or 'none'} in the first frame"


def _executor(settings: Settings) -> str:
    segment, cluster = settings.segment, settings.cluster
    if segment is None:
        return "this process"
    return f"{'this process' if cluster is None else cluster}, in segments of {segment} frames"


def _journal_told(parts: Folder, needs: tuple[int, int | None], settings: Settings) -> str:
    """Say where paintings are kept, and how many bytes that ``needs``: first, and at most."""
    if isinstance(parts, NoFolder):
        return "none"
    minimum, maximum = needs
    told = f"{parts}: from {minimum / 1e6:.0f} MB"
    if settings.segment is not None:
        told += " for each segment at work"
    if maximum is not None:
        told += f", up to {maximum / 1e6:.0f} MB with all paintings and the output"
    return told


def journal_bytes(plan: PaintPlan) -> tuple[int, int | None]:
    """Estimate the bytes on the disk that a painting needs.

    Returns:
        Those to begin with, and those with all paintings and the output; the latter None if the
        number of frames is unknown.
    """
    pixels, frames = plan.size[0] * plan.size[1], plan.footage.frames
    # A state is whole before the one before it goes.
    state = 2 * pixels * STATE_BYTES
    if plan.settings.segment is not None:  # after its key frame, and after two chunks
        state *= 3
    painting = pixels * 3 * (2 if plan.keep_frames else 1)
    if frames is None:
        return state + painting, None
    again = frames // 2 if plan.closes else 0  # what leads into the first frame once more
    written = frames * pixels * _output_bytes(plan.output.format.kind, plan.settings.codec)
    return state + painting, state + painting * (frames + again) + round(written)


def _output_bytes(kind: str, codec: str | None) -> float:
    """Return the bytes a pixel of an output at most, before it is compressed. Those of a GIF
    include the colors that its palettes are made of."""
    if kind == "gif":
        return 5.0
    return 1.5 if kind == "video" and codec not in ("ffv1", "prores") else 4.0


def check_room(plan: PaintPlan) -> list[str]:
    """Return a note if the disk may not have room for all paintings.

    Raises:
        UsageError: it has no room for the first one.
    """
    if not isinstance(plan.parts, LocalFolder):  # a store elsewhere says itself when it is full
        return []
    folder = plan.parts.path
    minimum, maximum = journal_bytes(plan)
    free = _free_bytes(folder)
    line = f"{folder.parent}: {free / 1e6:.0f} MB are free, and the painting needs"
    if free < minimum:
        raise UsageError(f"{line} {minimum / 1e6:.0f}: make room, or name another --output")
    if maximum is None or free >= maximum:
        return []
    return [f"{line} up to {maximum / 1e6:.0f}; if the disk fills up, it stops and can go on later"]


def _free_bytes(path: Path) -> int:
    """Return the free bytes on the disk of ``path``, which need not exist."""
    return shutil.disk_usage(next(p for p in (path, *path.absolute().parents) if p.exists())).free


def _whole_step(engine: ClipEngine, width: int, height: int) -> float:
    """Estimate the seconds of a step on a whole frame."""
    share = min(1.0, (PROBE_AREA / (width * height)) ** 0.5)
    probe = max(1, round(width * share)), max(1, round(height * share))
    fastest = min(step_seconds(engine, probe) for _ in range(PROBES))
    # Each tile goes through the network once more, for the Gram matrices of all of them.
    again = 4 / 3 if engine.tiles > 1 else 1.0
    return again * fastest * width * height / (probe[0] * probe[1])


def step_seconds(engine: ClipEngine, size: tuple[int, int], measured: float = 0.0) -> float:
    """Measure a step of the optimizer.

    Args:
        engine: whose objective is evaluated.
        size: width and height of the picture.
        measured: for how many seconds to measure. With 0, one step is.

    Returns:
        Seconds a step.
    """
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
