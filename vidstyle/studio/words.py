"""The page's texts about clips, plans, runs and errors, as HTML, Markdown or plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.errors import line_of
from ..media import Clip
from ..plan import PlanSummary
from ..settings.text import arguments_of
from . import PREFIX
from .queue import SURE_SHARE, Queue
from .runs import Order, Run

MEASURED = ("style", "texture", "content", "warping", "flicker")
"""The measures of ``--report`` that the page shows."""
LONGEST_LABEL = 60
"""Characters that tell a run from others, at most."""
PRIVATE_PATH = re.compile(rf"[^\s:]*/{PREFIX}[^/\s]+/(?:[^/\s]+/)*")
"""The folders of an uploaded file."""
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


def clip_line(clip: Clip) -> str:
    """Return a line about a clip, as Markdown."""
    info = clip.info
    length = "" if info.duration is None else f", {float(info.duration):.1f} s"
    sound = ", with sound" if info.sound else ""
    return f"**{info.path.name}**: {info.width}x{info.height}{length}{sound}"


def tuned_line(done: float, passed: float, shown: tuple[int, int], size: int | str) -> str:
    """Return a line about a tuned frame.

    Args:
        done: the share of its steps.
        passed: seconds since it was begun.
        shown: its width and height, in pixels.
        size: of the painting, as the settings say it.
    """
    smaller = isinstance(size, int) and size > max(shown)
    told = f" at {max(shown)} pixels; the painting will have {size}" if smaller else ""
    if done == 1:
        return f"painted in {passed:.0f} s{told}"
    left = f", {_clock(passed * (1 - done) / done)} left" if done > SURE_SHARE else ""
    return f"painting, {done:.0%}{left}{told}"


def wrong(error: BaseException) -> str:
    """Return an error message, as HTML, with uploaded files by their names alone."""
    told = PRIVATE_PATH.sub("", line_of(error))
    return f'<span class="vs-error" role="alert">{html.escape(told)}</span>'


def plan_facts(summary: PlanSummary) -> Iterator[tuple[str, str]]:
    """Yield the facts about a plan that the page shows, as (name, text)."""
    seconds, by_quality = summary.estimated_seconds, summary.seconds_by_quality.items()
    yield "frames", summary.frames_told
    yield "size", summary.size
    yield "engine", summary.engine
    yield "seconds", "unknown" if seconds is None else f"{_clock(seconds)} at most"
    yield (
        "seconds by quality",
        ", ".join(f"{word} {'?' if v is None else _clock(v)}" for word, v in by_quality),
    )
    yield "memory", summary.memory
    yield "notes", summary.notes


def short(told: str, order: Order) -> str:
    """Replace the paths of the order's clip and styles in a text by their file names."""
    for path in (order.clip, *pictures_of(order)):
        told = told.replace(str(path), path.name)
    return told


def pictures_of(order: Order) -> list[Path]:
    """Return the style pictures of an order, in the order of their times."""
    return [*(path for path, _ in order.styles), *(path for _, path, _ in order.later)]


def _styles_told(order: Order) -> Iterator[str]:
    for path, weight in order.styles:
        yield f"{path.stem} ({weight:g})"
    for time, path, weight in order.later:
        yield f"{path.stem} ({weight:g}, from {time:g} s on)"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of (name, value) rows, as HTML."""
    cells = (
        f"<tr><th scope='row' align='left'>{html.escape(name)}</th>"
        f"<td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def labels_of(queue: Queue) -> list[tuple[str, str]]:
    """Return the menu entries of all runs as (label, name), the last one of the queue first."""
    return [(_label(run), run.name) for run in reversed([*queue.runs.values()])]


def _label(run: Run) -> str:
    """Return what tells a run from others: its styles, and options that are not the defaults."""
    if run.order.corrects is not None:
        about = f"corrected from {run.order.corrects.parent.name}"
    else:
        styles = "+".join(path.stem for path in pictures_of(run.order))
        options = " ".join(arguments_of(run.order.settings))
        about = f"{styles} {options}".strip()
    if len(about) > LONGEST_LABEL:
        about = f"{about[: LONGEST_LABEL - 1]}…"
    return f"{run.title or run.name}, {about}: {WORDS[run.state]}"


def progress_of(run: Run) -> str:
    """Return a progress bar and the state of a run, as HTML."""
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


def facts_of(run: Run) -> str:
    """Return a table about a run, as HTML: inputs, result, measures, and the same command."""
    order = run.order
    rows = [
        ["clip", order.clip.name],
        ["styles", ", ".join(_styles_told(order)) or "painted key frames"],
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
        rows.append(["notes", short("; ".join(run.notes), order)])
    rows.append(["the same by command", order.command])
    return table(rows)
