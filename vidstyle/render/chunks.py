"""How chunks are cut from a clip and painted, by this process or by a worker elsewhere.

Painting chunk after chunk gives the same as painting all in one go: each chunk ends with the state
that the next one goes on from.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..core.frames import Frame
from ..core.images import Image
from ..engines import Engine
from ..engines.protocol import OnStep, Picture
from ..journal import Chunk

CHUNK_FRAMES = 4
"""Frames of a chunk in a segment, or more up to a key frame: what is lost with a worker that
dies."""
TAIL_FRAMES = 8
"""Frames, at most, at the end of a loop or a segment that lead into what comes after it."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame and its painting."""

    frame: Frame
    painted: Image
    """(H, W, 3), as the engine has painted it."""
    loss: float
    """The objective at the end; 0 where there is none."""


@dataclass(frozen=True, eq=False)
class Task:
    """The frames of a chunk that is still to be painted."""

    section: int
    """The number of the shot, or of its segment."""
    at: int
    """The number of the first of the frames in the section. Frame 0 is a key frame."""
    frames: tuple[Frame, ...]


def tasks(frames: Iterable[Frame], segments: bool, first: int = 0) -> Iterator[Task]:
    """Cut frames into chunks. No chunk reaches over a cut.

    Args:
        frames: of a clip, in order.
        segments: whether shots are cut into segments. Their chunks are the first frame, and then
            ``CHUNK_FRAMES`` at a time. Otherwise a chunk ends with each key frame.
        first: the number of the first section.
    """
    section, at, held = first - 1, 0, list[Frame]()
    for frame in frames:
        if section < first or frame.starts_shot or frame.starts_segment:
            if held:
                yield Task(section, at, tuple(held))
            section, at, held = section + 1, 0, []
        elif held and held[-1].is_key and len(held) >= (CHUNK_FRAMES if at and segments else 1):
            yield Task(section, at, tuple(held))
            at, held = at + len(held), []
        held.append(frame)
    if held:
        yield Task(section, at, tuple(held))


def spans(frames: Iterable[Frame]) -> Iterator[tuple[Frame, ...]]:
    """Cut ``frames`` after each key frame."""
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
) -> Chunk:
    """Paint a chunk.

    Args:
        engine: stands where the chunk ``before`` ended.
        on_step: called after each step of the optimizer.
        frames: of the chunk.
        before: the chunk before it. None at the beginning of a shot.
    """
    began = time.monotonic()
    done = None
    if before is not None:
        done = before.last, before.made[-1], before.losses[-1]
    made: list[tuple[Frame, Picture, float]] = []
    for span in spans(frames):
        key = span[-1]
        if len(span) == 1 and done is not None and engine.is_duplicate(key, done[0]):
            made.append((key, *done[1:]))
        else:
            painted = engine.paint_span(span, on_step)
            made += [(frame, *one) for frame, one in zip(span, painted, strict=True)]
        done = made[-1]
    return _chunk(engine, made, key, began)


def repaint(
    engine: Engine,
    on_step: OnStep,
    frames: Sequence[Frame],
    before: Chunk | None,
    shares: Sequence[float],
    into: Chunk,
    *painted: Chunk,
) -> Chunk:
    """Paint the last frames of a section again, the last one first, to lead into another frame.

    Args:
        engine: stands where the chunk ``before`` ended.
        on_step: called after each step of the optimizer.
        frames: in the order of the clip.
        before: the last chunk of the section.
        shares: how much of each frame comes from the one painted before it (0..1), in the order of
            painting.
        into: a chunk that ends with the frame that they lead into.
        painted: chunks that end with the paintings of ``frames``.
    """
    began = time.monotonic()
    pictures = [picture for chunk in painted for picture in chunk.paintings][-len(frames) :]
    engine.anchor(into.last, into.paintings[-1])
    made: list[tuple[Frame, Picture, float]] = []
    for frame, picture, share in zip(frames[::-1], pictures[::-1], shares, strict=True):
        made.append((frame, *engine.repaint(frame, picture, share, on_step)))
    return _chunk(engine, made[::-1], frames[0], began)


def go_on_from(engine: Engine, before: Chunk | None) -> None:
    """Bring an engine to where the chunk ``before`` ended. None means the beginning of a shot."""
    if before is None:
        engine.reset()
    else:
        engine.restore(before.state)


def lead_length(frames: int) -> int:
    """Return how many of the frames of a section lead into what comes after. Half of them stay."""
    return min(TAIL_FRAMES, frames // 2) if frames > 2 else 0


def _chunk(
    engine: Engine,
    made: Sequence[tuple[Frame, Picture, float]],
    last: Frame,
    began: float,
) -> Chunk:
    _, paintings, losses = zip(*made, strict=True)
    return Chunk(paintings, losses, engine.state(), last, time.monotonic() - began)
