"""The order in which the frames of a clip are painted: section by section, and round a loop.

A section is a shot, or a segment of one, and is painted from its first frame on. Where a shot is
cut into segments, the first frame of each is a key frame. These are painted first, each over the
one before, so that they agree. Every segment goes on from its own, and its last frames lead into
the next one. The end of a loop leads into its beginning in the same way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.events import Listener, Painted, Step, Stepped
from ..core.folders import NoFolder
from ..core.frames import Frame
from ..engines import Engine
from ..journal import Chunk, ChunkId, ChunkStore
from ..temporal.shots import follows
from .chunks import (
    TAIL_FRAMES,
    PaintedFrame,
    Task,
    go_on_from,
    lead_length,
    paint,
    repaint,
    tasks,
)

Making = Callable[..., Chunk]
"""Makes a chunk: ``paint`` or ``repaint``."""
CHUNKS_IN_THE_MAKING = 3
"""Chunks whose paintings may still be in the making while the next one is begun."""


@dataclass(eq=False)
class Section:
    """A shot, or a segment of one, that is being painted."""

    number: int
    first: Frame
    key: Chunk
    """The chunk of its first frame."""
    chunk: Chunk | None
    """The chunk that the next one goes on from."""
    name: ChunkId
    """The id of ``chunk``."""
    length: int = 0
    """Frames that are painted."""
    frames: deque[Frame] = field(default_factory=lambda: deque[Frame](maxlen=TAIL_FRAMES))
    """The last frames."""
    ends: deque[Chunk] = field(default_factory=deque)
    """The last chunks, with the paintings of ``frames``."""
    waiting: deque[tuple[ChunkId, tuple[Frame, ...]]] = field(default_factory=deque)
    """The chunks whose paintings have not been handed on, with their frames."""
    lead: ChunkId | None = None
    """The chunk that leads out of it."""
    complete: bool = False
    """Whether nothing of it is left to be painted."""

    def forget(self) -> None:
        """Let go of all but its first frame, which the end of a loop may lead into."""
        self.chunk = None
        self.ends.clear()
        self.frames.clear()


class Scheduler:
    """Paints the frames of a clip chunk by chunk.

    Args:
        engine: paints the chunks.
        emit: told of steps and paintings.
        store: keeps the chunks, and has those of an earlier run, which are not painted again. None
            keeps nothing.
        segments: whether shots are cut where frames begin a segment.
        closes: whether the last frame leads into the first.
    """

    def __init__(
        self,
        engine: Engine,
        emit: Listener,
        store: ChunkStore | None = None,
        *,
        segments: bool = False,
        closes: bool = False,
    ) -> None:
        self.engine, self.emit = engine, emit
        self.store = ChunkStore(NoFolder()) if store is None else store
        self.segments, self.closes = segments, closes
        self.sections: deque[Section] = deque()
        """Those that are not handed on yet."""
        self.last: Chunk | None = None
        """The chunk that the engine has painted last."""
        self.made: dict[ChunkId, Chunk] = {}
        """The chunks whose paintings have not been handed on."""
        self.spent: list[ChunkId] = []
        """Chunks of the section before, whose states the next key frame may still need."""
        self.making: deque[tuple[ChunkId, Chunk]] = deque()
        """The last chunks, whose paintings may not all be there yet."""
        self.count = 0

    def paint(
        self, frames: Iterable[Frame], number: int = 0, into: Chunk | None = None
    ) -> Iterator[PaintedFrame]:
        """Paint frames, and yield them in their order.

        Args:
            frames: of a clip, or of one segment.
            number: of their first section.
            into: a chunk that ends with the frame that the last one leads into. None: nothing, but
                where a loop closes.
        """
        first: Section | None = None
        for task in tasks(frames, self.segments, number):
            if task.at == 0:
                self._begin(task)
                first = first or self.sections[-1]
            else:
                self._go_on(self.sections[-1], task)
            last = task.frames[-1]
            yield from self._ready()
        if first is None:
            return
        # The source's own loop may have a cut: nothing leads over that.
        if self.closes and follows(first.first.rgb, last.rgb):
            into = first.key
        self._end(self.sections[-1], into)
        self._take(0)
        yield from self._ready()

    def paint_key(self, section: int, frames: Sequence[Frame], before: Chunk | None) -> Chunk:
        """Paint the first frame of a section.

        Args:
            section: its number.
            frames: that frame.
            before: the first frame of the section before, to be painted over. None at the
                beginning of a shot.
        """
        return self._do(ChunkId(section, "key"), paint, frames, before)

    def _begin(self, task: Task) -> None:
        """Begin a section. The one before leads into it, if both are of one shot."""
        frame = task.frames[0]
        before = self.sections[-1] if self.sections else None
        if before is not None and frame.starts_shot:
            self._end(before, None)
            before = None
        over = before.key if before is not None else None
        key = self.paint_key(task.section, task.frames, over)
        section = Section(task.section, frame, key, key, ChunkId(task.section, "key"))
        self._add(section, key, section.name, task.frames)
        if before is not None:
            self._end(before, key)
        self.sections.append(section)

    def _go_on(self, section: Section, task: Task) -> None:
        """Paint the next frames of a section."""
        name = ChunkId(section.number, task.at)
        # The next key frame goes on from the first one of a segment, too.
        superseded = section.name if task.at > 1 or not self.segments else None
        chunk = self._do(name, paint, task.frames, section.chunk, superseded=superseded)
        self._add(section, chunk, name, task.frames)

    def _add(self, section: Section, chunk: Chunk, name: ChunkId, frames: Sequence[Frame]) -> None:
        """Note that the next ``frames`` of a section are painted."""
        section.chunk, section.name = chunk, name
        section.length += len(frames)
        section.waiting.append((name, tuple(frames)))
        section.frames.extend(frames)
        section.ends.append(chunk.stateless())
        while sum(len(end.made) for end in [*section.ends][1:]) >= TAIL_FRAMES:
            section.ends.popleft()

    def _end(self, section: Section, into: Chunk | None) -> None:
        """End a section: paint its last frames again where they lead ``into`` another one."""
        if into is not None and (many := lead_length(section.length)):
            section.lead = ChunkId(section.number, "lead")
            shares = tuple(1 - step / many for step in range(many))
            frames = tuple(section.frames)[-many:]
            self._do(section.lead, repaint, frames, section.chunk, shares, into, *section.ends)
        section.key = section.key.stateless()
        section.complete = True

    def _do(
        self,
        name: ChunkId,
        make: Making,
        frames: Sequence[Frame],
        before: Chunk | None,
        *given: Any,
        superseded: ChunkId | None = None,
    ) -> Chunk:
        """Make a chunk of ``frames``, unless an earlier run has made it."""
        chunk = self.store.get(name, frames[-1])
        if chunk is None:
            if before is None or before is not self.last:
                go_on_from(self.engine, before)
            chunk = self.last = make(self.engine, self._stepped, frames, before, *given)
            self.store.put(name, chunk, superseded)
        self.making.append((name, chunk))
        self._take(CHUNKS_IN_THE_MAKING)
        return chunk

    def _stepped(self, step: Step) -> None:
        self.emit(Stepped(self.count + 1, step))

    def _take(self, most: int) -> None:
        """Take the chunks that are done, in order, and wait until ``most`` are not."""
        while self.making and (self.making[0][1].is_done or len(self.making) > most):
            name, chunk = self.making.popleft()
            paintings = chunk.paintings
            self.made[name] = chunk.stateless()
            for painting in paintings:
                self.count += 1
                seconds = chunk.seconds / len(paintings)
                self.emit(Painted(self.count, seconds, name.at == "key", painting))

    def _ready(self) -> Iterator[PaintedFrame]:
        """Yield the frames that nothing will change now, from the first one on."""
        while self.sections:
            section = self.sections[0]
            yield from self._of(section)
            if section.waiting or not section.complete:
                return
            self.sections.popleft().forget()
            self.store.discard_states(self.spent)
            names = (ChunkId(section.number, "key"), section.name, section.lead)
            self.spent = [name for name in names if name is not None]

    def _of(self, section: Section) -> Iterator[PaintedFrame]:
        """Yield the finished frames of a section. Its last ones wait for what leads out of it."""
        held = TAIL_FRAMES if self.closes or self.segments else 0
        if section.complete and section.lead is None:
            held = 0
        waiting = sum(len(frames) for _, frames in section.waiting)
        while section.waiting and section.waiting[0][0] in self.made:
            name, frames = section.waiting[0]
            if waiting - len(frames) < held:
                break
            section.waiting.popleft()
            waiting -= len(frames)
            yield from _together(self.made.pop(name), frames)
        names = {section.lead, *(name for name, _ in section.waiting)}
        if section.complete and self.made.keys() >= names:
            last: list[PaintedFrame] = []
            for name, frames in section.waiting:
                last += _together(self.made.pop(name), frames)
            section.waiting.clear()
            yield from self._led(section, last)

    def _led(self, section: Section, last: list[PaintedFrame]) -> list[PaintedFrame]:
        """Return the ``last`` frames of a section as they lead out of it."""
        if section.lead is None:
            return last
        chunk = self.made.pop(section.lead)
        many = len(chunk.made)
        frames = [one.frame for one in last[-many:]]
        return [*last[:-many], *_together(chunk, frames)]


def paintings(frames: int, segment: int | None, closes: bool) -> int:
    """Return how many pictures will be painted for a shot.

    Args:
        frames: of the shot.
        segment: frames of a segment. None means no segments.
        closes: whether the last frame leads into the first.
    """
    length = segment or max(1, frames)
    last = (frames - 1) % length + 1 if frames else 0
    joints = (frames - last) // length * lead_length(length)
    return frames + joints + (lead_length(last) if closes else 0)


def _together(chunk: Chunk, frames: Sequence[Frame]) -> list[PaintedFrame]:
    """Return ``frames`` with their paintings."""
    return [PaintedFrame(*one) for one in zip(frames, chunk.paintings, chunk.losses, strict=True)]
