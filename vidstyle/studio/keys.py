"""The handlers of key frames that a person paints: which are worth it, and those that come back."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from .. import media
from ..core.errors import UsageError, VidstyleError
from ..core.files import frame_name
from ..plan import plan_keys
from ..plan.keys import frame_number, has_shape
from ..render.keys import write_keys
from . import controls
from .choice import MAX_PIXELS, Choice
from .words import wrong


class KeyFrames:
    """The handlers of the part of the page for key frames.

    Args:
        files: a private folder for their pictures.
    """

    def __init__(self, files: Path) -> None:
        self.files = files

    def propose(
        self, choice: Choice, start: str, end: str, steps: str, *values: Any
    ) -> Iterator[list[Any]]:
        """Look for the frames that are worth painting. For the arguments, see ``Studio.tune``.

        Yields:
            The gallery of these frames, their files, and a line of text.
        """
        yield [gr.skip(), gr.skip(), "looking through the clip …"]
        try:
            if choice.clip is None:
                raise UsageError("no clip yet: drop one, or take a sample")
            settings = controls.settings_of(steps, values, start, end)
            folder = self._new()
            found = write_keys(plan_keys(choice.clip, folder / "frames", settings))
        except Exception as error:
            yield [gr.skip(), gr.skip(), wrong(error)]
            return
        paths = [str(found.output / frame_name(number)) for number in found.numbers]
        pictures = [*zip(paths, map(str, found.numbers), strict=True)]
        told = (
            f"{len(paths)} of {found.frames} frames. Paint over some of these pictures, keep their "
            f"names, and drop them below: the frames between them follow."
        )
        yield [
            gr.update(value=pictures, visible=True),
            gr.update(value=paths, visible=True),
            told,
        ]

    def take(self, paths: Sequence[str] | None, choice: Choice) -> list[Any]:
        """Add painted frames, each called by its number.

        Returns:
            The new choice, a line of text, and None, which empties the control.
        """
        told = ""
        for path in map(Path, paths or ()):
            try:
                choice = self._with(path, choice)
            except VidstyleError as error:
                told = wrong(error)
        return [choice, told, None]

    def forget(self, choice: Choice) -> Choice:
        """Take all painted frames away."""
        return replace(choice, keys=None)

    def shown(self, choice: Choice) -> list[Any]:
        """Return the gallery of the painted frames, and the button that takes them away."""
        paths = sorted(Path(choice.keys).glob("*.png")) if choice.keys else []
        pictures = [(str(path), str(int(path.stem))) for path in paths]
        there = bool(pictures)
        return [gr.update(value=pictures, visible=there), gr.update(visible=there)]

    def _with(self, path: Path, choice: Choice) -> Choice:
        """Return the choice with the painted frame at ``path``, in a folder of its own, so that a
        plan can tell that it has changed.

        Raises:
            UsageError: there is no clip, or the picture is none of its frames.
        """
        if choice.clip is None:
            raise UsageError("no clip yet: drop one, or take a sample")
        number = frame_number(path)
        picture, _ = media.read_image(path, MAX_PIXELS)
        frame = media.read_image(Path(choice.stills[0]))[0]
        high, wide = frame.shape[:2]
        if not has_shape(picture, (wide, high)):
            raise UsageError(
                f"{path.name}: {picture.shape[1]}x{picture.shape[0]} is another shape than that "
                f"of the clip, {wide}x{high}"
            )
        folder = self._new()
        for one in Path(choice.keys).glob("*.png") if choice.keys else ():
            shutil.copy2(one, folder)
        media.save_image(folder / frame_name(number), picture)
        return replace(choice, keys=str(folder))

    def _new(self) -> Path:
        folder = self.files / uuid.uuid4().hex
        folder.mkdir()
        return folder
