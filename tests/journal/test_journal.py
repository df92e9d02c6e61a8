"""Nothing that was painted is lost: a run that ends early is taken up where it was."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import vidstyle
from vidstyle import Settings, UsageError, media
from vidstyle.core import devices, events, folders
from vidstyle.core.frames import Frame
from vidstyle.engines import base
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.journal import Chunk, Journal
from vidstyle.objective.styles import StyleSchedule
from vidstyle.plan import describe, plan

from ..conftest import ARGUMENTS, COMMAND, QUICK, Run, scene

WAYS = {
    "every frame": ("walk.mp4", {}),
    "loop": ("walk.gif", {"seamless": True}),
    "segments": ("walk.mp4", {"segment": 3}),
    "segments of a loop": ("walk.gif", {"segment": 2, "seamless": True}),
    "colors, two styles": (
        "walk.gif",
        {"keep_colors": "histogram", "style_at": [(0.1, "other.png")]},
    ),
}


class StopError(Exception):
    """The power fails."""


def stopping(after: int) -> Callable[[events.Event], None]:
    """A listener that ends the run at the first step after so many paintings."""
    count = 0

    def listener(event: events.Event) -> None:
        nonlocal count
        count += isinstance(event, events.Painted)
        if count >= after and isinstance(event, events.Stepped):
            raise StopError

    return listener


@pytest.fixture
def workdir(workdir: Path) -> Path:
    shutil.copy(workdir / "stripes.png", workdir / "other.png")
    return workdir


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    way: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    clip, more = WAYS[way]
    options = QUICK | more
    suffix = Path(clip).suffix
    whole = vidstyle.stylize(clip, "stripes.png", f"whole{suffix}", **options)
    for after in (1, 3):
        with pytest.raises(StopError) as stopped:
            vidstyle.stylize(
                clip, "stripes.png", f"parts{suffix}", listener=stopping(after), **options
            )
        assert "kept: the same command" in " ".join(stopped.value.__notes__)
        assert not Path(f"parts{suffix}").exists()
    parts = vidstyle.stylize(clip, "stripes.png", f"parts{suffix}", **options)
    assert any("going on" in note for note in parts.notes)
    assert Path(f"parts{suffix}").read_bytes() == Path(f"whole{suffix}").read_bytes()
    assert parts.losses == pytest.approx(whole.losses)
    assert not [*workdir.glob(".*")]


def stopped(workdir: Path, **options: object) -> Path:
    """The journal of a run that was stopped after two frames."""
    with pytest.raises(StopError):
        vidstyle.stylize(
            workdir / "walk.mp4",
            workdir / "stripes.png",
            workdir / "out.mp4",
            listener=stopping(2),
            **(QUICK | options),
        )
    return workdir / ".out.mp4.vidstyle"


def test_another_painting_does_not_go_on_with_it(workdir: Path) -> None:
    journal = stopped(workdir)
    before = {path.name: path.read_bytes() for path in journal.iterdir()}
    for change, told in (
        ({"style_weight": 3.0}, "another style-weight"),
        ({"size": 48}, "another picture size"),
    ):
        with pytest.raises(UsageError, match=f"{told}.*--restart"):
            vidstyle.stylize(
                workdir / "walk.mp4",
                workdir / "stripes.png",
                workdir / "out.mp4",
                **(QUICK | change),
            )
    shutil.copy(workdir / "walk.gif", workdir / "walk.mp4")
    with pytest.raises(UsageError, match="another clip"):
        vidstyle.stylize(
            workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", **QUICK
        )
    assert {path.name: path.read_bytes() for path in journal.iterdir()} == before


def test_a_run_that_is_stopped_before_its_first_frame_says_that_nothing_is_kept(
    workdir: Path,
) -> None:
    def stop(event: events.Event) -> None:
        if isinstance(event, events.Stepped):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        vidstyle.stylize(
            workdir / "walk.mp4", workdir / "stripes.png", workdir / "o.mp4", listener=stop, **QUICK
        )
    assert stopped.value.__notes__ == ["no frame is done yet, so nothing is kept"]
    assert not [*workdir.glob(".o*")]


def test_a_restart_begins_anew(workdir: Path) -> None:
    stopped(workdir, style_weight=3.0)
    made = vidstyle.stylize(
        workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", restart=True, **QUICK
    )
    assert made.frames == 5 and not made.notes
    assert not (workdir / ".out.mp4.vidstyle").exists()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("00000-key.paintings.npz", "changed"),
        ("00000-key.paintings.npz", "cut"),
        ("00000-00001.state.npz", "changed"),
        ("00000-00001.state.npz", "cut"),
        ("journal.json", "cut"),
        ("journal.json", "nonsense"),
        ("journal.json", "no machine"),
    ],
)
def test_a_damaged_journal_is_not_believed(name: str, damage: str, workdir: Path) -> None:
    path = stopped(workdir) / name
    data = bytearray(path.read_bytes())
    if damage == "nonsense":
        path.write_text("[1]")
    elif damage == "no machine":
        path.write_text(json.dumps(json.loads(data) | {"machine": {"threads": "many"}}))
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    made = vidstyle.stylize(
        workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", **QUICK
    )
    assert made.frames == 5 and any("damaged" in note for note in made.notes)
    assert not (workdir / ".out.mp4.vidstyle").exists()


def test_painted_frames_are_kept_when_asked_and_what_is_not_ours_stays(workdir: Path) -> None:
    folder = workdir / ".out.mp4.vidstyle"
    made = vidstyle.stylize(
        workdir / "walk.mp4",
        workdir / "stripes.png",
        workdir / "out.mp4",
        keep_frames=True,
        **QUICK,
    )
    assert made.frames == 5 and len([*folder.glob("*.png")]) == 5
    (folder / "mine.txt").write_text("precious")
    Journal(folder, {}).clear()
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_frames_that_were_kept_stay_where_another_painting_is_begun(workdir: Path) -> None:
    command = (workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4")
    vidstyle.stylize(*command, keep_frames=True, **QUICK)
    folder = workdir / ".out.mp4.vidstyle"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    (workdir / "out.mp4").unlink()
    with pytest.raises(UsageError, match="another style-weight"):
        vidstyle.stylize(*command, **(QUICK | {"style_weight": 3.0}))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    again = vidstyle.stylize(*command, keep_frames=True, **QUICK)
    assert any("5 paintings of an earlier run" in note for note in again.notes)
    assert {path.name for path in folder.glob("*.png")} == {n for n in kept if n.endswith(".png")}


def chunk(green: int, state: bool = True) -> Chunk:
    frame = Frame(scene(0), Fraction(0), Fraction(1, 25))
    picture = np.full_like(scene(0), green)
    return Chunk((picture,), (float(green),), {"green": np.array(green)} if state else {}, frame)


def test_a_store_gives_back_what_was_put_and_only_the_states_that_are_needed(
    tmp_path: Path,
) -> None:
    store = Journal(tmp_path / "store", {"clip": "a"})
    store.put("one", chunk(1))
    store.put("two", chunk(2), "one")
    assert {path.name for path in store.folder.glob("*.npz")} == {
        *("one.paintings.npz", "two.paintings.npz", "two.state.npz")
    }
    again = Journal(store.folder, {"clip": "a"})
    again.load()
    assert again.resumed and again.count == 2
    last = Frame(scene(1), Fraction(1), Fraction(1, 25))
    one, two, three = (again.get(name, last) for name in ("one", "two", "three"))
    assert one is not None and two is not None and three is None
    assert not one.state and int(two.state["green"]) == 2
    assert np.array_equal(two.paintings[0], chunk(2).paintings[0]) and two.losses == (2.0,)
    assert two.last is last


def test_chunks_that_wait_are_written_so_that_any_end_can_be_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Journal(tmp_path / "store", {}, patience=1e9)
    store.put("0", chunk(0))  # the first one is written at once
    for number in range(1, 4):
        store.put(f"{number}", chunk(number), f"{number - 1}")
    assert store.count == 1 and store.names == {"0"}
    written: list[str] = []
    monkeypatch.setattr(
        folders, "write_whole", lambda path, data: written.append(path.name) or path.touch()
    )
    store.flush()
    assert written == [
        *("3.state.npz", "3.paintings.npz", "2.paintings.npz", "1.paintings.npz"),
    ], "the state first, then backward: what is missing is painted again from an older state"
    assert not (store.folder / "0.state.npz").exists()


def test_a_store_of_an_older_version_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "journal.json").write_text(json.dumps({"clip": "a", "version of the journal": 2}))
    (folder / "00000-key.paintings.npz").write_bytes(b"old")
    with pytest.raises(UsageError, match="another version of the journal"):
        Journal(folder, {"clip": "a"}).load()
    Journal(folder, {"clip": "a"}).clear()
    assert not folder.exists()


def test_what_is_on_disk_is_whole_at_every_moment(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up in the middle of a painting's files: what was there before still counts."""
    real, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= 6:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        vidstyle.stylize(
            workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", **QUICK
        )
    assert "2 paintings kept" in " ".join(failed.value.__notes__)
    monkeypatch.undo()
    made = vidstyle.stylize(
        workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", **QUICK
    )
    assert "going on from 2 paintings of an earlier run" in made.notes


def test_the_plan_says_where_and_how_much(workdir: Path) -> None:
    work = plan(workdir / "walk.mp4", [workdir / "stripes.png"])
    assert work.journal == workdir / ".walk.stripes.mp4.vidstyle"
    assert "MB with all paintings and the output" in describe(work).journal
    preview = plan(workdir / "walk.mp4", [workdir / "stripes.png"], preview=2)
    assert preview.journal is None


def begun(workdir: Path, paintings: int) -> subprocess.Popen[str]:
    """A process that has made so many paintings, at least."""
    process = subprocess.Popen(COMMAND, cwd=workdir, stderr=subprocess.PIPE, text=True)
    store = workdir / ".out.mkv.vidstyle"
    while process.poll() is None and len([*store.glob("*.paintings.npz")]) < paintings:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_painted_and_says_how_to_go_on(
    sent: int, code: int, workdir: Path, long_whole: bytes, vidstyle: Run
) -> None:
    process = begun(workdir, 2)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    assert "the same command goes on" in error and "Traceback" not in error
    assert not (workdir / "out.mkv").exists()
    again = vidstyle(*ARGUMENTS)
    assert again.returncode == 0 and "going on" in again.stderr, again.stderr
    assert (workdir / "out.mkv").read_bytes() == long_whole


def test_what_is_painted_can_be_left_as_a_clip_that_plays(workdir: Path) -> None:
    for suffix in (".mp4", ""):
        options = {"keep_partial": True, "listener": stopping(2), **QUICK}
        with pytest.raises(StopError) as left:
            vidstyle.stylize(
                workdir / "walk.mp4", workdir / "stripes.png", workdir / f"out{suffix}", **options
            )
        partial = workdir / f"out.partial{suffix}"
        assert str(partial) in " ".join(left.value.__notes__)
        assert len([*media.open_clip(partial)]) == 2
        journal = workdir / f".out{suffix}.vidstyle"
        assert not (workdir / f"out{suffix}").exists() and journal.exists()
        shutil.rmtree(journal)
    with pytest.raises(UsageError, match=r"partial\.mp4: exists already"):
        vidstyle.stylize(
            workdir / "walk.mp4",
            workdir / "stripes.png",
            workdir / "out.mp4",
            keep_partial=True,
            **QUICK,
        )
    assert not [*workdir.glob("*.part")]


@pytest.mark.parametrize("runs", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bytes(
    runs: int, workdir: Path, whole: bytes, vidstyle: Run
) -> None:
    chance = random.Random(0)
    for _ in range(runs):
        (workdir / "out.mkv").unlink(missing_ok=True)
        process = begun(workdir, chance.randint(1, 4))
        time.sleep(chance.random() * 0.3)
        process.kill()
        process.communicate()
        if not (workdir / "out.mkv").exists():
            assert vidstyle(*ARGUMENTS).returncode == 0
        assert (workdir / "out.mkv").read_bytes() == whole
        assert not [*workdir.glob(".*")]


def test_the_state_of_an_engine_is_all_that_the_next_frame_depends_on(style: Path) -> None:
    schedule = StyleSchedule.of(media.read_image(style)[0])
    settings = Settings(first_iterations=3, iterations=2, style_layers=("relu1_1",))
    frames = [Frame(scene(i), Fraction(i, 25), Fraction(1, 25)) for i in range(4)]
    one, other = (OptimizingEngine(settings, schedule, (64, 48)) for _ in range(2))
    for frame in frames[:3]:
        one.paint(frame)
    other.restore(one.state())
    (painted, loss), (again, same) = (engine.paint(frames[3]) for engine in (one, other))
    assert np.array_equal(painted, again) and loss == same


def test_what_differs_by_machine_goes_on_as_it_was_begun(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun where bf16 and three threads are usual, in small tiles; gone on with elsewhere."""
    command = (workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mkv")
    shallow = {"style_layers": ("relu1_1", "relu1_2"), "content_weight": 0.0, "iterations": 1}
    options = QUICK | shallow | {"codec": "ffv1", "max_frames": 3}
    before = torch.get_num_threads()
    with monkeypatch.context() as there:
        there.setattr(devices, "pick_precision", lambda name, device: "bf16")
        there.setattr(base, "SMALLEST_TILE", 0)
        free = 64 * 48 * base.BYTES_KEPT + 2400 * base.BYTES_A_PIXEL[torch.bfloat16]
        there.setattr(devices, "free_memory", lambda device: free)
        whole = vidstyle.stylize(*command, threads=3, **options)
        whole.output.rename(workdir / "whole.mkv")
        with pytest.raises(StopError):
            vidstyle.stylize(*command, threads=3, listener=stopping(2), **options)
    work = plan(command[0], [command[1]], command[2], settings=Settings(**options))
    assert (work.settings.precision, work.settings.threads, work.tile_pixels) == ("bf16", 3, 2400)
    with pytest.raises(UsageError, match="precision: use --restart"):
        vidstyle.stylize(*command, precision="fp32", **options)
    made = vidstyle.stylize(*command, **options)
    assert any("going on" in note for note in made.notes)
    assert made.output.read_bytes() == (workdir / "whole.mkv").read_bytes()
    assert torch.get_num_threads() == before
    anew = plan(command[0], [command[1]], command[2], settings=Settings(**options), overwrite=True)
    assert (anew.settings.threads, anew.tile_pixels) == (before, None)
