"""Which engine paints, in which segments, on which machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import journal
from ..core import devices
from ..core.errors import UsageError
from ..engines import ClipEngine, engine_class
from ..objective.styles import StyleSchedule
from ..settings import EACH_FRAME, ENGINES, Settings, fields, meaningless_to
from ..settings.quality import quality
from .footage import Footage

CHEAPER = 8.0
"""A network is chosen where key frames, which look better, cost so many times more …"""
LONG = 5e9
"""… and so many steps, times the pixels of a frame: most of a day on two processors."""
STRICT = 0.2
"""With a tolerance below this, every frame is painted: carried paint does not come as close."""
FEW, MANY = 4, 100
"""Up to so many frames are all painted; from so many on, a network may be chosen."""
HERE, REMOTE = "local", "ray://"
"""The name of a cluster on this machine, and how the address of another one begins."""
SEGMENT_LENGTH = 96
"""Default frames of a segment: long enough that joining them costs a tenth."""
PREVIEW_STEPS = (20, 10)
"""Optimizer steps of a preview's first frame, and of the others."""
AS_ASKED = "as asked"
"""The reason for an engine that was named."""


@dataclass(frozen=True)
class EngineChoice:
    """Which engine paints, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def choose_engine(footage: Footage, preview: bool) -> tuple[Footage, EngineChoice, list[str]]:
    """Decide which engine paints.

    Returns:
        The footage with that engine in its settings, and the options that it does not read at their
        defaults; the choice; and notes about those options.

    Raises:
        UsageError: given paintings need another engine than the one that is named.
    """
    settings = footage.settings
    choice = _choice(footage, preview)
    plain = Settings()
    unused = [
        name
        for name in meaningless_to(engine_class(choice.name).options_of)
        if getattr(settings, name) != getattr(plain, name) and not preview
    ]
    notes = []
    if typed := [name for name in unused if name in fields(in_recipes_only=False)]:
        notes = [f"{_options(typed)}: no effect with the engine {choice.name}"]
    defaults = {name: getattr(plain, name) for name in unused}
    settings = replace(settings, engine=choice.name, **defaults)
    return replace(footage, settings=settings), choice, notes


def _choice(footage: Footage, preview: bool) -> EngineChoice:
    settings, frames = footage.settings, footage.frames
    wanted = settings.engine
    if footage.keys:
        if wanted not in ("auto", "keyframes") or settings.model is not None:
            raise UsageError("--key is for the engine keyframes: leave out --engine and --model")
        return EngineChoice("keyframes", "by the key frames that are given")
    if settings.model is not None:
        return EngineChoice("feedforward", f"by {settings.model}")
    if preview and wanted != "gatys":
        reason = "a preview is too short to learn from, or to leave frames out"
        return EngineChoice("gatys", reason)
    if wanted != "auto":
        return EngineChoice(wanted, AS_ASKED)
    plain = Settings()
    changed = [
        name
        for name in fields(engines=EACH_FRAME)
        if getattr(settings, name) != getattr(plain, name)
    ]
    if changed:
        return EngineChoice("gatys", f"{_options(changed)} is for painting every frame")
    if settings.tolerance < STRICT:
        reason = f"--tolerance {settings.tolerance:g} takes painting every frame"
        return EngineChoice("gatys", reason)
    if frames is None:
        return EngineChoice("keyframes", "the length of the clip is unknown")
    if frames <= FEW:
        return EngineChoice("gatys", f"{frames} frames are too few to leave any out")
    return _cheapest(footage, frames)


def _cheapest(footage: Footage, frames: int) -> EngineChoice:
    """Choose by cost: key frames, unless a network is that much cheaper for a long clip."""
    width, height = footage.size
    costs = {
        name: engine_class(name).cost(footage.settings, footage.size, frames)
        for name in ENGINES.own
    }
    long = frames >= MANY and costs["keyframes"] * width * height > LONG
    cheaper = CHEAPER * costs["feedforward"] < costs["keyframes"]
    reason = (
        f"{frames} frames of {width}x{height} cost {costs['gatys']:.0f} steps of the optimizer "
        f"at most, {costs['keyframes']:.0f} with key frames, or {costs['feedforward']:.0f} for a "
        f"network that learns and paints them"
    )
    return EngineChoice("feedforward" if long and cheaper else "keyframes", reason)


def _options(names: Sequence[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def at_quality(footage: Footage, choice: EngineChoice, preview: bool, name: str) -> Settings:
    """Return the settings that the footage would have with the quality ``name``."""
    engine = footage.settings.engine if choice.reason == AS_ASKED else "auto"
    settings = replace(footage.settings, engine=engine, **quality(name))
    if preview:
        settings = for_preview(settings, settings.max_frames)
    return choose_engine(replace(footage, settings=settings), preview)[0].settings


def with_segments(settings: Settings, preview: bool) -> tuple[Settings, list[str]]:
    """Decide the length of segments, and check that a cluster can paint them.

    Returns:
        The settings, and notes.

    Raises:
        UsageError: options that do not go together, or a store that is missing.
    """
    if settings.segment is None and settings.cluster is None and settings.store is None:
        return settings, []
    if settings.store is not None and settings.cluster is None:
        raise UsageError("--store is where the workers of a --cluster keep what they paint")
    if settings.store and "://" not in settings.store and not Path(settings.store).is_dir():
        raise UsageError(
            f"--store {settings.store}: no such folder: make it where all machines see it"
        )
    address = settings.cluster or HERE
    if address != HERE and not address.startswith(REMOTE):
        raise UsageError(f"--cluster {address}: name {HERE} or {REMOTE}HOST:PORT")
    if settings.cluster and (settings.plot or settings.snapshots):
        raise UsageError("--plot and --snapshots show steps, which a cluster does not send")
    if settings.cluster and settings.report:
        raise UsageError(
            "--report sees all paintings, which stay with the workers: use vidstyle measure on "
            "the output"
        )
    if settings.engine == "feedforward" or preview:
        note = "a network paints each frame in one pass: on this machine, without segments"
        if preview:
            note = "a preview is painted on this machine, without segments"
        return replace(settings, segment=None, cluster=None, store=None), [note]
    return replace(settings, segment=settings.segment or SEGMENT_LENGTH), []


def for_preview(settings: Settings, frames: int | None) -> Settings:
    """Return the settings of a preview of so many ``frames``: few steps, or fewer if wanted."""
    first, later = PREVIEW_STEPS
    return replace(
        settings,
        max_frames=frames,
        first_iterations=min(settings.first_iterations, first),
        iterations=min(settings.iterations, later),
        seamless=False,
    )


def on_machine(settings: Settings, begun: Path | None) -> tuple[Settings, int | None]:
    """Decide all that differs by machine: device, precision and threads.

    This is decided once and for all, since another process, or a later run, might decide otherwise
    in the middle of a painting. What the settings leave open goes on as a journal was begun.

    Args:
        settings: the options.
        begun: the folder of the journal of an earlier run that is to be gone on with.

    Returns:
        The settings, and how many pixels went through the network at once in that run.
    """
    known = {} if begun is None else journal.facts(begun)
    here = devices.pick_device(settings.device)
    # The workers of a cluster elsewhere have what they have.
    far = settings.cluster is not None and settings.cluster != HERE
    device: Any = settings.device if far else here.type
    precision = settings.precision
    if precision == "auto":
        precision = known.get("precision", devices.pick_precision("auto", here))
    kept = known.get(journal.MACHINE, {})
    own = 1 if settings.cluster else torch.get_num_threads()
    threads = settings.threads or kept.get("threads", own)
    settings = replace(settings, device=device, precision=precision, threads=threads)
    return settings, kept.get("tile_pixels")


def make_engine(
    settings: Settings,
    schedule: StyleSchedule,
    size: tuple[int, int],
    tile_pixels: int | None = None,
) -> ClipEngine:
    """Make the engine that ``settings`` name.

    Args:
        settings: the options.
        schedule: the styles.
        size: width and height of the frames, in pixels.
        tile_pixels: pixels that go through the network at once; fewer where memory is short. None
            means as many as fit.
    """
    engine = engine_class(settings.engine)(settings, schedule, size)
    if tile_pixels is not None:
        engine.tile_pixels = min(tile_pixels, engine.tile_pixels or tile_pixels)
    return engine
