"""The pipeline: a clip is read, cut into shots, painted and written, frame by frame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from .. import media
from ..core import devices, files
from ..core.events import Event, Listener, Notice
from ..metrics import Metrics
from ..plan import PaintPlan, check_room, kept_facts, make_engine
from ..settings import Settings
from .compose import Composer, Summary
from .corrections import correct_here
from .detail import paint_detail
from .fingerprint import open_journal
from .keys import unused_notes
from .learn import learn_clip
from .notes import first_notes, last_notes, run_log, started
from .output import OutputWriter
from .painting import paint_here
from .ray import paint_on_cluster


@dataclass(frozen=True)
class Result:
    """What was made of a clip."""

    output: Path
    frames: int
    seconds: float
    width: int
    height: int
    losses: tuple[float, ...]
    """The objective at the end of each frame; empty where a network paints them at once."""
    settings: Settings
    notes: tuple[str, ...] = ()
    sheet: Path | None = None
    plot: Path | None = None
    snapshots: Path | None = None
    """The folder of pictures of frames on their way."""
    faces: int = 0
    """The most faces that were found in a frame."""
    measures: Metrics | None = None
    """How good the painting is, if a report was asked for."""


def render(plan: PaintPlan, listener: Listener = lambda event: None) -> Result:
    """Carry out a plan.

    Args:
        plan: as ``plan.plan`` makes it.
        listener: told of what happens.

    Raises:
        UsageError: another run is at work on the same output, or it cannot be written.
        VidstyleError: the work failed.
    """
    with (
        devices.threads(plan.settings.threads),
        files.made(plan.output.folder),
        files.locked(plan.output.journal, plan.output.path),
    ):
        files.remove_stale(plan.output.path)
        return _render(plan, listener)


def _render(plan: PaintPlan, listener: Listener) -> Result:
    """Carry out a plan while its output is locked.

    Frames are read, marked where shots and key frames begin, and painted chunk by chunk. The
    journal keeps each chunk until the output is whole. What is shown of a painting is laid over its
    source and encoded. Reading, the journal and encoding have threads of their own. On a cluster,
    workers do all that for a segment each, and what they have encoded is joined here.
    """
    began = time.monotonic()
    settings, output = plan.settings, plan.output
    engine = make_engine(settings, plan.schedule, plan.size, plan.tile_pixels)
    room_notes = check_room(plan)
    journal = open_journal(plan, engine)
    log = run_log(output, settings.snapshots, journal)
    notes: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            notes.append(event.message)
        log(event)
        listener(event)

    composer = Composer.of(settings, plan.schedule)
    style = plan.schedule.pictures[0] if settings.report else None
    summary = Summary(output.sheet is not None, style, plan.size)
    writer = OutputWriter(output, plan.footage)
    if not journal.resumed:
        journal.clear()  # not before it is known that all can be written
    with journal:
        with writer:
            told = (*first_notes(plan, engine, journal, writer), *room_notes, *plan.notes)
            for note in told:
                emit(Notice(note))
            emit(started(plan, engine))
            learn_clip(engine, plan.footage, journal, emit)
            with writer.partial_on_error(journal, plan.keep_partial):
                kept = plan.footage.kept
                if kept is not None:
                    correct_here(plan, kept, journal, writer, summary, composer, emit)
                elif settings.cluster is not None and plan.journal is not None:
                    paint_on_cluster(plan, engine, journal, writer, summary, emit)
                else:
                    paint_here(plan, engine, journal, writer, summary, composer, emit)
                for note in unused_notes(len(plan.footage.keys), summary.given):
                    emit(Notice(note))
            # While an error still leaves no output.
            detail = paint_detail(plan, composer, listener)
            if not summary.losses and plan.footage.clip.info.frames != 0:
                raise plan.footage.empty_error
        if plan.keep_frames:
            journal.keep(kept_facts(plan, len(summary.losses)))
        journal.complete = True
        folder = journal.folder if plan.keep_frames and composer.changes else None
        for note in last_notes(plan.footage.clip, writer, folder):
            emit(Notice(note))
        log.finish()
        if output.sheet is not None:
            files.write_whole(output.sheet, media.encoded_image(summary.sheet(detail)))
    return Result(
        output=output.path,
        frames=len(summary.losses),
        seconds=time.monotonic() - began,
        width=plan.footage.whole[0],
        height=plan.footage.whole[1],
        losses=tuple(summary.losses) if engine.has_loss else (),
        settings=settings,
        notes=tuple(notes),
        sheet=output.sheet,
        plot=output.plot,
        snapshots=output.snapshots,
        faces=summary.faces,
        measures=summary.metrics(),
    )
