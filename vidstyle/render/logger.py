"""What can be seen of a painting on its way: its losses as curves, its frames as pictures."""

from __future__ import annotations

import io
import time
from pathlib import Path

from .. import media
from ..core.events import Event, Learned, Painted, Started, Stepped
from ..core.files import is_own_frame, write_whole

SNAPSHOTS = "[0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9].png"
"""The names of snapshots: frame and step."""

SHEET_EVERY_S = 10.0
"""Seconds between two pictures of a model that is being trained."""


class RunLogger:
    """A listener that plots losses, and writes pictures of frames and models on their way.

    Args:
        plot: the picture of all losses, drawn by ``finish``.
        snapshots: the folder of pictures of frames.
        every: steps of a frame between two of these.
        training: the picture of what a model makes of some frames.
        goes_on: whether an earlier run has left snapshots that are to stay.
    """

    def __init__(
        self,
        plot: Path | None = None,
        snapshots: Path | None = None,
        every: int | None = None,
        training: Path | None = None,
        goes_on: bool = False,
    ) -> None:
        self.plot, self.snapshots, self.every = plot, snapshots, every
        self.training = training
        self.shown = 0.0
        """When that was last drawn, on the monotonic clock."""
        self.goes_on = goes_on
        self.steps: list[dict[str, float]] = []
        """The terms of the loss at each step."""
        self.learned = 0
        """How many of them are of a model's training."""
        self.ends: list[int] = []
        """The number of steps until the end of each frame."""

    def __call__(self, event: Event) -> None:
        match event:
            case Started() if self.snapshots is not None:
                self.snapshots.mkdir(parents=True, exist_ok=True)
                if not self.goes_on:
                    for path in self.snapshots.glob(SNAPSHOTS):  # of another painting
                        if is_own_frame(path):
                            path.unlink()
            case Learned():
                if self.plot is not None:
                    self.steps.append({**event.terms, "total": event.loss})
                    self.learned = len(self.steps)
                now = time.monotonic()
                if self.training is not None and now - self.shown > SHEET_EVERY_S:
                    write_whole(self.training, media.encoded_image(event.picture(), suffix=".jpg"))
                    self.shown = now
            case Stepped() if self.plot is not None or self.every is not None:
                self.steps.append({**event.step.terms, "total": event.step.loss})
                number = len(self.steps) - (self.ends[-1] if self.ends else self.learned)
                if self.snapshots is not None and self.every and number % self.every == 0:
                    name = f"{event.frame:04}-{number:05}.png"
                    write_whole(self.snapshots / name, media.encoded_image(event.step.picture()))
            case Painted() if self.plot is not None or self.every is not None:
                self.ends.append(len(self.steps))
            case _:
                pass

    def finish(self) -> None:
        """Draw the plot, if one is wanted."""
        if self.plot is None:
            return
        from matplotlib.figure import Figure  # without pyplot: no window, no state
        from matplotlib.ticker import MaxNLocator

        figure = Figure((11, 4.5), layout="constrained")
        over_steps, over_frames = figure.subplots(1, 2)
        names = list(dict.fromkeys(name for step in self.steps for name in step))
        last = [
            end - 1
            for before, end in zip([self.learned, *self.ends], self.ends, strict=False)
            if end > before
        ]
        for name in names:
            values = [step.get(name) or float("nan") for step in self.steps]
            over_steps.plot(range(1, len(values) + 1), values, label=name, linewidth=1)
            over_frames.plot(
                range(1, len(last) + 1), [values[i] for i in last], ".-", label=name, linewidth=1
            )
        over_steps.set_xlabel("steps, of all frames")
        over_frames.set_xlabel("painted frames, at their last step")
        for axes in (over_steps, over_frames):
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylabel("loss")
            axes.grid(alpha=0.3)
            axes.legend()
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110)
        write_whole(self.plot, drawn.getvalue())
