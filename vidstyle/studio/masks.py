"""The handlers of a page's mask: drawn on the first frame, followed to others, and with a style of
its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from .. import media
from ..core.errors import UsageError, VidstyleError
from ..core.frames import FOUND
from ..objective.styles import style_picture
from ..plan import plan_mask
from ..render.frames import frames_of
from ..settings import Settings
from .choice import MAX_PIXELS, Choice
from .corrections import editor_value
from .runs import Order
from .tuning import LARGEST_TUNED
from .words import wrong


class Followed:
    """Masks of the tuned frames, each followed there once from the first frame on, where it is
    drawn.

    Args:
        folder: an existing private folder for their files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[Any, Path] = {}

    def is_new(self, choice: Choice) -> bool:
        """Whether a mask has to be followed to the frame that is tuned."""
        drawn = choice.mask is not None and choice.mask not in FOUND and not choice.mask_stills
        return drawn and choice.tuned > 0 and _key(choice) not in self.known

    def __call__(self, choice: Choice, order: Order, wanted: Callable[[], bool]) -> Path:
        """Return the mask of the frame that is tuned.

        Args:
            choice: says which one.
            order: of the whole clip, with a picture as its mask.
            wanted: returns whether it is still waited for. Otherwise the mask is not followed.

        Raises:
            UsageError: the mask does not fit the clip.
        """
        assert isinstance(order.mask, Path)
        if choice.tuned == 0 or not order.settings.follow:
            return order.mask
        if _key(choice) not in self.known:
            found = self._follow(order, choice.times[choice.tuned], wanted)
            if found is None:
                return order.mask
            self.known[_key(choice)] = found
        return self.known[_key(choice)]

    def _follow(self, order: Order, time: float, wanted: Callable[[], bool]) -> Path | None:
        """Follow a mask to the frame at a ``time``. None if it is no longer wanted."""
        path = self.folder / f"{uuid.uuid4().hex}.png"
        settings = Settings(start=order.settings.start)
        plan = plan_mask(order.clip, str(order.mask), path.with_suffix(""), settings=settings)
        width, height = plan.footage.whole
        share = min(1.0, LARGEST_TUNED / max(width, height))
        whole = max(1, round(width * share)), max(1, round(height * share))
        layer = None
        for frame in frames_of(replace(plan.footage, whole=whole)):
            if not wanted():
                return None
            (layer,) = frame.masks
            if frame.time + frame.duration > time:
                break
        assert layer is not None  # the tuned frame was read before
        media.save_image(path, np.repeat(layer[..., None], 3, 2))
        return path


def _key(choice: Choice) -> Any:
    return choice.clip, choice.mask, choice.part, choice.tuned


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
    told = "The mask follows what you painted over, from the first frame on."
    return [replace(choice, mask=str(path), mask_stills=[]), told]


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
