"""The page: what is on it, and what happens when something there is touched."""

from __future__ import annotations

import html
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr

from .. import media
from ..core.errors import UsageError, VidstyleError, line_of
from ..core.images import resized
from ..media import Clip
from ..objective.styles import style_picture
from ..plan import describe
from ..settings import Settings
from ..settings.text import seconds_of
from . import controls
from .beside import write_beside
from .queue import Queue
from .runs import BESIDE, RECIPE, SHEET, Order, Run
from .tuning import MATTERS, Tuner

REST = 0.25
"""Seconds for which a slider must rest before the frame is painted again."""
MAX_PIXELS = Settings().max_pixels
"""Of what is dropped here."""
WHICH = ("first", "middle", "last")
"""The frames that can be tuned."""
NEVER = Fraction(1, 1000)
"""Seconds before the end at which the last frame is surely shown."""
PLANNED = ("frames", "size", "engine", "estimated seconds", "seconds by quality", "memory", "notes")
"""What the page says of a plan."""
MEASURED = ("style", "texture", "content", "warping", "flicker")
"""The figures of ``--report`` that the page shows."""
CSS = """
#vidstyle-title { margin: 0 }
#vidstyle-title p { opacity: .75 }
.vs-told { min-height: 1.5em }
.vs-error { color: var(--error-text-color, #b91c1c); font-weight: 600 }
#progress progress { width: 100%; height: 1.1em }
#plan table, #facts table { width: 100%; table-layout: fixed }
#plan th, #facts th { width: 8em }
#plan td, #facts td { overflow-wrap: anywhere }
#shots .grid-container, #shelf .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) }
"""
TITLE = """# vidstyle studio
Drop a clip, drop a picture, move a slider, press **Paint**."""


@dataclass
class Choice:
    """What a page has to paint from."""

    clip: str | None = None
    stills: list[str] = field(default_factory=list)
    """The frames that can be tuned …"""
    mask_stills: list[str] = field(default_factory=list)
    """… and what the mask is there."""
    tuned: int = 0
    styles: list[tuple[str, float]] = field(default_factory=list)
    mask: str | None = None
    part: tuple[str, str] = ("", "")
    """In and out point, as they are typed."""

    def order(self, settings: Settings) -> Order:
        """What is to be painted.

        Raises:
            UsageError: there is no clip, or no style.
        """
        if self.clip is None:
            raise UsageError("no clip yet: drop one, or take a sample")
        if not self.styles:
            raise UsageError("no style yet: drop a picture, or take one from the shelf")
        styles = tuple((Path(path), weight) for path, weight in self.styles)
        return Order(Path(self.clip), styles, settings, None if not self.mask else Path(self.mask))


class Studio:
    """What all pages share, and what their controls do.

    Args:
        queue: the runs.
        samples: a folder of clips and pictures to try.
        files: a private folder, for what does not last.
    """

    def __init__(self, queue: Queue, samples: Path, files: Path) -> None:
        self.queue, self.files = queue, files
        self.clips = sorted([*samples.glob("*.mp4"), *samples.glob("*.gif")])
        self.shelf = sorted(samples.glob("*.jpg"))
        for name in ("tuned", "planned"):
            (files / name).mkdir()
        self.tuner = Tuner(files / "tuned")
        self.turns: dict[str, int] = {}
        self.lock = threading.Lock()

    # The clip, its styles and its mask.

    def take_clip(self, path: str | None, choice: Choice, start: str, end: str) -> list[Any]:
        """A clip was dropped or named: the choice, its frames, and what there is to say. One that
        is refused leaves the page as it was."""
        if not path:
            return [choice, gr.skip(), gr.skip(), None]
        try:
            clip = media.open_clip(path, MAX_PIXELS)
            stills = self._stills(clip, start, end)
        except VidstyleError as error:
            return [choice, gr.skip(), _wrong(error), None]
        taken = replace(choice, clip=path, stills=stills, tuned=0, part=(start, end))
        with suppress(VidstyleError):
            taken = replace(taken, mask_stills=self._mask_stills(choice.mask, clip, start, end))
        return [taken, _gallery(stills), _told(clip), None]

    def take_part(self, choice: Choice, start: str, end: str) -> list[Any]:
        """The in or the out point was moved."""
        if choice.clip is None or choice.part == (start, end):
            return [choice, gr.skip(), gr.skip()]
        try:
            clip = media.open_clip(choice.clip, MAX_PIXELS)
            stills = self._stills(clip, start, end)
            masks = self._mask_stills(choice.mask, clip, start, end)
        except VidstyleError as error:
            return [choice, gr.skip(), _wrong(error)]
        taken = replace(choice, stills=stills, mask_stills=masks, tuned=0, part=(start, end))
        return [taken, _gallery(stills), _told(clip)]

    def tune_another(self, choice: Choice, chosen: gr.SelectData) -> Choice:
        """Another frame is to be tuned."""
        return replace(choice, tuned=int(chosen.index))

    def take_styles(self, paths: Sequence[str] | None, choice: Choice) -> list[Any]:
        """Pictures were dropped: those that can be read are styles."""
        styles, told = list(choice.styles), ""
        for path in paths or ():
            try:
                style_picture(Path(path), MAX_PIXELS)
            except VidstyleError as error:
                told = _wrong(error)
                continue
            styles.append((path, 1.0))
        return [replace(choice, styles=styles), told, None]

    def take_from_shelf(self, choice: Choice, chosen: gr.SelectData) -> Choice:
        """A sample is a style, or is one no more."""
        path = str(self.shelf[int(chosen.index)])
        styles = [style for style in choice.styles if style[0] != path]
        if len(styles) == len(choice.styles):
            styles.append((path, 1.0))
        return replace(choice, styles=styles)

    def take_mask(self, path: str | None, choice: Choice, start: str, end: str) -> list[Any]:
        """A mask was dropped, or taken away."""
        try:
            stills: list[str] = []
            if path and choice.clip:
                clip = media.open_clip(choice.clip, MAX_PIXELS)
                stills = self._mask_stills(path, clip, start, end)
            elif path:
                media.open_clip(path, MAX_PIXELS)
        except VidstyleError as error:
            return [choice, _wrong(error)]
        return [replace(choice, mask=path, mask_stills=stills), ""]

    def _stills(self, clip: Clip, start: str, end: str) -> list[str]:
        return [self._keep(clip, time) for time in _times(clip, start, end)]

    def _mask_stills(self, mask: str | None, clip: Clip, start: str, end: str) -> list[str]:
        if mask is None:
            return []
        opened = media.open_clip(mask, MAX_PIXELS)
        return [self._keep(opened, time) for time in _times(clip, start, end)]

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
        """Paint the chosen frame anew, and show it as it comes about."""
        wanted = self._turn(request.session_hash or "")
        if choice.clip is None:
            return
        before, _ = media.read_image(Path(choice.stills[choice.tuned]))
        if not choice.styles:
            yield (before, before), "Now a style: drop a picture, or take one from the shelf."
            return
        time.sleep(REST)
        if not wanted():
            return
        try:
            settings = controls.settings_of(steps, values, start, end)
            still = replace(choice.order(settings), clip=Path(choice.stills[choice.tuned]))
            if choice.mask_stills:
                still = replace(still, mask=Path(choice.mask_stills[choice.tuned]))
            began = time.monotonic()
            for stage in self.tuner.paint(still, wanted):
                small = resized(before, stage.picture.shape[1::-1])
                passed = f"{time.monotonic() - began:.0f} s"
                told = f"painted in {passed}" if stage.done == 1 else f"painting, {passed}"
                yield (small, stage.picture), told
        except Exception as error:
            if wanted():
                yield gr.skip(), _wrong(error)

    def forget(self, request: gr.Request) -> None:
        """A page was closed: nobody waits for its frame."""
        self._turn(request.session_hash or "")
        with self.lock:
            self.turns.pop(request.session_hash or "", None)

    def _turn(self, page: str) -> Callable[[], bool]:
        """Begin something that what began before on that page gives way to; whether it still has
        its turn."""
        with self.lock:
            turn = self.turns[page] = self.turns.get(page, 0) + 1
        return lambda: self.turns.get(page) == turn

    # Runs.

    def close(self) -> None:
        """End what is at work; runs are left to go on from."""
        self.turns.clear()
        self.tuner.close()
        self.queue.close()

    def plan(self, choice: Choice, start: str, end: str, steps: str, *values: Any) -> list[Any]:
        """What would be painted, and how long it takes; whether it may be begun."""
        try:
            order = choice.order(controls.settings_of(steps, values, start, end))
            facts = describe(order.plan(self.files / "planned"))
        except Exception as error:
            return [_wrong(error), gr.update(visible=False)]
        rows = [[name, _short(_fact(name, facts[name]), order)] for name in PLANNED]
        output = self.queue.folder / "…" / Path(facts["output"]).name
        return [_table([*rows, ["output", str(output)]]), gr.update(visible=True)]

    def begin(self, choice: Choice, start: str, end: str, steps: str, *values: Any) -> list[Any]:
        """Have it painted."""
        try:
            settings = controls.settings_of(steps, values, start, end)
            run = self.queue.add(choice.order(settings))
        except Exception as error:
            return [_wrong(error), gr.update(visible=False), gr.skip()]
        menu = gr.Dropdown(_labels(self.queue), value=run.name)
        return ["", gr.update(visible=False), menu]

    def refresh(self, name: str | None, seen: Seen) -> dict[str, Any]:
        """What has changed of what there is to see of a run since it was ``seen``, by the names of
        the components; without a name, of the one at work or the last one."""
        runs = self.queue.runs
        if name not in runs:
            at_work = self.queue.at_work
            name = at_work.name if at_work else next(reversed(runs), None)
        run = None if name is None else runs[name]
        labels = _labels(self.queue)
        now = Seen(self.queue.version, name, None if run is None else run.state, labels)
        found: dict[str, Any] = {"seen": now}
        if now == seen:
            return found
        if (now.name, labels) != (seen.name, seen.labels):
            found["run"] = gr.Dropdown(labels, value=name)
            found["other"] = gr.Dropdown(labels)
        if run is None:
            return found
        found["progress"] = _progress(run)
        if run.state != "done" and run.picture is not None:
            found["picture"] = gr.update(value=run.picture, visible=True)
        if (now.name, now.state) != (seen.name, seen.state):
            found |= _buttons(run) | _result(run)
        return found

    def take_over(self, name: str) -> list[Any]:
        """The settings of a run, for the controls: in and out point, quality, and the rest."""
        settings = self.queue.runs[name].order.settings
        end = "" if settings.end is None else f"{settings.end:g}"
        return [f"{settings.start:g}" if settings.start else "", end, *controls.shown_of(settings)]

    def compare(self, one: str | None, other: str | None) -> Any:
        """Two paintings, in step."""
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


@dataclass(frozen=True)
class Seen:
    """What a page shows of the runs."""

    version: int = -1
    name: str | None = None
    state: str | None = None
    labels: Sequence[tuple[str, str]] = ()


NOTHING = "<p>Nothing is painted yet.</p>"
WORDS = {
    "waiting": "waits for its turn",
    "painting": "painting",
    "paused": "paused",
    "stopped": "stopped",
    "failed": "failed",
    "left": "left when the studio ended",
    "done": "done",
}


def build(studio: Studio) -> gr.Blocks:
    """The page of a ``studio``."""
    with gr.Blocks(
        title="vidstyle studio", analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        gr.Markdown(TITLE, elem_id="vidstyle-title")
        choice = gr.State(Choice())
        seen = gr.State(Seen())
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                clip = gr.File(
                    label="clip: a video, GIF or picture", height=120, elem_id="clip",
                    type="filepath",
                )  # fmt: skip
                path = gr.Textbox(label="… or its path", max_lines=1, elem_id="path")
                sample = gr.Dropdown(
                    [(one.name, str(one)) for one in studio.clips],
                    value=None, label="… or a sample", elem_id="sample",
                )  # fmt: skip
                clip_told = gr.Markdown(elem_classes="vs-told", elem_id="clip-told")
                gr.Markdown("which frame to tune")
                shots = gr.Gallery(
                    label="which frame to tune",
                    show_label=False, columns=3, height=140, allow_preview=False,
                    object_fit="contain", elem_id="shots", buttons=[], interactive=False,
                )  # fmt: skip
                with gr.Row():
                    start = gr.Textbox(label="from second", max_lines=1, elem_id="start")
                    end = gr.Textbox(label="to second", max_lines=1, elem_id="end")
                style = gr.File(
                    label="styles: one picture, or several", height=120, file_count="multiple",
                    elem_id="style", type="filepath",
                )  # fmt: skip
                style_told = gr.Markdown(elem_classes="vs-told", elem_id="style-told")
                gr.Markdown("… or from the shelf")
                shelf = gr.Gallery(
                    [(str(one), one.stem) for one in studio.shelf],
                    label="styles from the shelf",
                    show_label=False, columns=3, height=140, allow_preview=False,
                    elem_id="shelf", buttons=[], interactive=False,
                )  # fmt: skip
                _styles_chosen(choice)
                with gr.Accordion("mask", open=False):
                    mask = gr.File(
                        label="white, or opaque, stays unpainted", height=100, elem_id="mask",
                        type="filepath",
                    )  # fmt: skip
                    mask_told = gr.Markdown(elem_classes="vs-told")
            with gr.Column(scale=5, min_width=320):
                tuned = gr.ImageSlider(
                    label="before and after", interactive=False, elem_id="tuned", max_height=640,
                    buttons=["fullscreen"],
                )  # fmt: skip
                tuned_told = gr.Markdown(
                    "First a clip, then a style.", elem_classes="vs-told", elem_id="tuned-told"
                )
                paint = gr.Button("Paint", variant="primary", elem_id="paint")
                plan = gr.HTML(elem_id="plan")
                go = gr.Button("Start", variant="primary", visible=False, elem_id="start-painting")
                with gr.Group(elem_id="runs"):
                    run = gr.Dropdown([], value=None, label="run", elem_id="run")
                    progress = gr.HTML(NOTHING, elem_id="progress", padding=True)
                with gr.Row():
                    pause = gr.Button("Pause", elem_id="pause", visible=False, min_width=80)
                    more = gr.Button("Go on", elem_id="go-on", visible=False, min_width=80)
                    stop = gr.Button("Stop", elem_id="stop", visible=False, min_width=80)
                picture = gr.Image(
                    label="painted last",
                    interactive=False,
                    visible=False,
                    elem_id="painted",
                    buttons=[],
                )
                player = gr.Video(
                    label="source and painting",
                    visible=False,
                    elem_id="player",
                    loop=True,
                    interactive=False,
                )
                with gr.Row():
                    download = gr.DownloadButton(
                        "Download the painting", visible=False, elem_id="download"
                    )
                    recipe = gr.DownloadButton(
                        "Download the recipe", visible=False, elem_id="recipe-file"
                    )
                    over = gr.Button("Take its settings over", visible=False, elem_id="take-over")
                sheet = gr.Image(
                    label="some frames",
                    interactive=False,
                    visible=False,
                    elem_id="sheet",
                    buttons=["fullscreen"],
                )
                facts = gr.HTML(elem_id="facts", visible=False)
                with gr.Accordion("beside another run", open=False):
                    other = gr.Dropdown([], value=None, label="the other run", elem_id="other")
                    both = gr.Button("Play both in step", elem_id="both")
                    pair = gr.Video(visible=False, interactive=False, loop=True, elem_id="pair")
            with gr.Column(scale=3, min_width=300):
                steps = controls.quality_control()
                made = [controls.control(name) for name in controls.MAIN]
                for title, names in controls.GROUPS.items():
                    with gr.Accordion(title, open=False):
                        made += [controls.control(name) for name in names]
        part = [start, end]
        for drop, event in ((clip, clip.upload), (path, path.submit), (sample, sample.input)):
            _on(event, studio.take_clip, [drop, choice, *part], [choice, shots, clip_told, drop])
        for box in part:
            _on(box.blur, studio.take_part, [choice, *part], [choice, shots, clip_told])
            _on(box.submit, studio.take_part, [choice, *part], [choice, shots, clip_told])
        _on(shots.select, studio.tune_another, [choice], [choice])
        _on(style.upload, studio.take_styles, [style, choice], [choice, style_told, style])
        _on(shelf.select, studio.take_from_shelf, [choice], [choice])
        _on(mask.change, studio.take_mask, [mask, choice, *part], [choice, mask_told])

        everything = [choice, *part, steps, *made]
        gr.on(
            [
                choice.change,
                steps.change,
                *(
                    one.change
                    for one, name in zip(made, controls.NAMES, strict=True)
                    if name in MATTERS
                ),
            ],
            studio.tune,
            everything,
            [tuned, tuned_told],
            show_progress="hidden",
            concurrency_limit=None,
            trigger_mode="multiple",
            api_visibility="private",
        )
        _on(paint.click, studio.plan, everything, [plan, go])
        shown = {
            "seen": seen,
            "run": run,
            "other": other,
            "progress": progress,
            "pause": pause,
            "more": more,
            "stop": stop,
            "picture": picture,
            "player": player,
            "download": download,
            "recipe": recipe,
            "over": over,
            "sheet": sheet,
            "facts": facts,
        }

        def look(name: str | None, before: Seen) -> dict[Any, Any]:
            found = studio.refresh(name, before)
            return {shown[part]: value for part, value in found.items()}

        _on(go.click, studio.begin, everything, [plan, go, run])
        queue = studio.queue
        for button, act in ((pause, queue.pause), (more, queue.go_on), (stop, queue.stop)):
            _on(button.click, act, [run], [])
        for event in (gr.Timer(1.0).tick, run.change, page.load):
            _on(event, look, [run, seen], [*shown.values()])
        _on(over.click, studio.take_over, [run], [*part, steps, *made])
        _on(both.click, studio.compare, [run, other], [pair])
        page.unload(studio.forget)
    return page


def _styles_chosen(choice: gr.State) -> None:
    """A weight for each style that is chosen, and a button to take it away."""

    @gr.render(inputs=[choice])  # type: ignore[untyped-decorator]
    def rows(chosen: Choice) -> None:
        for number, (path, weight) in enumerate(chosen.styles):
            name = Path(path).stem
            with gr.Row():
                share = gr.Slider(
                    0.05, 2, value=weight, step=0.05, label=f"weight of {name}", min_width=160
                )
                away = gr.Button("Remove", size="sm", scale=0, min_width=80)

            def weigh(value: float, now: Choice, number: int = number) -> Choice:
                styles = list(now.styles)
                styles[number] = (styles[number][0], value)
                return replace(now, styles=styles)

            def remove(now: Choice, number: int = number) -> Choice:
                return replace(now, styles=[*now.styles[:number], *now.styles[number + 1 :]])

            _on(share.release, weigh, [share, choice], [choice])
            _on(away.click, remove, [choice], [choice])


def _on(event: Any, act: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """Have an ``event`` do something, without a veil over what it changes."""
    return event(act, inputs, outputs, show_progress="hidden", api_visibility="private")


def _times(clip: Clip, start: str, end: str) -> list[Fraction]:
    """When the first, the middle and the last frame of a part of a clip are shown.

    Raises:
        UsageError: that is no part of it.
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


def _told(clip: Clip) -> str:
    info = clip.info
    length = "" if info.duration is None else f", {float(info.duration):.1f} s"
    sound = ", with sound" if info.sound else ""
    return f"**{info.path.name}**: {info.width}x{info.height}{length}{sound}"


def _gallery(stills: Sequence[str]) -> Any:
    return gr.Gallery([*zip(stills, WHICH, strict=False)], selected_index=0)


def _wrong(error: BaseException) -> str:
    return f'<span class="vs-error" role="alert">{html.escape(line_of(error))}</span>'


def _fact(name: str, value: Any) -> str:
    if name == "estimated seconds":
        return "unknown" if value is None else f"{_clock(value)} at most"
    if name == "seconds by quality":
        return ", ".join(f"{word} {'?' if v is None else _clock(v)}" for word, v in value.items())
    return str(value)


def _short(told: str, order: Order) -> str:
    """``told``, with the names of files in place of their paths."""
    for path in (order.clip, *(path for path, _ in order.styles)):
        told = told.replace(str(path), path.name)
    return told


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = (
        f"<tr><th scope='row' align='left'>{html.escape(name.removeprefix('estimated '))}</th>"
        f"<td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _labels(queue: Queue) -> list[tuple[str, str]]:
    """What the runs are called in a menu, and their names; the newest first."""
    runs = reversed([*queue.runs.values()])
    return [(f"{run.name}: {WORDS[run.state]}", run.name) for run in runs]


def _progress(run: Run) -> str:
    told = html.escape(WORDS[run.state])
    if run.total:
        told += f", {run.done} of {run.total} frames"
    if run.state == "painting":
        if run.left is not None:
            told += f", {_clock(run.left)} left"
        if run.doing:
            told += f" ({html.escape(run.doing)})"
    if run.message:
        told += f"<br>{html.escape(run.message)}"
    done, total = (run.done, run.total) if run.total else (0, 1)
    bar = f"<progress max='{total}' value='{done}' aria-label='frames painted'></progress>"
    return f"{bar}<p role='status'>{told}</p>"


def _buttons(run: Run) -> dict[str, Any]:
    return {
        "pause": gr.update(visible=run.state == "painting"),
        "more": gr.update(visible=run.can_go_on),
        "stop": gr.update(visible=not run.is_over),
        "over": gr.update(visible=True),
    }


def _result(run: Run) -> dict[str, Any]:
    """The player, the files and the facts of a run."""
    found: dict[str, Any] = {"facts": gr.update(value=_facts(run), visible=True)}
    if run.state == "done" or run.picture is None:
        found["picture"] = gr.update(value=None, visible=False)
    files = {
        "player": run.folder / BESIDE,
        "sheet": run.folder / SHEET,
        "recipe": run.folder / RECIPE,
        "download": run.output,
    }
    for name, path in files.items():
        there = path is not None and path.is_file()
        found[name] = gr.update(value=str(path) if there else None, visible=there)
    return found


def _facts(run: Run) -> str:
    """What there is to say of a run: its result, its figures, the command that does the same."""
    order = run.order
    rows = [
        ["clip", order.clip.name],
        ["styles", ", ".join(f"{path.stem} ({weight:g})" for path, weight in order.styles)],
    ]
    if run.size:
        rows.append(["size", f"{run.size[0]}x{run.size[1]}"])
    if run.seconds:
        each = f", {run.seconds / run.done:.1f} s a frame" if run.done else ""
        rows.append(["time", f"{_clock(run.seconds)}{each}"])
    if run.output is not None:
        rows.append(["output", str(run.output)])
    rows += [[name, f"{run.measures[name]:.3g}"] for name in MEASURED if name in run.measures]
    if run.notes:
        rows.append(["notes", _short("; ".join(run.notes), order)])
    rows.append(["the same by command", order.command])
    return _table(rows)
