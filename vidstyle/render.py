"""The pipeline: a clip is read, cut into shots, painted and written, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from . import __version__, media, reel, segments
from . import model as models
from .cluster import HERE, REMOTE, connected
from .colors import mixed, with_chroma
from .errors import UsageError, unknown
from .events import Event, Learned, Listener, Noted, Planned
from .journal import Journal, Journalled, fingerprint, write_whole
from .looks import Looks, arranged
from .masks import check as check_mask
from .masks import masked, shares, softened
from .measure import Judge, Measures
from .media import Clip, Format, Frame
from .media.sound import Sound
from .media.stills import StillsClip
from .model import Model
from .painters import PAINTERS, FeedForward, Gatys, Hybrid
from .pictures import Image, resized
from .record import Record
from .reel import Done, Reel
from .rescue import Rescued
from .segments import LENGTH, Alone, Crew, Workshop
from .settings import SMALLEST_SIZE, Settings
from .sheet import contact_sheet
from .shots import shots

STATE_BYTES = 24
"""A pixel, of what a painter needs for the next frame (``Memory``)."""
OF_OPTIMISERS = (
    *("init", "first_init", "iterations", "first_iterations", "tolerance", "coarse_to_fine"),
    *("optimizer", "learning_rate", "betas", "epsilon", "average", "long_term", "passes"),
    "snapshots",
)
"""Settings that say nothing to a network."""
PATIENCE = 3.0
"""Seconds of painting that a network may lose: it paints faster than a disk is sure to have it."""
CHEAPER = 8.0
"""A network is taken by itself where it costs so many times less at most: the optimiser
paints better, and often needs a third of what it may."""
ANOTHER_SIZE = 1.5
"""From so many times the width on that a model has learned at, its strokes look wrong."""
PREVIEW_SIZE = 208
PREVIEW_STEPS = (20, 10)
"""Optimiser steps of a preview's first frame, and of the others."""
WRITING = (
    "format",
    "codec",
    "crf",
    "audio",
    "report",
    "plot",
    "snapshots",
    "size",
    "model",
    "cluster",
    "max_pixels",
)
"""Settings that a painting does not depend on (but for its size, which is known in pixels)."""
SHEET_COLUMNS = 6
"""Frames shown on a preview's contact sheet, at most."""

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
class Result:
    """What was made of a clip."""

    output: Path
    frames: int
    seconds: float
    width: int
    height: int
    losses: tuple[float, ...]
    """The objective at the end of each frame; none where a network paints them at once."""
    settings: Settings
    notes: tuple[str, ...] = ()
    sheet: Path | None = None
    plot: Path | None = None
    snapshots: Path | None = None
    """The folder of pictures on the way."""
    measures: Measures | None = None
    """What it is worth, if that was asked for."""


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
    _limit(opened, settings)
    model = None if settings.model is None else models.load(Path(settings.model))
    looks = _looks(styles, style_at, masks, settings, model)
    covers = tuple(media.open_clip(_mask(mask)[0]) for mask in masks)
    for cover in covers:
        _limit(cover, settings)
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
        *_size(opened, settings, file_format),
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
            _refuse(opened, path, overwrite)
    if file_format.kind == "still" and (work.frames or 1) > 1:
        raise media.only_one_frame(file_format)
    return work


def _limit(clip: Clip, settings: Settings) -> None:
    """Refuse a clip whose frames are larger than is sane, before any is decoded."""
    info = clip.info
    if info.width * info.height > settings.max_pixels:
        raise UsageError(
            f"{info.path}: {info.width}x{info.height} pixels are more than --max-pixels "
            f"{settings.max_pixels}: give more if you trust the file"
        )


def _looks(
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


def _refuse(clip: Clip, output: Path, overwrite: bool) -> None:
    source = clip.info.path
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError(f"{output}: is the clip itself: choose another --output")
    media.refuse(output, overwrite)


def _size(clip: Clip, settings: Settings, file_format: Format) -> tuple[int, int]:
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
        "network": f"{work.settings.network}, {work.settings.weights} weights",
        "device": str(painter.device),
        "precision": _precision(painter),
        "tiles": painter.tiles,
        "estimated seconds": _estimate(work, painter),
    }


def _journal_size(work: Plan) -> str:
    if work.journal is None:
        return "none"
    pixels = work.width * work.height
    state = pixels * STATE_BYTES + pixels * 6 * max(work.settings.long_term)
    paintings = "" if work.frames is None else f", {pixels * 3 * work.frames / 1e6:.0f} MB"
    return f"{work.journal}: {state / 1e6:.0f} MB{paintings} of paintings at most"


def _precision(painter: Painter) -> str:
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


def stylize(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike] = (),
    output: str | Path | None = None,
    *,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    overwrite: bool = False,
    restart: bool = False,
    keep_frames: bool = False,
    keep_partial: bool = False,
    listener: Listener = lambda event: None,
    **options: Any,
) -> Result:
    """Paint ``clip`` in the style of a picture, or of several, given as (picture, weight).

    Args:
        clip: a video, GIF, APNG, WebP, still image, folder of stills or glob.
        style: the picture, or a sequence of pictures or (picture, weight).
        output: where to; by default beside the clip, as ``clip.picasso.mp4``.
        masks: of what stays unpainted, or (mask, picture) of what is to look like another one:
            stills, or clips of as many frames. White, or opaque, is inside.
        style_at: (seconds, style) to change over to, blended in between.
        overwrite: replace an output that exists.
        restart: begin anew, where a run before has left paintings in a journal.
        keep_frames: keep the journal, with each painting as a PNG.
        keep_partial: if it ends early, leave what is painted as clip.partial.mp4 beside the output.
        listener: told of what happens (``vidstyle.events``).
        options: the fields of ``Settings``: size, iterations, style_weight …

    Raises:
        UsageError: wrong use, or input that cannot be read.
        VidstyleError: the work failed. Nothing is left at ``output`` in either case; what was
            painted waits in a journal beside it, for the same call to go on from there.
    """
    work = plan(
        clip,
        _styles(style),
        output,
        masks=masks,
        style_at=style_at,
        overwrite=overwrite,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
        settings=Settings(**options),
    )
    return render(work, listener)


def preview(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike] = (),
    output: str | Path | None = None,
    *,
    frames: int = 3,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    overwrite: bool = False,
    listener: Listener = lambda event: None,
    **options: Any,
) -> Result:
    """Paint the first ``frames`` of ``clip``, small and quickly, with a contact sheet beside.

    As ``stylize``, otherwise; the result's ``sheet`` is the contact sheet.
    """
    settings = Settings(**options)
    work = plan(
        clip,
        _styles(style),
        output,
        masks=masks,
        style_at=style_at,
        overwrite=overwrite,
        settings=settings,
        preview=frames,
    )
    return render(work, listener)


@dataclass(frozen=True)
class Training:
    """What was learned from a clip."""

    output: Path
    """The model's file."""
    styles: tuple[str, ...]
    steps: int
    seconds: float
    width: int
    height: int
    losses: tuple[float, ...]
    """The objective at each step, each of one place of one frame."""
    settings: Settings
    sheet: Path
    """Some frames as the model paints them."""


def train(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike],
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    listener: Listener = lambda event: None,
    **options: Any,
) -> Training:
    """Fit a model to a clip, or to a folder of pictures, for ``stylize(..., model=...)``.

    Args:
        clip: a video, GIF, APNG, WebP, still image, folder of stills or glob.
        style: the picture, or a sequence of pictures or (picture, weight): one model holds them
            all, and paints any blend of them.
        output: the file; by default beside the clip, as ``picasso.safetensors``.
        overwrite: replace a file that exists.
        listener: told of what happens (``vidstyle.events``).
        options: the fields of ``Settings``: size, style_weight, training_steps …

    Raises:
        UsageError: wrong use, or input that cannot be read.
        VidstyleError: the work failed.
    """
    began = time.monotonic()
    settings = Settings(**options | {"engine": "network", "model": None})
    opened = media.open_clip(clip)
    if isinstance(opened, StillsClip):
        opened.fit = True
    _limit(opened, settings)
    looks = _looks(_styles(style), (), (), settings, None)
    target = Path(output or opened.info.path.absolute().with_name(_model_name(looks)))
    sheet = target.with_name(f"{target.stem}.training.jpg")
    for path in (target, sheet):
        _refuse(opened, path, overwrite)
    size = _size(opened, settings, media.FORMATS["mp4"])
    work = Plan(opened, looks, target, media.FORMATS["mp4"], *size, settings)
    painter = FeedForward(settings, looks, size)
    record = Record(None, None, None, sheet)
    losses: list[float] = []

    def tell(event: Event) -> None:
        if isinstance(event, Learned):
            losses.append(event.loss)
        record(event)
        listener(event)

    tell(Planned(None, *size, str(painter.device), _precision(painter)))
    alone = tuple(tuple(map(float, row)) for row in np.eye(len(looks.pictures)))
    # Each style alone, and the blend that was asked for.
    blends = sorted({*alone, *looks.keys.values()})
    try:
        model = painter.apprentice.learn(_shots(work), tell, blends)
        media.save_image(sheet, painter.apprentice.sheet())
        write_whole(target, models.dump(model))
    except BaseException:
        sheet.unlink(missing_ok=True)
        raise
    return Training(
        output=target,
        styles=model.about.styles,
        steps=len(losses),
        seconds=time.monotonic() - began,
        width=size[0],
        height=size[1],
        losses=tuple(losses),
        settings=settings,
        sheet=sheet,
    )


def _model_name(looks: Looks) -> str:
    return f"{'+'.join(looks.names)}.safetensors"


def _styles(style: StyleLike | Sequence[StyleLike]) -> list[StyleLike]:
    single = isinstance(style, (str, Path)) or (
        isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], (int, float))
    )
    return [style] if single else list(style)  # type: ignore[list-item,arg-type]


def make_painter(work: Plan) -> Painter:
    """The painter of a plan, once it is known to fit into memory."""
    return PAINTERS[work.settings.engine](work.settings, work.looks, (work.width, work.height))


def render(work: Plan, listener: Listener = lambda event: None) -> Result:
    """Carry out a plan."""
    began = time.monotonic()
    settings = work.settings
    start, end = _span(settings)
    info = work.clip.info
    if start or end is not None or settings.max_frames is not None:
        info = replace(info, chapters=())  # they are the whole clip's
    notes: list[str] = []

    painter = make_painter(work)
    journal = _journal(work, painter)
    kept = journal.count if journal else 0
    training = journal.training if journal else None
    record = Record(work.plot, work.snapshots, settings.snapshots, training, goes_on=kept > 0)

    def tell(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.message)
        record(event)
        listener(event)

    sound = None
    if work.format.kind == "video" and info.sound:
        sound = Sound(info.path, work.format.name, settings.audio, start, end)
    if settings.fps:
        rate = Fraction(settings.fps).limit_denominator(1001)
        info = replace(info, time_base=1 / rate / 1000, rate=rate)
    closes = settings.seamless
    if closes is None:
        animated = work.format.kind in ("gif", "animation")
        closes = animated and media.plays(info, settings.loop) == 0
    losses: list[float] = []
    shown: list[tuple[Image, Image]] = []
    judge = Judge(work.looks.pictures[0], (work.height, work.width)) if settings.report else None
    with (
        _kept(journal),
        media.open_writer(
            work.output,
            info,
            work.format,
            (work.width, work.height),
            loop=settings.loop,
            overwrite=work.overwrite,
            sound=sound,
            crf=settings.crf,
            codec=settings.codec,
        ) as writer,
    ):
        device, precision = str(painter.device), _precision(painter)
        if info.alpha and not writer.encoder.keeps_alpha:
            tell(
                Noted(f"{work.format.name} cannot hold transparency: what is clear is painted over")
            )
        if kept:
            tell(Noted(f"{kept} paintings of a run before are there: going on from them"))
        if journal is not None and journal.damaged:
            tell(Noted(f"{journal.folder}: what a run before has left is damaged: beginning anew"))
        count = _paintings(work, closes)
        tell(Planned(count, work.width, work.height, device, precision))
        if painter.tiles > 1:
            tell(
                Noted(
                    f"{work.width}x{work.height} does not fit into memory at once: "
                    f"painted in {painter.tiles} tiles, which takes longer"
                )
            )
        _learn(work, painter, journal, tell)
        try:
            for done in _painted(work, painter, journal, tell, closes):
                frame = done.frame
                painted = _finished(done.painted, frame, work)
                losses.append(done.loss)
                if done.begins:
                    writer.cut()
                writer.write(replace(frame, rgb=painted))
                if sound is not None and len(losses) == settings.max_frames:
                    sound.end = start + frame.time + frame.duration
                if work.sheet is not None and len(shown) < SHEET_COLUMNS:
                    white = np.float32(255)
                    shown.append(
                        (_over(frame.rgb, frame.alpha, white), _over(painted, frame.alpha, white))
                    )
                if judge is not None:
                    judge.add(frame.rgb, painted)
        except BaseException as error:
            if work.keep_partial and losses:
                if sound is not None:
                    sound.end = start + frame.time + frame.duration
                with suppress(Exception):  # the disk may be full; the journal is whole anyway
                    writer.keep(work.partial)
                    error.add_note(f"what is painted plays: {work.partial}")
            raise
        if not losses and work.clip.info.frames != 0:
            raise UsageError(f"{info.path}: no frame between these times: check --start and --end")
    for note in [*work.notes, *work.clip.notes, *(sound.notes if sound else ())]:
        tell(Noted(note))
    record.finish()
    if work.sheet is not None:
        media.save_image(work.sheet, contact_sheet(list(zip(*shown, strict=True))))
    if journal is not None and work.keep_frames:
        journal.flush()
    elif journal is not None:
        journal.clear()
    return Result(
        output=work.output,
        frames=len(losses),
        seconds=time.monotonic() - began,
        width=work.width,
        height=work.height,
        losses=() if isinstance(painter, FeedForward) else tuple(losses),
        settings=settings,
        notes=tuple(notes),
        sheet=work.sheet,
        plot=work.plot,
        snapshots=work.snapshots,
        measures=judge.measures() if judge is not None and len(losses) > 1 else None,
    )


def _painted(
    work: Plan,
    painter: Painter,
    journal: Journal | None,
    tell: Listener,
    closes: bool,
) -> Iterator[Done]:
    """The frames as they are painted: one after the other, or segment by segment."""
    settings = work.settings
    safe = Rescued(painter, tell) if isinstance(painter, Gatys) else painter
    if settings.segment is None:
        worker = Journalled(safe, journal) if journal else safe
        yield from Reel(worker, tell, passes=settings.passes, closes=closes).paint(_shots(work))
        return
    if journal is not None:
        journal.begin()
    with ExitStack() as stack:
        crew: Crew = Alone(safe, tell)
        if settings.cluster is not None:
            assert isinstance(painter, Gatys)
            crew = stack.enter_context(connected(settings.cluster, painter))
        shelf = journal.shelf if journal else None
        shop = Workshop(crew, tell, shelf, settings.segment, closes)
        for number, done in enumerate(shop.paint(_shots(work)), 1):
            if journal is not None and work.keep_frames:
                journal.show(number, done.painted)
            yield done


def _paintings(work: Plan, closes: bool) -> int | None:
    """How many pictures will be painted, if they are one shot."""
    if work.frames is None:
        return None
    settings = work.settings
    if settings.segment is not None:
        return segments.paintings(work.frames, settings.segment, closes)
    return reel.paintings(work.frames, settings.passes, closes)


def _shots(work: Plan) -> Iterator[tuple[Frame, bool]]:
    """The frames to be painted, each with whether it begins a shot."""
    settings = work.settings
    start, end = _span(settings)
    covered = masked(work.clip, work.masks) if work.masks else work.clip
    frames = media.trim(covered, start, end, settings.max_frames if not settings.fps else None)
    if settings.fps:
        rate = Fraction(settings.fps).limit_denominator(1001)
        frames = islice(media.resample(frames, rate), settings.max_frames)
    cuts = settings.cuts
    if not isinstance(cuts, str):
        cuts = tuple(cut - settings.start for cut in cuts if cut > settings.start)
    return shots((_prepared(frame, work) for frame in frames), cuts)


def _span(settings: Settings) -> tuple[Fraction, Fraction | None]:
    """Where the wanted part of a clip begins and ends, in seconds."""
    start, end = (
        None if time is None else Fraction(time).limit_denominator(1_000_000)
        for time in (settings.start, settings.end)
    )
    return start or Fraction(0), end


def _learn(
    work: Plan, painter: Painter, journal: Journal | None, tell: Callable[[Event], None]
) -> None:
    """Let a painter that needs a model have one: of a run before, or by learning the clip."""
    if not isinstance(painter, (FeedForward, Hybrid)) or painter.apprentice.model is not None:
        return
    if journal is not None and journal.model.exists():
        with suppress(UsageError):  # damaged: what is learned anew is the same
            painter.apprentice.take(models.load(journal.model))
            tell(Noted("a run before has learned the clip: going on from that"))
            return
    if journal is not None:
        journal.begin()
        tell(Noted(f"it learns the clip first: see {journal.training}"))
    model = painter.apprentice.learn(_shots(work), tell)
    if journal is not None:
        journal.keep(models.dump(model))


def _journal(work: Plan, painter: Painter) -> Journal | None:
    """The journal of a painting, with what a run before has left in it.

    Raises:
        UsageError: that is of another painting.
    """
    if work.journal is None:
        return None
    clip, looks = work.clip, work.looks
    times = repr((sorted(looks.keys.items()), looks.regions)).encode()
    facts = {
        "clip": fingerprint(_files(clip)),
        "style": fingerprint((*looks.pictures, times)),
        "mask": fingerprint(path for mask in work.masks for path in _files(mask)),
        "picture size": [work.width, work.height],
        "kind of output": work.format.kind,
        "version": [__version__, torch.__version__],
        **{
            name.replace("_", "-"): value
            for name, value in asdict(work.settings).items()
            if name not in WRITING
        },
        "weights": fingerprint(_weights(work, painter)),
        "device": str(painter.device),
        "precision": _precision(painter),
    }
    journal = Journal(work.journal, facts, PATIENCE if isinstance(painter, FeedForward) else 0.0)
    if work.restart or not journal.load():
        journal.clear()
    else:
        media.sweep(work.output)
    return journal


def _weights(work: Plan, painter: Painter) -> Iterable[NDArray[Any]]:
    """The weights of what paints, as far as they are not made of the rest."""
    known: Iterable[torch.Tensor] = ()
    if isinstance(painter, (FeedForward, Hybrid)) and painter.apprentice.model is not None:
        known = painter.apprentice.model.parameters()
    if not isinstance(painter, FeedForward) or work.settings.model is None:
        known = (*known, *painter.network.parameters())
    return (weight.detach().float().cpu().numpy() for weight in known)


def _files(clip: Clip) -> Iterable[Path]:
    return clip.images if isinstance(clip, StillsClip) else [clip.info.path]


@contextmanager
def _kept(journal: Journal | None) -> Iterator[None]:
    """Say with an error what of the work is not lost."""
    try:
        yield
    except BaseException as error:
        if journal is not None:
            with suppress(OSError):  # that may be what has ended it
                journal.flush()
                if not journal.count and not journal.model.exists():
                    journal.clear()
        if journal is not None and journal.count:
            error.add_note(
                f"{journal.count} paintings are kept: the same command goes on from them"
            )
        raise


def _finished(painted: Image, frame: Frame, work: Plan) -> Image:
    """The painting as it is shown; the painter goes on from its own."""
    source, settings = frame.rgb, work.settings
    if settings.keep_colors == "luma":
        painted = with_chroma(painted, source)
    if settings.strength < 1:
        painted = mixed(painted, source, settings.strength)
    if None in work.looks.regions:
        parts = zip(work.looks.regions, shares(frame.masks)[1:], strict=True)
        bare = sum(share for region, share in parts if region is None)
        painted = mixed(painted, source, 1 - bare)
    return painted


def _prepared(frame: Frame, work: Plan) -> Frame:
    """``frame`` and its masks at the painting's size, its transparent part in the mean colour of
    the rest, not in a chance one.
    """
    size = work.width, work.height
    scaled = _scaled(frame, size)
    masks = tuple(softened(mask, size, work.settings.feather) for mask in frame.masks)
    return replace(scaled, rgb=_filled(scaled), masks=masks)


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.rgb.shape[1::-1] == size:
        return frame
    alpha = None if frame.alpha is None else resized(frame.alpha, size)
    return replace(frame, rgb=resized(frame.rgb, size), alpha=alpha)


def _filled(frame: Frame) -> Image:
    if frame.alpha is None:
        return frame.rgb
    weight = frame.alpha[..., None].astype(np.float32)
    mean = (frame.rgb * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6)
    return _over(frame.rgb, frame.alpha, mean)


def _over(rgb: Image, alpha: Image | None, ground: Any) -> Image:
    """A picture laid over the colour ``ground``."""
    if alpha is None:
        return rgb
    weight = alpha[..., None].astype(np.float32) / 255
    return np.rint(rgb * weight + ground * (1 - weight)).astype(np.uint8)
