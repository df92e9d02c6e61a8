"""Models trained on a clip: before it is painted, or for later (``vidstyle train``)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import media
from ..core import devices, files
from ..core.events import Event, Learned, Listener, Notice, Started
from ..core.files import write_whole
from ..engines import ClipEngine, Learner
from ..engines.feedforward import FeedForwardEngine
from ..journal import Journal
from ..networks import transformer as models
from ..plan import Footage, TrainPlan, make_engine
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


def learn_clip(engine: ClipEngine, footage: Footage, journal: Journal, emit: Listener) -> None:
    """Let an engine with a network learn the clip, unless it has a model.

    Args:
        engine: any engine; nothing happens to those that do not learn.
        footage: the clip.
        journal: has the model, if an earlier run has trained it, and keeps it.
        emit: told of the steps.
    """
    if not isinstance(engine, Learner) or engine.model is not None:
        return
    if (model := journal.model()) is not None:
        engine.take(model)
        emit(Notice("an earlier run has learned the clip: painting with its model"))
        return
    if journal.training is not None:
        journal.begin()
        emit(Notice(f"learning the clip first: see {journal.training}"))
    journal.keep_model(engine.learn(frames_of(footage), emit))


def learn(plan: TrainPlan, listener: Listener = lambda event: None) -> TrainingResult:
    """Train a model on a clip, and write it.

    Args:
        plan: as ``plan_training`` makes it.
        listener: told of each step.

    Raises:
        UsageError: the clip has no frames.
        VidstyleError: the loss is not finite.
    """
    began = time.monotonic()
    footage, schedule = plan.footage, plan.schedule
    settings, (width, height) = footage.settings, footage.size
    engine = make_engine(settings, schedule, footage.size)
    assert isinstance(engine, FeedForwardEngine)
    log = RunLogger(training=plan.sheet)
    losses: list[float] = []

    def emit(event: Event) -> None:
        if isinstance(event, Learned):
            losses.append(event.loss)
        log(event)
        listener(event)

    emit(Started(None, width, height, str(engine.device), settings.precision))
    for note in plan.notes:
        emit(Notice(note))
    alone = tuple(tuple(map(float, row)) for row in np.eye(len(schedule.pictures)))
    # Each style alone, and the blend that was asked for.
    blends = sorted({*alone, *schedule.keyframes.values()})
    with devices.threads(settings.threads), files.set_aside(plan.sheet):
        model = engine.learn(frames_of(footage), emit, blends)
        write_whole(plan.sheet, media.encoded_image(engine.sheet(), suffix=".jpg"))
        write_whole(plan.model, models.dump(model))
    return TrainingResult(
        output=plan.model,
        styles=model.config.styles,
        steps=len(losses),
        seconds=time.monotonic() - began,
        width=width,
        height=height,
        losses=tuple(losses),
        settings=settings,
        sheet=plan.sheet,
    )
