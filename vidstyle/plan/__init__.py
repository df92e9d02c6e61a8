"""What is to be made of a clip: understood, checked, and not yet begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from .. import media
from ..core import files
from ..core.errors import UsageError
from ..media import Clip
from ..media.stills import StillsClip
from ..networks import transformer as models
from ..objective.masks import check as check_mask
from ..objective.styles import StyleSchedule
from ..settings import Settings, rate_of
from .describe import check_room, describe, frames_told
from .engine import engine_of, for_preview, make_engine, with_engine, with_machine, with_segments
from .keys import GivenKey, KeyLike, check_keys, keys_of, styles_of
from .machine import diagnose
from .output import (
    Output,
    check_encoding,
    is_begun,
    loop_notes,
    output_of,
    size_notes,
    size_of,
    wrote,
)
from .styles import mask_and_style, schedule_of, several, style_and_weight
from .types import EngineChoice, Later, MaskLike, Plan, StyleLike, files_of

ANOTHER_SIZE = 1.5
"""From so many times the width on that a model has learned at, its strokes look wrong."""
PREVIEW_SIZE = 208
"""Longer side of a preview, in pixels, at most."""
LATE = 1
"""Seconds that a clip may go on for after the end that its file claims."""

__all__ = [
    "EngineChoice",
    "GivenKey",
    "KeyLike",
    "Later",
    "MaskLike",
    "Plan",
    "StyleLike",
    "check_room",
    "describe",
    "diagnose",
    "engine_of",
    "files_of",
    "frames_told",
    "make_engine",
    "plan",
    "plan_keys",
    "plan_training",
    "several",
]


def plan(
    clip: str | Path,
    styles: Sequence[StyleLike],
    output: str | Path | None = None,
    *,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    keys: Sequence[KeyLike] = (),
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
        settings = for_preview(settings, preview)
    opened = media.open_clip(clip, settings.max_pixels)
    model = None if settings.model is None else models.load(Path(settings.model))
    given = keys_of(keys)
    if given and not styles and not style_at:
        schedule = schedule_of(styles_of(given), (), masks, settings, model)
        schedule = replace(schedule, names=())
    else:
        schedule = schedule_of(styles, style_at, masks, settings, model)
    covers = tuple(media.open_clip(mask_and_style(mask)[0], settings.max_pixels) for mask in masks)
    notes = [*schedule.notes]
    notes += [note for cover in covers for note in check_mask(cover, opened)]
    target = output_of(opened.info, schedule.names, output, preview is not None, settings)
    size = size_of(opened, settings, target.format, None if preview is None else PREVIEW_SIZE)
    if preview is None:
        notes += size_notes(opened, settings, size)
    notes += check_encoding(target, size, settings)
    notes += loop_notes(opened.info, settings, target.format)
    if opened.info.attached and target.format.kind == "video":
        notes.append(f"not kept: {', '.join(opened.info.attached)}")
    check_keys(given, size, settings.max_pixels)
    work = Plan(
        opened,
        schedule,
        target,
        *size,
        settings,
        covers,
        given,
        overwrite,
        preview is not None,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
        reads=(
            *_reads((opened, *covers), styles, style_at, masks, settings),
            *(key.path for key in given),
            *reads,
        ),
    )
    if model is not None:
        notes += _size_notes(model.config.size, work)
    work = with_segments(with_engine(replace(work, notes=tuple(notes))))
    if preview is None and (work.frames != 1 or keep_frames):
        work = replace(work, journal=target.journal)
    work = with_machine(work)
    _check_frames(work)
    _check_writes(work)
    return work


def _size_notes(learned: tuple[int, int], work: Plan) -> list[str]:
    """What there is to say of a model that has learned at another size."""
    if 1 / ANOTHER_SIZE < work.width / learned[0] < ANOTHER_SIZE:
        return []
    size = "x".join(map(str, learned))
    return [f"{work.settings.model} has learned at {size}, with strokes for that size"]


def _reads(
    clips: Sequence[Clip],
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    settings: Settings,
) -> Iterator[Path]:
    """All files that a painting is made from."""
    for clip in clips:
        yield from files_of(clip)
    for style in (*styles, *(style for _, style in style_at)):
        yield style_and_weight(style)[0]
    for mask in masks:
        yield from (path for path in mask_and_style(mask) if path is not None)
    yield from (Path(name) for name in (settings.model, settings.weights) if name is not None)


def plan_training(
    clip: str | Path,
    styles: Sequence[StyleLike],
    output: str | Path | None = None,
    overwrite: bool = False,
    settings: Settings | None = None,
) -> Plan:
    """Check everything about training a model on a clip that can be checked before any work.

    Raises:
        UsageError: something is missing, unreadable or in the way.
    """
    settings = replace(settings or Settings(), engine="feedforward", model=None)
    opened = media.open_clip(clip, settings.max_pixels)
    if isinstance(opened, StillsClip):
        opened.fit = True
    schedule = schedule_of(styles, (), (), settings, None)
    twice = {name for name in schedule.names if schedule.names.count(name) > 1}
    if twice:
        raise UsageError(
            f"two styles are called {' and '.join(sorted(twice))}, and a model knows them by their "
            f"names: rename one"
        )
    name = f"{'+'.join(schedule.names)}.safetensors"
    path = Path(output or opened.info.path.absolute().with_name(name))
    target = Output(path, media.FORMATS["mp4"])
    reads = [*_reads((opened,), styles, (), (), settings)]
    for written in (target.path, target.training):
        files.check_writable(written, overwrite, reads)
    size = size_of(opened, settings, target.format)
    notes = (*schedule.notes, *size_notes(opened, settings, size))
    return with_machine(Plan(opened, schedule, target, *size, settings, notes=notes))


def plan_keys(
    clip: str | Path, output: str | Path | None = None, settings: Settings | None = None
) -> Plan:
    """Check everything about writing the key frames of a clip that can be checked before.

    Raises:
        UsageError: something is missing, unreadable or in the way; nothing is ever replaced, since
            it might have been painted over.
    """
    settings = replace(settings or Settings(), engine="keyframes")
    opened = media.open_clip(clip, settings.max_pixels)
    path = Path(output or opened.info.path.absolute().with_name(f"{opened.info.path.stem}.keys"))
    target = Output(path, media.FORMATS["folder"])
    for written in (target.path, target.sheet):
        if written.exists():
            raise UsageError(
                f"{written}: exists already, and may have been painted over: "
                f"choose another --output"
            )
        files.check_writable(written, False)
    size = size_of(opened, settings, target.format)
    work = Plan(opened, StyleSchedule(()), target, *size, settings)
    _check_frames(work)
    return work


def _check_frames(work: Plan) -> None:
    """Refuse a part of the clip that shows nothing, and more frames than a still holds."""
    info, settings = work.clip.info, work.settings
    start, end = settings.span
    late = info.duration is not None and start >= info.duration + LATE
    if work.frames == 0 or late:
        # The file may claim less than it holds.
        frames = media.trim(media.frames_since(work.clip, start), start, end)
        if next(iter(frames), None) is None:
            raise work.empty
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
