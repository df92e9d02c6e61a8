"""A clip painted by a cluster: what each worker does, and what this process, the head, does.

A worker reads the part of the clip that it paints, keeps its paintings, and encodes them. The head
only says what is to be painted, and joins what was encoded. All share one folder, ``parts``: each
job reads its input there and leaves its result, so that any worker can do it, or do it again.
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
from ..core.errors import UsageError, VidstyleError
from ..core.events import Event, Listener, Notice, Painted
from ..core.files import frame_name
from ..core.folders import Folder, RemoteFolder
from ..core.frames import Frame
from ..core.images import Image
from ..core.version import __version__
from ..engines import ClipEngine, Learner
from ..engines.recovery import RecoveringEngine
from ..journal import CLIP_COPY, DAMAGE, ENCODED, FACTS_FILE, Chunk, ChunkId, ChunkStore
from ..media import Clip
from ..media.video import VideoClip
from ..networks import transformer as models
from ..plan import Footage, PaintPlan, make_engine
from ..temporal.shots import follows
from .compose import Composer, Summary
from .frames import Segment, frames_in, outlines, segments_of
from .output import part_writer
from .painting import paint_frames
from .scheduler import Scheduler

LOOKED_AT = Fraction(20)
"""Seconds of a clip in which one job looks for shots."""
LOOKERS = 32
"""Such jobs at the same time, at most, because the head holds what they find."""
AHEAD = 3
"""Segments a worker that are handed out before the first of them is done."""
TURN = 1.0
"""Seconds after which the head asks how far the workers are."""

Future = Hashable
"""Stands for the result of a job."""
Job = Literal["look", "key", "paint"]
"""What a worker is asked to do: look for shots, paint a key frame, paint a segment."""
Tell = Callable[[int, int, float], None]
"""Called with the number of a segment, how many of its pictures are painted, and the seconds of the
last one."""


@dataclass(frozen=True, eq=False)
class WorkOrder:
    """All that a worker needs to paint as this process would."""

    plan: PaintPlan
    parts: Folder
    model: bytes | None = None
    """The file of the model that was trained on the clip, if there is one."""
    version: str = __version__
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, plan: PaintPlan, engine: ClipEngine, parts: Folder) -> WorkOrder:
        """Return the order for a plan, whose ``engine`` may have learned the clip."""
        learned = engine.model if isinstance(engine, Learner) else None
        footage = replace(plan.footage, settings=replace(plan.settings, model=None))
        plan = replace(plan, footage=footage, tile_pixels=engine.tile_pixels)
        return cls(plan, parts, None if learned is None else models.dump(learned))


@dataclass(frozen=True)
class SegmentReport:
    """What is known of a segment that is painted and encoded."""

    losses: tuple[float, ...]
    notes: tuple[str, ...]
    given: int
    """How many of its frames had a painting already."""
    faces: int
    """The most faces in a frame."""


class Cluster(Protocol):
    """Workers, and a way to have them do jobs."""

    @property
    def size(self) -> int:
        """How many jobs can be done at the same time now."""

    def submit(self, job: Job, *given: Any, after: Sequence[Future] = ()) -> Future:
        """Have a job done by any worker, ``after`` other jobs are done."""

    def take(self, seconds: float) -> dict[Future, Any]:
        """Return the results that have come. If there are none, wait so many seconds for one.

        Raises:
            VidstyleError: a job failed, or the cluster is gone.
        """

    def told(self) -> list[tuple[int, int, float]]:
        """Return what workers have told since the last call."""


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
        if not self.parts.names(FACTS_FILE):
            raise UsageError(
                f"a worker of the cluster does not see {self.parts}: name a folder that all "
                f"machines share, or a URL, as --store"
            )
        footage = order.plan.footage
        most = footage.settings.max_pixels
        clip = self._seen(footage.clip, most)
        masks = (m if isinstance(m, str) else self._seen(m, most) for m in footage.masks)
        self.footage = replace(footage, clip=clip, masks=tuple(masks))
        self.settings, self.format = footage.settings, order.plan.output.format
        self.keep_frames = order.plan.keep_frames
        schedule, tile_pixels = order.plan.schedule, order.plan.tile_pixels
        self.composer = Composer.of(self.settings, schedule)
        self.engine = make_engine(self.settings, schedule, footage.size, tile_pixels)
        if isinstance(self.engine, Learner) and order.model is not None:
            with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
                file.write(order.model)
                file.flush()
                self.engine.take(models.load(Path(file.name)))

    def do(self, job: Job, given: Sequence[Any], tell: Tell) -> Any:
        """Do a job, and return its result."""
        with devices.threads(self.settings.threads):
            if job == "look":
                return outlines(self.footage, *given)
            if job == "key":
                return self.key(*given)
            segment, into = given
            return self.paint(segment, into, tell)

    def key(self, segment: Segment, before: Segment | None) -> tuple[str, ...]:
        """Paint the first frame of a segment, over that of the segment ``before`` it in its shot.
        Returns notices."""
        notes: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, Notice):
                notes.append(event.message)

        store = ChunkStore.of_section(self.parts, segment.number)
        scheduler = Scheduler(RecoveringEngine(self.engine, emit), emit, store, segments=True)
        over = None if before is None else self._key_of(before)
        scheduler.paint_key(segment.number, [next(frames_in(self.footage, segment))], over)
        return tuple(notes)

    def paint(self, segment: Segment, into: Segment | None, tell: Tell) -> SegmentReport:
        """Paint and encode a segment whose first frame is painted, to lead ``into`` another one."""
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

        store = ChunkStore.of_section(self.parts, segment.number)
        scheduler = Scheduler(RecoveringEngine(self.engine, emit), emit, store, segments=True)
        summary = Summary(False, None, self.footage.size)
        with tempfile.TemporaryDirectory(prefix="vidstyle") as here, store.in_background():
            encoder = part_writer(self.footage, self.format, Path(here) / "part")
            try:
                shown = paint_frames(
                    frames_in(self.footage, segment),
                    scheduler,
                    self.composer,
                    emit,
                    keep=self._keep if self.keep_frames else None,
                    first=segment.first,
                    section=segment.number,
                    into=None if into is None else self._key_of(into),
                )
                for done in shown:
                    whole = self.footage.framed(done.shown, done.frame)
                    encoder.write(replace(done.frame, rgb=whole))
                    summary.add(done.frame, done.shown, done.loss)
                encoder.close()
            except BaseException:
                encoder.abort()
                raise
            self.parts.write(encoded(segment), encoder.path.read_bytes())
        return SegmentReport(tuple(summary.losses), tuple(notes), summary.given, summary.faces)

    def _keep(self, number: int, painted: Image) -> None:
        self.parts.write(frame_name(number), media.encoded_image(painted))

    def _seen(self, clip: Clip, max_pixels: int) -> Clip:
        """Return a clip, or its copy if this machine does not see it."""
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
        return media.open_clip(copy, max_pixels)

    def _key_of(self, segment: Segment) -> Chunk:
        """Return the painting of the first frame of a segment."""
        name = ChunkId(segment.number, "key")
        store = ChunkStore(self.parts, [str(name)])
        try:
            chunk = store.get(name, next(frames_in(self.footage, segment)))
        except DAMAGE as error:
            raise VidstyleError(
                f"{self.parts}: {name} is damaged: use --restart to begin anew"
            ) from error
        assert chunk is not None
        return chunk


class Head:
    """Hands out what is to be painted, and yields what is done, in the order of the clip.

    It sees thumbnails of the clip and none of the paintings, so its work and its memory for a frame
    do not depend on the size of frames.
    """

    def __init__(self, plan: PaintPlan, cluster: Cluster, emit: Listener) -> None:
        self.footage, self.closes = plan.footage, plan.closes
        self.cluster, self.emit = cluster, emit
        self.results: dict[Future, Any] = {}
        """Those that have come, and have not been used yet."""
        self.keys: set[Future] = set()
        """Key frames that are being painted."""
        self.waiting: deque[tuple[Segment, Future]] = deque()
        """Segments that are handed out, from the first one on that is not done."""
        self.painted: dict[int, int] = {}
        """How many pictures of each segment at work are painted."""
        self.count = 0
        """How many are painted in all."""

    def painting(self) -> Iterator[tuple[Segment, SegmentReport]]:
        """Have all painted. Yields each segment once it, and all before it, are done."""
        first: tuple[Segment, Future] | None = None
        last: tuple[Segment, Future] | None = None
        for segment in segments_of(self.footage, self._outlines()):
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
        joins = self.closes and follows(first[0].pictures[0], last[0].pictures[1])
        self._hand_out(last, first if joins else None)
        while self.waiting:
            yield from self._done()
            if self.waiting:
                self._wait()

    def _hand_out(self, keyed: tuple[Segment, Future], into: tuple[Segment, Future] | None) -> None:
        """Have a segment painted. Its first frame, and that of the next one, are in the making."""
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
        """Wait for a result or for a while, and tell how far the workers are."""
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
        """Yield the frames of the clip as thumbnails, which the workers read stretch by stretch."""
        stretches = deque(self._stretches())
        looking: deque[tuple[tuple[Fraction, Fraction | None], Future]] = deque()
        due: Fraction | None = None
        while stretches or looking:
            while stretches and len(looking) < min(self.cluster.size, LOOKERS):
                stretch = stretches.popleft()
                looking.append((stretch, self.cluster.submit("look", *stretch)))
            stretch, future = looking.popleft()
            found = self._result(future)
            if due is not None and found and found[0].time != due:
                found = self._result(self.cluster.submit("look", *stretch, False))
            yield from found
            due = found[-1].time + found[-1].duration if found else due

    def _result(self, future: Future) -> Any:
        while future not in self.results:
            self._wait()
        return self.results.pop(future)

    def _stretches(self) -> list[tuple[Fraction, Fraction | None]]:
        """Return the stretches of the clip, in seconds, that one job each looks at."""
        start, end = self.footage.settings.span
        until = self.footage.clip.info.duration if end is None else end
        if until is None or not isinstance(self.footage.clip, VideoClip):
            return [(start, end)]
        bounds = [start + LOOKED_AT * n for n in range(1 + int((until - start) // LOOKED_AT))]
        return [*pairwise(bounds), (bounds[-1], end)]


def share(footage: Footage, parts: Folder) -> None:
    """Copy the files of the clip into ``parts``, if that is elsewhere, for workers that do not see
    them."""
    if isinstance(parts, RemoteFolder):
        for path in {clip.info.path for clip in (footage.clip, *footage.mask_clips)}:
            if path.is_file():
                facts = path.stat()
                name = f"{_copy_of(path)}{facts.st_size}-{facts.st_mtime_ns}{CLIP_COPY}"
                there = parts.names(_copy_of(path))
                for other in there - {name}:
                    parts.remove(other)
                if name not in there:
                    parts.upload(path, name)


def _copy_of(path: Path) -> str:
    """Return how the name of a copy of this file begins. The rest tells it from an older one."""
    return f"{hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()}-"


def encoded(segment: Segment) -> str:
    """Return the name of the file of an encoded segment."""
    return f"{segment.number:05}{ENCODED}"
