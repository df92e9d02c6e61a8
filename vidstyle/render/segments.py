"""Shots cut into segments that can be painted apart and at the same time.

A segment begins with a key frame. The key frames of a shot are painted first, each over the one
before, so that they agree; every segment is painted on from its own, and its last frames lead into
the next one's key frame, as the end of a loop leads into its beginning.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..core.events import Listener, Notice, Painted, Step, Stepped
from ..core.images import Image
from ..media import Frame
from ..temporal.shots import follows
from .checkpoint import ChunkStore, Resumable, State
from .reel import TAIL, Loss, PaintedFrame, Progress, led

CHUNK = 4
"""Frames that are painted at one go: what is lost with a worker that dies."""

KEY, LEAD = "key", "lead"
"""In the names of stretches: of a key frame, and of what leads into the next one."""

Future = Any
"""A ``Chunk``, or what stands for one that is not there yet."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Some frames of a shot, the first of which is the key frame."""

    number: int
    frames: tuple[Frame, ...]
    starts_shot: bool
    """Whether it begins a shot."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Frames that were painted at one go."""

    paintings: tuple[Image, ...]
    losses: tuple[float, ...]
    state: State
    """What the frame after them needs."""
    last: Frame
    """The last of the frames."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def segments(frames: Iterable[tuple[Frame, bool]], length: int) -> Iterator[Segment]:
    """``frames``, each with whether it begins a shot, in segments of at most this length."""
    number, held, starts_shot = 0, list[Frame](), True
    for frame, cut in frames:
        if held and (cut or len(held) == length):
            yield Segment(number, tuple(held), starts_shot)
            number, held, starts_shot = number + 1, [], cut
        held.append(frame)
    if held:
        yield Segment(number, tuple(held), starts_shot)


def paintings(frames: int, length: int, closes: bool) -> int:
    """How many pictures will be painted for so many ``frames``, if they are one shot."""
    last = (frames - 1) % length + 1 if frames else 0
    return frames + (frames - last) // length * led(length) + (led(last) if closes else 0)


def paint(
    engine: Resumable, progress: Progress, frames: Sequence[Frame], before: Chunk | None
) -> Chunk:
    """Paint frames that come after those of the stretch ``before``, or begin a shot."""
    began = time.monotonic()
    if before is None:
        engine.reset()
    else:
        engine.restore(before.state)
    done = None
    if before is not None:
        done = PaintedFrame(before.last, before.paintings[-1], before.losses[-1], False)
    made: list[PaintedFrame] = []
    for frame, following in zip(frames, [*frames[1:], None], strict=True):
        if following is not None:
            engine.prefetch_flow(following.rgb, frame.rgb)
        if done is not None and engine.is_duplicate(frame, done.frame):
            done = replace(done, frame=frame)
        else:
            loss = Loss(progress)
            done = PaintedFrame(frame, engine.paint(frame, loss), loss.value, False)
        made.append(done)
    return _chunk(made, engine.state(), began)


def lead(
    engine: Resumable,
    progress: Progress,
    frames: Sequence[Frame],
    into: Chunk,
    *painted: Chunk,
) -> Chunk:
    """Paint the last ``frames`` of a segment once more, backward from the key frame that they lead
    ``into``, ever less of which goes in. The segment's last stretches were ``painted`` before.
    """
    began = time.monotonic()
    before = [picture for chunk in painted for picture in chunk.paintings][-len(frames) :]
    engine.restore(painted[-1].state)
    engine.anchor(into.last, into.paintings[-1])
    made: list[PaintedFrame] = []
    for step, (frame, picture) in enumerate(zip(frames[::-1], before[::-1], strict=True)):
        loss = Loss(progress)
        again = engine.repaint(frame, picture, 1 - step / len(frames), loss)
        made.append(PaintedFrame(frame, again, loss.value, False))
    return _chunk(made[::-1], {}, began)


def _chunk(made: Sequence[PaintedFrame], state: State, began: float) -> Chunk:
    paintings, losses = tuple(one.painted for one in made), tuple(one.loss for one in made)
    return Chunk(paintings, losses, state, made[-1].frame, time.monotonic() - began)


class Executor(Protocol):
    """Those who paint stretches."""

    size: int
    """How many paint at the same time."""

    def submit(self, work: Callable[..., Chunk], *given: Any) -> Future:
        """Let one of them do ``work(painter, progress, *given)``; what is given may be promises."""

    def done(self, promises: Mapping[str, Future], wait: bool) -> dict[str, Chunk]:
        """What is there of these; if there is to be a ``wait``, one at least."""


class LocalExecutor:
    """A crew of one: this process."""

    size = 1

    def __init__(self, engine: Resumable, emit: Listener) -> None:
        self.engine, self.emit = engine, emit
        self.count = 0

    def submit(self, work: Callable[..., Chunk], *given: Any) -> Chunk:
        chunk = work(self.engine, self._progress, *given)
        self.count += len(chunk.paintings)
        return chunk

    def done(self, promises: Mapping[str, Chunk], wait: bool) -> dict[str, Chunk]:
        return {**promises}

    def _progress(self, step: Step) -> None:
        self.emit(Stepped(self.count + 1, step))


@dataclass(eq=False)
class SegmentJob:
    """A segment at work."""

    segment: Segment
    key: Future
    names: list[str]
    """Of its stretches, in the order of its frames: the key frame's first."""
    tail: deque[Future]
    """Its last stretches: those that lead into another segment, and one that counts for none."""
    leads: str | None = None
    """The name of what does."""


class SegmentScheduler:
    """Paints the frames of a clip segment by segment with a ``executor``, and closes the loop if it
    ``closes``. What is painted is kept on a ``chunks``, if there is one, and not painted again.
    """

    def __init__(
        self,
        executor: Executor,
        emit: Listener,
        chunks: ChunkStore | None,
        length: int,
        closes: bool = False,
    ) -> None:
        self.executor, self.emit, self.chunks = executor, emit, chunks
        self.length, self.closes = length, closes
        self.open: dict[str, Future] = {}
        """What is promised and was not there yet, by its name."""
        self.made: dict[str, Chunk] = {}
        """What is there, and not written yet."""
        self.spent: dict[str, str] = {}
        """What nothing but a stretch of that name goes on from."""
        self.count = 0

    def paint(self, frames: Iterable[tuple[Frame, bool]]) -> Iterator[PaintedFrame]:
        """``frames``, each with whether it begins a shot, painted."""
        jobs: deque[SegmentJob] = deque()
        first: SegmentJob | None = None
        for segment in segments(frames, self.length):
            before = None if segment.starts_shot else jobs[-1]
            name = f"{segment.number:05}-{KEY}"
            key = self._do(name, paint, segment.frames[:1], before and before.key)
            if before is not None:
                self._lead(before, key)
            job = SegmentJob(segment, key, [name], deque([key], TAIL // CHUNK + 1))
            self._go_on(job)
            jobs.append(job)
            first = first or job
            # One more than are at work: its key frame is what the one before leads into.
            while len(jobs) > self.executor.size + 1:
                yield from self._finished(jobs)
        if self.closes and first is not None and _joins(jobs[-1].segment, first.segment):
            self._lead(jobs[-1], first.key)
        while jobs:
            yield from self._finished(jobs)

    def _go_on(self, job: SegmentJob) -> None:
        """Have a segment painted on from its key frame."""
        frames = job.segment.frames
        for at in range(1, len(frames), CHUNK):
            name = f"{job.segment.number:05}-{at:05}"
            if at > 1:
                self.spent[name] = job.names[-1]
            job.tail.append(self._do(name, paint, frames[at : at + CHUNK], job.tail[-1]))
            job.names.append(name)

    def _lead(self, job: SegmentJob, into: Future) -> None:
        """Have the end of a segment lead into the painting of the frame after it."""
        frames = job.segment.frames
        if many := led(len(frames)):
            job.leads = f"{job.segment.number:05}-{LEAD}"
            self._do(job.leads, lead, frames[-many:], into, *job.tail)

    def _do(
        self, name: str, work: Callable[..., Chunk], frames: Sequence[Frame], *given: Future
    ) -> Future:
        """What ``work`` makes of ``frames``: promised, or kept from a run before."""
        kept = self.chunks.get(name) if self.chunks else None
        if kept is not None:
            promise: Future = Chunk(*kept, last=frames[-1])
            self._took(name, promise)
        else:
            promise = self.open[name] = self.executor.submit(work, frames, *given)
            self._take(wait=False)
        return promise

    def _take(self, wait: bool) -> None:
        for name, chunk in self.executor.done(self.open, wait).items():
            del self.open[name]
            if self.chunks:
                self.chunks.put(name, chunk.paintings, chunk.losses, chunk.state)
                self.chunks.discard_state({self.spent.pop(name, name)} - {name})
            self._took(name, chunk)

    def _took(self, name: str, chunk: Chunk) -> None:
        # What comes after has its state from the crew.
        self.made[name] = replace(chunk, state={})
        for note in chunk.notes:
            self.emit(Notice(note))
        for _ in chunk.paintings:
            self.count += 1
            seconds = chunk.seconds / len(chunk.paintings) / self.executor.size
            self.emit(Painted(self.count, seconds, name.endswith(KEY)))

    def _finished(self, jobs: deque[SegmentJob]) -> Iterator[PaintedFrame]:
        job = jobs.popleft()
        names = [*job.names, *([job.leads] if job.leads else [])]
        # The next key frame goes on from this one: what that needs is thrown away after it.
        while not self.made.keys() >= {*names, *(later.names[0] for later in jobs)}:
            self._take(wait=True)
        made = [self.made.pop(name) for name in names]
        if self.chunks:
            self.chunks.discard_state(names)
        done = [one for some in made for one in zip(some.paintings, some.losses, strict=True)]
        if job.leads:
            many = len(made[-1].paintings)
            done[-2 * many :] = done[-many:]
        for number, (frame, (painted, loss)) in enumerate(
            zip(job.segment.frames, done, strict=True)
        ):
            yield PaintedFrame(frame, painted, loss, job.segment.starts_shot and number == 0)


def _joins(last: Segment, first: Segment) -> bool:
    """Whether the end of a clip goes on at its beginning: its own loop may have a cut there."""
    return follows(first.frames[0].rgb, last.frames[-1].rgb)
