"""Frames painted and made ready to be shown: by this process, or by a worker of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..core.background import Behind, ahead
from ..core.events import Listener, Notice
from ..core.frames import Frame
from ..core.images import Image
from ..engines import ClipEngine, Engine
from ..engines.recovery import RecoveringEngine
from ..journal import Chunk, Journal
from ..plan import PaintPlan
from .compose import Composer, Summary
from .frames import READ_AHEAD, frames_of
from .output import OutputWriter
from .scheduler import Scheduler

FRAMES_WAITING = 2
"""Frames that may wait to be encoded."""


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """A frame as it is written."""

    frame: Frame
    shown: Image
    """(H, W, 3)."""
    loss: float
    """The objective at the end; 0 where there is none."""


def paint_frames(
    frames: Iterator[Frame],
    scheduler: Scheduler,
    compose: Composer,
    emit: Listener,
    *,
    keep: Callable[[int, Image], None] | None = None,
    first: int = 0,
    section: int = 0,
    into: Chunk | None = None,
) -> Iterator[ShownFrame]:
    """Paint frames, and compose what is shown of them, in their order.

    Args:
        frames: of a clip, or of one segment. They are read on another thread.
        scheduler: paints them.
        compose: makes what is shown.
        emit: told of what was noticed when they were read.
        keep: called with the number of each frame (from 1 on) and its painting.
        first: frames of the clip before these.
        section: the number of their first section.
        into: what the last frame leads into. None: nothing, but where a loop closes.
    """
    foreseen = ahead(_with_flow(frames, scheduler.engine), READ_AHEAD)
    painted = scheduler.paint(foreseen, section, into)
    for number, done in enumerate(painted, first + 1):
        if keep is not None:
            keep(number, done.painted)
        for note in done.frame.notes:
            emit(Notice(note))
        yield ShownFrame(done.frame, compose(done.painted, done.frame), done.loss)


def _with_flow(frames: Iterable[Frame], engine: Engine) -> Iterator[Frame]:
    """Begin to estimate the motion of frames as they are read."""
    before: Frame | None = None
    for frame in frames:
        if before is not None and not (frame.starts_shot or frame.starts_segment):
            engine.prefetch_flow(frame.rgb, before.rgb)
        before = frame
        yield frame


def paint_here(
    plan: PaintPlan,
    engine: ClipEngine,
    journal: Journal,
    writer: OutputWriter,
    summary: Summary,
    composer: Composer,
    emit: Listener,
) -> None:
    """Paint all frames of a plan in this process, and write them on another thread."""
    scheduler = Scheduler(
        RecoveringEngine(engine, emit),
        emit,
        journal,
        segments=plan.settings.segment is not None,
        closes=plan.closes,
    )
    frames = frames_of(plan.footage)
    keep = journal.show if plan.keep_frames else None
    with journal.in_background(), Behind(FRAMES_WAITING) as encoding:
        for done in paint_frames(frames, scheduler, composer, emit, keep=keep):
            encoding.submit(writer.write, done.frame, done.shown)
            summary.add(done.frame, done.shown, done.loss)
