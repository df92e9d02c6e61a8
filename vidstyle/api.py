"""The Python interface: paint a clip, preview it, or train a model on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .core.events import Listener
from .plan import (
    KeyLike,
    Later,
    MaskLike,
    StyleLike,
    plan,
    plan_correction,
    plan_keys,
    plan_mask,
    plan_training,
    several,
)
from .render import Result, render
from .render.keys import KeysResult, write_keys
from .render.learn import TrainingResult, learn
from .render.masks import MaskResult, write_mask
from .settings import Settings
from .settings.quality import with_quality

__all__ = [
    "KeysResult",
    "MaskResult",
    "Result",
    "TrainingResult",
    "correct",
    "keyframes",
    "mask",
    "preview",
    "stylize",
    "train",
]


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
    """Paint a clip in the style of a picture, or of a blend of several.

    Args:
        clip: the path of a video, GIF, APNG, WebP, AVIF, still image or folder of stills, or a glob
            of stills.
        style: the picture to paint like, or a sequence of pictures to blend, each a path or (path,
            weight). It may be left out if there are ``keys``, whose paintings are the style then,
            or with the option ``model``, which has its own styles. These can also be named here.
        output: the file or folder to write. The suffix says the format, and a name without one
            means a folder of frames. If the folder exists, or if the name ends in ``/``, the
            painting is a new file in it. None means beside the clip, as ``clip.picasso.mp4``.
        masks: parts of the clip to leave unpainted, each as the path of a mask, or to paint in
            another style, each as (mask, picture). A mask is a clip with as many frames as
            ``clip``, or a still, which is drawn on the first frame and follows what it shows. White
            is inside, or opaque if the mask has transparency. "person" and "background" are found.
            Where masks overlap, the last one counts.
        style_at: later styles, each as (seconds, style). Between their times, styles are blended.
        keys: given paintings of frames, each as (seconds, painting), or a folder of paintings whose
            file names end with the numbers of their frames, from 1 on (see ``keyframes``). The
            frames between them follow.
        overwrite: whether an existing output may be replaced.
        restart: whether to begin again if an earlier call was interrupted, instead of continuing
            from its paintings.
        keep_frames: whether to keep the journal, the folder beside the output that has each
            painting as a PNG.
        keep_partial: whether to leave what is painted as ``clip.picasso.partial.mp4`` beside the
            output if the work ends early.
        listener: called with each event (``vidstyle.Event``).
        settings: the options as one object. None means the defaults.
        options: fields of ``Settings`` that override ``settings``, such as size, iterations or
            style_weight. ``quality`` stands for several of them: "draft", "good" or "best".

    Returns:
        The path of the painting, its size and number of frames, the time that it took, notices and
        more (see ``Result``).

    Raises:
        UsageError: an argument is wrong, or an input cannot be read.
        VidstyleError: the work failed. Neither error leaves anything at ``output``. What was
            painted is kept in a journal beside it, from which the same call continues.

    Examples:
        >>> result = vidstyle.stylize("clip.mp4", "picasso.jpg", size=384)
        >>> print(result.output, result.frames, result.seconds)
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
    """Paint the first frames of a clip, small and quickly, with a contact sheet beside them.

    Args:
        clip: as in ``stylize``.
        style: as in ``stylize``.
        output: the file or folder to write. None means beside the clip, as
            ``clip.picasso.preview.mp4``.
        frames: how many frames to paint, at least 1.
        masks: as in ``stylize``.
        style_at: as in ``stylize``.
        keys: as in ``stylize``.
        overwrite: whether an existing output may be replaced.
        listener: called with each event (``vidstyle.Event``).
        settings: the options as one object. None means the defaults.
        options: fields of ``Settings`` that override ``settings``, as in ``stylize``.

    Returns:
        As in ``stylize``. ``sheet`` is the path of the contact sheet.

    Raises:
        UsageError: an argument is wrong, or an input cannot be read.
        VidstyleError: the work failed. Nothing is left at ``output``.
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


def correct(
    painted: str | Path,
    keys: Sequence[KeyLike],
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    listener: Listener = lambda event: None,
) -> Result:
    """Correct frames of a painted clip, and let the others of their shots follow.

    What was changed in a frame is carried along with what it is painted on, for up to 240 frames
    before and after; before, as long as the frames in between take no more than a gigabyte. All
    else stays as it was painted, to the bit. Nothing is optimized, so this takes seconds.

    Args:
        painted: a clip that was painted with ``keep_frames``.
        keys: the corrected frames: each (seconds, picture), by its time in the painted clip, or a
            folder of pictures that are named by the numbers of their frames.
        output: the file or folder to write. None means the next version beside it, such as
            ``clip.picasso.2.mp4``, which can be corrected again.
        overwrite: whether an existing output may be replaced.
        listener: called with each event (``vidstyle.Event``).

    Returns:
        As in ``stylize``.

    Raises:
        UsageError: an argument is wrong, the paintings of ``painted`` are not kept, or its clip is
            not as it was.
        VidstyleError: the work failed. Nothing is left at ``output``.

    Examples:
        >>> vidstyle.stylize("clip.mp4", "picasso.jpg", keep_frames=True)
        >>> vidstyle.correct("clip.picasso.mp4", [(0.4, "mended.png")])
    """
    return render(plan_correction(painted, keys, output, overwrite), listener)


def keyframes(
    clip: str | Path,
    output: str | Path | None = None,
    *,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> KeysResult:
    """Write the frames of a clip that are worth painting by hand.

    Paint over some or all of them, and pass the folder to ``stylize(..., keys=[output])``.

    Args:
        clip: as in ``stylize``.
        output: a new folder for the frames, each named by its number. None means beside the clip,
            as ``clip.keys``. A contact sheet is written beside the folder.
        listener: called with each event (``vidstyle.Event``).
        settings: the options as one object. None means the defaults.
        options: fields of ``Settings`` that override ``settings``, such as size, key_every or
            start.

    Returns:
        The folder, the numbers of the frames in it, the path of the contact sheet and more (see
        ``KeysResult``).

    Raises:
        UsageError: an argument is wrong, the clip cannot be read, or the folder or the sheet
            exists already.
        VidstyleError: the work failed.
    """
    return write_keys(plan_keys(clip, output, _settings(settings, options)), listener)


def mask(
    clip: str | Path,
    what: str | Path = "person",
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    listener: Listener = lambda event: None,
    settings: Settings | None = None,
    **options: Any,
) -> MaskResult:
    """Write a mask of a clip as a clip, to be looked at, mended and given to ``stylize``.

    Args:
        clip: as in ``stylize``.
        what: "person", "background", or a picture that is drawn on the first frame: white, or
            opaque, is what the mask follows.
        output: a video, or a folder of pictures. None means beside the clip, as
            ``clip.person.mp4``.
        overwrite: whether an existing output may be replaced.
        listener: called with each event (``vidstyle.Event``).
        settings: the options as one object. None means the defaults.
        options: fields of ``Settings`` that override ``settings``, such as codec.

    Returns:
        The path of the mask and more (see ``MaskResult``).

    Raises:
        UsageError: an argument is wrong, or an input cannot be read.
        VidstyleError: the work failed. Nothing is left at ``output``.
    """
    made = plan_mask(clip, what, output, overwrite, _settings(settings, options))
    return write_mask(made, listener)


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
    """Train a model on a clip or a folder of pictures, for ``stylize(..., model=...)``.

    Args:
        clip: as in ``stylize``.
        style: the picture to paint like, or a sequence of pictures, each a path or (path, weight).
            One model holds all of them, and can paint any blend.
        output: the model's file. None means beside the clip, as ``picasso.safetensors``.
        overwrite: whether existing files may be replaced.
        listener: called with each event (``vidstyle.Event``).
        settings: the options as one object. None means the defaults.
        options: fields of ``Settings`` that override ``settings``, such as size, style_weight or
            training_steps.

    Returns:
        The path of the model, its styles, the losses, a contact sheet and more (see
        ``TrainingResult``).

    Raises:
        UsageError: an argument is wrong, or an input cannot be read.
        VidstyleError: the work failed.
    """
    made = plan_training(clip, several(style), output, overwrite, _settings(settings, options))
    return learn(made, listener)


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    return replace(settings or Settings(), **with_quality(options))
