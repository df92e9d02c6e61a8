"""A clip painted by workers that read, keep and encode their own parts of it."""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidstyle
from vidstyle import UsageError, VidstyleError, media
from vidstyle.core.events import Painted
from vidstyle.core.folders import LocalFolder, RemoteFolder, fetched, folder_at
from vidstyle.journal import FACTS_FILE, ChunkStore, Journal
from vidstyle.plan import plan
from vidstyle.render import cluster, frames
from vidstyle.render.cluster import Future, Job, Worker, WorkOrder

from ..conftest import QUICK, scene, write_video


class DiedError(Exception):
    """A worker is gone in the middle of its job."""


class InlineCluster:
    """Does jobs in this process, in any order that they allow; one in ``deaths`` of them dies in
    the middle, and is begun again by another worker."""

    size = 3

    def __init__(self, order: WorkOrder, deaths: float = 0.0) -> None:
        self.order, self.deaths = pickle.loads(pickle.dumps(order)), deaths
        self.random = random.Random(1)
        self.worker = Worker(self.order)
        self.jobs: dict[int, tuple[Job, Sequence[Any], Sequence[Future]]] = {}
        self.done: set[Future] = set()
        self.notes: list[tuple[int, int, float]] = []
        self.died = 0

    def submit(self, job: Job, *given: Any, after: Sequence[Future] = ()) -> Future:
        number = len(self.jobs) + len(self.done)
        self.jobs[number] = job, pickle.loads(pickle.dumps(given)), after
        return number

    def take(self, seconds: float) -> dict[Future, Any]:
        ready = [n for n, (_, _, after) in self.jobs.items() if self.done >= {*after}]
        if not ready:
            return {}
        number = self.random.choice(ready)
        job, given, _ = self.jobs[number]
        lives = self.random.randint(1, 3) if self.random.random() < self.deaths else None
        try:
            result = self.worker.do(job, given, self._tell(lives))
        except DiedError:
            self.died += 1
            self.worker = Worker(self.order)
            return {}
        del self.jobs[number]
        self.done.add(number)
        return {number: pickle.loads(pickle.dumps(result))}

    def _tell(self, lives: int | None) -> Callable[[int, int, float], None]:
        def tell(segment: int, painted: int, seconds: float) -> None:
            if painted == lives:
                raise DiedError
            self.notes.append((segment, painted, seconds))

        return tell

    def told(self) -> list[tuple[int, int, float]]:
        notes, self.notes = self.notes, []
        return notes


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> list[InlineCluster]:
    """The clusters that are used from here on; they take the place of Ray's."""
    made: list[InlineCluster] = []

    @contextmanager
    def connected(address: str, order: WorkOrder) -> Any:
        made.append(InlineCluster(order, deaths=0.6))
        yield made[-1]

    monkeypatch.setattr("vidstyle.render.ray.connected", connected)
    monkeypatch.setattr(cluster, "LOOKED_AT", Fraction(1, 2))
    monkeypatch.setattr(media.video, "RUN_UP", Fraction(1, 10))
    return made


@pytest.fixture
def workdir(style: Path, tmp_path: Path) -> Path:
    """A style, and a clip of 24 frames with a cut, whose frames last unevenly."""
    shutil.copy(style, tmp_path)
    pictures = [scene(i) if i < 15 else 255 - scene(i) for i in range(24)]
    ticks = np.cumsum([0, *(1 + i % 3 for i in range(23))]).tolist()
    write_video(tmp_path / "cut.mp4", pictures, ticks, base=Fraction(1, 50))
    return tmp_path


def same(one: Path, other: Path) -> bool:
    """Whether two clips show the same at the same times."""
    first, second = (
        [(f.time, f.duration, f.rgb.tobytes(), f.alpha is None or f.alpha.tobytes()) for f in clip]
        for clip in map(media.open_clip, (one, other))
    )
    return first == second


OPTIONS = QUICK | {"segment": 5, "threads": 1}


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("o.mkv", {"codec": "ffv1"}),
        ("o.mkv", {"codec": "ffv1", "engine": "keyframes", "key_every": 3}),
        ("o.mkv", {"codec": "ffv1", "fps": 20.0}),
        ("o.mkv", {"codec": "ffv1", "start": 0.33, "end": 0.81}),
        ("o.mkv", {"codec": "ffv1", "max_frames": 7}),
        ("o.gif", {}),
        ("folder", {"cuts": (0.42,)}),
    ],
)
def test_workers_paint_what_one_machine_does(
    output: str, options: dict[str, Any], workdir: Path, clusters: list[InlineCluster]
) -> None:
    clip, style = workdir / "cut.mp4", workdir / "stripes.png"
    alone = vidstyle.stylize(clip, style, workdir / f"alone-{output}", **OPTIONS | options)
    events: list[Any] = []
    shared = vidstyle.stylize(
        clip,
        style,
        workdir / output,
        cluster="local",
        listener=events.append,
        **OPTIONS | options,
    )
    assert clusters[0].died, "otherwise nothing is tried"
    assert same(shared.output, alone.output)
    assert shared.losses == alone.losses
    painted = [event.frame for event in events if isinstance(event, Painted)]
    assert painted == sorted(painted) and len(painted) >= shared.frames
    assert not (workdir / f".{output}.vidstyle").exists()


def test_sound_and_transparency_stay(video: Path, workdir: Path, clusters: list[Any]) -> None:
    painted = vidstyle.stylize(
        video, workdir / "stripes.png", workdir / "o.mp4", cluster="local", **OPTIONS
    )
    source, made = media.open_clip(video), media.open_clip(painted.output)
    assert made.info.sound == source.info.sound and made.info.sound
    assert [f.time for f in made] == [f.time for f in source]
    assert made.info.codec == "h264" and not made.notes


def test_given_key_frames_go_along(workdir: Path, clusters: list[Any]) -> None:
    clip = workdir / "cut.mp4"
    media.save_image(workdir / "own.png", np.full((48, 64, 3), (250, 10, 90), np.uint8))
    painted = vidstyle.stylize(
        clip,
        workdir / "stripes.png",
        workdir / "folder",
        keys=[(0.0, workdir / "own.png"), (99.0, workdir / "own.png")],
        cluster="local",
        **OPTIONS | {"engine": "keyframes"},
    )
    first = media.read_image(painted.output / "000001.png")[0]
    assert (first == (250, 10, 90)).all()
    assert any("1 of 2 given paintings" in note for note in painted.notes)


def test_what_workers_kept_is_gone_on_from(
    workdir: Path, clusters: list[InlineCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where one of its files is damaged, and without the cluster."""
    clip, style = workdir / "cut.mp4", workdir / "stripes.png"
    options = OPTIONS | {"codec": "ffv1"}
    whole = vidstyle.stylize(clip, style, workdir / "whole.mkv", **options)
    paint = Worker.paint

    def tired(self: Worker, segment: Any, into: Any, tell: Any) -> Any:
        if segment.number == 3:
            raise VidstyleError("enough")
        return paint(self, segment, into, tell)

    for elsewhere in (True, False):
        with monkeypatch.context() as patch, pytest.raises(VidstyleError, match="enough") as caught:
            patch.setattr(Worker, "paint", tired)
            vidstyle.stylize(clip, style, workdir / "o.mkv", cluster="local", **options)
        assert "kept: the same command" in caught.value.__notes__[-1]
        journal = workdir / ".o.mkv.vidstyle"
        before = {path.name: path.stat().st_mtime_ns for path in journal.glob("00000*")}
        if elsewhere:
            damaged = journal / "00001-00001.paintings.npz"
            damaged.write_bytes(damaged.read_bytes()[:-40])
            again = vidstyle.stylize(clip, style, workdir / "o.mkv", cluster="local", **options)
        else:
            again = vidstyle.stylize(clip, style, workdir / "o.mkv", **options)
        assert before and any("of an earlier run" in note for note in again.notes)
        assert same(again.output, whole.output)
        again.output.unlink()


def test_nothing_is_cleared_where_nobody_can_look(
    workdir: Path, clusters: list[InlineCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: Journal) -> None:
        raise OSError("the network is gone")

    def fails(self: Worker, *given: Any) -> Any:
        raise VidstyleError("a worker failed")

    monkeypatch.setattr(Journal, "look_again", lost)
    monkeypatch.setattr(Worker, "paint", fails)
    with pytest.raises(VidstyleError, match="a worker failed"):
        vidstyle.stylize(
            workdir / "cut.mp4",
            workdir / "stripes.png",
            workdir / "o.mkv",
            cluster="local",
            **OPTIONS,
        )
    assert [*(workdir / ".o.mkv.vidstyle").glob("*-key.paintings.npz")]


def test_the_store_may_be_anywhere(workdir: Path, clusters: list[InlineCluster]) -> None:
    clip, style = workdir / "cut.mp4", workdir / "stripes.png"
    options = OPTIONS | {"codec": "ffv1"}
    alone = vidstyle.stylize(clip, style, workdir / "alone.mkv", **options)
    (workdir / "shared").mkdir()
    for store in (str(workdir / "shared"), "memory://bucket/paintings"):
        made = vidstyle.stylize(
            clip,
            style,
            workdir / "o.mkv",
            cluster="local",
            store=store,
            overwrite=True,
            **options,
        )
        assert same(made.output, alone.output)
        assert str(clusters[-1].order.parts).startswith(f"{store}/o.mkv-")
        assert not folder_at(store).names(), "nothing is left there"
    with pytest.raises(UsageError, match="nowhere://"):
        vidstyle.stylize(
            clip, style, workdir / "p.mkv", cluster="local", store="nowhere://x", **options
        )


def test_a_worker_that_does_not_see_the_clip_gets_a_copy(workdir: Path) -> None:
    settings = vidstyle.Settings(**OPTIONS)
    clip = workdir / "cut.mp4"
    work = plan(clip, [workdir / "stripes.png"], workdir / "o.mkv", settings=settings)
    parts = RemoteFolder(f"memory://{workdir.name}")
    parts.write(FACTS_FILE, b"{}")
    wanted = frames.outlines(work.footage, Fraction(0), None)
    cluster.share(work.footage, parts)
    clip.unlink()
    found = Worker(WorkOrder(work, parts)).do("look", (Fraction(0), None), print)
    assert [one.rgb.tobytes() for one in found] == [one.rgb.tobytes() for one in wanted]


def test_folders_here_and_elsewhere_are_alike(tmp_path: Path) -> None:
    for folder in (LocalFolder(tmp_path / "here"), RemoteFolder("memory://there")):
        assert folder.names() == set()
        folder.make()
        folder.write("1-one", b"data")
        folder.write("2-two", b"more")
        assert folder.names() == {"1-one", "2-two"} and folder.names("2-") == {"2-two"}
        with fetched(folder, "1-one") as path:
            assert path.read_bytes() == folder.read("1-one") == b"data"
        folder.close()
        assert folder.names(), "it is not empty"
        for name in ("1-one", "2-two", "not there"):
            folder.remove(name)
        with pytest.raises(OSError):
            folder.read("1-one")
        folder.close()


def test_a_clip_that_has_changed_is_told(workdir: Path) -> None:
    settings = vidstyle.Settings(**OPTIONS)
    work = plan(
        workdir / "cut.mp4", [workdir / "stripes.png"], workdir / "o.mkv", settings=settings
    )
    found = [*frames.segments_of(work.footage, frames.outlines(work.footage, Fraction(0), None))]
    assert [len(segment.places) for segment in found] == [5, 5, 5, 5, 4]
    write_video(workdir / "cut.mp4", [scene(i) for i in range(40)], [*range(40)])
    with pytest.raises(VidstyleError, match="has the file changed"):
        list(frames.frames_in(work.footage, found[3]))


def test_only_what_is_damaged_of_a_segment_is_painted_again(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    for name in ("00001-key", "00001-00001", "00002-key"):
        (tmp_path / f"{name}.paintings.npz").write_bytes(b"no zip")
    store = ChunkStore.of_section(folder, 1)
    assert store.names == {"00001-key"}, "others lean on it"
    assert folder.names() == {"00001-key.paintings.npz", "00002-key.paintings.npz"}
