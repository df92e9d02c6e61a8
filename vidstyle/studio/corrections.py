"""Corrections of a run: its frames one by one, edited on the page, and painted again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.image_editor import EditorValue

from .. import media
from ..core.errors import UsageError, VidstyleError
from ..core.files import frame_name
from ..core.images import Image, laid_over, resized, within
from ..plan import Kept
from ..plan.keys import has_shape
from ..settings import Settings
from .queue import Queue
from .runs import Run
from .tuning import Tuner
from .words import labels_of, wrong

THUMBNAILS, THUMBNAIL_SIDE = 12, 160
"""Frames in the strip, at most, and pixels of their longer side."""
BRUSH = 1 / 30
"""Breadth of the brush to draw with at first, as a share of the frame's shorter side."""
ROUNDED = 2
"""Levels of 255 by which a browser may change what was not drawn on."""
REMEMBERED_RUNS = 8
"""Runs whose collected corrections a browser remembers."""
Shown = list[Any]
"""New values of components."""


@dataclass  # not frozen, because Gradio would require a frozen one to be hashable
class Corrections:
    """The corrected frames that a page has collected for a run."""

    run: str = ""
    folder: str = ""
    """Where their pictures are, each called by the number of its frame."""
    numbers: tuple[int, ...] = ()
    shown: int = 1
    """The number of the frame in the editor. The slider may be at another one already."""

    def picture(self, number: int) -> Path:
        """Return the file of the corrected frame ``number``."""
        return Path(self.folder) / frame_name(number)


class Corrector:
    """The handlers of the part of the page that corrects a run.

    Args:
        queue: the runs.
        files: a private folder for temporary files.
        tuner: paints single frames.
    """

    def __init__(self, queue: Queue, files: Path, tuner: Tuner) -> None:
        self.queue, self.files, self.tuner = queue, files, tuner

    def open(self, name: str | None, made: Corrections, remembered: Any = None) -> Shown:
        """Show the first frame of a run, if it can be corrected, and forget what is collected for
        another one.

        Args:
            name: of the run.
            made: what the page has collected.
            remembered: what its browser remembers to have collected. See ``remember``.

        Returns:
            The new corrections, the part of the page, the strip of frames, the slider, the editor,
            the collected pictures, and a line of text.
        """
        kept = self._kept(name)
        if name is None or kept is None:
            return [made, gr.update(visible=False), *[gr.skip()] * 5]
        if made.run == name:
            return [made, gr.update(visible=True), *[gr.skip()] * 5]
        made = self._recalled(name, remembered)
        strip = [(str(path), f"{number}") for number, path in self._thumbnails(kept, made)]
        slider = gr.Slider(1, max(2, kept.frames), value=1, interactive=kept.frames > 1)
        picture = media.read_image(kept.painting(1))[0]
        brush = gr.Brush(default_size=max(2, round(min(picture.shape[:2]) * BRUSH)))
        return [
            made,
            gr.update(visible=True),
            strip,
            slider,
            gr.ImageEditor(editor_value(picture), brush=brush),
            self._collected(made),
            "",
        ]

    def remember(self, made: Corrections, remembered: Any) -> dict[str, Any]:
        """Return what a browser is to remember of what is collected, by the names of runs.

        Args:
            made: what the page has collected.
            remembered: what the browser remembers so far.
        """
        known = remembered if isinstance(remembered, dict) else {}
        others = {name: one for name, one in known.items() if name != made.run}
        own = {made.run: asdict(made)} if made.numbers else {}
        return dict([*(others | own).items()][-REMEMBERED_RUNS:])

    def _recalled(self, name: str, remembered: Any) -> Corrections:
        """Return what is remembered for a run, as far as its pictures are there; or a new folder
        for it."""
        known = remembered.get(name) if isinstance(remembered, dict) else None
        if isinstance(known, dict) and Path(known["folder"]).is_dir():
            made = Corrections(name, known["folder"])
            there = (number for number in known["numbers"] if made.picture(number).is_file())
            return replace(made, numbers=tuple(there))
        folder = self.files / uuid.uuid4().hex
        folder.mkdir()
        return Corrections(name, str(folder))

    def show(self, name: str | None, number: int, made: Corrections) -> Shown:
        """Show the frame ``number``, as it is corrected or else as it was painted.

        Returns:
            The corrections, the editor's value, and an empty line.
        """
        kept = self._kept(name)
        if kept is None or made.run != name or not 1 <= number <= kept.frames:
            return [made, gr.skip(), ""]
        path = made.picture(number) if number in made.numbers else kept.painting(number)
        return [replace(made, shown=number), editor_value(media.read_image(path)[0]), ""]

    def chosen(self, chosen: gr.SelectData) -> int:
        """Return the number of the frame that was clicked in the strip or among the collected."""
        return int(chosen.value["caption"])

    def put(self, name: str | None, made: Corrections, path: str | None) -> Shown:
        """Put the picture at ``path`` into the editor.

        Returns:
            The editor's value, a line of text, and None, which empties the control.
        """
        kept = self._kept(name)
        if kept is None or path is None:
            return [gr.skip(), gr.skip(), None]
        try:
            given, alpha = media.read_image(Path(path))
            there = media.read_image(kept.painting(made.shown))[0]
            high, wide = there.shape[:2]
            if not has_shape(given, (wide, high)):
                raise UsageError(
                    f"{Path(path).name}: {given.shape[1]}x{given.shape[0]} is another shape than "
                    f"that of the frame, {wide}x{high}"
                )
        except VidstyleError as error:
            return [gr.skip(), wrong(error), None]
        fitting = resized(laid_over(given, alpha, np.float32(255)), (wide, high))
        return [editor_value(fitting), "press Keep to correct the frame by it", None]

    def keep(self, name: str | None, drawn: Any, made: Corrections) -> Shown:
        """Collect what is in the editor as a corrected frame.

        Args:
            name: of the run.
            drawn: the editor's value.
            made: what is collected so far.

        Returns:
            The new corrections, their pictures, and a line of text.
        """
        kept, number = self._kept(name), made.shown
        picture = _composite(drawn)
        if kept is None or picture is None or made.run != name:
            return [made, gr.skip(), wrong(UsageError("no frame yet: choose one above"))]
        before = media.read_image(kept.painting(number))[0]
        if picture.shape != before.shape:
            picture = resized(picture, before.shape[1::-1])
        if np.abs(np.subtract(picture, before, dtype=np.int16)).max() <= ROUNDED:
            return [made, gr.skip(), f"Frame {number} is as it was painted: draw on it first."]
        media.save_image(made.picture(number), picture)
        made = replace(made, numbers=tuple(sorted({*made.numbers, number})))
        return [made, self._collected(made), f"Frame {number} is kept: press Paint again."]

    def drop(self, name: str | None, made: Corrections) -> Shown:
        """Forget the correction of the frame in the editor.

        Returns:
            Their pictures, the new corrections, the editor's value, and a line of text.
        """
        if made.shown in made.numbers:
            made.picture(made.shown).unlink()
        made = replace(made, numbers=tuple(one for one in made.numbers if one != made.shown))
        return [self._collected(made), *self.show(name, made.shown, made)]

    def anew(
        self, name: str | None, made: Corrections, settings: Settings, wanted: Callable[[], bool]
    ) -> Iterator[Shown]:
        """Paint the frame in the editor by itself, with other settings.

        Args:
            name: of the run.
            made: says which frame.
            settings: those of how it looks.
            wanted: whether the page still waits for it.

        Yields:
            The editor's value, and a line of text.

        Raises:
            UsageError: it cannot be painted with these settings.
        """
        run = self.queue.runs[name or ""]
        stage = None
        for stage in self.tuner.paint_frame(run.order, made.shown, settings, wanted):
            told = f"painting frame {made.shown} anew, {stage.done:.0%}"
            yield [editor_value(stage.picture), told]
        if stage is not None and stage.done == 1:
            yield [gr.skip(), "press Keep to correct the frame by it, or change the settings"]

    def again(self, name: str | None, made: Corrections) -> Shown:
        """Queue the corrected run.

        Returns:
            The corrections, the menu of runs, and a line of text.
        """
        if name is None or made.run != name or not made.numbers:
            return [made, gr.skip(), wrong(UsageError("nothing is corrected yet: keep a frame"))]
        run = self.queue.runs[name]
        order = replace(run.order, corrects=run.output, corrections=Path(made.folder))
        try:
            added = self.queue.add(order)
        except (OSError, VidstyleError) as error:
            return [made, gr.skip(), wrong(error)]
        return [Corrections(), gr.Dropdown(labels_of(self.queue), value=added.name), ""]

    def _kept(self, name: str | None) -> Kept | None:
        """Return what is kept of a run; None if it is not done, or cannot be corrected."""
        run: Run | None = self.queue.runs.get(name or "")
        if run is None or run.state != "done" or run.output is None:
            return None
        try:
            return Kept.of(run.output)
        except UsageError:
            return None

    def _thumbnails(self, kept: Kept, made: Corrections) -> Iterator[tuple[int, Path]]:
        """Write small pictures of some frames, evenly chosen, and yield their numbers and files."""
        small = Path(made.folder) / "strip"
        small.mkdir(exist_ok=True)
        for number in np.unique(np.linspace(1, kept.frames, THUMBNAILS).round().astype(int)):
            picture = within(media.read_image(kept.painting(number))[0], THUMBNAIL_SIDE)
            media.save_image(small / frame_name(number), picture)
            yield number, small / frame_name(number)

    def _collected(self, made: Corrections) -> list[tuple[str, str]]:
        return [(str(made.picture(number)), f"{number}") for number in made.numbers]


def editor_value(picture: Image) -> EditorValue:
    """Return the value of an editor that shows a ``picture`` (H, W, 3), without layers."""
    return {"background": picture, "layers": [], "composite": picture}


def _composite(drawn: Any) -> Image | None:
    """Return the picture (H, W, 3) in an editor, with all that was drawn on it."""
    whole = drawn and drawn.get("composite")
    if whole is None:
        return None
    found = np.asarray(whole, np.uint8)
    return (
        laid_over(found[..., :3], found[..., 3], np.float32(255)) if found.shape[2] > 3 else found
    )
