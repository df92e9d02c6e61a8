"""Learning a style from a clip, for later: ``vidstyle train``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import media
from ..core import devices, files
from ..core.events import Event, Learned, Listener, Notice, Started
from ..core.files import write_whole
from ..engines import FeedForwardEngine
from ..networks import transformer as models
from ..plan import Plan, make_engine
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


def learn(work: Plan, listener: Listener = lambda event: None) -> TrainingResult:
    """Fit a model to the clip of a plan (``plan_training``), and write it.

    Raises:
        UsageError: the clip has no frames.
        VidstyleError: the loss is not finite.
    """
    began = time.monotonic()
    engine = make_engine(work)
    assert isinstance(engine, FeedForwardEngine)
    sheet = work.target.training
    record = RunLogger(None, None, None, sheet)
    losses: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, Learned):
            losses.append(event.loss)
        record(event)
        listener(event)

    emit(Started(None, work.width, work.height, str(engine.device), work.settings.precision))
    for note in work.notes:
        emit(Notice(note))
    alone = tuple(tuple(map(float, row)) for row in np.eye(len(work.schedule.pictures)))
    # Each style alone, and the blend that was asked for.
    blends = sorted({*alone, *work.schedule.keyframes.values()})
    with devices.threads(work.settings.threads), files.set_aside(sheet):
        model = engine.stylizer.learn(frames_of(work), emit, blends)
        write_whole(sheet, media.encoded_image(engine.stylizer.sheet(), suffix=".jpg"))
        write_whole(work.output, models.dump(model))
    return TrainingResult(
        output=work.output,
        styles=model.config.styles,
        steps=len(losses),
        seconds=time.monotonic() - began,
        width=work.width,
        height=work.height,
        losses=tuple(losses),
        settings=work.settings,
        sheet=sheet,
    )
