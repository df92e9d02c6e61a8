"""The order in which the frames of a clip are painted: shot by shot, in passes, round a loop.

A shot is painted from its first frame on. Where it is cut into segments, each begins with a key
frame: these are painted first, each over the one before, so that they agree; every segment is
painted on from its own, and its last frames lead into the next key frame. The end of a loop leads
into its beginning in the same way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.events import Listener, Painted, Step, Stepped
from ..core.frames import Frame
from ..engines import Engine
from ..temporal.shots import follows
from .checkpoint import KEY, LEAD, ChunkStore
from .chunks import (
    TAIL_FRAMES,
    Chunk,
    PaintedFrame,
    Task,
    Work,
    carry_on,
    led,
    paint,
    repaint,
    tasks,
)
from .spool import Spool

BLEND = 0.5
"""How much of a frame comes from the one beside it, in each pass after the first."""


@dataclass(eq=False)
class Section:
    """A shot, or a segment of one, that is being painted."""

    number: int
    first: Frame
    key: Chunk
    """The chunk of its first frame."""
    chunk: Chunk | None
    """The chunk that the next one goes on from."""
    name: str
    """What that is called."""
    length: int = 0
    frames: deque[Frame] = field(default_factory=lambda: deque[Frame](maxlen=TAIL_FRAMES))
    """The last frames."""
    ends: deque[Chunk] = field(default_factory=deque)
    """The last chunks, with the paintings of these."""
    waiting: deque[tuple[str, tuple[Frame, ...]]] = field(default_factory=deque)
    """The chunks, by name, whose paintings have not been handed on."""
    lead: str | None = None
    """The name of the chunk that leads out of it."""
    spool: Spool | None = None
    """Its frames and paintings, where all of them are painted again."""
    complete: bool = False
    """Whether nothing of it will be painted any more that has not been submitted."""

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
        store: keeps the chunks, and has those of a run before, which are not painted again.
        segments: whether shots are cut where frames begin a segment; else they stream.
        passes: how often each whole shot is painted (Ruder et al. 2016): more than one keeps it
            on disk.
        closes: whether the last frame leads into the first.
    """

    def __init__(
        self,
        engine: Engine,
        emit: Listener,
        store: ChunkStore | None = None,
        *,
        segments: bool = False,
        passes: int = 1,
        closes: bool = False,
    ) -> None:
        self.engine, self.emit, self.store = engine, emit, store
        self.segments, self.passes, self.closes = segments, passes, closes
        self.runs: deque[Section] = deque()
        """Those that are not handed on yet."""
        self.last: Chunk | None = None
        """Where the engine stands."""
        self.made: dict[str, Chunk] = {}
        """The chunks whose paintings have not been handed on."""
        self.superseded: dict[str, str] = {}
        """Of a chunk that will be made, the one whose state nothing else goes on from."""
        self.spent: list[str] = []
        """Chunks of the run before, which the next key frame may still go on from."""
        self.count = 0

    def paint(
        self, frames: Iterable[Frame], number: int = 0, into: Chunk | None = None
    ) -> Iterator[PaintedFrame]:
        """``frames``, painted, in their order; the first run of them is called by its ``number``,
        and the last frame leads ``into`` that of a chunk."""
        first: Section | None = None
        for task in tasks(frames, self.segments, number):
            if task.at == 0:
                self._begin(task)
                first = first or self.runs[-1]
            else:
                self._go_on(self.runs[-1], task)
            last = task.frames[-1]
            yield from self._ready()
        if first is None:
            return
        self._repeat(self.runs[-1])
        # The source's own loop may have a cut: nothing leads over that.
        if self.closes and follows(first.first.rgb, last.rgb):
            into = first.key
        self._end(self.runs[-1], into)
        yield from self._ready()

    def paint_key(
        self,
        number: int,
        frames: Sequence[Frame],
        before: Chunk | None,
        following: Frame | None = None,
    ) -> Chunk:
        """Paint the first of the ``frames`` of a run, over that of the run before in its shot."""
        return self._do(f"{number:05}-{KEY}", paint, frames, before, following)

    def _begin(self, task: Task) -> None:
        """Begin a run, led into by the one before if they are of one shot."""
        frame = task.frames[0]
        before = self.runs[-1] if self.runs else None
        if before is not None and frame.starts_shot:
            self._repeat(before)
            self._end(before, None)
            before = None
        name = f"{task.run:05}-{KEY}"
        over = before.key if before is not None else None
        key = self.paint_key(task.run, task.frames, over, task.following)
        run = Section(task.run, frame, key, key, name, spool=Spool() if self.passes > 1 else None)
        self._add(run, key, name, task.frames)
        if before is not None:
            self._end(before, key)
        self.runs.append(run)

    def _go_on(self, run: Section, task: Task) -> None:
        """Paint the next frames of a run."""
        name = f"{run.number:05}-{task.at:05}"
        if task.at > 1 or not self.segments:  # else the next key frame goes on from it, too
            self.superseded[name] = run.name
        chunk = self._do(name, paint, task.frames, run.chunk, task.following)
        self._add(run, chunk, name, task.frames)

    def _add(self, run: Section, chunk: Chunk, name: str, frames: Sequence[Frame]) -> None:
        """Note that ``frames``, the next ones of a run, are painted as ``chunk``."""
        run.chunk, run.name = chunk, name
        run.length += len(frames)
        if run.spool is not None:
            run.spool.append(_single(self.made.pop(name), frames))
            return
        run.waiting.append((name, tuple(frames)))
        run.frames.extend(frames)
        run.ends.append(chunk.stateless())
        while sum(len(end.paintings) for end in [*run.ends][1:]) >= TAIL_FRAMES:
            run.ends.popleft()

    def _end(self, run: Section, into: Chunk | None) -> None:
        """Nothing comes after the frames of a run, which leads ``into`` the last frame of a chunk:
        paint its last ones again, to lead there."""
        if into is not None and (many := led(run.length)):
            run.lead = f"{run.number:05}-{LEAD}"
            shares = tuple(1 - step / many for step in range(many))
            frames = tuple(run.frames)[-many:]
            self._do(run.lead, repaint, frames, run.chunk, shares, into, *run.ends)
        run.key = run.key.stateless()
        run.complete = True

    def _repeat(self, run: Section) -> None:
        """Paint a whole shot again, backward and forward in turn, if there are to be passes."""
        spool = run.spool
        if spool is None:
            return
        for number in range(1, self.passes):
            order = range(len(spool))[:: -1 if number % 2 else 1]
            beside: Chunk | None = _chunk_of(spool[order[0]])
            for at in order[1:]:
                one = spool[at]
                name = f"{run.number:05}-pass{number}-{at:05}"
                self.superseded[name] = run.name
                run.chunk = self._do(
                    name, repaint, (one.frame,), run.chunk, (BLEND,), beside, _chunk_of(one)
                )
                run.name, beside = name, None
                spool[at] = _single(self.made.pop(name), (one.frame,))
        run.key = _chunk_of(spool[0])
        ends = [spool[at] for at in range(max(0, len(spool) - TAIL_FRAMES), len(spool))]
        run.frames.extend(one.frame for one in ends)
        run.ends.extend(_chunk_of(one) for one in ends)

    def _do(
        self,
        name: str,
        work: Work,
        frames: Sequence[Frame],
        before: Chunk | None,
        *given: Any,
    ) -> Chunk:
        """What ``work`` makes of ``frames``, now or in a run before."""
        superseded = self.superseded.pop(name, None)
        chunk = self.store.get(name, frames[-1]) if self.store else None
        if chunk is None:
            if before is None or before is not self.last:
                carry_on(self.engine, before)
            chunk = self.last = work(self.engine, self._stepped, frames, before, *given)
            if self.store is not None:
                self.store.put(name, chunk, superseded)
        self._took(name, chunk)
        return chunk

    def _stepped(self, step: Step) -> None:
        self.emit(Stepped(self.count + 1, step))

    def _took(self, name: str, chunk: Chunk) -> None:
        self.made[name] = chunk.stateless()
        seconds = chunk.seconds / len(chunk.paintings)
        for painting in chunk.paintings:
            self.count += 1
            self.emit(Painted(self.count, seconds, name.endswith(KEY), painting))

    def _ready(self) -> Iterator[PaintedFrame]:
        """The frames that nothing will change any more, from the first one on."""
        while self.runs:
            run = self.runs[0]
            yield from self._of_spool(run) if run.spool is not None else self._of(run)
            if run.waiting or not run.complete:
                return
            self.runs.popleft().forget()
            if self.store is not None:
                self.store.discard_states(self.spent)
            names = (f"{run.number:05}-{KEY}", run.name, run.lead)
            self.spent = [name for name in names if name is not None]

    def _of(self, run: Section) -> Iterator[PaintedFrame]:
        """The finished frames of a run; its last ones wait for what may lead out of it."""
        held = TAIL_FRAMES if self.closes or self.segments else 0
        if run.complete and run.lead is None:
            held = 0
        waiting = sum(len(frames) for _, frames in run.waiting)
        while run.waiting and run.waiting[0][0] in self.made:
            name, frames = run.waiting[0]
            if waiting - len(frames) < held:
                break
            run.waiting.popleft()
            waiting -= len(frames)
            yield from _together(self.made.pop(name), frames)
        names = {run.lead, *(name for name, _ in run.waiting)}
        if run.complete and self.made.keys() >= names:
            last: list[PaintedFrame] = []
            for name, frames in run.waiting:
                last += _together(self.made.pop(name), frames)
            run.waiting.clear()
            yield from self._led(run, last)

    def _of_spool(self, run: Section) -> Iterator[PaintedFrame]:
        """The frames of a shot that was painted again, once that is done."""
        if not run.complete or run.spool is None:
            return
        with run.spool as spool:
            tail = max(0, len(spool) - TAIL_FRAMES)
            yield from (spool[at] for at in range(tail))
            yield from self._led(run, [spool[at] for at in range(tail, len(spool))])

    def _led(self, run: Section, last: list[PaintedFrame]) -> list[PaintedFrame]:
        """The ``last`` frames of a run as they lead out of it."""
        if run.lead is None:
            return last
        chunk = self.made.pop(run.lead)
        many = len(chunk.paintings)
        frames = [one.frame for one in last[-many:]]
        return [*last[:-many], *_together(chunk, frames)]


def paintings(frames: int, segment: int | None, passes: int, closes: bool) -> int:
    """How many pictures will be painted for so many ``frames``, if they are one shot."""
    length = segment or max(1, frames)
    last = (frames - 1) % length + 1 if frames else 0
    again = (passes - 1) * max(0, frames - 1)
    return frames + again + (frames - last) // length * led(length) + (led(last) if closes else 0)


def _together(chunk: Chunk, frames: Sequence[Frame]) -> list[PaintedFrame]:
    """``frames`` with their paintings."""
    return [PaintedFrame(*one) for one in zip(frames, chunk.paintings, chunk.losses, strict=True)]


def _single(chunk: Chunk, frames: Sequence[Frame]) -> PaintedFrame:
    (one,) = _together(chunk, frames)
    return one


def _chunk_of(one: PaintedFrame) -> Chunk:
    return Chunk((one.painted,), (one.loss,), {}, one.frame)
