"""The frames of a clip on their way through a painter: shot by shot, in passes, round a loop."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.events import Listener, Painted, Step, Stepped
from ..core.images import Image
from ..media import Frame
from ..temporal.shots import follows

BLEND = 0.5
"""How much of a frame comes from the one beside it, in each pass after the first."""
TAIL = 8
"""Frames at the end of a loop that lead into its beginning, at most."""


Progress = Callable[[Step], None]
"""Told after each step."""


class Loss:
    """The loss that was told last, which is passed on."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.value = progress, 0.0

    def __call__(self, step: Step) -> None:
        self.value = step.loss
        self.progress(step)


class Engine(Protocol):
    """What paints frames, one after the other. See ``painters.gatys``."""

    def reset(self) -> None: ...

    def prefetch_flow(self, source: Image, before: Image) -> None: ...

    def is_duplicate(self, frame: Frame, before: Frame) -> bool: ...

    def paint(self, frame: Frame, progress: Callable[[Step], None]) -> Image: ...

    def anchor(self, frame: Frame, painted: Image) -> None: ...

    def repaint(
        self, frame: Frame, painted: Image, share: float, progress: Callable[[Step], None]
    ) -> Image: ...


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame and its painting (H, W, 3)."""

    frame: Frame
    painted: Image
    loss: float
    """The objective at the end."""
    starts_shot: bool
    """Whether it is a shot's first."""


class SequentialScheduler:
    """Paints frames with ``engine``, ``passes`` times, and closes the loop if it ``closes``.

    Frames stream; more than one pass keeps a shot on disk.
    """

    def __init__(
        self, engine: Engine, emit: Listener, *, passes: int = 1, closes: bool = False
    ) -> None:
        self.engine = engine
        self.emit = emit
        self.passes, self.closes = passes, closes
        self.count = 0

    def paint(self, frames: Iterable[tuple[Frame, bool]]) -> Iterator[PaintedFrame]:
        """``frames``, each with whether it begins a shot, painted."""
        done = (one for shot in _by_shot(frames) for one in self._shot(shot))
        return self._closed(done) if self.closes else done

    def _shot(self, frames: Iterator[Frame]) -> Iterator[PaintedFrame]:
        done = self._forward(frames)
        return done if self.passes == 1 else self._again(done)

    def _forward(self, frames: Iterator[Frame]) -> Iterator[PaintedFrame]:
        self.engine.reset()
        before: PaintedFrame | None = None
        frame = next(frames, None)
        while frame is not None:
            following = next(frames, None)
            if following is not None:
                self.engine.prefetch_flow(following.rgb, frame.rgb)
            if before is not None and self.engine.is_duplicate(frame, before.frame):
                # A frame that repeats the one before is the one before.
                self._told(0.0, False)
                before = replace(before, frame=frame, starts_shot=False)
            else:
                starts_shot = before is None
                painted, loss = self._timed(partial(self.engine.paint, frame), starts_shot)
                before = PaintedFrame(frame, painted, loss, starts_shot)
            yield before
            frame = following

    def _again(self, done: Iterable[PaintedFrame]) -> Iterator[PaintedFrame]:
        """A whole shot, painted again backward and forward (Ruder et al. 2016)."""
        with Spool() as shot:
            for one in done:
                shot.append(one)
            for number in range(1, self.passes):
                order = range(len(shot))[:: -1 if number % 2 else 1]
                start = shot[order[0]]
                self.engine.anchor(start.frame, start.painted)
                for i in order[1:]:
                    shot[i] = self._over(shot[i], BLEND)
            yield from (shot[i] for i in range(len(shot)))

    def _closed(self, done: Iterable[PaintedFrame]) -> Iterator[PaintedFrame]:
        """The last frames painted again, backward from the first one, ever less of which goes in:
        so the last frame leads into the first.
        """
        first: PaintedFrame | None = None
        tail: deque[PaintedFrame] = deque()
        for one in done:
            first = first or one
            if one.starts_shot:
                yield from tail
                tail.clear()
            tail.append(one)
            while len(tail) > 2 * TAIL:
                yield tail.popleft()
        many = led(len(tail))
        # The source's own loop may have a cut: nothing leads over that.
        if first is not None and many and follows(first.frame.rgb, tail[-1].frame.rgb):
            self.engine.anchor(first.frame, first.painted)
            for step in range(many):
                tail[-1 - step] = self._over(tail[-1 - step], 1 - step / many)
        yield from tail

    def _over(self, one: PaintedFrame, share: float) -> PaintedFrame:
        again = partial(self.engine.repaint, one.frame, one.painted, share)
        painted, loss = self._timed(again, False)
        return replace(one, painted=painted, loss=loss)

    def _timed(
        self, work: Callable[[Callable[[Step], None]], Image], first: bool
    ) -> tuple[Image, float]:
        """What ``work`` paints, and the loss that it told last."""
        began = time.monotonic()
        loss = Loss(lambda step: self.emit(Stepped(self.count + 1, step)))
        painted = work(loss)
        self._told(time.monotonic() - began, first)
        return painted, loss.value

    def _told(self, seconds: float, first: bool) -> None:
        self.count += 1
        self.emit(Painted(self.count, seconds, first))


def paintings(frames: int, passes: int, closes: bool) -> int:
    """How many pictures will be painted for so many ``frames``, if they are one shot."""
    return frames + (passes - 1) * max(0, frames - 1) + (led(frames) if closes else 0)


def led(frames: int) -> int:
    """How many of so many frames lead into a loop's beginning: the first half of a shot stays."""
    return min(TAIL, frames // 2) if frames > 2 else 0


def _by_shot(frames: Iterable[tuple[Frame, bool]]) -> Iterator[Iterator[Frame]]:
    shot = 0

    def number(given: tuple[Frame, bool]) -> int:
        nonlocal shot
        shot += given[1]
        return shot

    for _, group in groupby(frames, number):
        yield (frame for frame, _ in group)


class Spool:
    """Painted frames on disk instead of in memory. Use it as a list, in a ``with``."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="vidstyle")  # noqa: SIM115
        self.rest: list[PaintedFrame] = []
        """What is not pixels."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __len__(self) -> int:
        return len(self.rest)

    def append(self, done: PaintedFrame) -> None:
        self.rest.append(done)
        self[len(self.rest) - 1] = done

    def __setitem__(self, index: int, done: PaintedFrame) -> None:
        height, width = done.painted.shape[:2]
        alpha, masks = done.frame.alpha, done.frame.masks
        layers = [*done.frame.rgb.transpose(2, 0, 1), *done.painted.transpose(2, 0, 1), *masks]
        layers.append(np.zeros((height, width), np.uint8) if alpha is None else alpha)
        pixels = np.stack(layers)
        self.file.seek(index * pixels.size)
        self.file.write(pixels.tobytes())
        nothing: NDArray[Any] = np.zeros((height, width, 0), np.uint8)
        frame = replace(
            done.frame,
            rgb=nothing,
            alpha=None if alpha is None else nothing,
            masks=(nothing,) * len(masks),
        )
        self.rest[index] = replace(done, frame=frame, painted=nothing)

    def __getitem__(self, index: int) -> PaintedFrame:
        rest = self.rest[index]
        height, width = rest.painted.shape[:2]
        layers = 7 + len(rest.frame.masks)
        self.file.seek(index * height * width * layers)
        data = np.frombuffer(self.file.read(height * width * layers), np.uint8)
        pixels = data.reshape(layers, height, width)
        rgb, painted = (
            np.ascontiguousarray(pixels[at : at + 3].transpose(1, 2, 0)) for at in (0, 3)
        )
        frame = replace(
            rest.frame,
            rgb=rgb,
            alpha=None if rest.frame.alpha is None else pixels[-1],
            masks=tuple(pixels[6 : 6 + len(rest.frame.masks)]),
        )
        return replace(rest, frame=frame, painted=painted)
