"""Segments: cut, painted apart and joined; by one process, and by a cluster."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidstyle
from vidstyle import UsageError, media
from vidstyle.core import events
from vidstyle.engines import ENGINES
from vidstyle.media import Frame
from vidstyle.networks import transformer as model
from vidstyle.objective.styles import StyleSchedule
from vidstyle.plan import describe, plan
from vidstyle.render import ray as cluster
from vidstyle.render.segments import LocalExecutor, SegmentScheduler, paintings, segments

from ..conftest import scene, write_video

QUICK = {"size": 64, "first_iterations": 3, "iterations": 2, "style_layers": ("relu1_1", "relu2_1")}
OPTIONS = ("--size", "64", "--first-iterations", "3", "--iterations", "2", "--segment", "8")


def numbered(count: int, cuts: tuple[int, ...] = (0,)) -> list[tuple[Frame, bool]]:
    """Frames whose red is their number."""
    pictures = [np.full((32, 32, 3), (i, 100, 100), np.uint8) for i in range(count)]
    frames = [Frame(p, Fraction(i), Fraction(1)) for i, p in enumerate(pictures)]
    return [(frame, i in cuts) for i, frame in enumerate(frames)]


class FakeEngine:
    """Paints a frame's green as that of the frame before and one more; notes what it is asked."""

    def __init__(self) -> None:
        self.last = 0
        self.asked: list[tuple[str, int]] = []
        self.shares: list[float] = []

    def reset(self) -> None:
        self.last = 0

    def prefetch_flow(self, source: Any, before: Any) -> None: ...

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return False

    def state(self) -> dict[str, Any]:
        return {"last": np.array(self.last)}

    def restore(self, state: Any) -> None:
        self.last = int(state["last"])

    def anchor(self, frame: Frame, painted: Any) -> None:
        self.last = int(painted[0, 0, 1])

    def paint(self, frame: Frame, progress: Any) -> Any:
        self.asked.append(("paint", int(frame.rgb[0, 0, 0])))
        self.last += 1
        return np.full_like(frame.rgb, (frame.rgb[0, 0, 0], self.last, 0))

    def repaint(self, frame: Frame, painted: Any, share: float, progress: Any) -> Any:
        self.asked.append(("again", int(frame.rgb[0, 0, 0])))
        self.shares.append(share)
        self.last = round(share * self.last + (1 - share) * int(painted[0, 0, 1]))
        return np.full_like(frame.rgb, (frame.rgb[0, 0, 0], self.last, 0))


def test_shots_are_cut_into_segments() -> None:
    found = list(segments(numbered(11, cuts=(0, 6)), 4))
    assert [[int(f.time) for f in one.frames] for one in found] == [
        [0, 1, 2, 3],
        [4, 5],
        [6, 7, 8, 9],
        [10],
    ]
    assert [one.starts_shot for one in found] == [True, False, True, False]
    assert not list(segments([], 4))


def test_segments_begin_with_key_frames_and_lead_into_the_next() -> None:
    clerk = FakeEngine()
    shop = SegmentScheduler(LocalExecutor(clerk, lambda event: None), lambda event: None, None, 20)
    done = list(shop.paint(numbered(50, cuts=(0, 40))))
    assert [int(one.painted[0, 0, 0]) for one in done] == list(range(50))
    assert [number for number, one in enumerate(done) if one.starts_shot] == [0, 40]
    green = [int(one.painted[0, 0, 1]) for one in done]
    assert [green[0], green[20]] == [1, 2], "a key frame goes on from the one before"
    assert green[40] == 1, "nothing goes over a cut"
    assert green[19] == green[20] and green[:12] == list(range(1, 13))
    again = [number for what, number in clerk.asked if what == "again"]
    assert again == list(range(19, 11, -1)), "nothing leads over a cut, nor out of a clip's end"
    assert clerk.shares == [1 - i / 8 for i in range(8)]
    assert sorted(n for what, n in clerk.asked if what == "paint") == list(range(50))


def test_the_last_segment_of_a_loop_leads_into_the_first() -> None:
    clerk = FakeEngine()
    shop = SegmentScheduler(
        LocalExecutor(clerk, lambda event: None), lambda event: None, None, 6, closes=True
    )
    green = [int(one.painted[0, 0, 1]) for one in shop.paint(numbered(10))]
    assert green[-1] == green[0]


@pytest.mark.parametrize(
    ("count", "length", "closes"), [(1, 4, False), (20, 6, True), (9, 4, True)]
)
def test_how_many_pictures_are_painted_is_known_before(
    count: int, length: int, closes: bool
) -> None:
    told: list[events.Event] = []
    shop = SegmentScheduler(
        LocalExecutor(FakeEngine(), lambda event: None), told.append, None, length, closes
    )
    list(shop.paint(numbered(count)))
    assert sum(isinstance(e, events.Painted) for e in told) == paintings(count, length, closes)


def test_the_first_segment_is_painted_as_a_whole_shot_is(workdir: Path) -> None:
    whole = vidstyle.stylize(
        workdir / "long.mp4", workdir / "stripes.png", workdir / "whole", **QUICK
    )
    apart = vidstyle.stylize(
        workdir / "long.mp4", workdir / "stripes.png", workdir / "apart", segment=12, **QUICK
    )
    assert whole.frames == apart.frames == 18
    assert whole.losses[: 12 - 6] == apart.losses[: 12 - 6]
    assert whole.losses[12:] != apart.losses[12:]
    for name in ("000001.png", "000006.png"):
        assert (workdir / "whole" / name).read_bytes() == (workdir / "apart" / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cluster": "192.0.2.1:10001"}, "ray://"),
        ({"cluster": "ray://127.0.0.1"}, "no cluster there"),
        ({"cluster": "local", "plot": True}, "--plot"),
        ({"segment": 4, "passes": 2}, "--passes"),
        ({"segment": 1}, "at least 2"),
    ],
)
def test_what_does_not_go_with_segments_is_refused(
    options: dict[str, Any], told: str, workdir: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        vidstyle.stylize(
            workdir / "long.mp4", workdir / "stripes.png", workdir / "o.mp4", **options
        )
    assert not (workdir / "o.mp4").exists() and not (workdir / ".o.mp4.vidstyle").exists()


def test_the_plan_says_who_paints(workdir: Path) -> None:
    settings = vidstyle.Settings(cluster="local", size=64)
    work = plan(
        workdir / "long.mp4", [workdir / "stripes.png"], workdir / "o.mp4", settings=settings
    )
    told = describe(work)
    assert told["painted by"] == "local, in segments of 96 frames"
    assert "for each segment at work" in told["journal"]
    alone = dataclasses.replace(settings, engine="network")
    work = plan(workdir / "long.mp4", [workdir / "stripes.png"], workdir / "o.mp4", settings=alone)
    assert describe(work)["painted by"] == "this process"
    assert any("faster than frames travel" in note for note in work.notes)


@pytest.fixture
def workdir(style: Path, tmp_path: Path) -> Path:
    shutil.copy(style, tmp_path)
    write_video(tmp_path / "long.mp4", [scene(i) for i in range(18)])
    return tmp_path


def start(workdir: Path, output: str, *more: str) -> subprocess.Popen[str]:
    """The command line on one thread, as Ray's workers are."""
    command = [sys.executable, "-m", "vidstyle", "long.mp4", "--style", "stripes.png", "-o", output]
    return subprocess.Popen(
        [*command, *OPTIONS, *more],
        cwd=workdir,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return error


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that Ray has at work on stretches, for this one."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is gone
            number = int(folder.name)
            parents[number] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[number] = (folder / "cmdline").read_bytes()

    def below(number: int) -> bool:
        return number == process.pid or (number in parents and below(parents[number]))

    return [n for n, name in names.items() if name.startswith(b"ray::_work") and below(n)]


def wait_for(many: int, journal: Path, process: subprocess.Popen[str]) -> None:
    """Wait until so many stretches are kept."""
    while process.poll() is None and len([*journal.glob("*.paintings.npz")]) < many:
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for Ray's processes")
@pytest.mark.parametrize("runs", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_cluster_paints_the_same_though_it_is_stopped_and_workers_die(
    runs: int, workdir: Path
) -> None:
    finished(start(workdir, "alone.mp4"))
    whole = (workdir / "alone.mp4").read_bytes()
    journal = workdir / ".cluster.mp4.vidstyle"
    for _ in range(runs):
        process = start(workdir, "cluster.mp4", "--cluster", "local", "--overwrite")
        wait_for(2, journal, process)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=300)
        assert process.returncode == 143 and "paintings are kept" in error, error
        process = start(workdir, "cluster.mp4", "--cluster", "local", "--overwrite")
        wait_for(4, journal, process)
        killed = workers(process)
        assert killed, process.communicate()[1]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert "of a run before" in finished(process)
        assert (workdir / "cluster.mp4").read_bytes() == whole
        assert not journal.exists()
    print(f"\n{runs} runs stopped and their workers killed: all went on to the same bytes")


def test_a_cluster_that_is_not_there_is_told_in_one_line(workdir: Path) -> None:
    with pytest.raises(UsageError, match="no cluster there"):
        vidstyle.stylize(
            workdir / "long.mp4",
            workdir / "stripes.png",
            workdir / "o.mp4",
            cluster="ray://127.0.0.1:9",
            **QUICK,
        )
    assert not (workdir / "o.mp4").exists() and not (workdir / ".o.mp4.vidstyle").exists()


def test_without_ray_it_is_said_how_to_have_it(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"vidstyle\[cluster\]"):
        vidstyle.stylize(
            workdir / "long.mp4",
            workdir / "stripes.png",
            workdir / "o.mp4",
            cluster="local",
            **QUICK,
        )


def test_a_worker_has_the_model_that_was_learned(workdir: Path) -> None:
    schedule = StyleSchedule.of(media.read_image(workdir / "stripes.png")[0])
    named = workdir / "m.safetensors"
    named.write_bytes(
        model.dump(model.TransformerNet(model.ModelConfig(("one",), (1.0,), (64, 48))))
    )
    settings = vidstyle.Settings(engine="hybrid", model=str(named), **QUICK)
    craft = cluster.EngineSpec.of(ENGINES["hybrid"](settings, schedule, (64, 48)))
    named.unlink()
    there = pickle.loads(pickle.dumps(craft)).engine()
    assert there.stylizer.model.about.size == (64, 48)
    assert there.paint(Frame(scene(0), Fraction(0), Fraction(1))).shape == (48, 64, 3)


def test_a_worker_of_another_version_is_refused() -> None:
    craft = cluster.EngineSpec(vidstyle.Settings(), None, (64, 48), version="0.0")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="install the same"):
        craft.engine()
