"""What is to be made of a clip: understood, checked, and not yet begun."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np

from .. import media
from ..core import files
from ..core.errors import UsageError, unknown
from ..core.images import Image
from ..engines import ENGINES, FeedForwardEngine, OptimizingEngine
from ..media import Clip, Format
from ..media.stills import StillsClip
from ..networks import transformer as models
from ..networks.transformer import TransformerNet
from ..objective.masks import check as check_mask
from ..objective.styles import StyleSchedule, schedule_from_options, style_picture
from ..settings import SMALLEST_SIZE, Settings, rate_of
from .output import Output, check_encoding, is_begun, output_of, room, wrote

STATE_BYTES = 24
"""A pixel, of what a painter needs for the next frame (``TemporalState``)."""
OF_OPTIMISERS = (
    *("init", "first_init", "iterations", "first_iterations", "tolerance", "coarse_to_fine"),
    *("optimizer", "learning_rate", "betas", "epsilon", "average", "long_term", "passes"),
    "snapshots",
)
"""Settings that say nothing to a network."""
CHEAPER = 8.0
"""A network is taken by itself where it costs so many times less at most: the optimiser
paints better, and often needs a third of what it may."""
ANOTHER_SIZE = 1.5
"""From so many times the width on that a model has learned at, its strokes look wrong."""
HERE, REMOTE = "local", "ray://"
"""What a cluster is called: this machine, and how the address of another one begins."""
SEGMENT_LENGTH = 96
"""Frames of a segment where nothing is said: long enough that its joints cost a tenth."""
LATE = 1
"""Seconds that a clip may go on for after the end that its file claims."""
PREVIEW_SIZE = 208
PREVIEW_STEPS = (20, 10)
"""Optimiser steps of a preview's first frame, and of the others."""
NO_PICTURE: Image = np.zeros((1, 1, 3), np.uint8)
"""Stands for a style of a model that is known by name only."""
Engine = OptimizingEngine | FeedForwardEngine
StyleLike = str | Path | tuple[str | Path, float]
"""A picture, or (picture, weight)."""
Later = tuple[float, StyleLike]
"""The style from so many seconds on."""
MaskLike = str | Path | tuple[str | Path, str | Path | None]
"""A mask of what is not to be painted, or (mask, picture) of what is to look like that."""


@dataclass(frozen=True)
class Plan:
    """A painting that is understood, checked and not yet begun."""

    clip: Clip
    schedule: StyleSchedule
    target: Output
    width: int
    height: int
    settings: Settings
    masks: tuple[Clip, ...] = ()
    overwrite: bool = False
    preview: bool = False
    engine: str = ""
    """How frames are painted, and why."""
    notes: tuple[str, ...] = ()
    journal: Path | None = None
    """The folder where paintings are kept until the output is whole."""
    restart: bool = False
    keep_frames: bool = False
    keep_partial: bool = False
    reads: tuple[Path, ...] = ()
    """Files that must stay as they are."""

    @property
    def output(self) -> Path:
        return self.target.path

    @property
    def format(self) -> Format:
        return self.target.format

    @property
    def sheet(self) -> Path | None:
        """The contact sheet, of a preview."""
        return self.target.sheet if self.preview else None

    @property
    def plot(self) -> Path | None:
        return self.target.beside(".plot.png") if self.settings.plot else None

    @property
    def snapshots(self) -> Path | None:
        return self.target.beside(".snapshots") if self.settings.snapshots else None

    @property
    def partial(self) -> Path:
        """Where what is painted is left, if that is wanted and the work ends early."""
        return self.target.partial

    @property
    def writes(self) -> tuple[Path, ...]:
        """All that there is once it is done."""
        return tuple(p for p in (self.output, self.sheet, self.plot, self.snapshots) if p)

    @property
    def frames(self) -> int | None:
        """How many frames will be painted, as far as the file says."""
        info, wish = self.clip.info, self.settings
        start, end = wish.span
        rate = info.rate if wish.fps is None else rate_of(wish.fps)
        count = info.frames if wish.fps is None else None
        if info.times and wish.fps is None:
            ends = (*info.times[1:], info.duration or info.times[-1])
            shown = [begin for begin, until in zip(info.times, ends, strict=True) if until > start]
            count = sum(1 for begin in shown if end is None or begin < end)
        elif info.duration is not None and rate:
            until = info.duration if end is None else min(end, info.duration)
            if wish.fps is not None:
                count = max(0, ceil((until - start) * rate))
            else:
                whole = round(info.duration * rate) if count is None else count
                last = whole if end is None else min(whole, ceil(end * rate))
                count = max(0, last - floor(start * rate))
        known = [n for n in (count, wish.max_frames) if n is not None]
        return min(known, default=None)


def plan(
    clip: str | Path,
    styles: Sequence[StyleLike],
    output: str | Path | None = None,
    *,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    overwrite: bool = False,
    restart: bool = False,
    keep_frames: bool = False,
    keep_partial: bool = False,
    settings: Settings | None = None,
    preview: int | None = None,
    reads: Sequence[Path] = (),
) -> Plan:
    """Check everything that can be checked before any work.

    ``reads`` are files that nothing may be written over, beside those that are named otherwise.

    Raises:
        UsageError: something is missing, unreadable or in the way.
    """
    settings = settings or Settings()
    if preview is not None:
        settings = _quick(settings, preview)
    opened = media.open_clip(clip, settings.max_pixels)
    model = None if settings.model is None else models.load(Path(settings.model))
    schedule = schedule_of(styles, style_at, masks, settings, model)
    covers = tuple(media.open_clip(_mask(mask)[0], settings.max_pixels) for mask in masks)
    notes = [note for cover in covers for note in check_mask(cover, opened)]
    target = output_of(opened.info, schedule.names, output, preview is not None, settings)
    size = size_of(opened, settings, target.format)
    notes += check_encoding(target, size, settings)
    named = [_style(style)[0] for style in styles] + [_style(style)[0] for _, style in style_at]
    named += [path for mask in masks for path in _mask(mask) if path is not None]
    named += [Path(name) for name in (settings.model, settings.weights) if name is not None]
    work = Plan(
        opened,
        schedule,
        target,
        *size,
        settings,
        covers,
        overwrite,
        preview is not None,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
        reads=(*(path for cover in (opened, *covers) for path in files_of(cover)), *named, *reads),
    )
    if model is not None and not 1 / ANOTHER_SIZE < work.width / model.about.size[0] < ANOTHER_SIZE:
        learned = "x".join(map(str, model.about.size))
        notes.append(f"{settings.model} has learned at {learned}, with strokes for that size")
    work = _divided(_engaged(replace(work, notes=tuple(notes))))
    if preview is None and (work.frames != 1 or keep_frames):
        work = replace(work, journal=target.journal)
    _check_frames(work)
    _check_writes(work)
    return work


def files_of(clip: Clip) -> Sequence[Path]:
    """The files that a clip is read from."""
    return clip.images if isinstance(clip, StillsClip) else [clip.info.path]


def _check_frames(work: Plan) -> None:
    """Refuse a part of the clip that shows nothing, and more frames than a still holds."""
    info, settings = work.clip.info, work.settings
    start, end = settings.span
    if work.frames == 0 or (info.duration is not None and start >= info.duration + LATE):
        raise UsageError(f"{info.path}: no frame between these times: check --start and --end")
    if work.format.kind == "still":
        frames = media.trim(work.clip, start, end)
        if settings.fps:
            frames = media.resample(frames, rate_of(settings.fps))
        if sum(1 for _ in islice(frames, min(2, settings.max_frames or 2))) > 1:
            raise media.only_one_frame(work.format)


def _check_writes(work: Plan) -> None:
    """Refuse to write over what is read, or over what exists unless that was asked for."""
    if work.target.folder is not None:
        return  # nothing is there yet
    begun = work.journal is not None and is_begun(work.journal) and not work.restart
    own = begun and work.journal is not None and wrote(work.journal, work.partial)
    for path in work.writes:
        if path != work.snapshots:
            files.check_writable(path, work.overwrite, work.reads)
        elif path.exists() and not begun and not work.overwrite:
            raise UsageError(f"{path}: exists already: use --overwrite or another --output")
    if work.keep_partial and not own:
        files.check_writable(work.partial, work.overwrite, work.reads)


def check_room(work: Plan) -> list[str]:
    """What there is to say of the room on the disk for the paintings that are kept.

    Raises:
        UsageError: not even the first one can be kept.
    """
    if work.journal is None:
        return []
    least, most = journal_bytes(work)
    free = room(work.journal)
    told = f"{work.journal.parent}: {free / 1e6:.0f} MB are free, and the journal needs"
    if free < least:
        raise UsageError(f"{told} {least / 1e6:.0f}: make room, or name another --output")
    return [f"{told} up to {most / 1e6:.0f}"] if most is not None and free < most else []


def schedule_of(
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    settings: Settings,
    model: TransformerNet | None,
) -> StyleSchedule:
    first = [_style(style) for style in styles]
    later = [(float(time), *_style(style)) for time, style in style_at]
    covers = [_mask(mask) for mask in masks]
    if model is not None:
        return _of_model(model, first, later, covers, settings)
    if not first and not later and settings.style_weight:
        raise UsageError("no style: name a picture with --style")
    if settings.report and not first and not later:
        raise UsageError("a report needs a style to compare with: name one with --style")
    paths = [path for path, _ in first] + [path for _, path, _ in later]
    paths += [path for _, path in covers if path is not None]
    pictures = {path: style_picture(path, settings.max_pixels) for path in dict.fromkeys(paths)}
    return schedule_from_options(first, later, covers, pictures)


def _of_model(
    model: TransformerNet,
    first: Sequence[tuple[Path, float]],
    later: Sequence[tuple[float, Path, float]],
    covers: Sequence[tuple[Path, Path | None]],
    settings: Settings,
) -> StyleSchedule:
    """Looks of the styles of a model, each called by its name or by a picture of that name."""
    about = model.about
    if len(set(about.styles)) < len(about.styles):
        raise UsageError(f"{settings.model}: holds two styles of one name, which nobody can tell")
    pictures = {Path(name): NO_PICTURE for name in about.styles}

    def named(path: Path) -> Path:
        name = Path(str(path) if str(path) in about.styles else path.stem)
        if name not in pictures:
            raise unknown(f"style of {settings.model}", str(path), about.styles)
        if path.is_file():
            pictures[name] = style_picture(path, settings.max_pixels)
        return name

    wanted = [(named(path), weight) for path, weight in first]
    if not wanted and not later:
        wanted = [(Path(n), w) for n, w in zip(about.styles, about.weights, strict=True)]
    changes = [(time, named(path), weight) for time, path, weight in later]
    inside = [(mask, None if style is None else named(style)) for mask, style in covers]
    schedule = replace(schedule_from_options(wanted, changes, inside, pictures), names=about.styles)
    if (settings.report or settings.engine == "hybrid") and any(
        picture is NO_PICTURE for picture in schedule.pictures
    ):
        what = "a report" if settings.report else "the engine hybrid"
        raise UsageError(f"{what} needs the pictures of the model's styles: name them by --style")
    return schedule


def _engaged(work: Plan) -> Plan:
    """The plan with its engine decided, and said why."""
    settings = work.settings
    wanted, why = settings.engine, "as asked"
    size, frames = (work.width, work.height), work.frames
    if settings.model is not None:
        wanted, why = "hybrid" if wanted == "hybrid" else "network", f"by {settings.model}"
    elif work.preview and wanted != "gatys":
        wanted, why = "gatys", "a preview is too short to learn from"
    elif wanted == "auto" and frames is None:
        wanted, why = "gatys", "nobody knows how long the clip is"
    elif wanted == "auto":
        assert frames is not None
        costs = {name: ENGINES[name].cost(settings, size, frames) for name in ("gatys", "network")}
        wanted = "network" if CHEAPER * costs["network"] < costs["gatys"] else "gatys"
        why = (
            f"{frames} frames of {size[0]}x{size[1]} cost {costs['gatys']:.0f} steps of the "
            f"optimiser at most, or {costs['network']:.0f} for a network to learn and paint them"
        )
    notes = work.notes
    plain = Settings()
    told = [name for name in OF_OPTIMISERS if getattr(settings, name) != getattr(plain, name)]
    if wanted == "network" and told and not work.preview:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in told)
        notes = (*notes, f"a network paints at once: {options} changes nothing")
    return replace(
        work,
        settings=replace(settings, engine=wanted),
        engine=f"{wanted}: {why}",
        notes=notes,
    )


def _divided(work: Plan) -> Plan:
    """The plan with the length of its segments decided."""
    settings = work.settings
    if settings.segment is None and settings.cluster is None:
        return work
    address = settings.cluster or HERE
    if address != HERE and not address.startswith(REMOTE):
        raise UsageError(f"--cluster {address}: name {HERE} or {REMOTE}HOST:PORT")
    if settings.passes > 1:
        raise UsageError("--passes go over whole shots: leave out --segment and --cluster")
    if settings.cluster and (settings.plot or settings.snapshots):
        raise UsageError("--plot and --snapshots show steps, which a cluster does not send")
    if settings.engine == "network" or work.preview:
        note = "a network paints faster than frames travel: this machine paints, without segments"
        if work.preview:
            note = "a preview is painted on this machine, without segments"
        settings = replace(settings, segment=None, cluster=None)
        return replace(work, settings=settings, notes=(*work.notes, note))
    return replace(work, settings=replace(settings, segment=settings.segment or SEGMENT_LENGTH))


def _quick(settings: Settings, frames: int) -> Settings:
    """The settings of a preview: small, few steps, few frames; smaller wishes are kept."""
    size = PREVIEW_SIZE if settings.size == "full" else min(settings.size, PREVIEW_SIZE)
    first, later = PREVIEW_STEPS
    return replace(
        settings,
        size=size,
        max_frames=frames,
        first_iterations=min(settings.first_iterations, first),
        iterations=min(settings.iterations, later),
        passes=1,
        seamless=False,
    )


def _style(style: StyleLike) -> tuple[Path, float]:
    path, weight = style if isinstance(style, tuple) else (style, 1.0)
    return Path(path), float(weight)


def _mask(mask: MaskLike) -> tuple[Path, Path | None]:
    path, style = mask if isinstance(mask, tuple) else (mask, None)
    return Path(path), None if style is None else Path(style)


def size_of(clip: Clip, settings: Settings, file_format: Format) -> tuple[int, int]:
    """Width and height of the painting: even for video, where an odd pixel cannot be shown."""
    info = clip.info
    across = info.width
    if file_format.kind != "video":  # pictures have square pixels
        across = max(1, round(across * info.sample_aspect))
    longer = max(across, info.height)
    if settings.size == "full":
        if longer < SMALLEST_SIZE:
            raise UsageError(
                f"{info.path}: {info.width}x{info.height} is too small to be painted: "
                f"use --size {SMALLEST_SIZE} or more"
            )
        return across, info.height
    step = 2 if file_format.kind == "video" else 1
    scale = Fraction(settings.size, longer)
    width, height = (max(step, round(side * scale / step) * step) for side in (across, info.height))
    return width, height


def several(style: StyleLike | Sequence[StyleLike]) -> list[StyleLike]:
    single = isinstance(style, (str, Path)) or (
        isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], (int, float))
    )
    return [style] if single else list(style)  # type: ignore[list-item,arg-type]


def describe(work: Plan) -> dict[str, Any]:
    """What a plan will do, by name, with an estimate of its time from one measured step."""
    engine = make_engine(work)
    check_room(work)
    info = work.clip.info
    sound = ", ".join(info.sound) if work.format.kind == "video" else ""
    return {
        "clip": str(info.path),
        "source": f"{info.container} {info.width}x{info.height}",
        "frames": work.frames,
        "size": f"{work.width}x{work.height}",
        "sound": sound or "none",
        "output": str(work.output),
        "journal": _journal_size(work),
        "engine": work.engine,
        "painted by": _crew(work),
        "network": f"{work.settings.network}, {work.settings.weights} weights",
        "device": str(engine.device),
        "precision": precision(engine),
        "tiles": engine.tiles,
        "estimated seconds": _estimate(work, engine),
    }


def make_engine(work: Plan) -> Engine:
    """The painter of a plan, once it is known to fit into memory."""
    return ENGINES[work.settings.engine](work.settings, work.schedule, (work.width, work.height))


def _crew(work: Plan) -> str:
    segment, cluster = work.settings.segment, work.settings.cluster
    if segment is None:
        return "this process"
    return f"{'this process' if cluster is None else cluster}, in segments of {segment} frames"


def journal_bytes(work: Plan) -> tuple[int, int | None]:
    """What the journal takes on the disk: to begin with, and at most as far as that is known."""
    pixels = work.width * work.height
    state = pixels * (STATE_BYTES + 6 * max(work.settings.long_term))
    if work.settings.segment is not None:  # after its key frame, and after two stretches
        state *= 3
    painting = pixels * 3
    return state + painting, None if work.frames is None else state + painting * work.frames


def _journal_size(work: Plan) -> str:
    if work.journal is None:
        return "none"
    least, most = journal_bytes(work)
    needed = f"from {least / 1e6:.0f} MB"
    if work.settings.segment is not None:
        needed += " for each segment at work"
    if most is not None:
        needed += f", up to {most / 1e6:.0f} MB of paintings at most"
    return f"{work.journal}: {needed}"


def precision(engine: Engine) -> str:
    return "bf16" if engine.dtype.itemsize == 2 else "fp32"


def _estimate(work: Plan, engine: Engine) -> float | None:
    """Seconds the painting takes at most; None if the length is unknown."""
    if work.frames is None:
        return None
    side = 96
    probe = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    objective, start = engine.task(probe)
    objective(start)  # the first one is slower
    began = time.perf_counter()
    objective(start)
    step = (time.perf_counter() - began) * work.width * work.height / side**2
    return step * engine.cost(work.settings, engine.size, work.frames)
