"""A clip painted by many: what each worker does, and what is left for the head.

A worker reads the part of the clip that it paints, keeps its paintings, and encodes them. The head
only says what is to be painted, and joins what was encoded. All meet in one folder, ``parts``: each
job reads what it needs there and leaves what it has made, so that any worker may do it, and again.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

from filelock import FileLock

from .. import media
from ..core import devices
from ..core.background import ahead
from ..core.errors import UsageError, VidstyleError
from ..core.events import Event, Listener, Notice, Painted
from ..core.files import frame_name
from ..core.folders import Folder, RemoteFolder
from ..core.frames import Frame
from ..core.version import __version__
from ..engines import ClipEngine
from ..engines.recovery import RecoveringEngine
from ..media import Clip
from ..media.video import VideoClip
from ..networks import transformer as models
from ..plan import Plan, make_engine
from ..plan.output import FACTS
from ..temporal.shots import follows
from .checkpoint import DAMAGE, ENCODED, KEY, SOURCE, ChunkStore
from .chunks import Chunk
from .compose import composed
from .frames import READ_AHEAD, Segment, frames_in, outlines, segments_of
from .keys import key_notes
from .output import part_writer
from .scheduler import Scheduler

LOOKED_AT = Fraction(20)
"""Seconds of a clip that one job looks for shots in."""
LOOKERS = 32
"""Such jobs at the same time, at most: the head holds what they have found."""
AHEAD = 3
"""Segments for each worker that are handed out before the first of them is done."""
TURN = 1.0
"""Seconds after which the head looks how far the workers are."""

Future = Hashable
"""Stands for the result of a job."""
Job = Literal["look", "key", "paint"]
"""What a worker is asked to do: look for shots, paint a key frame, paint a segment."""
Tell = Callable[[int, int, float], None]
"""Called with the number of a segment, how many of its pictures are painted, and the seconds that
one took."""


@dataclass(frozen=True, eq=False)
class WorkOrder:
    """All that a worker needs to paint as this process would."""

    work: Plan
    parts: Folder
    model: bytes | None = None
    """What was learned from the clip."""
    version: str = __version__
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, work: Plan, engine: ClipEngine, parts: Folder) -> WorkOrder:
        """The order for a plan, whose ``engine`` may have learned the clip."""
        learned = engine.stylizer.model if engine.stylizer is not None else None
        settings = replace(work.settings, model=None)
        work = replace(work, settings=settings, tile_pixels=engine.tile_pixels)
        return cls(work, parts, None if learned is None else models.dump(learned))


@dataclass(frozen=True)
class SegmentReport:
    """What there is to say of a segment that is painted and encoded."""

    losses: tuple[float, ...]
    notes: tuple[str, ...]
    given: int
    """How many of its frames had a painting already."""


class Cluster(Protocol):
    """Workers, and a way to have them do jobs."""

    @property
    def size(self) -> int:
        """How many jobs are done at the same time, as things are now."""

    def submit(self, job: Job, *given: Any, after: Sequence[Future] = ()) -> Future:
        """Have a job done by any worker, once those are done that it comes ``after``."""

    def take(self, seconds: float) -> dict[Future, Any]:
        """The results that have come; where there are none, waits so long for one.

        Raises:
            VidstyleError: a job failed, or the cluster is gone.
        """

    def told(self) -> list[tuple[int, int, float]]:
        """What workers have told since this was last asked."""


class Worker:
    """Does the jobs of an order, one after the other.

    Raises:
        UsageError: another version is installed here, or what the settings name is not here.
    """

    def __init__(self, order: WorkOrder) -> None:
        if order.version != __version__:
            raise UsageError(
                f"a worker of the cluster has vidstyle {__version__}, not {order.version}: "
                f"install the same everywhere"
            )
        self.parts = order.parts
        if not self.parts.names(FACTS):
            raise UsageError(
                f"a worker of the cluster does not see {self.parts}: name a folder that all "
                f"machines share, or a URL, as --store"
            )
        self.work = order.work
        clip, *masks = (self._seen(clip) for clip in (self.work.clip, *self.work.masks))
        self.work = replace(self.work, clip=clip, masks=tuple(masks))
        self.engine = make_engine(self.work)
        if self.engine.stylizer is not None and order.model is not None:
            with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
                file.write(order.model)
                file.flush()
                self.engine.stylizer.take(models.load(Path(file.name)))

    def do(self, job: Job, given: Sequence[Any], tell: Tell) -> Any:
        """Do a job, and return its result."""
        with devices.threads(self.work.settings.threads):
            if job == "look":
                return outlines(self.work, *given)
            if job == "key":
                return self.key(*given)
            segment, into = given
            return self.paint(segment, into, tell)

    def key(self, segment: Segment, before: Segment | None) -> tuple[str, ...]:
        """Paint the first frame of a segment over that of the one ``before`` it in its shot;
        returns what there is to say of it."""
        notes: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, Notice):
                notes.append(event.message)

        store = ChunkStore.of_run(self.parts, segment.number)
        scheduler = Scheduler(RecoveringEngine(self.engine, emit), emit, store, segments=True)
        over = None if before is None else self._key_of(before)
        scheduler.paint_key(segment.number, [next(frames_in(self.work, segment))], over)
        return tuple(notes)

    def paint(self, segment: Segment, into: Segment | None, tell: Tell) -> SegmentReport:
        """Paint a segment whose first frame is painted, lead it into that of another one, and
        encode it."""
        notes: list[str] = []
        painted = count(1)

        def emit(event: Event) -> None:
            match event:
                case Notice(message):
                    notes.append(message)
                case Painted():
                    tell(segment.number, next(painted), event.seconds)
                case _:
                    pass

        store = ChunkStore.of_run(self.parts, segment.number)
        scheduler = Scheduler(RecoveringEngine(self.engine, emit), emit, store, segments=True)
        goal = None if into is None else self._key_of(into)
        losses: list[float] = []
        given = 0
        with tempfile.TemporaryDirectory(prefix="vidstyle") as here, store.in_background():
            encoder = part_writer(self.work, Path(here) / "part")
            try:
                frames = ahead(frames_in(self.work, segment), READ_AHEAD)
                for done in scheduler.paint(frames, segment.number, goal):
                    losses.append(done.loss)
                    number = segment.first + len(losses)
                    shown = composed(done.painted, done.frame, self.work)
                    encoder.write(replace(done.frame, rgb=shown))
                    given += done.frame.painting is not None
                    notes += key_notes(done.frame, number)
                    if self.work.keep_frames:
                        self.parts.write(frame_name(number), media.encoded_image(done.painted))
                encoder.close()
            except BaseException:
                encoder.abort()
                raise
            self.parts.write(encoded(segment), encoder.path.read_bytes())
        return SegmentReport(tuple(losses), tuple(notes), given)

    def _seen(self, clip: Clip) -> Clip:
        """A clip, or its copy where this machine does not see it."""
        path = clip.info.path
        if path.exists():
            return clip
        copies = sorted(self.parts.names(_copy_of(path)))
        if not isinstance(self.parts, RemoteFolder) or not copies:
            raise UsageError(
                f"a worker of the cluster does not see {path}: put it where all machines do"
            )
        unique = hashlib.blake2b(str(self.parts).encode(), digest_size=8).hexdigest()
        copy = Path(tempfile.gettempdir()) / f"vidstyle-{unique}-{copies[-1]}"
        with FileLock(f"{copy}.lock"):  # one for all workers of this machine
            if not copy.exists():
                self.parts.download(copies[-1], copy)
        return media.open_clip(copy, self.work.settings.max_pixels)

    def _key_of(self, segment: Segment) -> Chunk:
        """The painting of the first frame of a segment."""
        name = f"{segment.number:05}-{KEY}"
        store = ChunkStore(self.parts, [name])
        try:
            chunk = store.get(name, next(frames_in(self.work, segment)))
        except DAMAGE as error:
            raise VidstyleError(
                f"{self.parts}: {name} is damaged: use --restart to begin anew"
            ) from error
        assert chunk is not None
        return chunk


class Head:
    """Says what is to be painted, and hands on what is done, in the order of the clip.

    Of the clip it sees thumbnails, and of the paintings nothing: what it does and holds for a
    frame is the same however large that is.
    """

    def __init__(self, work: Plan, cluster: Cluster, emit: Listener) -> None:
        self.work, self.cluster, self.emit = work, cluster, emit
        self.results: dict[Future, Any] = {}
        """Those that have come, and were not asked for yet."""
        self.keys: set[Future] = set()
        """Key frames that are being painted."""
        self.waiting: deque[tuple[Segment, Future]] = deque()
        """Segments that are handed out, from the first one that is not done."""
        self.painted: dict[int, int] = {}
        """How many pictures of each segment at work are painted."""
        self.count = 0
        """How many are in all."""

    def painting(self) -> Iterator[tuple[Segment, SegmentReport]]:
        """Have all painted; gives each segment when it, and all before it, are done."""
        first: tuple[Segment, Future] | None = None
        last: tuple[Segment, Future] | None = None
        for segment in segments_of(self.work, self._outlines()):
            over = None if segment.starts_shot else last
            before, after = (None, ()) if over is None else (over[0], (over[1],))
            key = segment, self.cluster.submit("key", segment, before, after=after)
            self.keys.add(key[1])
            if last is not None:
                self._hand_out(last, key if over is not None else None)
            first, last = first or key, key
            yield from self._done()
            while len(self.waiting) > AHEAD * self.cluster.size:
                self._wait()
                yield from self._done()
        if first is None or last is None:
            return
        # The source's own loop may have a cut: nothing leads over that.
        joins = self.work.closes and follows(first[0].pictures[0], last[0].pictures[1])
        self._hand_out(last, first if joins else None)
        while self.waiting:
            yield from self._done()
            if self.waiting:
                self._wait()

    def _hand_out(self, keyed: tuple[Segment, Future], into: tuple[Segment, Future] | None) -> None:
        """Have a segment painted whose first frame is being painted, as is that of the next."""
        segment, key = keyed
        goal, after = (None, (key,)) if into is None else (into[0], (key, into[1]))
        future = self.cluster.submit("paint", segment, goal, after=after)
        self.waiting.append((segment, future))

    def _done(self) -> Iterator[tuple[Segment, SegmentReport]]:
        while self.waiting and self.waiting[0][1] in self.results:
            segment, future = self.waiting.popleft()
            self.painted.pop(segment.number, None)
            yield segment, self.results.pop(future)

    def _wait(self) -> None:
        """Wait for a result, or for a while, and tell how far the workers are."""
        for future, result in self.cluster.take(TURN).items():
            if future in self.keys:
                self.keys.remove(future)
                for line in result:
                    self.emit(Notice(line))
            else:
                self.results[future] = result
        for number, painted, seconds in self.cluster.told():
            before = self.painted.get(number, 0)
            if painted > before:  # it may be painted a second time, where a worker was lost
                self.painted[number] = painted
                self.count += painted - before
                each = seconds / max(1, self.cluster.size)
                self.emit(Painted(self.count, each, painted == 1, None))

    def _outlines(self) -> Iterator[Frame]:
        """The frames of the clip as thumbnails, looked at by the workers part by part."""
        parts = deque(self._parts())
        looking: deque[tuple[tuple[Fraction, Fraction | None], Future]] = deque()
        due: Fraction | None = None
        while parts or looking:
            while parts and len(looking) < min(self.cluster.size, LOOKERS):
                part = parts.popleft()
                looking.append((part, self.cluster.submit("look", *part)))
            part, future = looking.popleft()
            found = self._result(future)
            if due is not None and found and found[0].time != due:
                found = self._result(self.cluster.submit("look", *part, False))
            yield from found
            due = found[-1].time + found[-1].duration if found else due

    def _result(self, future: Future) -> Any:
        while future not in self.results:
            self._wait()
        return self.results.pop(future)

    def _parts(self) -> list[tuple[Fraction, Fraction | None]]:
        """Where the parts of the clip begin and end that are looked at by one job each."""
        start, end = self.work.settings.span
        until = self.work.clip.info.duration if end is None else end
        if until is None or not isinstance(self.work.clip, VideoClip):
            return [(start, end)]
        bounds = [start + LOOKED_AT * n for n in range(1 + int((until - start) // LOOKED_AT))]
        return [*pairwise(bounds), (bounds[-1], end)]


def share(work: Plan, parts: Folder) -> None:
    """Have the files of the clip in ``parts``, if that is a place from where workers can get them
    that do not see them."""
    if isinstance(parts, RemoteFolder):
        for path in {clip.info.path for clip in (work.clip, *work.masks)}:
            if path.is_file():
                facts = path.stat()
                name = f"{_copy_of(path)}{facts.st_size}-{facts.st_mtime_ns}{SOURCE}"
                there = parts.names(_copy_of(path))
                for other in there - {name}:
                    parts.remove(other)
                if name not in there:
                    parts.upload(path, name)


def _copy_of(path: Path) -> str:
    """How the name of a copy of this file begins; the rest tells it from an older one."""
    return f"{hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()}-"


def encoded(segment: Segment) -> str:
    """The name of the file of a segment that is encoded."""
    return f"{segment.number:05}{ENCODED}"
