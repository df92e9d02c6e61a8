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
from ..core.events import Event, Learned, Listener, Planned
from ..core.files import write_whole
from ..engines import FeedForward
from ..media.stills import StillsClip
from ..networks import transformer as models
from ..objective.styles import Looks
from ..plan import Plan, StyleLike, files_of, looks_of, precision, several, size_of
from ..plan.output import Output
from ..settings import Settings
from .frames import frames_of
from .logger import Record


@dataclass(frozen=True)
class Training:
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
) -> Training:
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
    looks = looks_of(several(style), (), (), settings, None)
    styles = [Path(one[0] if isinstance(one, tuple) else one) for one in several(style)]
    target = Path(output or opened.info.path.absolute().with_name(_model_name(looks)))
    sheet = target.with_name(f"{target.stem}.training.jpg")
    twice = {name for name in looks.names if looks.names.count(name) > 1}
    if twice:
        raise UsageError(
            f"two styles are called {' and '.join(sorted(twice))}, and a model knows them by their "
            f"names: rename one"
        )
    for path in (target, sheet):
        files.check_writable(path, overwrite, (*files_of(opened), *styles))
    size = size_of(opened, settings, media.FORMATS["mp4"])
    work = Plan(opened, looks, Output(target, media.FORMATS["mp4"]), *size, settings)
    painter = FeedForward(settings, looks, size)
    record = Record(None, None, None, sheet)
    losses: list[float] = []

    def tell(event: Event) -> None:
        if isinstance(event, Learned):
            losses.append(event.loss)
        record(event)
        listener(event)

    tell(Planned(None, *size, str(painter.device), precision(painter)))
    alone = tuple(tuple(map(float, row)) for row in np.eye(len(looks.pictures)))
    # Each style alone, and the blend that was asked for.
    blends = sorted({*alone, *looks.keys.values()})
    with files.set_aside(sheet):
        model = painter.apprentice.learn(frames_of(work), tell, blends)
        write_whole(sheet, media.encoded_image(painter.apprentice.sheet(), suffix=".jpg"))
        write_whole(target, models.dump(model))
    return Training(
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


def _model_name(looks: Looks) -> str:
    return f"{'+'.join(looks.names)}.safetensors"
