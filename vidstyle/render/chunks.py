"""Chunks: a few frames that are painted at one go, by this process or by a worker elsewhere.

What is painted in one chunk after another is the same as what is painted in one go: each chunk has
the state that the one after it goes on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..core.frames import Frame
from ..core.images import Image
from ..engines import Engine
from ..engines.base import OnStep, State

CHUNK_FRAMES = 4
"""Frames of a chunk in a segment, or more up to a key frame: what is lost with a worker that
dies."""
TAIL_FRAMES = 8
"""Frames at the end of a loop, or of a segment, that lead into what comes after it, at most."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame and its painting (H, W, 3)."""

    frame: Frame
    painted: Image
    loss: float
    """The objective at the end."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Frames that were painted at one go."""

    paintings: tuple[Image, ...]
    losses: tuple[float, ...]
    state: State
    """What the frame after them needs."""
    last: Frame
    """The frame that was painted last."""
    seconds: float = 0.0

    def stateless(self) -> Chunk:
        """The same for those who only look at it: a state is large."""
        return replace(self, state={})


Work = Callable[..., Chunk]
"""What makes a chunk: ``paint`` or ``repaint``, of (engine, on_step, frames, before, …)."""


@dataclass(frozen=True, eq=False)
class Task:
    """The frames of a chunk that is still to be painted."""

    run: int
    """The number of the shot, or of its segment."""
    at: int
    """The number of the first of the frames in that: 0 is a key frame."""
    frames: tuple[Frame, ...]
    following: Frame | None
    """The frame after them, if it is of the same run."""


def tasks(frames: Iterable[Frame], segments: bool, first: int = 0) -> Iterator[Task]:
    """``frames`` in chunks: of whole shots, up to each key frame; or of ``segments``, the first
    frame and then ``CHUNK_FRAMES`` at a time. No chunk reaches over a cut.
    """
    run, at, held = first - 1, 0, list[Frame]()
    for frame in frames:
        if run < first or frame.starts_shot or frame.starts_segment:
            if held:
                yield Task(run, at, tuple(held), None)
            run, at, held = run + 1, 0, []
        elif held and held[-1].is_key and len(held) >= (CHUNK_FRAMES if at and segments else 1):
            yield Task(run, at, tuple(held), frame)
            at, held = at + len(held), []
        held.append(frame)
    if held:
        yield Task(run, at, tuple(held), None)


def spans(frames: Iterable[Frame]) -> Iterator[tuple[Frame, ...]]:
    """``frames`` up to each key frame, with it."""
    held: list[Frame] = []
    for frame in frames:
        held.append(frame)
        if frame.is_key:
            yield tuple(held)
            held = []
    if held:
        yield tuple(held)


def paint(
    engine: Engine,
    on_step: OnStep,
    frames: Sequence[Frame],
    before: Chunk | None,
    following: Frame | None = None,
) -> Chunk:
    """Paint ``frames``, which come after those of the chunk ``before``, or begin a shot.

    The engine stands where that ended. ``following`` is the frame after them: how it moves is
    looked at while they are painted.
    """
    began = time.monotonic()
    done = None
    if before is not None:
        done = PaintedFrame(before.last, before.paintings[-1], before.losses[-1])
    made: list[PaintedFrame] = []
    for span in spans(frames):
        key = span[-1]
        at = len(made) + len(span)
        after = frames[at] if at < len(frames) else following
        if after is not None:
            engine.prefetch_flow(after.rgb, key.rgb)
        if len(span) == 1 and done is not None and engine.is_duplicate(key, done.frame):
            made.append(replace(done, frame=key))
        else:
            painted = engine.paint_span(span, on_step)
            made += [PaintedFrame(frame, *one) for frame, one in zip(span, painted, strict=True)]
        done = made[-1]
    return _chunk(made, engine.state(), made[-1].frame, began)


def repaint(
    engine: Engine,
    on_step: OnStep,
    frames: Sequence[Frame],
    before: Chunk | None,
    shares: Sequence[float],
    beside: Chunk | None,
    *painted: Chunk,
) -> Chunk:
    """Paint ``frames`` once more, the last one first, each with its share (0..1) of the one that
    was painted before it.

    Args:
        engine: stands where the chunk ``before`` ended.
        on_step: called after each step of the optimizer.
        frames: the frames, in the order of the clip.
        before: see ``engine``.
        shares: of each frame, in the order that they are painted in.
        beside: ends with the frame beside the first one to be painted; None where the engine
            comes from that.
        painted: chunks that end with the paintings of ``frames``.
    """
    began = time.monotonic()
    pictures = [picture for chunk in painted for picture in chunk.paintings][-len(frames) :]
    if beside is not None:
        engine.anchor(beside.last, beside.paintings[-1])
    made: list[PaintedFrame] = []
    for frame, picture, share in zip(frames[::-1], pictures[::-1], shares, strict=True):
        made.append(PaintedFrame(frame, *engine.repaint(frame, picture, share, on_step)))
    return _chunk(made[::-1], engine.state(), made[-1].frame, began)


def carry_on(engine: Engine, before: Chunk | None) -> None:
    """Bring an engine to where the chunk ``before`` ended; None: to the beginning of a shot."""
    if before is None:
        engine.reset()
    else:
        engine.restore(before.state)


def led(frames: int) -> int:
    """How many of so many frames lead into what comes after: the first half of them stays."""
    return min(TAIL_FRAMES, frames // 2) if frames > 2 else 0


def _chunk(made: Sequence[PaintedFrame], state: State, last: Frame, began: float) -> Chunk:
    paintings, losses = tuple(one.painted for one in made), tuple(one.loss for one in made)
    return Chunk(paintings, losses, state, last, time.monotonic() - began)
