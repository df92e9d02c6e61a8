"""Learning a style from a clip, for later: ``vidstyle train``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import media
from ..core import files
from ..core.errors import UsageError
from ..core.events import Event, Learned, Listener, Started
from ..core.files import write_whole
from ..engines import FeedForwardEngine
from ..media.stills import StillsClip
from ..networks import transformer as models
from ..objective.styles import StyleSchedule
from ..plan import Plan, StyleLike, files_of, precision, schedule_of, several, size_of
from ..plan.output import Output
from ..settings import Settings
from .frames import frames_of
from .logger import RunLogger


@dataclass(frozen=True)
class TrainingResult:
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
) -> TrainingResult:
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
    opened = media.open_clip(clip, settings.max_pixels)
    if isinstance(opened, StillsClip):
        opened.fit = True
    schedule = schedule_of(several(style), (), (), settings, None)
    styles = [Path(one[0] if isinstance(one, tuple) else one) for one in several(style)]
    target = Path(output or opened.info.path.absolute().with_name(_model_name(schedule)))
    sheet = target.with_name(f"{target.stem}.training.jpg")
    twice = {name for name in schedule.names if schedule.names.count(name) > 1}
    if twice:
        raise UsageError(
            f"two styles are called {' and '.join(sorted(twice))}, and a model knows them by their "
            f"names: rename one"
        )
    for path in (target, sheet):
        files.check_writable(path, overwrite, (*files_of(opened), *styles))
    size = size_of(opened, settings, media.FORMATS["mp4"])
    work = Plan(opened, schedule, Output(target, media.FORMATS["mp4"]), *size, settings)
    engine = FeedForwardEngine(settings, schedule, size)
    record = RunLogger(None, None, None, sheet)
    losses: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, Learned):
            losses.append(event.loss)
        record(event)
        listener(event)

    emit(Started(None, *size, str(engine.device), precision(engine)))
    alone = tuple(tuple(map(float, row)) for row in np.eye(len(schedule.pictures)))
    # Each style alone, and the blend that was asked for.
    blends = sorted({*alone, *schedule.keys.values()})
    with files.set_aside(sheet):
        model = engine.stylizer.learn(frames_of(work), emit, blends)
        write_whole(sheet, media.encoded_image(engine.stylizer.sheet(), suffix=".jpg"))
        write_whole(target, models.dump(model))
    return TrainingResult(
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


def _model_name(schedule: StyleSchedule) -> str:
    return f"{'+'.join(schedule.names)}.safetensors"
