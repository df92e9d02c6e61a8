"""What the components of the page show: frames to tune, buttons and files of a run."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import gradio as gr

from ..core.errors import UsageError
from ..media import Clip
from ..settings.times import seconds_of
from .runs import RECIPE, SHEET, SIDE_BY_SIDE, Run
from .words import facts_of

WHICH = ("first", "middle", "last")
"""Labels of the frames that can be tuned."""
NEVER = Fraction(1, 1000)
"""Seconds before the end of a clip at which its last frame is certainly still shown."""


def times_of(clip: Clip, start: str, end: str) -> list[Fraction]:
    """Return when the first, middle and last frame of a part of a clip are shown, in seconds.

    Only the first one is returned if the end of the part is unknown.

    Args:
        clip: the clip.
        start, end: of the part, as typed. Empty means the clip's own.

    Raises:
        UsageError: a text is not a time, or the part is empty.
    """
    try:
        first, last = (
            Fraction(seconds_of(text)) if text.strip() else None for text in (start, end)
        )
    except ValueError:
        raise UsageError(f"{start or 0} to {end or 'the end'}: write seconds, or 1:30") from None
    begin = first or Fraction(0)
    until = clip.info.duration if last is None else last
    if clip.info.duration is not None:
        until = min(until or clip.info.duration, clip.info.duration)
    if until is None:
        return [begin]
    if until <= begin:
        raise UsageError(f"from second {float(begin):g} to {float(until):g} there is no frame")
    closing = max(begin, until - NEVER)
    return [begin, (begin + closing) / 2, closing]


def gallery(stills: Sequence[str]) -> Any:
    return gr.Gallery([*zip(stills, WHICH, strict=False)], selected_index=0)


def buttons(run: Run) -> dict[str, Any]:
    return {
        "pause": gr.update(visible=run.state == "painting"),
        "more": gr.update(visible=run.can_go_on),
        "stop": gr.update(visible=not run.is_over),
        "over": gr.update(visible=True),
    }


def result_of(run: Run) -> dict[str, Any]:
    """Return the values of the player, the downloads and the facts of a run."""
    found: dict[str, Any] = {"facts": gr.update(value=facts_of(run), visible=True)}
    if run.state == "done" or run.picture is None:
        found["picture"] = gr.update(value=None, visible=False)
    files = {
        "player": run.folder / SIDE_BY_SIDE,
        "sheet": run.folder / SHEET,
        "recipe": run.folder / RECIPE,
        "download": run.output,
    }
    for name, path in files.items():
        there = path is not None and path.is_file()
        found[name] = gr.update(value=str(path) if there else None, visible=there)
    return found
