"""The handlers of a page's mask: drawn on the first frame, and with a style of its own."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from .. import media
from ..core.errors import UsageError, VidstyleError
from ..objective.styles import style_picture
from .choice import MAX_PIXELS, Choice
from .corrections import editor_value
from .words import wrong


def draw(choice: Choice) -> list[Any]:
    """Show the first frame to draw a mask on.

    Returns:
        The editor, the button that takes what is drawn, and an error message or "".
    """
    if not choice.stills:
        return [gr.skip(), gr.skip(), wrong(UsageError("no clip yet: drop one, or take a sample"))]
    picture, _ = media.read_image(Path(choice.stills[0]))
    brush = gr.Brush(default_size=max(4, min(picture.shape[:2]) // 10), default_color="#ffffff")
    editor = gr.ImageEditor(editor_value(picture), brush=brush, visible=True)
    return [editor, gr.update(visible=True), ""]


def take_drawn(drawn: Any, choice: Choice, folder: Path) -> list[Any]:
    """Choose what is drawn as the mask.

    Args:
        drawn: the editor's value, with layers (H, W, 4).
        choice: the page's choice so far.
        folder: for the mask's file.

    Returns:
        The new choice, and a line of text.
    """
    layers = [np.asarray(layer) for layer in (drawn or {}).get("layers", ())]
    inside = [layer[..., 3] for layer in layers if layer.any()]
    if not inside:
        return [choice, "Nothing is drawn yet: paint over what the mask is to cover."]
    mask = np.max(inside, 0).astype(np.uint8)
    path = folder / f"{uuid.uuid4().hex}.png"
    media.save_image(path, np.repeat(mask[..., None], 3, 2))
    # It is that of the first frame, and its tuned neighbors show it where it was drawn.
    stills = [str(path)] * len(choice.stills)
    told = "The mask follows what you painted over, from the first frame on."
    return [replace(choice, mask=str(path), mask_stills=stills), told]


def take_inside(path: str | None, choice: Choice) -> list[Any]:
    """Choose the picture that the inside of the mask is painted like. None leaves it unpainted.

    Returns:
        The new choice, and an error message or "".
    """
    try:
        if path:
            style_picture(Path(path), MAX_PIXELS)
    except VidstyleError as error:
        return [choice, wrong(error)]
    return [replace(choice, inside=path or None), ""]
