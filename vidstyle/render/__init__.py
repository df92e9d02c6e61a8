"""The pipeline: a clip is read, cut into shots, painted and written, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from .. import media
from ..core import devices, files
from ..core.background import Behind, ahead
from ..core.errors import UsageError, VidstyleError
from ..core.events import Event, Listener, Notice, Started
from ..core.folders import LocalFolder, fetched
from ..engines import ClipEngine
from ..engines.recovery import RecoveringEngine
from ..metrics import Metrics
from ..networks import transformer as models
from ..plan import Plan, check_room, make_engine
from ..settings import Settings
from .checkpoint import CheckpointStore, fingerprint
from .chunks import PaintedFrame
from .cluster import Head, WorkOrder, encoded, share
from .compose import Summary, composed, is_composed
from .frames import READ_AHEAD, frames_of
from .keys import unseen_notes, with_keys
from .logger import RunLogger
from .output import OutputWriter
from .ray import connected
from .scheduler import Scheduler, paintings

FRAMES_WAITING = 2
"""Frames that wait to be encoded, at most."""


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


def render(work: Plan, listener: Listener = lambda event: None) -> Result:
    """Carry out a plan.

    Raises:
        UsageError: another run is at work on the same output, or it cannot be written.
    """
    with (
        devices.threads(work.settings.threads),
        files.made(work.target.folder),
        files.locked(work.target.journal, work.output),
    ):
        files.remove_stale(work.output)
        return _render(work, listener)


def _render(work: Plan, listener: Listener) -> Result:
    began = time.monotonic()
    engine = make_engine(work)
    room = check_room(work)
    store = _store(work, engine)
    logger = _logger(work, store)
    notes: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            notes.append(event.message)
        logger(event)
        listener(event)

    summary = Summary(work)
    output = OutputWriter(work)
    if store is not None and not store.count:
        store.clear()  # not before it is known that all can be written
    with _kept(store), output.writer:
        for note in (*_first_notes(work, engine, store, output.keeps_alpha), *room, *work.notes):
            emit(Notice(note))
        size = (work.width, work.height)
        count = _paintings(work)
        again = (count or 0) - (work.frames or 0)
        device, precision = str(engine.device), work.settings.precision
        emit(Started(count, *size, device, precision, again, not work.is_counted))
        _learn(work, engine, store, emit)
        with _left(work, output, store):
            if store is not None and work.settings.cluster is not None:
                summary.losses += _painted_elsewhere(work, engine, store, output, emit)
            else:
                keeping = nullcontext() if store is None else store.in_background()
                with keeping, Behind(FRAMES_WAITING) as encoding:
                    for done in with_keys(_painted(work, engine, store, emit), work, emit):
                        shown = composed(done.painted, done.frame, work)
                        encoding.submit(output.write, done.frame, shown)
                        summary.add(done.frame, shown, done.loss)
        if not summary.losses and work.clip.info.frames != 0:
            raise work.empty
    try:
        for note in _last_notes(work, output, store):
            emit(Notice(note))
        logger.finish()
        if work.sheet is not None:
            files.write_whole(work.sheet, media.encoded_image(summary.sheet()))
    finally:  # the output is whole, whatever ends the run now
        _put_away(work, store)
    return Result(
        output=work.output,
        frames=len(summary.losses),
        seconds=time.monotonic() - began,
        width=work.width,
        height=work.height,
        losses=tuple(summary.losses) if engine.has_loss else (),
        settings=work.settings,
        notes=tuple(notes),
        sheet=work.sheet,
        plot=work.plot,
        snapshots=work.snapshots,
        measures=summary.metrics(),
    )


def _store(work: Plan, engine: ClipEngine) -> CheckpointStore | None:
    """The journal of a painting, with what a run before has left in it.

    Raises:
        UsageError: that is of another painting.
    """
    if work.journal is None:
        return None
    made_from = fingerprint(work, engine)
    store = CheckpointStore(work.journal, made_from, engine.patience, work.parts)
    if not work.restart:
        store.load(look=work.settings.cluster is None)
    return store


def _logger(work: Plan, store: CheckpointStore | None) -> RunLogger:
    training = store.training if store else None
    goes_on = store is not None and store.count > 0
    return RunLogger(work.plot, work.snapshots, work.settings.snapshots, training, goes_on)


def _first_notes(
    work: Plan, engine: ClipEngine, store: CheckpointStore | None, keeps_alpha: bool
) -> Iterator[str]:
    """What is worth knowing before the first frame is painted."""
    if work.clip.info.alpha and not keeps_alpha:
        yield f"{work.format.name} cannot hold transparency: what is clear is painted over"
    if store is not None and store.count:
        yield f"going on from {store.paintings} of a run before"
    if store is not None and store.damaged:
        yield f"{store.folder}: what a run before has left is damaged: beginning anew"
    if engine.tiles > 1:
        yield (
            f"{work.width}x{work.height} does not fit into memory at once: "
            f"painted in {engine.tiles} tiles, which takes longer"
        )


def _last_notes(work: Plan, output: OutputWriter, store: CheckpointStore | None) -> Iterator[str]:
    """What is worth knowing of a painting that is done."""
    yield from (*work.clip.notes, *output.notes)
    if store is not None and work.keep_frames and is_composed(work):
        yield (
            f"{store.folder}: its frames are as they were painted, before --keep-colors, "
            f"--strength and masks; a folder as --output has them as they are shown"
        )


def _paintings(work: Plan) -> int | None:
    """How many pictures will be painted, if they are one shot."""
    if work.frames is None:
        return None
    return paintings(work.frames, work.settings.segment, work.settings.passes, work.closes)


def _learn(work: Plan, engine: ClipEngine, store: CheckpointStore | None, emit: Listener) -> None:
    """Have an engine with a network learn the clip, or take what a run before has learned."""
    stylizer = engine.stylizer
    if stylizer is None or stylizer.model is not None:
        return
    if store is not None and store.model.exists():
        with suppress(UsageError):  # damaged: what is learned anew is the same
            stylizer.take(models.load(store.model))
            emit(Notice("a run before has learned the clip: going on from that"))
            return
    if store is not None:
        store.begin()
        emit(Notice(f"it learns the clip first: see {store.training}"))
    model = stylizer.learn(frames_of(work), emit)
    if store is not None:
        store.keep_model(models.dump(model))


def _painted(
    work: Plan, engine: ClipEngine, store: CheckpointStore | None, emit: Listener
) -> Iterator[PaintedFrame]:
    """The frames as they are painted here."""
    settings = work.settings
    scheduler = Scheduler(
        RecoveringEngine(engine, emit),
        emit,
        store,
        segments=settings.segment is not None,
        passes=settings.passes,
        closes=work.closes,
    )
    frames = ahead(frames_of(work), READ_AHEAD)
    for number, done in enumerate(scheduler.paint(frames), 1):
        if store is not None and work.keep_frames:
            store.show(number, done.painted)
        yield done


def _painted_elsewhere(
    work: Plan, engine: ClipEngine, store: CheckpointStore, output: OutputWriter, emit: Listener
) -> list[float]:
    """Have a cluster paint and encode the frames, and join what it has; returns the losses."""
    losses: list[float] = []
    given = 0
    assert work.settings.cluster is not None
    store.begin()
    share(work, store.parts)
    order = WorkOrder.of(work, engine, store.parts)
    store.counted = False  # from here on, workers may have painted something
    try:
        with connected(work.settings.cluster, order) as cluster:
            for segment, report in Head(work, cluster, emit).painting():
                for line in report.notes:
                    emit(Notice(line))
                with fetched(store.parts, encoded(segment)) as part:
                    output.join(part, segment.frames)
                store.parts.remove(encoded(segment))
                losses += report.losses
                given += report.given
    finally:
        with suppress(OSError, VidstyleError):
            store.look_again()
    for line in unseen_notes(work, given):
        emit(Notice(line))
    return losses


@contextmanager
def _left(work: Plan, output: OutputWriter, store: CheckpointStore | None) -> Iterator[None]:
    """Where the work ends early, leave what is painted as a clip, if that is wanted."""
    try:
        yield
    except BaseException as error:
        if work.keep_partial and output.count:
            output.leave_partial(store, error)
        raise


@contextmanager
def _kept(store: CheckpointStore | None) -> Iterator[None]:
    """Say with an error what of the work is not lost."""
    try:
        yield
    except BaseException as error:
        if store is not None:
            with suppress(OSError):  # that may be what has ended it
                store.flush()
                if store.counted and not store.count and not store.model.exists():
                    store.clear()
            here = store.parts
            if store.count and isinstance(here, LocalFolder) and not here.path.exists():
                error.add_note(f"{here} is gone, and what was painted with it")
            elif store.count:
                error.add_note(f"{store.paintings} kept: the same command goes on from there")
            elif store.model.exists():
                error.add_note("what is learned is kept: the same command goes on from there")
            elif not isinstance(error, Exception):
                error.add_note("no frame is done yet, so nothing is kept")
        raise


def _put_away(work: Plan, store: CheckpointStore | None) -> None:
    """Clear the journal away, now that the output is whole, or leave all of it as asked for."""
    if store is None:
        return
    if work.keep_frames:
        store.flush()
        return
    try:
        store.clear()
    except BaseException:  # a signal, in the middle of it
        store.clear()
        raise
