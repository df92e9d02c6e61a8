"""The fault suite: what can end a run, many times over. All of it by ``pytest -m slow``."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vidstyle
from vidstyle import media
from vidstyle.core import events
from vidstyle.core.frames import Frame
from vidstyle.core.images import Image
from vidstyle.engines.feedforward import FeedForwardEngine
from vidstyle.engines.protocol import OnStep
from vidstyle.networks import transformer as model
from vidstyle.networks.transformer import ModelConfig, TransformerNet
from vidstyle.settings import ENGINES

from ..conftest import ARGUMENTS, COMMAND, QUICK, Run, scene, write_video


class Same(FeedForwardEngine):
    """Paints each frame as it is."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.take(TransformerNet(ModelConfig(("one",), (1.0,), (64, 48))))

    def paint(self, frame: Frame, on_step: OnStep) -> tuple[Image, float]:
        return frame.rgb.copy(), 0.0


def memory() -> float:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory there is in use")
@pytest.mark.parametrize("engine", ["the same", "a small network"])
def test_memory_is_flat_over_two_thousand_frames(
    engine: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_video(workdir / "long.mp4", [scene(i % 24) for i in range(2000)])
    options: dict[str, object] = {"size": 64, "engine": "feedforward"}
    if engine == "the same":
        monkeypatch.setitem(ENGINES.things, "feedforward", Same)
    else:
        made = model.dump(TransformerNet(ModelConfig(("stripes",), (1.0,), (64, 48))))
        (workdir / "m.safetensors").write_bytes(made)
        options["model"] = str(workdir / "m.safetensors")
    held: list[float] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.frame % 100 == 0:
            held.append(memory())

    for _ in range(2):  # the first time, the C library's pools still grow
        held.clear()
        done = vidstyle.stylize(
            clip,
            workdir / "stripes.png",
            workdir / "o.mp4",
            overwrite=True,
            listener=listen,
            **options,
        )
        assert done.frames == 2000
    print(f"\n{engine}: {held[2]:.0f} MB after 300 frames, {held[-1]:.0f} after 2000")
    assert held[-1] - held[2] < 20


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_at_any_moment_lose_nothing(
    sent: int, code: int, workdir: Path, whole: bytes, vidstyle: Run
) -> None:
    chance = random.Random(sent)
    output, begun = workdir / "out.mkv", workdir / ".out.mkv.vidstyle" / "00000-key.paintings.npz"
    ends: list[int] = []

    def started() -> subprocess.Popen[str]:
        """A run whose first frame is painted."""
        output.unlink(missing_ok=True)
        process = subprocess.Popen(COMMAND, cwd=workdir, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not begun.exists():
            time.sleep(0.01)
        return process

    with started() as process:  # how long the rest of it takes here
        since = time.monotonic()
        while process.poll() is None and not output.exists():
            time.sleep(0.01)
        lasted = time.monotonic() - since
        process.communicate(timeout=60)
    for _ in range(20):
        process = started()
        time.sleep(chance.random() * 1.5 * lasted)
        process.send_signal(sent)
        _, error = process.communicate(timeout=60)
        ends.append(process.returncode)
        # By the bare signal only after the work, as the interpreter shuts down.
        assert process.returncode in (0, code, -sent) and "Traceback" not in error, error
        if not output.exists():
            assert process.returncode == code
            assert vidstyle(*ARGUMENTS).returncode == 0
        assert output.read_bytes() == whole and not [*workdir.glob(".*")]
    print(
        f"\n20 times signal {sent}: stopped {ends.count(code)} runs, all went on to the same bytes"
    )
    assert ends.count(code) >= 5


@pytest.mark.parametrize("room", [40_000, pytest.param(12_000, marks=pytest.mark.slow)])
def test_where_the_disk_ends_nothing_is_lost(room: int, workdir: Path, vidstyle: Run) -> None:
    """A limit on the size of files stands for it: the state is larger than the paintings."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    ended = subprocess.run(COMMAND, cwd=workdir, capture_output=True, text=True, preexec_fn=limited)
    assert ended.returncode in (1, 2) and "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()[-1]) < 300
    assert not (workdir / "out.mkv").exists() and not [*workdir.glob(".*.part")]
    again = vidstyle(*ARGUMENTS)
    assert again.returncode == 0, again.stderr
    assert len([*media.open_clip(workdir / "out.mkv")]) == 5


def bound_by_permissions() -> None:
    """Root, too, may then write only where its permissions say."""
    if os.geteuid() == 0:
        linux = ctypes.CDLL(None)
        for override in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            linux.prctl(24, override, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="takes root's rights away as Linux does")
@pytest.mark.parametrize("runs", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_folder_that_becomes_read_only_loses_nothing(
    runs: int, workdir: Path, long_whole: bytes, vidstyle: Run
) -> None:
    journal = workdir / ".out.mkv.vidstyle"
    chance = random.Random(1)
    stopped = 0
    for _ in range(runs):
        (workdir / "out.mkv").unlink(missing_ok=True)
        process = subprocess.Popen(
            COMMAND, cwd=workdir, stderr=subprocess.PIPE, text=True, preexec_fn=bound_by_permissions
        )
        number = chance.randint(2, 10)
        while process.poll() is None and len([*journal.glob("*.paintings.npz")]) < number:
            time.sleep(0.002)
        if journal.exists():
            journal.chmod(0o500)
        _, error = process.communicate(timeout=60)
        if process.returncode:
            stopped += 1
            assert (
                process.returncode == 1
                and "Traceback" not in error
                and "goes on from there" in error
            )
            assert not (workdir / "out.mkv").exists()
            journal.chmod(0o700)
            assert vidstyle(*ARGUMENTS).returncode == 0
        assert (workdir / "out.mkv").read_bytes() == long_whole and not [*workdir.glob(".*")]
    print(f"\n{runs} times read-only: stopped {stopped} runs, all went on to the same bytes")
    assert stopped > runs // 2


def test_an_output_folder_that_goes_away_is_told_in_one_line(workdir: Path) -> None:
    (workdir / "there").mkdir()

    def remove(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.frame == 2:
            kept = workdir / "there" / ".out.mkv.vidstyle"
            while not [*kept.glob("*.paintings.npz")]:  # another thread writes them
                time.sleep(0.01)
            # moved first: the journal's thread may add a file to a folder that is being emptied
            shutil.rmtree((workdir / "there").rename(workdir / "gone"))

    with pytest.raises(OSError, match="there") as failed:
        vidstyle.stylize(
            workdir / "walk.mp4",
            workdir / "stripes.png",
            workdir / "there" / "out.mkv",
            listener=remove,
            **QUICK,
        )
    assert "is gone, and what was painted with it" in " ".join(failed.value.__notes__)
    assert not (workdir / "there").exists()
