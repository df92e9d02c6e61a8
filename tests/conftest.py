"""Small real clips, made once a session, and the command line as a process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

# Before torch is there: tests run side by side, and the processes that they start beside them; more
# threads than processors hardly get on at all.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pytest
import torch
from PIL import Image

from vidstyle import cli, networks, stylize
from vidstyle.core.frames import Frame
from vidstyle.engines.protocol import OnStep
from vidstyle.networks.transformer import ModelConfig, TransformerNet
from vidstyle.settings import ENGINES

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a background job the suite inherits that, and so would the processes it interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

WIDTH, HEIGHT = 64, 48
QUICK: dict[str, Any] = {
    "engine": "gatys",
    "size": 64,
    "first_iterations": 3,
    "iterations": 2,
    "style_layers": ("relu1_1", "relu2_1"),
    "content_layers": ("relu2_1",),
}
"""Settings that paint quickly: of pictures this small, the deep layers cost the most …"""
QUICK_OPTIONS = tuple(
    part
    for name, value in QUICK.items()
    for part in (
        f"--{name.replace('_', '-')}",
        ",".join(value) if isinstance(value, tuple) else str(value),
    )
)
"""… and the same on the command line."""
ARGUMENTS = (
    *("walk.mp4", "--style", "stripes.png", "-o", "out.mkv", "--codec", "ffv1"),
    *QUICK_OPTIONS,
)
"""A painting in a file that is the same where its frames are …"""
COMMAND = (sys.executable, "-m", "vidstyle", *ARGUMENTS)
"""… by a process of its own."""
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def scene(step: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A textured ground that stays, and a red square that walks 2 pixels a step."""
    noise = np.random.default_rng(7).integers(60, 200, (height // 4, width // 4, 3), np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
    picture = picture.copy()
    left = 4 + 2 * step
    picture[height // 3 : height // 3 + 12, left : left + 12] = (220, 30, 30)
    return picture


def write_video(
    path: Path,
    pictures: list[np.ndarray],
    times: list[int] | None = None,
    *,
    base: Fraction = Fraction(1, 600),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video with a frame at each of ``times`` (in ticks of ``base``; default 25 a second)."""
    times = [24 * i for i in range(len(pictures))] if times is None else times
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        stream.codec_context.options = {"crf": "10", **(options or {})}
        voice = out.add_stream(sound, rate=48000) if sound else None
        if voice is not None:
            voice.codec_context.layout = "mono"
        for picture, time in zip(pictures, times, strict=True):
            layout = "rgba" if picture.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, format=layout)
            frame.pts, frame.time_base = time, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if voice is not None:
            seconds = times[-1] * base + Fraction(1, 25)
            count = int(48000 * seconds)
            tone = np.sin(np.arange(count) * 2 * np.pi * 440 / 48000) * 0.3
            step = voice.codec_context.frame_size or 1024
            for begin in range(0, count - step + 1, step):
                part = tone[begin : begin + step].astype(np.float32)[None]
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
                out.mux(voice.encode(frame))
            out.mux(voice.encode(None))
    return path


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("assets")


@pytest.fixture(scope="session")
def video(assets: Path) -> Path:
    """Five frames, 25 a second, with sound."""
    return write_video(assets / "walk.mp4", [scene(i) for i in range(5)], sound="aac")


@pytest.fixture(scope="session")
def gif(assets: Path) -> Path:
    """Four frames of uneven delays, 3 plays, the left edge transparent."""
    frames = []
    for step in range(4):
        alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
        alpha[:, :8] = 0
        frames.append(Image.fromarray(np.dstack([scene(step), alpha])))
    path = assets / "walk.gif"
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=[50, 100, 70, 200],
        loop=2,
        disposal=2,
    )
    return path


@pytest.fixture(scope="session")
def style(assets: Path) -> Path:
    path = assets / "stripes.png"
    rows, columns = np.mgrid[:40, :56]
    wave = (np.sin((rows + 2 * columns) / 3) * 100 + 128).astype(np.uint8)
    Image.fromarray(np.dstack([wave, 255 - wave, np.full_like(wave, 160)])).save(path)
    return path


@pytest.fixture(scope="session")
def network() -> networks.VGG:
    wanted = (*STYLE_LAYERS, "relu4_2")
    return networks.load("vgg19", "bundled", wanted, device=torch.device("cpu"))


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def process() -> Run:
    """Run the command line as a process of its own, which takes seconds to begin."""

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vidstyle", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def vidstyle(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process, with what a process of its own would give."""

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [*map(str, arguments)]
        output, errors = io.StringIO(), io.StringIO()
        with (
            monkeypatch.context() as there,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            there.chdir(cwd or Path.cwd())
            code = cli.main(command)
        return subprocess.CompletedProcess(command, code, output.getvalue(), errors.getvalue())

    return run


def untrained(styles: tuple[str, ...] = ("one",), noise: float = 0.05) -> TransformerNet:
    """A network of random weights, near the one that changes nothing."""
    torch.manual_seed(3)
    made = TransformerNet(ModelConfig(styles, (1 / len(styles),) * len(styles), (64, 48)))
    for parameter in made.parameters():
        parameter.data += noise * torch.randn_like(parameter)
    return made


class FakeEngine:
    """Paints each frame as it is: for tests of what lies around painting."""

    device, dtype, tiles, tile_pixels = torch.device("cpu"), torch.float32, 1, None
    options_of, paints_key_frames, has_loss, patience = ENGINES.own, False, False, 0.0
    painted = 0
    """How many frames were painted in all."""

    def __init__(self, *given: object) -> None: ...

    def weights(self) -> list[torch.Tensor]:
        return []

    def reset(self) -> None: ...

    def prefetch_flow(self, source: np.ndarray, before: np.ndarray) -> None: ...

    def anchor(self, frame: Frame, painted: np.ndarray) -> None: ...

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return False

    @staticmethod
    def cost(settings: object, size: tuple[int, int], frames: int) -> float:
        return 0.0

    def paint_span(
        self, frames: Sequence[Frame], on_step: OnStep
    ) -> list[tuple[np.ndarray, float]]:
        FakeEngine.painted += len(frames)
        return [(frame.rgb.copy(), 0.0) for frame in frames]

    def repaint(
        self, frame: Frame, painted: np.ndarray, share: float, on_step: OnStep
    ) -> tuple[np.ndarray, float]:
        return painted, 0.0

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, state: object) -> None: ...


class FakeKeyframes(FakeEngine):
    """The same, for key frames."""

    paints_key_frames = True


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every frame be painted as it is."""
    monkeypatch.setitem(ENGINES.things, "gatys", FakeEngine)
    monkeypatch.setitem(ENGINES.things, "keyframes", FakeKeyframes)


@pytest.fixture
def workdir(
    video: Path, gif: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder, with a clip, an animation and a style."""
    for path in (video, gif, style):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def whole(video: Path, style: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What ``ARGUMENTS`` make."""
    output = tmp_path_factory.mktemp("whole") / "out.mkv"
    return stylize(video, style, output, codec="ffv1", **QUICK).output.read_bytes()


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory, style: Path) -> tuple[Path, bytes]:
    """Twenty frames under the name of ``video``, and what ``ARGUMENTS`` make of them."""
    folder = tmp_path_factory.mktemp("long")
    clip = write_video(folder / "walk.mp4", [scene(i) for i in range(20)])
    output = folder / "out.mkv"
    return clip, stylize(clip, style, output, codec="ffv1", **QUICK).output.read_bytes()


@pytest.fixture
def long_whole(workdir: Path, long_clip: tuple[Path, bytes]) -> bytes:
    """As ``whole``, of a clip of twenty frames, which takes the place of the one in ``workdir``:
    a run of it is at work for a while yet when its first paintings are seen."""
    clip, painted = long_clip
    shutil.copy(clip, workdir)
    return painted


def not_yet(*given: object, **more: object) -> None:
    """Stands for what must not begin: a refusal comes before it."""
    raise AssertionError("it has begun")


def contents(folder: Path) -> dict[str, bytes]:
    """All files below ``folder``."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
