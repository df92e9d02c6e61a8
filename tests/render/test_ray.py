"""Segments in real clips: painted by one process, and by a cluster."""

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
from unittest.mock import MagicMock

import pytest

import vidstyle
from vidstyle import UsageError
from vidstyle.core.folders import LocalFolder
from vidstyle.core.frames import Frame
from vidstyle.journal import FACTS_FILE
from vidstyle.networks import transformer as model
from vidstyle.plan import describe, make_engine, plan
from vidstyle.render.cluster import Worker, WorkOrder
from vidstyle.render.ray import CLUSTER_TIMEOUT_S, RayCluster

from ..conftest import QUICK, QUICK_OPTIONS, scene, write_video

OPTIONS = ("--style", "stripes.png", "-o", "cluster.mkv", *QUICK_OPTIONS, "--segment", "8")
STEPS = 12
"""A frame, for a cluster that is not done before it is stopped."""


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
        ({"segment": 1}, "at least 2"),
        ({"store": "parts"}, "--cluster"),
        ({"store": "nowhere", "cluster": "local"}, "no such folder"),
        ({"cluster": "local", "report": True}, "vidstyle measure"),
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
    assert told.painted_by == "local, in segments of 96 frames"
    assert "for each segment at work" in told.journal
    alone = dataclasses.replace(settings, engine="feedforward")
    work = plan(workdir / "long.mp4", [workdir / "stripes.png"], workdir / "o.mp4", settings=alone)
    assert describe(work).painted_by == "this process"
    assert any("a network paints each frame" in note for note in work.notes)


@pytest.fixture
def workdir(style: Path, tmp_path: Path) -> Path:
    shutil.copy(style, tmp_path)
    write_video(tmp_path / "long.mp4", [scene(i) for i in range(18)])
    return tmp_path


def start(workdir: Path) -> subprocess.Popen[str]:
    """A cluster of this machine, begun by the command line."""
    steps = ("--iterations", str(STEPS), "--codec", "ffv1", "--threads", "1")
    command = (*OPTIONS, *steps, "--cluster", "local")
    return subprocess.Popen(
        (*(sys.executable, "-m", "vidstyle", "long.mp4"), *command),
        cwd=workdir,
        env={**os.environ, "HOME": str(workdir)},  # Ray writes there, and not everybody has one
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that Ray has at work on chunks, for this one."""
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
    """Wait until so many chunks are kept."""
    while process.poll() is None and len([*journal.glob("*.paintings.npz")]) < many:
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for Ray's processes")
@pytest.mark.parametrize("runs", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_cluster_paints_the_same_though_it_is_stopped_and_workers_die(
    runs: int, workdir: Path
) -> None:
    command = (workdir / "long.mp4", workdir / "stripes.png")
    options = QUICK | {"codec": "ffv1", "segment": 8, "iterations": STEPS}
    whole = vidstyle.stylize(*command, workdir / "alone.mkv", threads=1, **options)
    journal = workdir / ".cluster.mkv.vidstyle"
    for number in range(runs):
        process = start(workdir)
        wait_for(1, journal, process)
        killed: list[int] = []
        while process.poll() is None and not killed:  # there are none between two chunks
            killed = workers(process)
        assert killed, process.communicate()[1]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_for(3, journal, process)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=300)
        assert process.returncode == 143 and "kept: the same command" in error, error
        if number % 2:
            process = start(workdir)
            _, error = process.communicate(timeout=300)
            assert process.returncode == 0 and "of an earlier run" in error, error
        else:  # without the cluster
            vidstyle.stylize(*command, workdir / "cluster.mkv", **options)
        assert (workdir / "cluster.mkv").read_bytes() == whole.output.read_bytes()
        assert not journal.exists()
        (workdir / "cluster.mkv").unlink()
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
    named = workdir / "m.safetensors"
    named.write_bytes(
        model.dump(model.TransformerNet(model.ModelConfig(("stripes",), (1.0,), (64, 48))))
    )
    settings = vidstyle.Settings(**QUICK | {"engine": "feedforward", "model": str(named)})
    clip, output = workdir / "long.mp4", workdir / "o.mkv"
    work = plan(clip, [workdir / "stripes.png"], output, settings=settings)
    parts = LocalFolder(workdir)
    parts.write(FACTS_FILE, b"{}")
    order = WorkOrder.of(work, make_engine(work.settings, work.schedule, work.size), parts)
    named.unlink()
    there = Worker(pickle.loads(pickle.dumps(order))).engine
    assert there.model.config.size == (64, 48)
    painted, _ = there.paint(Frame(scene(0), Fraction(0), Fraction(1)))
    assert painted.shape == (48, 64, 3)


def order_of(workdir: Path, **settings: Any) -> WorkOrder:
    """The order of a painting of the clip."""
    given = vidstyle.Settings(**QUICK | settings)
    work = plan(workdir / "long.mp4", [workdir / "stripes.png"], workdir / "o.mkv", settings=given)
    return WorkOrder(work, LocalFolder(workdir / "parts"))


def test_a_task_asks_for_no_more_processors_than_a_machine_has(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would let it wait forever."""
    fake = MagicMock()
    fake.cluster_resources.return_value = {"CPU": 6.0}
    nodes = ((True, 2.0), (True, 4.0), (False, 9.0))
    fake.nodes.return_value = [
        {"Alive": alive, "Resources": {"CPU": cpus}} for alive, cpus in nodes
    ]
    monkeypatch.setitem(sys.modules, "ray", fake)
    for threads, asked, size in ((1, 1, 6), (3, 3, 2), (64, 4, 1)):
        cluster = RayCluster(order_of(workdir, threads=threads))
        assert cluster.size == size
        assert fake.remote.return_value.options.call_args.kwargs["num_cpus"] == asked


def test_workers_share_gpus_and_may_join_later(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = MagicMock()
    fake.cluster_resources.return_value = {"CPU": 6.0, "GPU": 2.0}
    fake.nodes.return_value = [{"Alive": True, "Resources": {"CPU": 6.0, "GPU": 2.0}}]
    monkeypatch.setitem(sys.modules, "ray", fake)
    cluster = RayCluster(order_of(workdir, cluster="ray://head:10001", gpu_share=0.25))
    assert cluster.size == 8
    needs = fake.remote.return_value.options.call_args.kwargs
    assert (needs["num_gpus"], needs["num_cpus"]) == (0.25, 0)
    fake.cluster_resources.return_value = {"CPU": 12.0, "GPU": 4.0}
    cluster.asked -= 2 * CLUSTER_TIMEOUT_S
    assert cluster.size == 16


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [("version", "install the same"), ("clip", "does not see .*long.mp4"), ("parts", "--store")],
)
def test_a_worker_that_cannot_help_says_why(spoilt: str, told: str, workdir: Path) -> None:
    order = order_of(workdir)
    if spoilt == "version":
        order = dataclasses.replace(order, version="0.0")
    if spoilt == "clip":
        (workdir / "long.mp4").unlink()
    if spoilt != "parts":
        order.parts.make()
        order.parts.write(FACTS_FILE, b"{}")
    with pytest.raises(UsageError, match=told):
        Worker(order)
