"""The event handlers of the page."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr

from .. import media
from ..core.errors import VidstyleError, line_of
from ..core.frames import FOUND
from ..core.images import Image, resized
from ..media import Clip
from ..objective.masks import is_one
from ..objective.styles import style_picture
from ..plan import describe
from ..settings import Settings, changed
from . import controls, masks
from .beside import write_beside
from .choice import MAX_PIXELS, Choice, ChosenStyle
from .corrections import Corrections, Corrector
from .keys import KeyFrames
from .queue import Queue
from .runs import Order
from .shown import buttons, gallery, result_of, times_of
from .tuning import Tuner
from .words import (
    clip_line,
    labels_of,
    plan_facts,
    progress_of,
    short,
    table,
    tuned_line,
    wrong,
)

NO_PLAN: tuple[Any, ...] = ("", gr.update(visible=False), None)
"""What ``Studio.plan`` yields for nothing that is planned."""
REST = 0.25
"""Seconds that a slider must rest before the frame is painted again."""


@dataclass  # not frozen, because Gradio would require a frozen one to be hashable
class Asked:
    """What a plan was asked for."""

    said: Order | str
    """What the controls said: an order, or, as HTML, what is wrong with it."""
    is_planned: bool = False
    """Whether it can be painted."""


@dataclass(frozen=True)
class PageView:
    """What a page currently shows of the runs."""

    version: int = -1
    """``Queue.version`` when the page was last refreshed."""
    name: str | None = None
    """The run that is shown."""
    state: str | None = None
    """The state of that run."""
    labels: Sequence[tuple[str, str]] = ()
    """The entries of the menu of runs, as (label, name)."""


class Studio:
    """The state that all pages share, and the handlers of their events.

    A handler returns the new values of the components that ``page`` connects it to, in that order.

    Args:
        queue: the runs.
        samples: paths of the sample clips and pictures.
        files: a private folder for temporary files.
    """

    def __init__(self, queue: Queue, samples: Sequence[Path], files: Path) -> None:
        self.queue, self.files = queue, files
        self.shelf = [path for path in samples if path.suffix == ".jpg"]
        self.clips = [path for path in samples if path not in self.shelf]
        for name in ("tuned", "planned"):
            (files / name).mkdir()
        self.tuner = Tuner(files / "tuned")
        self.corrector = Corrector(queue, files, self.tuner)
        self.keys = KeyFrames(files)
        self.followed = masks.Followed(files)
        self.turns: dict[str, int] = {}
        self.lock = threading.Lock()
        self.painted_last: tuple[Any, Path | None] = (None, None)
        """The picture that was painted last, and its file."""

    def close(self) -> None:
        """End all work. Runs that are not done can be continued later."""
        self.turns.clear()
        self.tuner.close()
        self.queue.close()

    # The clip, its styles and its mask.

    def take_clip(self, path: str | None, choice: Choice, start: str, end: str) -> list[Any]:
        """Choose the clip at ``path``, which was dropped, typed or picked from the samples.

        If it cannot be read, the page keeps its old clip.

        Args:
            path: None if the clip was removed, which changes nothing.
            choice: the page's choice so far.
            start, end: of the part to paint, as typed.

        Returns:
            The new choice, the gallery of its frames, a line about the clip, and None, which
            empties the control that ``path`` came from.
        """
        if not path:
            return [choice, gr.skip(), gr.skip(), None]
        return [*self._with_part(replace(choice, clip=path), choice, start, end), None]

    def take_part(self, choice: Choice, start: str, end: str) -> list[Any]:
        """Choose the part of the clip to paint.

        Returns:
            The new choice, the gallery of its frames, and a line about the clip.
        """
        if choice.clip is None or choice.part == (start, end):
            return [choice, gr.skip(), gr.skip()]
        return self._with_part(choice, choice, start, end)

    def _with_part(self, wanted: Choice, before: Choice, start: str, end: str) -> list[Any]:
        """Choose a part of the clip that is wanted; if it cannot be read, what was chosen before.

        Given paintings are of frames of what was chosen before.

        Returns:
            The new choice, the gallery of its frames, and a line about the clip.
        """
        try:
            assert wanted.clip is not None
            clip = media.open_clip(wanted.clip, MAX_PIXELS)
            times = times_of(clip, start, end)[: 1 if clip.info.frames == 1 else None]
            stills = [self._keep(clip, time) for time in times]
            masks = self._mask_stills(wanted.mask, times)
        except VidstyleError as error:
            return [before, gr.skip(), wrong(error)]
        taken = replace(wanted, stills=stills, mask_stills=masks, tuned=0, part=(start, end))
        taken = replace(taken, times=[float(time - times[0]) for time in times], keys=None)
        return [taken, gallery(stills), clip_line(clip)]

    def tune_another(self, choice: Choice, chosen: gr.SelectData) -> Choice:
        """Choose the frame to tune."""
        return replace(choice, tuned=int(chosen.index))

    def take_styles(self, paths: Sequence[str] | None, choice: Choice) -> list[Any]:
        """Add the pictures that were dropped to the styles, except those that cannot be read.

        Returns:
            The new choice, an error message or "", and None, which empties the control.
        """
        styles, told = list(choice.styles), ""
        for path in paths or ():
            try:
                style_picture(Path(path), MAX_PIXELS)
            except VidstyleError as error:
                told = wrong(error)
                continue
            styles.append(ChosenStyle(path))
        return [replace(choice, styles=styles), told, None]

    def take_from_shelf(self, choice: Choice, chosen: gr.SelectData) -> Choice:
        """Add a sample picture to the styles, or remove it if it is one already."""
        path = str(self.shelf[int(chosen.index)])
        styles = [style for style in choice.styles if style.path != path]
        if len(styles) == len(choice.styles):
            styles.append(ChosenStyle(path))
        return replace(choice, styles=styles)

    def take_mask(self, path: str | None, choice: Choice, start: str, end: str) -> list[Any]:
        """Choose the mask at ``path``. None removes the mask.

        Returns:
            The new choice, and an error message or "".
        """
        try:
            stills: list[str] = []
            if path and choice.clip:
                clip = media.open_clip(choice.clip, MAX_PIXELS)
                stills = self._mask_stills(path, times_of(clip, start, end))
            elif path:
                media.open_clip(path, MAX_PIXELS)
        except VidstyleError as error:
            return [choice, wrong(error)]
        return [replace(choice, mask=path, mask_stills=stills), ""]

    def take_found(self, found: str, choice: Choice) -> Choice:
        """Leave unpainted what is found in the clip: one of ``FOUND``, or "" for nothing."""
        return replace(choice, mask=found or None, mask_stills=[])

    def take_drawn(self, drawn: Any, choice: Choice) -> list[Any]:
        """Choose what is drawn as the mask. See ``masks.take_drawn``."""
        return masks.take_drawn(drawn, choice, self.files)

    def try_sample(self, choice: Choice) -> list[Any]:
        """Choose the first sample clip and a sample style.

        Returns:
            The new choice, the gallery of its frames, and a line about the clip.
        """
        style = self.shelf[-2:][:1]  # some may be missing
        chosen = replace(choice, styles=[ChosenStyle(str(path)) for path in style])
        return self.take_clip(str(self.clips[0]), chosen, "", "")[:3]

    # What a page has chosen, for the next time.

    def remember(self, choice: Choice, *values: Any) -> dict[str, Any]:
        """Return what a browser is to remember of a page.

        Args:
            choice: the page's choice.
            values: those of the controls: start, end, quality, then ``controls.NAMES``.
        """
        return {**asdict(choice), "values": [*values]}

    def recall(self, remembered: Any) -> list[Any]:
        """Set a page up as a browser remembers it, without files that are gone.

        Returns:
            The choice, the gallery of the clip's frames, a line about the clip, what is found and
            left unpainted, and the values of the controls.
        """
        values = remembered.get("values", ()) if isinstance(remembered, dict) else ()
        if len(values) != 3 + len(controls.NAMES):  # of another version, or nothing
            return [gr.skip()] * (7 + len(controls.NAMES))
        names = [field.name for field in fields(Choice)]
        known = Choice(**{name: remembered[name] for name in names if name in remembered})
        known.styles = [ChosenStyle(*style) for style in known.styles]
        return self._set_up(known, values)

    def open_run(self, name: str) -> list[Any]:
        """Set a page up as it was for a run. For what is returned, see ``recall``."""
        order = self.queue.runs[name].order
        given = changed(order.settings)
        part = [controls.shown(name, given.get(name)) for name in controls.ELSEWHERE]
        return self._set_up(Choice.of(order), [*part, *controls.shown_of(order.settings)])

    def _set_up(self, wanted: Choice, values: Sequence[Any]) -> list[Any]:
        """Choose what is wanted, as far as its files are there. For the rest, see ``recall``."""
        start, end = values[:2]
        there = [style for style in wanted.styles if Path(style.path).is_file()]
        inside = wanted.inside if wanted.inside and Path(wanted.inside).is_file() else None
        choice, shown, told = Choice(styles=there, inside=inside), gr.skip(), ""
        if wanted.clip and Path(wanted.clip).exists():
            choice, shown, told, _ = self.take_clip(wanted.clip, choice, start, end)
            keys = wanted.keys if wanted.keys and Path(wanted.keys).is_dir() else None
            choice = replace(choice, keys=keys)
        if wanted.mask in FOUND:
            choice = self.take_found(str(wanted.mask), choice)
        elif wanted.mask and Path(wanted.mask).exists():
            choice, _ = self.take_mask(wanted.mask, choice, start, end)
        return [choice, shown, told, choice.mask if choice.mask in FOUND else "", *values]

    def _mask_stills(self, mask: str | None, times: Sequence[Fraction]) -> list[str]:
        if mask is None or mask in FOUND:
            return []
        opened = media.open_clip(mask, MAX_PIXELS)
        return [] if is_one(opened) else [self._keep(opened, time) for time in times]

    def _keep(self, clip: Clip, time: Fraction) -> str:
        frame = media.frame_at(clip, time)
        path = self.files / f"{uuid.uuid4().hex}.png"
        media.save_image(path, frame.rgb, frame.alpha)
        return str(path)

    # The tuned frame.

    def tune(
        self,
        request: gr.Request,
        choice: Choice,
        start: str,
        end: str,
        steps: str,
        *values: Any,
    ) -> Iterator[Any]:
        """Paint the chosen frame, and show its progress until a newer request supersedes it.

        Args:
            request: says which page asks.
            choice: what the page has chosen.
            start, end: of the part to paint, as typed.
            steps: the quality, a key of ``QUALITIES``.
            values: those of the other controls, in the order of ``controls.NAMES``.

        Yields:
            The frame before and after painting, (H, W, 3) uint8 RGB of the same size, and a line
            about the progress.
        """
        wanted = self._turn(request.session_hash or "")
        # Gradio would clear the components if this generator ended without yielding anything.
        yield gr.skip(), gr.skip()
        if choice.clip is None:
            return
        before, _ = media.read_image(Path(choice.stills[choice.tuned]))
        if not choice.styles and choice.keys is None:
            yield (before, before), "Now a style: drop a picture, or take one from the shelf."
            return
        time.sleep(REST)
        if not wanted():
            return
        try:
            settings = controls.settings_of(steps, values, start, end)
            if self.followed.is_new(choice):
                yield gr.skip(), "following the mask to this frame …"
            still = self._still(choice, settings, wanted)
            began = time.monotonic()
            for stage in self.tuner.paint(still, wanted):
                small = resized(before, stage.picture.shape[1::-1])
                passed = time.monotonic() - began
                told = tuned_line(stage.done, passed, stage.picture.shape[1::-1], settings.size)
                yield (small, stage.picture), told
        except Exception as error:
            if wanted():
                yield gr.skip(), wrong(error)

    def detail(
        self,
        request: gr.Request,
        choice: Choice,
        across: float | None,
        down: float | None,
        start: str,
        end: str,
        steps: str,
        *values: Any,
    ) -> Iterator[Any]:
        """Paint a detail of the chosen frame at the painting's own size, until a newer request
        supersedes it. For the other arguments, see ``tune``.

        Args:
            across, down: its middle, in percent of the frame. None means a face, or where there is
                most to see.

        Yields:
            The detail before and after painting, and a line about the progress.
        """
        wanted = self._turn(request.session_hash or "")
        yield gr.skip(), "painting a detail"
        try:
            settings = controls.settings_of(steps, values, start, end)
            still = self._still(choice, settings, wanted)
            middle = None if across is None or down is None else (across / 100, down / 100)
            began = time.monotonic()
            for stage in self.tuner.paint_detail(still, middle, wanted):
                passed = time.monotonic() - began
                told = tuned_line(stage.done, passed, stage.picture.shape[1::-1], "auto")
                yield (stage.source, stage.picture), told
        except Exception as error:
            if wanted():
                yield gr.skip(), wrong(error)

    def _still(
        self, choice: Choice, settings: Settings, wanted: Callable[[], bool] = lambda: True
    ) -> Order:
        """Return the order to paint the chosen frame alone, as the clip has it at that time.

        Raises:
            UsageError: there is no clip, or no style.
        """
        order = choice.order(settings)
        styles = order.styles_at(choice.times[choice.tuned])
        still = replace(
            order, clip=Path(choice.stills[choice.tuned]), styles=styles, later=(), keys=None
        )
        if choice.mask_stills:
            return replace(still, mask=Path(choice.mask_stills[choice.tuned]))
        if isinstance(order.mask, Path):
            return replace(still, mask=self.followed(choice, order, wanted))
        return still

    def rest(self, request: gr.Request) -> str:
        """Stop tuning until something changes, and say so."""
        self._turn(request.session_hash or "")
        return "stopped: change something, and it is painted again"

    def forget(self, request: gr.Request) -> None:
        """Stop tuning for a page that was closed."""
        self._turn(request.session_hash or "")
        with self.lock:
            self.turns.pop(request.session_hash or "", None)

    def _turn(self, page: str) -> Callable[[], bool]:
        """Start a turn that supersedes the page's earlier ones.

        Returns:
            A function that says whether this turn is still the page's latest.
        """
        with self.lock:
            turn = self.turns[page] = self.turns.get(page, 0) + 1
        return lambda: self.turns.get(page) == turn

    # Runs.

    def plan(
        self, choice: Choice, start: str, end: str, steps: str, *values: Any
    ) -> Iterator[list[Any]]:
        """Plan the painting without starting it. For the arguments, see ``tune``.

        Yields:
            A table of the plan or an error message; the start button, visible if the plan can be
            carried out; and what was asked for, which is what will be painted.
        """
        order = self._said(choice, start, end, steps, *values)
        asked = Asked(order)
        yield ["planning …", gr.update(visible=False), asked]
        if isinstance(order, str):
            yield [order, gr.update(visible=False), asked]
            return
        try:
            summary = describe(order.plan(self.files / "planned"))
        except Exception as error:
            yield [wrong(error), gr.update(visible=False), asked]
            return
        output = self.queue.folder / "…" / Path(summary.output).name
        rows = [[name, short(fact, order)] for name, fact in plan_facts(summary)]
        yield [
            table([*rows, ["output", str(output)]]),
            gr.update(visible=True),
            Asked(order, is_planned=True),
        ]

    def unplan(
        self, asked: Asked | None, choice: Choice, start: str, end: str, steps: str, *values: Any
    ) -> list[Any]:
        """Take a plan, or its refusal, away that is not of the controls as they are.

        Args:
            asked: what a plan was asked for last.
            choice, start, end, steps, values: as in ``tune``.

        Returns:
            As ``plan``.
        """
        if asked is not None and asked.said == self._said(choice, start, end, steps, *values):
            return [gr.skip()] * 3
        return [*NO_PLAN]

    def begin(
        self, asked: Asked | None, choice: Choice, start: str, end: str, steps: str, *values: Any
    ) -> Iterator[list[Any]]:
        """Queue a run of what was planned, or plan anew if that is not of the controls as they are.
        For the arguments, see ``unplan``.

        Yields:
            As ``plan``; then the menu of runs.
        """
        order = self._said(choice, start, end, steps, *values)
        if isinstance(order, str) or asked != Asked(order, is_planned=True):
            for shown in self.plan(choice, start, end, steps, *values):
                yield [*shown, gr.skip()]
            return
        try:
            run = self.queue.add(order)
        except Exception as error:
            yield [wrong(error), *NO_PLAN[1:], gr.skip()]
            return
        yield [*NO_PLAN, gr.Dropdown(labels_of(self.queue), value=run.name)]

    def _said(self, choice: Choice, start: str, end: str, steps: str, *values: Any) -> Order | str:
        """Return the order that the controls say, or, as HTML, what is wrong with it."""
        try:
            return choice.order(controls.settings_of(steps, values, start, end))
        except Exception as error:
            return wrong(error)

    def refresh(self, name: str | None, seen: PageView) -> dict[str, Any]:
        """Return what has changed in a run since the page was last refreshed.

        Args:
            name: the run. If there is none of this name, the one at work is shown, or else the
                last one of the queue.
            seen: what the page shows now.

        Returns:
            The new values of components, by the names that ``page`` gives them. ``seen`` is always
            among them.
        """
        runs = self.queue.runs
        if name not in runs:
            at_work = self.queue.at_work
            name = at_work.name if at_work else next(reversed(runs), None)
        run = None if name is None else runs[name]
        labels = labels_of(self.queue)
        now = PageView(self.queue.version, name, None if run is None else run.state, labels)
        found: dict[str, Any] = {"seen": now}
        if now == seen:
            return found
        if (now.name, labels) != (seen.name, seen.labels):
            found["run"] = gr.Dropdown(labels, value=name)
            found["other"] = gr.Dropdown(labels)
        if run is None:
            return found
        found["progress"] = progress_of(run)
        if run.state != "done" and run.picture is not None:
            found["picture"] = gr.update(value=self._painted_last(run.picture), visible=True)
        if (now.name, now.state) != (seen.name, seen.state):
            found |= buttons(run) | result_of(run)
            found["title"] = gr.update(value=run.title, visible=True, placeholder=run.name)
        return found

    def _painted_last(self, picture: Image) -> str:
        """Return a file of the ``picture`` (H, W, 3) that was painted last, one for all pages:
        Gradio would write the same one for each, while another page is reading it."""
        with self.lock:
            known, path = self.painted_last
            if known is not picture or path is None:
                if path is not None:
                    path.unlink(missing_ok=True)
                path = self.files / f"{uuid.uuid4().hex}.png"
                media.save_image(path, picture)
                self.painted_last = picture, path
            return str(path)

    def anew(
        self,
        request: gr.Request,
        name: str | None,
        made: Corrections,
        start: str,
        end: str,
        steps: str,
        *values: Any,
    ) -> Iterator[Any]:
        """Paint a frame of a run by itself, as the controls say, until a newer request supersedes
        it. For the other arguments and what is yielded, see ``Corrector.anew``."""
        wanted = self._turn(request.session_hash or "")
        yield gr.skip(), "painting it anew"
        try:
            settings = controls.settings_of(steps, values, start, end)
            yield from self.corrector.anew(name, made, settings, wanted)
        except Exception as error:
            if wanted():
                yield gr.skip(), wrong(error)

    def compare(self, one: str | None, other: str | None) -> Any:
        """Show two paintings side by side in one video.

        Args:
            one, other: the names of their runs.

        Raises:
            gr.Error: a run is not done, or the video cannot be written.
        """
        outputs = [
            run.output
            for name in (one, other)
            if name in self.queue.runs and (run := self.queue.runs[name]).state == "done"
        ]
        if len(outputs) < 2:
            raise gr.Error("choose two runs that are done", print_exception=False)
        path = self.files / f"{uuid.uuid4().hex}.mp4"
        try:
            write_beside([media.open_clip(output) for output in outputs if output], path)
        except Exception as error:
            raise gr.Error(line_of(error), print_exception=False) from error
        return gr.update(value=str(path), visible=True)
