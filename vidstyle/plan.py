"""What is to be made of a clip: understood, checked, and not yet begun."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from . import media
from . import model as models
from .cluster import HERE, REMOTE
from .errors import UsageError, unknown
from .looks import Looks, arranged
from .masks import check as check_mask
from .media import Clip, Format
from .model import Model
from .painters import PAINTERS, FeedForward, Gatys
from .pictures import Image
from .segments import LENGTH
from .settings import SMALLEST_SIZE, Settings

STATE_BYTES = 24
"""A pixel, of what a painter needs for the next frame (``Memory``)."""
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
PREVIEW_SIZE = 208
PREVIEW_STEPS = (20, 10)
"""Optimiser steps of a preview's first frame, and of the others."""
NO_PICTURE: Image = np.zeros((1, 1, 3), np.uint8)
"""Stands for a style of a model that is known by name only."""
Painter = Gatys | FeedForward
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
    looks: Looks
    output: Path
    format: Format
    width: int
    height: int
    settings: Settings
    masks: tuple[Clip, ...] = ()
    overwrite: bool = False
    sheet: Path | None = None
    plot: Path | None = None
    snapshots: Path | None = None
    engine: str = ""
    """How frames are painted, and why."""
    notes: tuple[str, ...] = ()
    journal: Path | None = None
    """The folder where paintings are kept until the output is whole."""
    restart: bool = False
    keep_frames: bool = False
    keep_partial: bool = False

    @property
    def partial(self) -> Path:
        """Where what is painted is left, if that is wanted and the work ends early."""
        return self.output.with_name(f"{self.output.stem}.partial{self.output.suffix}")

    @property
    def frames(self) -> int | None:
        """How many frames will be painted, as far as the file says."""
        info, wish = self.clip.info, self.settings
        rate = info.rate if wish.fps is None else Fraction(wish.fps)
        count = info.frames if wish.fps is None else None
        if count is None and info.duration and rate:
            count = round(info.duration * rate)
        if count is not None and rate:
            end = count if wish.end is None else min(count, round(wish.end * rate))
            count = max(0, end - round(wish.start * rate))
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
) -> Plan:
    """Check everything that can be checked before any work.

    Raises:
        UsageError: something is missing, unreadable or in the way.
    """
    settings = settings or Settings()
    if preview is not None:
        settings = _quick(settings, preview)
    opened = media.open_clip(clip)
    limit(opened, settings)
    model = None if settings.model is None else models.load(Path(settings.model))
    looks = looks_of(styles, style_at, masks, settings, model)
    covers = tuple(media.open_clip(_mask(mask)[0]) for mask in masks)
    for cover in covers:
        limit(cover, settings)
    notes = [note for cover in covers for note in check_mask(cover, opened)]
    target, file_format = _output(opened, looks, output, preview is not None, settings)
    sheet = target.with_suffix(".png") if preview is not None else None
    if sheet == target:
        sheet = target.with_name(f"{target.stem}.sheet.png")
    work = Plan(
        opened,
        looks,
        target,
        file_format,
        *size_of(opened, settings, file_format),
        settings,
        covers,
        overwrite,
        sheet,
        target.with_name(f"{target.stem}.plot.png") if settings.plot else None,
        target.with_name(f"{target.stem}.snapshots") if settings.snapshots else None,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
    )
    if model is not None and not 1 / ANOTHER_SIZE < work.width / model.about.size[0] < ANOTHER_SIZE:
        learned = "x".join(map(str, model.about.size))
        notes.append(f"{settings.model} has learned at {learned}, with strokes for that size")
    work = _divided(_engaged(replace(work, notes=tuple(notes))))
    if preview is None and (work.frames != 1 or keep_frames):
        work = replace(work, journal=target.with_name(f".{target.stem}.vidstyle"))
    begun = work.journal is not None and work.journal.exists() and not restart
    fresh = () if begun else (work.snapshots, work.partial if keep_partial else None)
    for path in (work.output, work.sheet, work.plot, *fresh):
        if path is not None:
            refuse(opened, path, overwrite)
    if file_format.kind == "still" and (work.frames or 1) > 1:
        raise media.only_one_frame(file_format)
    return work


def limit(clip: Clip, settings: Settings) -> None:
    """Refuse a clip whose frames are larger than is sane, before any is decoded."""
    info = clip.info
    if info.width * info.height > settings.max_pixels:
        raise UsageError(
            f"{info.path}: {info.width}x{info.height} pixels are more than --max-pixels "
            f"{settings.max_pixels}: give more if you trust the file"
        )


def looks_of(
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    settings: Settings,
    model: Model | None,
) -> Looks:
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
    pictures = {path: media.read_image(path)[0] for path in dict.fromkeys(paths)}
    return arranged(first, later, covers, pictures)


def _of_model(
    model: Model,
    first: Sequence[tuple[Path, float]],
    later: Sequence[tuple[float, Path, float]],
    covers: Sequence[tuple[Path, Path | None]],
    settings: Settings,
) -> Looks:
    """Looks of the styles of a model, each called by its name or by a picture of that name."""
    about = model.about
    pictures = {Path(name): NO_PICTURE for name in about.styles}

    def named(path: Path) -> Path:
        name = Path(str(path) if str(path) in about.styles else path.stem)
        if name not in pictures:
            raise unknown(f"style of {settings.model}", str(path), about.styles)
        if path.is_file():
            pictures[name] = media.read_image(path)[0]
        return name

    wanted = [(named(path), weight) for path, weight in first]
    if not wanted and not later:
        wanted = [(Path(n), w) for n, w in zip(about.styles, about.weights, strict=True)]
    changes = [(time, named(path), weight) for time, path, weight in later]
    inside = [(mask, None if style is None else named(style)) for mask, style in covers]
    looks = replace(arranged(wanted, changes, inside, pictures), names=about.styles)
    if (settings.report or settings.engine == "hybrid") and any(
        picture is NO_PICTURE for picture in looks.pictures
    ):
        what = "a report" if settings.report else "the engine hybrid"
        raise UsageError(f"{what} needs the pictures of the model's styles: name them by --style")
    return looks


def _engaged(work: Plan) -> Plan:
    """The plan with its engine decided, and said why."""
    settings = work.settings
    wanted, why = settings.engine, "as asked"
    size, frames = (work.width, work.height), work.frames
    if settings.model is not None:
        wanted, why = "hybrid" if wanted == "hybrid" else "network", f"by {settings.model}"
    elif work.sheet is not None and wanted != "gatys":
        wanted, why = "gatys", "a preview is too short to learn from"
    elif wanted == "auto" and frames is None:
        wanted, why = "gatys", "nobody knows how long the clip is"
    elif wanted == "auto":
        assert frames is not None
        costs = {name: PAINTERS[name].cost(settings, size, frames) for name in ("gatys", "network")}
        wanted = "network" if CHEAPER * costs["network"] < costs["gatys"] else "gatys"
        why = (
            f"{frames} frames of {size[0]}x{size[1]} cost {costs['gatys']:.0f} steps of the "
            f"optimiser at most, or {costs['network']:.0f} for a network to learn and paint them"
        )
    notes = work.notes
    plain = Settings()
    told = [name for name in OF_OPTIMISERS if getattr(settings, name) != getattr(plain, name)]
    if wanted == "network" and told and work.sheet is None:
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
    if settings.engine == "network" or work.sheet is not None:
        note = "a network paints faster than frames travel: this machine paints, without segments"
        if work.sheet is not None:
            note = "a preview is painted on this machine, without segments"
        settings = replace(settings, segment=None, cluster=None)
        return replace(work, settings=settings, notes=(*work.notes, note))
    return replace(work, settings=replace(settings, segment=settings.segment or LENGTH))


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


def _output(
    clip: Clip,
    looks: Looks,
    output: str | Path | None,
    preview: bool,
    settings: Settings,
) -> tuple[Path, Format]:
    """Where to write, and in which format: as named, or beside the clip and of its kind."""
    asked = settings.format
    if asked is not None and asked not in media.FORMATS:
        raise unknown("format", asked, media.FORMATS)
    name = _name(clip, looks, preview)
    if asked is not None and output is None:
        name = name.removesuffix(Path(name).suffix) + media.FORMATS[asked].suffix
    if output is None:
        path = clip.info.path.absolute().with_name(name)
    elif Path(output).is_dir() and clip.info.container != "folder":
        path = Path(output) / name
    else:
        path = Path(output)
    if asked is not None:
        return path, media.FORMATS[asked]
    if output is None and clip.info.container == "folder":
        return path, media.FORMATS["folder"]
    file_format = media.format_of(path)
    if file_format.name == "png" and clip.info.kind == "animation":
        file_format = media.FORMATS["apng"]
    return path, file_format


def _name(clip: Clip, looks: Looks, preview: bool) -> str:
    """``clip.picasso.mp4``, with the clip's own suffix where that can be written."""
    info = clip.info
    suffix = info.path.suffix.lower()
    if info.container == "folder":
        suffix = ""
    elif info.kind == "video":
        suffix = suffix if suffix in (".mp4", ".m4v", ".mov", ".mkv", ".webm") else ".mp4"
    elif info.kind == "animation":
        suffix = {"gif": ".gif", "apng": ".png"}.get(info.container, ".webp")
    else:
        suffix = suffix if suffix in (".png", ".jpg", ".jpeg") else ".png"
    stem = info.path.stem if info.path.suffix else info.path.name
    if info.container == "folder" and not info.path.is_dir():
        stem = info.path.absolute().parent.name  # a glob
    style = "+".join(looks.names) or "painted"
    return f"{stem}.{style}{'.preview' * preview}{suffix}"


def refuse(clip: Clip, output: Path, overwrite: bool) -> None:
    source = clip.info.path
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError(f"{output}: is the clip itself: choose another --output")
    media.refuse(output, overwrite)


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
    painter = make_painter(work)
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
        "device": str(painter.device),
        "precision": precision(painter),
        "tiles": painter.tiles,
        "estimated seconds": _estimate(work, painter),
    }


def make_painter(work: Plan) -> Painter:
    """The painter of a plan, once it is known to fit into memory."""
    return PAINTERS[work.settings.engine](work.settings, work.looks, (work.width, work.height))


def _crew(work: Plan) -> str:
    segment, cluster = work.settings.segment, work.settings.cluster
    if segment is None:
        return "this process"
    return f"{'this process' if cluster is None else cluster}, in segments of {segment} frames"


def _journal_size(work: Plan) -> str:
    if work.journal is None:
        return "none"
    pixels = work.width * work.height
    state = pixels * STATE_BYTES + pixels * 6 * max(work.settings.long_term)
    paintings = "" if work.frames is None else f", {pixels * 3 * work.frames / 1e6:.0f} MB"
    needed = f"{state / 1e6:.0f} MB"
    if work.settings.segment is not None:  # after its key frame, and after two stretches
        needed = f"{3 * state / 1e6:.0f} MB for each segment at work"
    return f"{work.journal}: {needed}{paintings} of paintings at most"


def precision(painter: Painter) -> str:
    return "bf16" if painter.dtype.itemsize == 2 else "fp32"


def _estimate(work: Plan, painter: Painter) -> float | None:
    """Seconds the painting takes at most; None if the length is unknown."""
    if work.frames is None:
        return None
    side = 96
    probe = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    objective, start = painter.task(probe)
    objective(start)  # the first one is slower
    began = time.perf_counter()
    objective(start)
    step = (time.perf_counter() - began) * work.width * work.height / side**2
    return step * painter.cost(work.settings, painter.size, work.frames)
