"""What a run tells at its beginning and at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.events import Started
from ..engines import ClipEngine
from ..journal import Journal
from ..media import Clip
from ..plan import Output, PaintPlan
from .logger import RunLogger
from .output import OutputWriter
from .scheduler import paintings


def started(plan: PaintPlan, engine: ClipEngine) -> Started:
    """Return the event that painting begins."""
    frames, settings = plan.footage.frames, plan.settings
    width, height = plan.footage.whole
    count = None if frames is None else paintings(frames, settings.segment, plan.closes)
    return Started(
        count,
        width,
        height,
        str(engine.device),
        settings.precision,
        (count or 0) - (frames or 0),
        not plan.footage.is_counted,
    )


def run_log(output: Output, every: int | None, journal: Journal) -> RunLogger:
    """Return the listener that draws losses and pictures, ``every`` so many steps."""
    going_on = journal.count > 0
    return RunLogger(output.plot, output.snapshots, every, journal.training, going_on)


def first_notes(
    plan: PaintPlan, engine: ClipEngine, journal: Journal, writer: OutputWriter
) -> Iterator[str]:
    """Say what is worth knowing before the first frame is painted."""
    if plan.footage.clip.info.alpha and not writer.keeps_alpha:
        name = plan.output.format.name
        yield f"{name} cannot hold transparency: transparent parts are painted over"
    if journal.count:
        yield f"going on from {journal.paintings} of an earlier run"
    if journal.damaged:
        yield f"{journal.folder}: what an earlier run has left is damaged: starting anew"
    if engine.tiles > 1:
        width, height = plan.size
        yield (
            f"{width}x{height} does not fit into memory at once: "
            f"painted in {engine.tiles} tiles, which takes longer"
        )


def last_notes(clip: Clip, writer: OutputWriter, kept: Path | None) -> Iterator[str]:
    """Say what is worth knowing of a painting that is done.

    Args:
        clip: that has been read.
        writer: of the output.
        kept: the folder of frames that are kept, if they differ from what is shown.
    """
    yield from (*clip.notes, *writer.notes)
    if kept is not None:
        yield (
            f"{kept}: its frames are as painted, before --keep-colors, --strength and masks; "
            f"name a folder with --output to have them as shown"
        )
