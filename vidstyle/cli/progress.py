"""Progress on stderr: bars on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import dataclasses
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ..core.events import Event, Learned, LookedAt, Notice, Pace, Painted, Started, Stepped

if TYPE_CHECKING:
    from ..metrics import Metrics

LINE_EVERY_S = 5.0
"""Seconds between two progress lines, where stderr is not a terminal."""


class Reporter:
    """A listener that shows progress to a person.

    Args:
        name: the clip's name, for the first line.
        quiet: whether to show nothing.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self.name, self.quiet = name, quiet
        console = Console(stderr=True)
        self.drawn = console.is_terminal and not console.is_dumb_terminal and not quiet
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            disable=not self.drawn,
        )
        self.clip: TaskID | None = None
        self.frame: TaskID | None = None
        self.total: int | None = None
        self.about = False
        self.what = ""
        self.pace = Pace()
        self.said = time.monotonic()

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.drawn:  # older versions of rich print a newline even for bars not drawn
            self.bars.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self.total, self.about = event.frames, event.about
                self.what = "paintings" if event.again else "frames"
                self._say(f"{self.name}: {_announced(event)}")
                self.clip = self.bars.add_task("clip", total=event.frames, told="")
                self.frame = self.bars.add_task("frame", total=1.0, told="")
            case Learned():
                told = f"learning, step {event.number}, loss {event.loss:.3f}"
                if self.frame is not None:
                    self.bars.update(self.frame, completed=event.done, told=told)
                self._say_at_times(f"{told}, {event.done:.0%}")
            case Stepped():
                if self.frame is not None:
                    self.bars.update(
                        self.frame,
                        completed=event.step.done,
                        told=f"frame {event.frame}, loss {event.step.loss:.3f}",
                    )
            case Painted():
                self.pace.add(event.seconds, event.first)
                told = self._told(event.frame)
                if self.clip is not None:
                    self.bars.update(self.clip, completed=event.frame, told=told)
                self._say_at_times(told, event.frame == self.total)
            case LookedAt():
                told = f"looked at {event.frame} of {event.frames or '?'} frames"
                if self.clip is None:
                    self.clip = self.bars.add_task("clip", total=event.frames, told="")
                self.bars.update(self.clip, completed=event.frame, told=told)
                self._say_at_times(told)
            case Notice():
                if not self.quiet:
                    print(f"vidstyle: {event.message}", file=sys.stderr)

    def _told(self, done: int) -> str:
        about = "about " if self.about and done != self.total else ""
        total = "?" if self.total is None or done > self.total else f"{about}{self.total}"
        told = f"{done} of {total} {self.what}"
        if self.pace.counted:
            told += f", {self.pace.seconds:.1f} s each"
        if self.total and (left := self.pace.left(max(0, self.total - done))) is not None:
            told += f", {round(left) // 60}:{round(left) % 60:02} left"
        return told

    def _say_at_times(self, line: str, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self.said > LINE_EVERY_S:
            self._say(line)
            self.said = now

    def _say(self, line: str) -> None:
        if not self.drawn and not self.quiet:
            print(line, file=sys.stderr, flush=True)


def _announced(start: Started) -> str:
    """Describe what will be painted, in one line."""
    frames = "?" if start.frames is None else f"{start.frames - start.again}"
    frames = f"about {frames}" if start.about and start.frames is not None else frames
    again = f" ({start.frames} paintings: some are painted again)" if start.again else ""
    where = f"{start.width}x{start.height} on {start.device} in {start.precision}"
    return f"{frames} frames{again}, {where}"


def show_measures(found: Metrics, to: TextIO) -> None:
    """Print the quality measures of a painting, one per line."""
    for name, value in dataclasses.asdict(found).items():
        if value is not None:
            words = name.replace("_source", " of source").replace("_", " ")
            print(f"{words:>21}  {value:.4g}", file=to)
