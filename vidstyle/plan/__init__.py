"""Plans: what is to be made of a clip, understood, checked, and not yet begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import ceil, floor
from pathlib import Path

from .. import journal, media
from ..core import files
from ..core.errors import UsageError
from ..media import Clip, ClipInfo, Format
from ..media.stills import STILLS_RATE, StillsClip
from ..networks import transformer as models
from ..networks.transformer import TransformerNet
from ..objective.masks import is_one
from ..objective.styles import StyleSchedule
from ..settings import Settings, rate_of
from .bars import Bars, find_bars
from .corrections import Kept, kept_facts, next_version
from .describe import PlanSummary, check_room, describe
from .engine import (
    EngineChoice,
    choose_engine,
    for_preview,
    make_engine,
    on_machine,
    with_segments,
)
from .footage import Footage, files_of
from .keys import GivenKey, KeyLike, check_keys, keys_of, styles_of
from .machine import diagnose
from .masks import Mask, mask_notes
from .masks import opened as opened_mask
from .output import Output, check_encoding, loop_notes, output_of, size_notes, size_of
from .styles import (
    Later,
    MaskLike,
    StyleLike,
    brush_notes,
    mask_and_style,
    schedule_of,
    several,
    style_and_weight,
    with_brush_of,
)
from .types import Detail, KeysPlan, MaskPlan, PaintPlan, TrainPlan

ANOTHER_SIZE = 1.5
"""A model's strokes look wrong in frames so many times as wide as those it was trained on."""
PREVIEW_SIZE = 208
"""Pixels of the longer side of a preview, at most."""
DETAIL_STEPS = 30
"""Optimizer steps of a preview's detail, at each size: half of the default."""
MUCH_LARGER = 1.25
"""A preview of a painting that is so many times as large also shows a detail of it."""
LATE_S = 1
"""Seconds that a clip may go on for after the end that its file claims."""

__all__ = [
    "Bars",
    "EngineChoice",
    "Footage",
    "GivenKey",
    "Kept",
    "KeyLike",
    "KeysPlan",
    "Later",
    "Mask",
    "MaskLike",
    "MaskPlan",
    "Output",
    "PaintPlan",
    "PlanSummary",
    "StyleLike",
    "TrainPlan",
    "check_room",
    "describe",
    "diagnose",
    "files_of",
    "kept_facts",
    "make_engine",
    "plan",
    "plan_correction",
    "plan_keys",
    "plan_mask",
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
) -> PaintPlan:
    """Plan a painting: check all that can be checked before any work.

    Args:
        clip: what to paint.
        styles, output, masks, style_at, keys: see ``vidstyle.stylize``.
        overwrite, restart, keep_frames, keep_partial, settings: see ``vidstyle.stylize``.
        preview: paint so many frames as a preview. None paints all.
        reads: files that must not be written over, beside those that are named otherwise.

    Raises:
        UsageError: something is missing, unreadable or in the way.
    """
    settings = settings or Settings()
    is_preview, first_iterations = preview is not None, settings.first_iterations
    if is_preview:
        settings = for_preview(settings, preview)
    opened = media.open_clip(clip, settings.max_pixels)
    model = None if settings.model is None else models.load(Path(settings.model))
    given = keys_of(keys)
    schedule = _schedule(styles, style_at, masks, given, settings, model)
    covers = tuple(opened_mask(mask, settings.max_pixels) for mask in masks)
    notes = [*schedule.notes, *mask_notes(covers, schedule.regions, opened, settings)]
    target = output_of(opened.info, schedule.names, output, is_preview, settings)
    target = replace(target.with_extras(settings, is_preview), overwrite=overwrite)
    whole = size = size_of(opened, settings, target.format)
    if is_preview:
        settings = with_brush_of(schedule.pictures, whole, settings)
        size = size_of(opened, settings, target.format, PREVIEW_SIZE)
    notes += [] if is_preview else size_notes(opened, settings, size)
    notes += _format_notes(opened.info, target, size, settings)
    bars = find_bars(opened, settings) if settings.bars == "keep" else None
    if bars is not None:
        notes.append(f"black bars, {bars}, stay as they are: --bars paint paints them, too")
    footage = Footage(opened, size, settings, covers, given, bars=bars)
    check_keys(given, (size, footage.size), settings.max_pixels)
    notes += brush_notes(schedule.pictures, footage.size, settings)
    notes += [] if model is None else _model_notes(model.config.size, footage)
    footage, choice, engine_notes = choose_engine(footage, is_preview)
    settings, segment_notes = with_segments(footage.settings, is_preview)
    has_journal = not is_preview and (footage.frames != 1 or keep_frames)
    begun = target.journal if has_journal and not restart else None
    settings, tile_pixels = on_machine(settings, begun)
    closes = _closes(opened.info, target.format, settings)
    leads_back = bool(given) and settings.segment is None and not closes
    read = [*_reads((opened, *footage.mask_clips), styles, style_at, masks, settings), *reads]
    made = PaintPlan(
        footage=replace(footage, settings=settings, leads_back=leads_back),
        schedule=schedule,
        output=target,
        engine=choice,
        notes=(*notes, *engine_notes, *segment_notes),
        closes=closes,
        preview=is_preview,
        detail=Detail(whole, min(first_iterations, DETAIL_STEPS))
        if is_preview and model is None and max(whole) > MUCH_LARGER * max(size)
        else None,
        journal=target.journal if has_journal else None,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
        tile_pixels=tile_pixels,
        reads=(*read, *(key.path for key in given)),
    )
    _check_frames(made.footage, target.format)
    _check_writes(made)
    return made


def plan_correction(
    painted: str | Path,
    keys: Sequence[KeyLike],
    output: str | Path | None = None,
    overwrite: bool = False,
) -> PaintPlan:
    """Plan to correct a painting: check all that can be checked before any work.

    Args:
        painted, keys, output, overwrite: see ``vidstyle.correct``.

    Raises:
        UsageError: something is missing, unreadable or in the way, or the paintings of ``painted``
            are not kept.
    """
    path = Path(painted)
    kept = Kept.of(path)
    if not keys:
        raise UsageError("nothing to correct it by: give the painting of a frame with --key")
    # Its times count from its own beginning.
    start = float(kept.settings.span[0])
    given = [key if isinstance(key, (str, Path)) else (key[0] + start, key[1]) for key in keys]
    settings = replace(kept.settings, format="folder") if path.is_dir() else kept.settings
    made = plan(
        kept.clip,
        (),
        output or next_version(path),
        masks=kept.covers(keys_of(given)[0].path),
        keys=given,
        overwrite=overwrite,
        restart=True,
        keep_frames=True,
        settings=settings,
        reads=[path],
    )
    if not overwrite and made.journal is not None and journal.has_paintings(made.journal):
        raise UsageError(
            f"{made.journal}: holds the paintings of another run: use --overwrite to replace them, "
            f"or another --output"
        )
    return replace(made, footage=replace(made.footage, kept=kept))


def plan_training(
    clip: str | Path,
    styles: Sequence[StyleLike],
    output: str | Path | None = None,
    overwrite: bool = False,
    settings: Settings | None = None,
) -> TrainPlan:
    """Plan the training of a model on a clip: check all that can be checked before any work.

    Args:
        clip: the clip, or a folder of pictures.
        styles, output, overwrite, settings: see ``vidstyle.train``.

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
    model = Path(output or opened.info.path.absolute().with_name(name))
    sheet = model.with_name(files.fitting(f"{model.stem}.training.jpg"))
    reads = [*_reads((opened,), styles, (), (), settings)]
    for written in (model, sheet):
        files.check_writable(written, overwrite, reads)
    size = size_of(opened, settings, media.FORMATS["mp4"])
    notes = (*schedule.notes, *size_notes(opened, settings, size))
    settings, _ = on_machine(settings, None)
    return TrainPlan(Footage(opened, size, settings), schedule, model, sheet, notes)


def plan_keys(
    clip: str | Path, output: str | Path | None = None, settings: Settings | None = None
) -> KeysPlan:
    """Plan to write the key frames of a clip: check all that can be checked before any work.

    Args:
        clip: the clip.
        output, settings: see ``vidstyle.keyframes``.

    Raises:
        UsageError: something is missing, unreadable or in the way. Nothing is ever replaced, since
            it might have been painted over.
    """
    settings = replace(settings or Settings(), engine="keyframes", faces="off")
    opened = media.open_clip(clip, settings.max_pixels)
    folder = Path(output or opened.info.path.absolute().with_name(f"{opened.info.path.stem}.keys"))
    sheet = folder.with_name(files.fitting(f"{folder.name}.png"))
    for written in (folder, sheet):
        if written.exists():
            raise UsageError(
                f"{written}: exists already, and may have been painted over: "
                f"choose another --output"
            )
        files.check_writable(written, False)
    file_format = media.FORMATS["folder"]
    footage = Footage(opened, size_of(opened, settings, file_format), settings)
    _check_frames(footage, file_format)
    return KeysPlan(footage, folder, sheet)


def plan_mask(
    clip: str | Path,
    what: str | Path = "person",
    output: str | Path | None = None,
    overwrite: bool = False,
    settings: Settings | None = None,
) -> MaskPlan:
    """Plan to write a mask of a clip: check all that can be checked before any work.

    Args:
        clip: the clip.
        what, output, overwrite, settings: see ``vidstyle.mask``.

    Raises:
        UsageError: something is missing, unreadable or in the way, or the format cannot hold a mask
            of as many frames as the clip.
    """
    # As large as the clip and as long, with sharp edges: it is softened when it is used.
    settings = replace(
        settings or Settings(), size="full", follow=True, feather=0.0, faces="off", engine="gatys"
    )
    opened = media.open_clip(clip, settings.max_pixels)
    found = opened_mask(what, settings.max_pixels)
    if not isinstance(found, str) and not is_one(found):
        raise UsageError(f"{what}: is a clip already: name a picture of what the mask is to follow")
    called = found if isinstance(found, str) else found.info.path.stem
    beside = opened.info.path.absolute()
    target = output_of(
        opened.info, (), output or beside.with_name(f"{beside.stem}.{called}.mp4"), False, settings
    )
    if target.format.kind not in ("video", "folder"):
        raise UsageError(
            f"{target.path}: a mask is a video or a folder of pictures: {target.format.name} may "
            f"leave out frames"
        )
    size = size_of(opened, settings, target.format)
    notes = (
        *mask_notes((found,), (0,), opened, settings),
        *check_encoding(target, size, settings),
    )
    reads = [*files_of(opened), *(() if isinstance(found, str) else files_of(found))]
    files.check_writable(target.path, overwrite, reads)
    footage = Footage(opened, size, settings, (found,))
    _check_frames(footage, target.format)
    return MaskPlan(footage, replace(target, overwrite=overwrite), notes)


def _schedule(
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    given: Sequence[GivenKey],
    settings: Settings,
    model: TransformerNet | None,
) -> StyleSchedule:
    """Return the styles; where only paintings are given, some of those."""
    if given and not styles and not style_at:
        schedule = schedule_of(styles_of(given), (), masks, settings, model)
        return replace(schedule, names=())
    return schedule_of(styles, style_at, masks, settings, model)


def _format_notes(
    info: ClipInfo, output: Output, size: tuple[int, int], settings: Settings
) -> Iterator[str]:
    """Say what the format of the output does not keep of the clip, or changes.

    Raises:
        UsageError: the format cannot hold frames of this size, or the codec is unknown.
    """
    yield from check_encoding(output, size, settings)
    yield from loop_notes(info, settings, output.format)
    if info.attached and output.format.kind == "video":
        yield f"not kept: {', '.join(info.attached)}"


def _model_notes(trained: tuple[int, int], footage: Footage) -> list[str]:
    """Say where a model was ``trained`` on frames of another size."""
    if 1 / ANOTHER_SIZE < footage.size[0] / trained[0] < ANOTHER_SIZE:
        return []
    size = "x".join(map(str, trained))
    return [f"{footage.settings.model} was trained at {size}, and its strokes fit that size"]


def _closes(info: ClipInfo, file_format: Format, settings: Settings) -> bool:
    """Whether the last frame leads into the first: by default in an animation without end."""
    if settings.seamless is not None:
        return settings.seamless
    animated = file_format.kind in ("gif", "animation")
    return animated and media.loop_count(info, settings.loop) == 0


def _reads(
    clips: Sequence[Clip],
    styles: Sequence[StyleLike],
    style_at: Sequence[Later],
    masks: Sequence[MaskLike],
    settings: Settings,
) -> Iterator[Path]:
    """Yield all files that a painting is made from."""
    for clip in clips:
        yield from files_of(clip)
    for style in (*styles, *(style for _, style in style_at)):
        yield style_and_weight(style)[0]
    insides = (mask_and_style(mask)[1] for mask in masks)
    yield from (path for path in insides if path is not None)
    yield from (Path(name) for name in (settings.model, settings.weights) if name is not None)


def _check_frames(footage: Footage, file_format: Format) -> None:
    """Refuse a part of the clip that shows nothing, stills that cannot be read or differ in size,
    and more frames than a still holds."""
    info, settings = footage.clip.info, footage.settings
    start, end = settings.span
    for mask in footage.mask_clips:
        if isinstance(mask, StillsClip):
            mask.check_sizes()
    if isinstance(footage.clip, StillsClip):
        footage.clip.check_sizes(*_stills(settings))
    late = info.duration is not None and start >= info.duration + LATE_S
    if footage.frames == 0 or late:
        # The file may claim less than it holds.
        frames = media.trim(media.frames_since(footage.clip, start), start, end)
        if next(iter(frames), None) is None:
            raise footage.empty_error
    if file_format.kind == "still":
        frames = media.trim(footage.clip, start, end)
        if settings.fps:
            frames = media.resample(frames, rate_of(settings.fps))
        if sum(1 for _ in islice(frames, min(2, settings.max_frames or 2))) > 1:
            raise media.only_one_frame(file_format)


def _stills(settings: Settings) -> tuple[int, int | None]:
    """Return the number of the first of some stills that are painted, and of the one after the
    last; None if there is no limit."""
    start, end = settings.span
    first = floor(start * STILLS_RATE)
    limits = [] if end is None else [ceil(end * STILLS_RATE)]
    if settings.max_frames is not None and settings.fps is None:
        limits.append(first + settings.max_frames)
    return first, min(limits, default=None)


def _check_writes(made: PaintPlan) -> None:
    """Refuse to write over what is read, or over what exists unless that was asked for."""
    output = made.output
    if output.folder is not None:
        return  # the folder is new, so nothing is in the way
    begun = made.journal is not None and journal.is_begun(made.journal) and not made.restart
    own = begun and made.journal is not None and journal.has_left(made.journal, output.partial)
    for path in output.writes:
        if path != output.snapshots:
            files.check_writable(path, output.overwrite, made.reads)
        elif path.exists() and not begun and not output.overwrite:
            raise UsageError(f"{path}: exists already: use --overwrite or another --output")
    if made.keep_partial and not own:
        files.check_writable(output.partial, output.overwrite, made.reads)
