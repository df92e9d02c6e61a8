"""The page: its components, and which event updates which of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from . import controls, masks
from .actions import PageView, Studio
from .choice import Choice
from .corrections import Corrections
from .tuning import MATTERS
from .words import NOTHING

CSS = """
#vidstyle-title { margin: 0 }
#vidstyle-title p { opacity: .75 }
.vs-told { min-height: 1.5em }
.vs-error { color: var(--error-text-color, #b91c1c); font-weight: 600 }
#progress progress { width: 100%; height: 1.1em }
#plan table, #facts table { width: 100%; table-layout: fixed }
#plan th, #facts th { width: 8em }
#plan td, #facts td { overflow-wrap: anywhere }
#shots .grid-container, #shelf .grid-container, #proposed .grid-container,
#given-keys .grid-container {
  grid-template-columns: repeat(3, minmax(0, 1fr))
}
/* Where there is no room beside the controls, the tuned frame stays in view above them. */
.gradio-container { overflow: clip !important }
@media (max-width: 700px) {
  #middle { display: contents }
  #middle > * { width: 100% }
  #tuned { position: sticky; top: 0; z-index: 20; max-height: 45vh }
}
#strip .grid-container, #collected .grid-container {
  grid-template-columns: repeat(6, minmax(0, 1fr))
}
"""
SWEPT_S = 86_400, 7 * 86_400
"""How often Gradio deletes its files, in seconds, and which: those older than a week, since
somebody may still tune with them. All are deleted when the studio ends."""
TITLE = """# vidstyle studio
Drop a clip, drop a picture, move a slider, press **Paint**."""


def build(studio: Studio) -> gr.Blocks:
    """Build the page of a ``studio``."""
    with gr.Blocks(title="vidstyle studio", analytics_enabled=False, delete_cache=SWEPT_S) as page:
        gr.Markdown(TITLE, elem_id="vidstyle-title")
        choice = gr.State(Choice())
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                given = _given(studio, choice)
            with gr.Column(scale=5, min_width=320, elem_id="middle"):
                frame = _frame()
                runs = _runs()
                fixes = _corrections()
            with gr.Column(scale=3, min_width=300):
                steps = controls.quality_control()
                made = {name: controls.control(name) for name in controls.MAIN}
                for title, names in controls.GROUPS.items():
                    with gr.Accordion(title, open=False):
                        made |= {name: controls.control(name) for name in names}
        part = [given.start, given.end]
        settings = [*part, steps, *made.values()]
        _take(studio, choice, given, part)
        _keys(studio, choice, given.keys, settings)
        gr.on(
            [choice.change, steps.change, *(made[n].change for n in made if n in MATTERS)],
            studio.tune,
            [choice, *settings],
            [frame.tuned, frame.told],
            show_progress="hidden",
            concurrency_limit=None,
            trigger_mode="multiple",
            api_visibility="private",
        )
        detail = [frame.detail, frame.detail_told]
        nowhere = gr.State(None)
        _on(frame.show.click, studio.detail, [choice, nowhere, nowhere, *settings], detail)
        for slider in (frame.across, frame.down):
            where = [choice, frame.across, frame.down, *settings]
            _on(slider.release, studio.detail, where, detail)
        _on(frame.rest.click, studio.rest, [], [frame.told])
        divided = partial(frame.divide.input, trigger_mode="always_last")
        _on(divided, _divided, [frame.divide], [frame.tuned])
        _plan(studio, frame, runs, choice, settings)
        set_up = [choice, given.shots, given.clip_told, given.found, *settings]
        _on(runs.over.click, studio.open_run, [runs.run], set_up)
        memory = gr.BrowserState(storage_key="vidstyle-studio", secret="vidstyle-studio")
        changes = [choice.change, *(control.change for control in settings)]
        _on(partial(gr.on, changes), studio.remember, [choice, *settings], [memory])
        _on(page.load, studio.recall, [memory], set_up)
        _watch(studio, runs, page)
        _correct(studio, fixes, runs, settings)
        page.unload(studio.forget)
    return page


def _given(studio: Studio, choice: gr.State) -> SimpleNamespace:
    """Add the controls for the clip, the part to paint, the styles and a mask."""
    clip = gr.File(label="clip: a video, GIF or picture", height=120, elem_id="clip")
    path = gr.Textbox(label="… or its path", max_lines=1, elem_id="path")
    samples = [(one.name, str(one)) for one in studio.clips]
    sample = gr.Dropdown(
        samples,
        value=None,
        label="… or a sample" if samples else "… or a sample: there are none",
        interactive=bool(samples),
        elem_id="sample",
    )
    tried = gr.Button("Try the sample", visible=bool(samples), elem_id="try-sample")
    clip_told = gr.Markdown(elem_classes="vs-told", elem_id="clip-told")
    gr.Markdown("which frame to tune")
    shots = _pictures("which frame to tune", "shots")
    with gr.Row():
        start = gr.Textbox(label="from second", max_lines=1, elem_id="start")
        end = gr.Textbox(label="to second", max_lines=1, elem_id="end")
    style = gr.File(
        label="styles: one picture, or several", height=120, file_count="multiple", elem_id="style"
    )
    style_told = gr.Markdown(elem_classes="vs-told", elem_id="style-told")
    gr.Markdown("… or from the shelf" if studio.shelf else "… or from the shelf: it is empty")
    pictures = [(str(one), one.stem) for one in studio.shelf]
    shelf = _pictures("styles from the shelf", "shelf", pictures)
    _styles_chosen(choice)
    with gr.Accordion("mask", open=False):
        found = gr.Radio(
            [("nothing", ""), ("people", "person"), ("what is behind people", "background")],
            value="",
            label="found by itself, and left unpainted",
            elem_id="found",
        )
        mask = gr.File(label="white, or opaque, stays unpainted", height=100, elem_id="mask")
        draw = gr.Button("Draw one on the first frame", elem_id="draw-mask")
        canvas = gr.ImageEditor(
            label="the mask",
            show_label=False,
            sources=(),
            transforms=(),
            format="png",
            type="numpy",
            canvas_size=(16, 16),
            visible=False,
            buttons=[],
            elem_id="mask-editor",
        )
        use = gr.Button("Use what is drawn", visible=False, elem_id="use-mask")
        inside = gr.File(
            label="… or inside it is painted like this picture", height=100, elem_id="inside"
        )
        mask_told = gr.Markdown(elem_classes="vs-told", elem_id="mask-told")
    return SimpleNamespace(
        clip=clip,
        path=path,
        sample=sample,
        clip_told=clip_told,
        shots=shots,
        start=start,
        end=end,
        style=style,
        style_told=style_told,
        shelf=shelf,
        found=found,
        mask=mask,
        mask_told=mask_told,
        draw=draw,
        canvas=canvas,
        use=use,
        inside=inside,
        tried=tried,
        keys=_key_frames(),
    )


def _key_frames() -> SimpleNamespace:
    """Add the components for key frames that a person paints."""
    with gr.Accordion("paint key frames yourself", open=False):
        ask = gr.Button("Which frames are worth painting?", elem_id="propose")
        told = gr.Markdown(elem_classes="vs-told", elem_id="keys-told")
        proposed = _pictures("worth painting", "proposed", visible=False)
        files = gr.File(
            label="download them",
            file_count="multiple",
            interactive=False,
            visible=False,
            height=120,
            elem_id="proposed-files",
        )
        painted = gr.File(
            label="painted frames, by their numbers",
            file_count="multiple",
            height=120,
            elem_id="painted-keys",
        )
        given = _pictures("painted key frames", "given-keys", visible=False)
        away = gr.Button("Take them away", size="sm", visible=False, elem_id="forget-keys")
    return SimpleNamespace(
        ask=ask, told=told, proposed=proposed, files=files, painted=painted, given=given, away=away
    )


def _pictures(
    label: str, name: str, pictures: Any = None, height: int = 140, visible: bool = True
) -> gr.Gallery:
    """Add a gallery of three pictures in a row, to choose from by a click."""
    return gr.Gallery(
        pictures,
        label=label,
        show_label=False,
        columns=3,
        height=height,
        allow_preview=False,
        object_fit="contain" if pictures is None else "cover",
        visible=visible,
        elem_id=name,
        buttons=[],
        interactive=False,
    )


def _frame() -> SimpleNamespace:
    """Add the tuned frame, the plan, and the buttons that start a run."""
    tuned = gr.ImageSlider(
        label="before and after",
        interactive=False,
        elem_id="tuned",
        max_height=640,
        buttons=["fullscreen"],
    )
    divide = gr.Slider(
        0, 100, value=50, step=5, label="how much of it shows the frame before", elem_id="divide"
    )
    with gr.Row():
        told = gr.Markdown(
            "First a clip, then a style.", elem_classes="vs-told", elem_id="tuned-told"
        )
        rest = gr.Button("Stop", size="sm", scale=0, min_width=80, elem_id="stop-tuning")
    with gr.Accordion("a detail at the painting's own size", open=False):
        detail = gr.ImageSlider(
            label="a detail, before and after",
            interactive=False,
            elem_id="detail",
            max_height=512,
            buttons=["fullscreen"],
        )
        detail_told = gr.Markdown(
            "On a face, or where there is most to see; or where the sliders say.",
            elem_classes="vs-told",
            elem_id="detail-told",
        )
        show = gr.Button("Show a detail", elem_id="show-detail")
        with gr.Row():
            across = gr.Slider(0, 100, value=50, step=1, label="across, in percent")
            down = gr.Slider(0, 100, value=50, step=1, label="down, in percent")
    paint = gr.Button("Paint", variant="primary", elem_id="paint")
    plan = gr.HTML(elem_id="plan")
    go = gr.Button("Start", variant="primary", visible=False, elem_id="start-painting")
    return SimpleNamespace(
        tuned=tuned,
        divide=divide,
        told=told,
        rest=rest,
        detail=detail,
        detail_told=detail_told,
        show=show,
        across=across,
        down=down,
        paint=paint,
        plan=plan,
        go=go,
    )


def _runs() -> SimpleNamespace:
    """Add the components that show a run: its progress, its buttons and its result."""
    with gr.Group():
        run = gr.Dropdown([], value=None, label="run", elem_id="run")
        progress = gr.HTML(NOTHING, elem_id="progress", padding=True)
    title = gr.Textbox(
        label="its name", max_lines=1, visible=False, interactive=True, elem_id="run-title"
    )
    with gr.Row():
        pause = gr.Button("Pause", elem_id="pause", visible=False, min_width=80)
        more = gr.Button("Go on", elem_id="go-on", visible=False, min_width=80)
        stop = gr.Button("Stop", elem_id="stop", visible=False, min_width=80)
    hidden: dict[str, Any] = {"visible": False, "interactive": False}
    picture = gr.Image(label="painted last", elem_id="painted", buttons=[], **hidden)
    player = gr.Video(label="source and painting", elem_id="player", loop=True, **hidden)
    with gr.Row():
        download = gr.DownloadButton("Download the painting", visible=False, elem_id="download")
        recipe = gr.DownloadButton("Download the recipe", visible=False, elem_id="recipe-file")
        over = gr.Button("Open this run", visible=False, elem_id="take-over")
    sheet = gr.Image(label="some frames", elem_id="sheet", buttons=["fullscreen"], **hidden)
    facts = gr.HTML(elem_id="facts", visible=False)
    with gr.Accordion("beside another run", open=False):
        other = gr.Dropdown([], value=None, label="the other run", elem_id="other")
        both = gr.Button("Play both in step", elem_id="both")
        pair = gr.Video(elem_id="pair", loop=True, **hidden)
    return SimpleNamespace(
        run=run,
        progress=progress,
        title=title,
        pause=pause,
        more=more,
        stop=stop,
        picture=picture,
        player=player,
        download=download,
        recipe=recipe,
        over=over,
        sheet=sheet,
        facts=facts,
        other=other,
        both=both,
        pair=pair,
    )


def _corrections() -> SimpleNamespace:
    """Add the components that correct a run: its frames, an editor, and what is collected."""
    with gr.Column(visible=False, elem_id="corrections") as part:
        gr.Markdown(
            "### Correct a frame, and the clip follows\nChoose a frame, draw on it, keep it, and "
            "paint again: seconds, not minutes. The run stays; the corrected clip is another one."
        )
        strip = _pictures("frames of the painting", "strip", height=180)
        number = gr.Slider(1, 2, value=1, step=1, label="frame", elem_id="frame-number")
        editor = gr.ImageEditor(
            label="the frame",
            show_label=False,
            sources=("clipboard",),
            transforms=(),
            format="png",
            type="numpy",
            canvas_size=(16, 16),
            buttons=["download", "fullscreen"],
            elem_id="editor",
        )
        with gr.Row():
            keep = gr.Button("Keep this frame", variant="primary", elem_id="keep", min_width=100)
            drop = gr.Button("As it was", elem_id="drop", min_width=100)
            anew = gr.Button("Paint it anew", elem_id="anew", min_width=100)
        told = gr.Markdown(elem_classes="vs-told", elem_id="correction-told")
        edited = gr.File(label="… or drop it as edited elsewhere", height=100, elem_id="edited")
        collected = _pictures("corrected frames", "collected")
        again = gr.Button("Paint again", variant="primary", elem_id="again")
    return SimpleNamespace(
        part=part,
        strip=strip,
        number=number,
        editor=editor,
        keep=keep,
        drop=drop,
        anew=anew,
        told=told,
        edited=edited,
        collected=collected,
        again=again,
    )


def _plan(
    studio: Studio,
    frame: SimpleNamespace,
    runs: SimpleNamespace,
    choice: gr.State,
    settings: list[Any],
) -> None:
    """Connect the buttons that plan and start a run. Only what is planned can be started."""
    asked = gr.State(None)
    shown = [frame.plan, frame.go, asked]
    now = [choice, *settings]
    _on(frame.paint.click, studio.plan, now, shown)
    _on(frame.go.click, studio.begin, [asked, *now], [*shown, runs.run])
    changes = [choice.change, *(control.change for control in settings)]
    _on(partial(gr.on, changes), studio.unplan, [asked, *now], shown)


def _correct(
    studio: Studio, fixes: SimpleNamespace, runs: SimpleNamespace, settings: list[Any]
) -> None:
    """Connect the components that correct a run."""
    by, run = studio.corrector, runs.run
    made = gr.State(Corrections())
    memory = gr.BrowserState(storage_key="vidstyle-corrections", secret="vidstyle-studio")
    _on(made.change, by.remember, [made, memory], [memory])
    frame = [fixes.editor, fixes.told]
    opened = [made, fixes.part, fixes.strip, fixes.number, fixes.editor, fixes.collected]
    gr.on(
        [run.change, runs.facts.change],
        by.open,
        [run, made, memory],
        [*opened, fixes.told],
        show_progress="hidden",
        api_visibility="private",
    )
    for pictures in (fixes.strip, fixes.collected):
        _on(pictures.select, by.chosen, [], [fixes.number])
    _on(fixes.number.change, by.show, [run, fixes.number, made], [made, *frame])
    _on(fixes.edited.upload, by.put, [run, made, fixes.edited], [*frame, fixes.edited])
    collected = [made, fixes.collected, fixes.told]
    _on(fixes.keep.click, by.keep, [run, fixes.editor, made], collected)
    _on(fixes.drop.click, by.drop, [run, made], [fixes.collected, made, *frame])
    _on(fixes.anew.click, studio.anew, [run, made, *settings], frame)
    _on(fixes.again.click, by.again, [run, made], [made, run, fixes.told])


def _take(studio: Studio, choice: gr.State, given: SimpleNamespace, part: list[Any]) -> None:
    """Connect the controls of ``_given`` to ``choice``."""
    shown = [choice, given.shots, given.clip_told]
    drops = {
        given.clip: given.clip.upload,
        given.path: given.path.submit,
        given.sample: given.sample.input,
    }
    for drop, event in drops.items():
        _on(event, studio.take_clip, [drop, choice, *part], [*shown, drop])
    for box in part:
        for event in (box.blur, box.submit):
            _on(event, studio.take_part, [choice, *part], shown)
    _on(given.shots.select, studio.tune_another, [choice], [choice])
    styles = [choice, given.style_told, given.style]
    _on(given.style.upload, studio.take_styles, [given.style, choice], styles)
    _on(given.shelf.select, studio.take_from_shelf, [choice], [choice])
    _on(given.tried.click, studio.try_sample, [choice], shown)
    drawing = [given.canvas, given.use, given.mask_told]
    _on(given.draw.click, masks.draw, [choice], drawing)
    chosen = [choice, given.mask_told]
    _on(given.use.click, studio.take_drawn, [given.canvas, choice], chosen)
    _on(given.inside.change, masks.take_inside, [given.inside, choice], chosen)
    _on(given.found.input, studio.take_found, [given.found, choice], [choice])
    mask = [given.mask, choice, *part]
    _on(given.mask.change, studio.take_mask, mask, [choice, given.mask_told])


def _keys(studio: Studio, choice: gr.State, keys: SimpleNamespace, settings: list[Any]) -> None:
    """Connect the components for key frames that a person paints."""
    by = studio.keys
    _on(keys.ask.click, by.propose, [choice, *settings], [keys.proposed, keys.files, keys.told])
    taken = [choice, keys.told, keys.painted]
    _on(keys.painted.upload, by.take, [keys.painted, choice], taken)
    _on(keys.away.click, by.forget, [choice], [choice])
    _on(choice.change, by.shown, [choice], [keys.given, keys.away])


def _watch(studio: Studio, runs: SimpleNamespace, page: gr.Blocks) -> None:
    """Connect the buttons of a run, and refresh the components that show it once a second."""
    seen = gr.State(PageView())
    shown = vars(runs) | {"seen": seen}

    def look(name: str | None, before: PageView) -> dict[Any, Any]:
        return {shown[part]: value for part, value in studio.refresh(name, before).items()}

    # One at a time: Gradio copies each file that is shown, and a second answer does not wait for
    # the copy that the first one makes.
    gr.on(
        [gr.Timer(1.0).tick, runs.run.change, page.load],
        look,
        [runs.run, seen],
        [*shown.values()],
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=1,
        trigger_mode="multiple",
    )
    queue = studio.queue
    buttons = ((runs.pause, queue.pause), (runs.more, queue.go_on), (runs.stop, queue.stop))
    for event in (runs.title.submit, runs.title.blur):
        _on(event, queue.rename, [runs.run, runs.title], [])
    for button, act in buttons:
        _on(button.click, act, [runs.run], [])
    _on(runs.both.click, studio.compare, [runs.run, runs.other], [runs.pair])


def _styles_chosen(choice: gr.State) -> None:
    """Add a weight, a beginning and a remove button for each style in ``choice``."""

    @gr.render(inputs=[choice])  # type: ignore[untyped-decorator]
    def rows(chosen: Choice) -> None:
        for number, (path, weight, since) in enumerate(chosen.styles):
            name = Path(path).stem
            with gr.Row():
                gr.Image(
                    path,
                    show_label=False,
                    container=False,
                    interactive=False,
                    height=56,
                    width=72,
                    min_width=72,
                    scale=0,
                    buttons=[],
                )
                share = gr.Slider(
                    0.05, 2, value=weight, step=0.05, label=f"weight of {name}", min_width=160
                )
                time = gr.Textbox(
                    since,
                    label="from second",
                    placeholder="0",
                    max_lines=1,
                    scale=0,
                    min_width=100,
                )
                away = gr.Button("Remove", size="sm", scale=0, min_width=80)

            def weigh(value: float, now: Choice, number: int = number) -> Choice:
                return now.with_style(number, now.styles[number]._replace(weight=value))

            def begin(value: str, now: Choice, number: int = number) -> Choice:
                return now.with_style(number, now.styles[number]._replace(since=value.strip()))

            def remove(now: Choice, number: int = number) -> Choice:
                return now.with_style(number)

            _on(share.release, weigh, [share, choice], [choice])
            for event in (time.submit, time.blur):
                _on(event, begin, [time, choice], [choice])
            _on(away.click, remove, [choice], [choice])


def _divided(share: float) -> Any:
    """Show another ``share`` of the tuned frame as it was before, in percent: by the keyboard,
    which cannot move what divides the picture itself."""
    return gr.ImageSlider(slider_position=share)


def _on(event: Any, act: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """Call ``act`` on an ``event``, without a loading overlay on the ``outputs``."""
    return event(act, inputs, outputs, show_progress="hidden", api_visibility="private")
