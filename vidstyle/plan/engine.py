"""Which engine paints a plan, on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..core import devices
from ..core.errors import UsageError
from ..engines import ENGINES, ClipEngine
from ..objective.styles import StyleSchedule
from ..settings import EACH_FRAME, EngineName, Settings, fields, meaningless_to
from ..settings.quality import quality
from .output import MACHINE, facts
from .types import AS_ASKED, EngineChoice, Plan

CHEAPER = 8.0
"""A network is taken by itself where key frames, which look better, cost so many times more …"""
LONG = 5e9
"""… and so many steps, times the pixels of a frame: most of a day on two processors."""
FEW, MANY = 4, 100
"""Frames of a clip that are all painted; and of one that a network may learn from by itself."""
HERE, REMOTE = "local", "ray://"
"""What a cluster is called: this machine, and how the address of another one begins."""
SEGMENT_LENGTH = 96
"""Frames of a segment where nothing is said: long enough that its joints cost a tenth."""
PREVIEW_STEPS = (20, 10)
"""Optimizer steps of a preview's first frame, and of the others."""


def with_engine(work: Plan) -> Plan:
    """The plan with its engine decided, and said why."""
    settings = work.settings
    wanted, why = _choice(work)
    notes = work.notes
    plain = Settings()
    unused = [
        name
        for name in meaningless_to(wanted)
        if getattr(settings, name) != getattr(plain, name) and not work.preview
    ]
    if unused:
        notes = (*notes, f"to the engine {wanted}, {_options(unused)} changes nothing")
    return replace(
        work,
        settings=replace(
            settings, engine=wanted, **{name: getattr(plain, name) for name in unused}
        ),
        engine=EngineChoice(wanted, why),
        notes=notes,
    )


def at_quality(work: Plan, name: str) -> Plan:
    """What the plan would be with the quality of this ``name``."""
    engine = work.settings.engine if work.engine.reason == AS_ASKED else "auto"
    settings = replace(work.settings, engine=engine, **quality(name))
    if work.preview:
        settings = for_preview(settings, settings.max_frames)
    return with_engine(replace(work, settings=settings))


def _choice(work: Plan) -> tuple[EngineName, str]:
    """The engine for a plan, and why that one."""
    settings, frames = work.settings, work.frames
    wanted = settings.engine
    if work.keys:
        if wanted not in ("auto", "keyframes") or settings.model is not None:
            raise UsageError("--key is for the engine keyframes: leave out --engine and --model")
        return "keyframes", "by the key frames that are given"
    if settings.model is not None:
        return "hybrid" if wanted == "hybrid" else "feedforward", f"by {settings.model}"
    if work.preview and wanted != "gatys":
        return "gatys", "a preview is too short to learn from, or to leave frames out"
    if wanted != "auto":
        return wanted, AS_ASKED
    plain = Settings()
    changed = [
        name
        for name in fields(engines=EACH_FRAME)
        if getattr(settings, name) != getattr(plain, name)
    ]
    if changed:
        return "gatys", f"{_options(changed)} is for painting every frame"
    if frames is None:
        return "keyframes", "the length of the clip is unknown"
    if frames <= FEW:
        return "gatys", f"{frames} frames are too few to leave any out"
    size = (work.width, work.height)
    costs = {name: ENGINES[name].cost(settings, size, frames) for name in ENGINES}
    long = frames >= MANY and costs["keyframes"] * size[0] * size[1] > LONG
    cheaper = CHEAPER * costs["feedforward"] < costs["keyframes"]
    return "feedforward" if long and cheaper else "keyframes", (
        f"{frames} frames of {size[0]}x{size[1]} cost {costs['gatys']:.0f} steps of the optimizer "
        f"at most, {costs['keyframes']:.0f} with key frames, or {costs['feedforward']:.0f} for a "
        f"network that learns and paints them"
    )


def _options(names: Sequence[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def with_segments(work: Plan) -> Plan:
    """The plan with the length of its segments decided."""
    settings = work.settings
    if settings.segment is None and settings.cluster is None and settings.store is None:
        return work
    if settings.store is not None and settings.cluster is None:
        raise UsageError("--store is where the workers of a --cluster keep what they paint")
    if settings.store and "://" not in settings.store and not Path(settings.store).is_dir():
        raise UsageError(
            f"--store {settings.store}: no such folder: make it where all machines see it"
        )
    address = settings.cluster or HERE
    if address != HERE and not address.startswith(REMOTE):
        raise UsageError(f"--cluster {address}: name {HERE} or {REMOTE}HOST:PORT")
    if settings.passes > 1:
        raise UsageError("--passes go over whole shots: leave out --segment and --cluster")
    if settings.cluster and (settings.plot or settings.snapshots):
        raise UsageError("--plot and --snapshots show steps, which a cluster does not send")
    if settings.cluster and settings.report:
        raise UsageError(
            "--report sees all paintings, which stay with the workers: use vidstyle measure on "
            "the output"
        )
    if settings.engine == "feedforward" or work.preview:
        note = "a network paints in one go what is to agree: this machine paints, without segments"
        if work.preview:
            note = "a preview is painted on this machine, without segments"
        settings = replace(settings, segment=None, cluster=None, store=None)
        return replace(work, settings=settings, notes=(*work.notes, note))
    return replace(work, settings=replace(settings, segment=settings.segment or SEGMENT_LENGTH))


def for_preview(settings: Settings, frames: int | None) -> Settings:
    """The settings of a preview: few steps, few frames; smaller wishes are kept."""
    first, later = PREVIEW_STEPS
    return replace(
        settings,
        max_frames=frames,
        first_iterations=min(settings.first_iterations, first),
        iterations=min(settings.iterations, later),
        passes=1,
        seamless=False,
    )


def with_machine(work: Plan) -> Plan:
    """The plan with all decided that differs by machine.

    Here and once: another process, or a later one, might decide differently in the middle of a
    painting. Where the settings leave it open, what a journal was begun with goes on.
    """
    settings = work.settings
    begun = {} if work.journal is None or work.restart else facts(work.journal)
    here = devices.pick_device(settings.device)
    # The workers of a cluster elsewhere have what they have.
    far = settings.cluster is not None and settings.cluster != HERE
    device: Any = settings.device if far else here.type
    precision = settings.precision
    if precision == "auto":
        precision = begun.get("precision", devices.pick_precision("auto", here))
    kept = begun.get(MACHINE, {})
    own = 1 if settings.cluster else torch.get_num_threads()
    threads = settings.threads or kept.get("threads", own)
    settings = replace(settings, device=device, precision=precision, threads=threads)
    return replace(work, settings=settings, tile_pixels=kept.get("tile_pixels"))


def make_engine(work: Plan) -> ClipEngine:
    """The engine of a plan, on its device and known to fit into memory."""
    size = (work.width, work.height)
    return engine_of(work.settings, work.schedule, size, work.tile_pixels)


def engine_of(
    settings: Settings, schedule: StyleSchedule, size: tuple[int, int], tile_pixels: int | None
) -> ClipEngine:
    """An engine that works on ``tile_pixels`` at once, or on fewer where memory is short."""
    engine = ENGINES[settings.engine](settings, schedule, size)
    if tile_pixels is not None:
        engine.tile_pixels = min(tile_pixels, engine.tile_pixels or tile_pixels)
    return engine
