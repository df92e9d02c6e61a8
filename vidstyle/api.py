"""The Python interface: paint a clip, preview it, or train a model on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .core.events import Listener
from .plan import KeyLike, Later, MaskLike, StyleLike, plan, plan_keys, plan_training, several
from .render import Result, render
from .render.keys import KeysResult, write_keys
from .render.learn import TrainingResult, learn
from .settings import Settings
from .settings.quality import with_quality

__all__ = ["KeysResult", "Result", "TrainingResult", "keyframes", "preview", "stylize", "train"]


def stylize(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike] = (),
    output: str | Path | None = None,
    *,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    keys: Sequence[KeyLike] = (),
    overwrite: bool = False,
    restart: bool = False,
    keep_frames: bool = False,
    keep_partial: bool = False,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> Result:
    """Paint ``clip`` in the style of a picture, or of several, given as (picture, weight).

    Args:
        clip: a video, GIF, APNG, WebP, still image, folder of stills or glob.
        style: the picture, or a sequence of pictures or (picture, weight).
        output: where to; by default beside the clip, as ``clip.picasso.mp4``.
        masks: of what stays unpainted, or (mask, picture) of what is to look like another one:
            stills, or clips of as many frames. White, or opaque, is inside.
        style_at: (seconds, style) to change over to, blended in between.
        keys: how frames are to look: (seconds, painting), or a folder of paintings called by the
            numbers of their frames (``keyframes``). What lies between follows them; without a
            style, they are it.
        overwrite: replace an output that exists.
        restart: begin anew, where a run before has left paintings in a journal.
        keep_frames: keep the journal, with each painting as a PNG.
        keep_partial: if it ends early, leave what is painted as clip.partial.mp4 beside the output.
        listener: told of what happens (``vidstyle.core.events``).
        settings: all options at once, where an editor shows them.
        options: fields of ``Settings`` on top of these: size, iterations, style_weight …; and
            ``quality``: "draft", "good" or "best", for several of them.

    Raises:
        UsageError: wrong use, or input that cannot be read.
        VidstyleError: the work failed. Nothing is left at ``output`` in either case; what was
            painted waits in a journal beside it, for the same call to go on from there.
    """
    made = plan(
        clip,
        several(style),
        output,
        masks=masks,
        style_at=style_at,
        keys=keys,
        overwrite=overwrite,
        restart=restart,
        keep_frames=keep_frames,
        keep_partial=keep_partial,
        settings=_settings(settings, options),
    )
    return render(made, listener)


def preview(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike] = (),
    output: str | Path | None = None,
    *,
    frames: int = 3,
    masks: Sequence[MaskLike] = (),
    style_at: Sequence[Later] = (),
    keys: Sequence[KeyLike] = (),
    overwrite: bool = False,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> Result:
    """Paint the first ``frames`` of ``clip``, small and quickly, with a contact sheet beside.

    As ``stylize``, otherwise; the result's ``sheet`` is the contact sheet.
    """
    made = plan(
        clip,
        several(style),
        output,
        masks=masks,
        style_at=style_at,
        keys=keys,
        overwrite=overwrite,
        settings=_settings(settings, options),
        preview=frames,
    )
    return render(made, listener)


def keyframes(
    clip: str | Path,
    output: str | Path | None = None,
    *,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> KeysResult:
    """Write the frames of ``clip`` that are worth painting, for ``stylize(..., keys=[output])``.

    Args:
        clip: a video, GIF, APNG, WebP, still image, folder of stills or glob.
        output: a new folder; by default beside the clip, as ``clip.keys``. A sheet of them comes
            beside it.
        listener: told of what happens (``vidstyle.core.events``).
        settings: all options at once, where an editor shows them.
        options: fields of ``Settings`` on top of these: size, key_every, start …

    Raises:
        UsageError: wrong use, or input that cannot be read.
    """
    return write_keys(plan_keys(clip, output, _settings(settings, options)), listener)


def train(
    clip: str | Path,
    style: StyleLike | Sequence[StyleLike],
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> TrainingResult:
    """Fit a model to a clip, or to a folder of pictures, for ``stylize(..., model=...)``.

    Args:
        clip: a video, GIF, APNG, WebP, still image, folder of stills or glob.
        style: the picture, or a sequence of pictures or (picture, weight): one model holds them
            all, and paints any blend of them.
        output: the file; by default beside the clip, as ``picasso.safetensors``.
        overwrite: replace a file that exists.
        listener: told of what happens (``vidstyle.core.events``).
        settings: all options at once, where an editor shows them.
        options: fields of ``Settings`` on top of these: size, style_weight, training_steps …

    Raises:
        UsageError: wrong use, or input that cannot be read.
        VidstyleError: the work failed.
    """
    made = plan_training(clip, several(style), output, overwrite, _settings(settings, options))
    return learn(made, listener)


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    return replace(settings or Settings(), **with_quality(options))
