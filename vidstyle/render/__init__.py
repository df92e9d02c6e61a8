"""The pipeline: a clip is read, cut into shots, painted and written, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__, media
from ..core import files
from ..core.errors import UsageError
from ..core.events import Event, Listener, Notice, Started
from ..core.images import Image, contact_sheet, laid_over
from ..engines import FeedForwardEngine, HybridEngine, OptimizingEngine
from ..engines.recovery import RecoveringEngine
from ..media import Frame
from ..media.sound import Sound
from ..metrics import MetricAccumulator, Metrics
from ..networks import transformer as models
from ..objective.colors import mixed, with_chroma
from ..objective.masks import shares
from ..plan import (
    Engine,
    Later,
    MaskLike,
    Plan,
    StyleLike,
    check_room,
    files_of,
    make_engine,
    plan,
    precision,
    several,
)
from ..plan.output import wrote
from ..settings import Settings, rate_of
from . import reel, segments
from .checkpoint import CheckpointedEngine, CheckpointStore, digest
from .frames import frames_of
from .logger import RunLogger
from .ray import connected
from .reel import PaintedFrame, SequentialScheduler
from .segments import Executor, LocalExecutor, SegmentScheduler

PATIENCE = 3.0
"""Seconds of painting that a network may lose: it paints faster than a disk is sure to have it."""
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
    measures: Metrics | None = None
    """What it is worth, if that was asked for."""


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
        several(style),
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
        several(style),
        output,
        masks=masks,
        style_at=style_at,
        overwrite=overwrite,
        settings=settings,
        preview=frames,
    )
    return render(work, listener)


def render(work: Plan, listener: Listener = lambda event: None) -> Result:
    """Carry out a plan.

    Raises:
        UsageError: another run is at work on the same output, or it cannot be written.
    """
    with files.made(work.target.folder), files.locked(work.target.journal, work.output):
        files.remove_stale(work.output)
        return _rendered(work, listener)


def _rendered(work: Plan, listener: Listener) -> Result:
    began = time.monotonic()
    settings = work.settings
    notes: list[str] = []
    engine = make_engine(work)
    cramped = check_room(work)
    journal = _journal(work, engine)
    kept = journal.count if journal else 0
    training = journal.training if journal else None
    record = RunLogger(work.plot, work.snapshots, settings.snapshots, training, goes_on=kept > 0)

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            notes.append(event.message)
        record(event)
        listener(event)

    closes = _closes(work)
    sound = _sound(work)
    losses: list[float] = []
    shown: list[tuple[Image, Image]] = []
    accumulator = (
        MetricAccumulator(work.schedule.pictures[0], (work.height, work.width))
        if settings.report
        else None
    )
    with ExitStack() as stack:
        writer = _writer(work, sound)
        if journal is not None and not kept:
            journal.clear()  # not before it is known that all can be written
        stack.enter_context(_kept(journal))
        stack.enter_context(writer)
        _tell_beginning(work, engine, journal, writer.encoder.keeps_alpha, emit)
        for note in cramped:
            emit(Notice(note))
        emit(
            Started(
                _paintings(work, closes),
                work.width,
                work.height,
                str(engine.device),
                precision(engine),
            )
        )
        _learn(work, engine, journal, emit)
        try:
            for done in _painted(work, engine, journal, emit, closes):
                frame = done.frame
                painted = _finished(done.painted, frame, work)
                losses.append(done.loss)
                if done.starts_shot:
                    writer.begin_shot()
                writer.write(replace(frame, rgb=painted))
                if sound is not None and len(losses) == settings.max_frames:
                    sound.end = sound.start + frame.time + frame.duration
                if work.sheet is not None and len(shown) < SHEET_COLUMNS:
                    white = partial(laid_over, alpha=frame.alpha, ground=np.float32(255))
                    shown.append((white(frame.rgb), white(painted)))
                if accumulator is not None:
                    accumulator.add(frame.rgb, painted)
        except BaseException as error:
            if work.keep_partial and losses:
                if sound is not None:
                    sound.end = sound.start + frame.time + frame.duration
                _leave_partial(work, writer, journal, error)
            raise
        if not losses and work.clip.info.frames != 0:
            raise UsageError(
                f"{work.clip.info.path}: no frame between these times: check --start and --end"
            )
    for note in [*work.notes, *work.clip.notes, *(sound.notes if sound else ())]:
        emit(Notice(note))
    record.finish()
    if work.sheet is not None:
        sheet = contact_sheet(list(zip(*shown, strict=True)))
        files.write_whole(work.sheet, media.encoded_image(sheet))
    if journal is not None and work.keep_frames:
        journal.flush()
        if settings.keep_colors == "luma" or settings.strength < 1 or None in work.schedule.regions:
            emit(
                Notice(
                    f"{journal.folder}: its frames are as they were painted, before --keep-colors, "
                    f"--strength and masks; a folder as --output has them as they are shown"
                )
            )
    elif journal is not None:
        journal.clear()
    return Result(
        output=work.output,
        frames=len(losses),
        seconds=time.monotonic() - began,
        width=work.width,
        height=work.height,
        losses=() if isinstance(engine, FeedForwardEngine) else tuple(losses),
        settings=settings,
        notes=tuple(notes),
        sheet=work.sheet,
        plot=work.plot,
        snapshots=work.snapshots,
        measures=accumulator.measures() if accumulator is not None and len(losses) > 1 else None,
    )


def _closes(work: Plan) -> bool:
    """Whether the last frame leads into the first."""
    if work.settings.seamless is not None:
        return work.settings.seamless
    animated = work.format.kind in ("gif", "animation")
    return animated and media.loop_count(work.clip.info, work.settings.loop) == 0


def _sound(work: Plan) -> Sound | None:
    """What is to be heard and read beside the pictures."""
    info, mode = work.clip.info, work.settings.audio
    heard = bool(info.sound) and mode != "none"
    if work.format.kind != "video" or not (heard or info.subtitles):
        return None
    return Sound(info.path, work.format.name, mode, *work.settings.span)


def _writer(work: Plan, sound: Sound | None) -> media.Writer:
    info, settings = work.clip.info, work.settings
    start, end = settings.span
    if start or end is not None or settings.max_frames is not None:
        info = replace(info, chapters=())  # they are the whole clip's
    if settings.fps:
        rate = rate_of(settings.fps)
        info = replace(info, time_base=1 / rate / 1000, rate=rate)
    elif start:  # it may lie between two ticks
        ticks = lcm(info.time_base.denominator, start.denominator)
        info = replace(info, time_base=Fraction(1, ticks))
    return media.open_writer(
        work.output,
        info,
        work.format,
        (work.width, work.height),
        loop=settings.loop,
        overwrite=work.overwrite,
        sound=sound,
        crf=settings.crf,
        codec=settings.codec,
    )


def _tell_beginning(
    work: Plan, engine: Engine, journal: CheckpointStore | None, keeps_alpha: bool, emit: Listener
) -> None:
    """Tell what is worth knowing before the first frame is painted."""
    if work.clip.info.alpha and not keeps_alpha:
        emit(Notice(f"{work.format.name} cannot hold transparency: what is clear is painted over"))
    if journal is not None and journal.count:
        emit(Notice(f"{journal.count} paintings of a run before are there: going on from them"))
    if journal is not None and journal.damaged:
        emit(Notice(f"{journal.folder}: what a run before has left is damaged: beginning anew"))
    if engine.tiles > 1:
        emit(
            Notice(
                f"{work.width}x{work.height} does not fit into memory at once: "
                f"painted in {engine.tiles} tiles, which takes longer"
            )
        )


def _leave_partial(
    work: Plan, writer: media.Writer, journal: CheckpointStore | None, error: BaseException
) -> None:
    """Leave what is painted as a clip that plays, and say so with the ``error``."""
    own = journal is not None and wrote(journal.folder, work.partial)
    with suppress(Exception):  # the disk may be full; the journal is whole anyway
        writer.keep(work.partial, work.overwrite or own)
        error.add_note(f"what is painted plays: {work.partial}")
        if journal is not None:
            journal.left(work.partial)


def _painted(
    work: Plan,
    engine: Engine,
    journal: CheckpointStore | None,
    emit: Listener,
    closes: bool,
) -> Iterator[PaintedFrame]:
    """The frames as they are painted: one after the other, or segment by segment."""
    settings = work.settings
    safe = RecoveringEngine(engine, emit) if isinstance(engine, OptimizingEngine) else engine
    if settings.segment is None:
        worker = CheckpointedEngine(safe, journal) if journal else safe
        yield from SequentialScheduler(worker, emit, passes=settings.passes, closes=closes).paint(
            frames_of(work)
        )
        return
    if journal is not None:
        journal.begin()
    with ExitStack() as stack:
        executor: Executor = LocalExecutor(safe, emit)
        if settings.cluster is not None:
            assert isinstance(engine, OptimizingEngine)
            executor = stack.enter_context(connected(settings.cluster, engine))
        chunks = journal.chunks if journal else None
        shop = SegmentScheduler(executor, emit, chunks, settings.segment, closes)
        for number, done in enumerate(shop.paint(frames_of(work)), 1):
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


def _learn(
    work: Plan, engine: Engine, journal: CheckpointStore | None, emit: Callable[[Event], None]
) -> None:
    """Let a painter that needs a model have one: of a run before, or by learning the clip."""
    if (
        not isinstance(engine, (FeedForwardEngine, HybridEngine))
        or engine.stylizer.model is not None
    ):
        return
    if journal is not None and journal.model.exists():
        with suppress(UsageError):  # damaged: what is learned anew is the same
            engine.stylizer.take(models.load(journal.model))
            emit(Notice("a run before has learned the clip: going on from that"))
            return
    if journal is not None:
        journal.begin()
        emit(Notice(f"it learns the clip first: see {journal.training}"))
    model = engine.stylizer.learn(frames_of(work), emit)
    if journal is not None:
        journal.keep(models.dump(model))


def _journal(work: Plan, engine: Engine) -> CheckpointStore | None:
    """The journal of a painting, with what a run before has left in it.

    Raises:
        UsageError: that is of another painting.
    """
    if work.journal is None:
        return None
    clip, schedule = work.clip, work.schedule
    times = repr((sorted(schedule.keys.items()), schedule.regions)).encode()
    fingerprint = {
        "clip": digest(files_of(clip)),
        "style": digest((*schedule.pictures, times)),
        "mask": digest(path for mask in work.masks for path in files_of(mask)),
        "picture size": [work.width, work.height],
        "kind of output": work.format.kind,
        "version": [__version__, torch.__version__],
        **{
            name.replace("_", "-"): value
            for name, value in asdict(work.settings).items()
            if name not in WRITING
        },
        "weights": digest(_weights(work, engine)),
        "device": str(engine.device),
        "precision": precision(engine),
    }
    journal = CheckpointStore(
        work.journal, fingerprint, PATIENCE if isinstance(engine, FeedForwardEngine) else 0.0
    )
    if not work.restart:
        journal.load()
    return journal


def _weights(work: Plan, engine: Engine) -> Iterable[NDArray[Any]]:
    """The weights of what paints, as far as they are not made of the rest."""
    known: Iterable[torch.Tensor] = ()
    if isinstance(engine, (FeedForwardEngine, HybridEngine)) and engine.stylizer.model is not None:
        known = engine.stylizer.model.parameters()
    if not isinstance(engine, FeedForwardEngine) or work.settings.model is None:
        known = (*known, *engine.network.parameters())
    return (weight.detach().float().cpu().numpy() for weight in known)


@contextmanager
def _kept(journal: CheckpointStore | None) -> Iterator[None]:
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
    if None in work.schedule.regions:
        parts = zip(work.schedule.regions, shares(frame.masks)[1:], strict=True)
        bare = sum(share for region, share in parts if region is None)
        painted = mixed(painted, source, 1 - bare)
    return painted
