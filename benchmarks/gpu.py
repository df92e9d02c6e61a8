"""Everything that is to be known of a GPU, in a few minutes from a machine with nothing but torch.

    python -m benchmarks.gpu WORK --style IMAGE --clip NAME=PATH[@SIZE] ... [--frames N]
        [--device cuda] [--small] [--json FILE]

Parts, each of which may fail by itself: what the card can do at best; the same picture on the CPU
and on the card; a step at three sizes, and its share of the floor; clips from end to end by key
frames, and one by ``gatys``; recovery where memory ends; the same bytes twice. ``--small`` tries
all of it at tiny sizes, which a CPU can do, too.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from vidstyle import Settings, media, stylize
from vidstyle.core import devices, events
from vidstyle.core.images import Image, resized
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.networks import VGG
from vidstyle.objective.optimizers import BoxLBFGS
from vidstyle.objective.recording import Recorder
from vidstyle.objective.styles import StyleSchedule

from .step import floor
from .table import Row, machine, parser, show

SIZES = [(640, 360), (1280, 720), (1920, 1080)]
STEPS = 60
"""Of the picture that is painted on the CPU, too."""
OF_MEMORY = 0.6
"""Share of the memory of a step that is left, for it to end."""


class Bench:
    """The parts, for one device.

    Args:
        work: a folder for what is painted.
        style: the style picture.
        device: "cuda", or another one to try this.
        small: whether everything is tiny.
    """

    def __init__(self, work: Path, style: Path, device: str, small: bool) -> None:
        self.work, self.style, self.small = work, style, small
        self.device = torch.device(device)
        self.look, _ = media.read_image(style)
        self.rate = 0.0
        """TFLOP/s of a large matrix product in bf16."""

    def ceilings(self) -> list[Row]:
        """What the card can do: a matrix product in bf16, and a copy."""
        side, count = (256, 1 << 20) if self.small else (8192, 1 << 30)
        one = torch.randn(side, side, device=self.device).bfloat16()
        self.rate = 2 * side**3 / self._seconds(lambda: one @ one) / 1e12
        there = torch.empty(count, dtype=torch.uint8, device=self.device)
        here = torch.empty_like(there)
        copied = 2 * count / self._seconds(lambda: here.copy_(there)) / 1e12
        return [{"product TFLOP/s": self.rate, "copy TB/s": copied}]

    def pictures(self) -> list[Row]:
        """One picture painted on the CPU in fp32, and in both precisions on the card."""
        width, height = (64, 48) if self.small else (320, 180)
        source = resized(self.look[::-1, ::-1].copy(), (width, height))
        rows: list[Row] = []
        first: Image | None = None
        card = str(self.device)
        for device, precision in (("cpu", "fp32"), (card, "fp32"), (card, "bf16")):
            engine = self._engine((width, height), device=device, precision=precision)
            painted, terms = self._painted(engine, source)
            first = painted if first is None else first
            apart = float(np.abs(painted.astype(int) - first).mean())
            rows.append({"device": device, "precision": precision, **terms, "apart": apart})
        return rows

    def steps(self) -> list[Row]:
        """A step: its launches one by one, recorded, and with the optimizer."""
        rows = []
        for size in [(64, 48)] if self.small else SIZES:
            for precision in ("bf16", "fp32"):
                rows.append(self._step(size, precision))
        return rows

    def _step(self, size: tuple[int, int], precision: str) -> Row:
        engine = self._engine(size, precision=precision)
        objective, start = engine.task(resized(self.look[::-1].copy(), size))
        network = engine.network
        assert isinstance(network, VGG)
        flop = 2 * _flop(network, size)  # forward and backward
        self._forget()
        each = self._seconds(lambda: objective(start))
        recorder = Recorder(self.device)
        closure = recorder.closure(objective)
        closure(start)
        began = time.perf_counter()
        closure(start)
        self._wait()
        recording = time.perf_counter() - began
        replayed = self._seconds(lambda: closure(start))
        optimizer = BoxLBFGS(start, torch.zeros_like(start), torch.ones_like(start))
        for _ in range(2 if self.small else 15):
            optimizer.step(closure)
        step = self._seconds(lambda: optimizer.step(closure))
        convolutions = min(floor(network, start) for _ in range(3))
        least = flop / (self.rate * 1e12) if self.rate else float("nan")
        return {
            "size": f"{size[0]}x{size[1]}",
            "precision": precision,
            "launched ms": each * 1e3,
            "recording ms": recording * 1e3,
            "replayed ms": replayed * 1e3,
            "step ms": step * 1e3,
            "convolutions ms": convolutions * 1e3,
            "floor ms": least * 1e3,
            "floor / step": least / step,
            "GB": self._peak(),
        }

    def clips(self, clips: dict[str, tuple[Path, int]], frames: int) -> list[Row]:
        """Clips from end to end by key frames, and the first one frame by frame."""
        rows = []
        for number, (name, (path, size)) in enumerate(clips.items()):
            for engine in ("keyframes", "gatys") if number == 0 else ("keyframes",):
                rows.append(self._clip(name, path, size, engine, frames))
        return rows

    def _clip(self, name: str, path: Path, size: int, engine: str, frames: int) -> Row:
        self._forget()
        told: list[tuple[float, events.Event]] = []
        count = frames if engine == "keyframes" else max(3, frames // 4)
        began = time.perf_counter()
        done = self._stylize(
            path,
            self.work / f"{name}-{engine}.mp4",
            listener=lambda event: told.append((time.perf_counter(), event)),
            size=size,
            engine=engine,
            max_frames=count,
        )
        seconds = time.perf_counter() - began
        first = next(at for at, event in told if isinstance(event, events.Painted)) - began
        return {
            "clip": name,
            "size": f"{done.width}x{done.height}",
            "engine": engine,
            "frames": done.frames,
            "steps": sum(isinstance(event, events.Stepped) for _, event in told),
            "first s": first,
            "a second": (done.frames - 1) / (seconds - first),
            "with the first": done.frames / seconds,
            "GB": self._peak(),
        }

    def memory(self, path: Path) -> list[Row]:
        """A clip that is painted where memory ends."""
        if self.device.type != "cuda":
            return [{"memory": "no such limit on this device"}]
        size = 1280
        engine = self._engine((size, size * 9 // 16))
        self._forget()
        total = torch.cuda.get_device_properties(self.device).total_memory
        torch.cuda.set_per_process_memory_fraction(OF_MEMORY * engine.memory / total)
        try:
            done = self._stylize(
                path, self.work / "memory.mp4", size=size, max_frames=1, first_iterations=5
            )
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return [{"memory": "; ".join(done.notes), "frames": done.frames}]

    def twice(self, path: Path, size: int) -> list[Row]:
        """The same clip twice."""
        options: dict[str, Any] = {"size": size, "max_frames": 8, "first_iterations": 20}
        made = [
            self._stylize(path, self.work / f"{run}.mkv", **options).output.read_bytes()
            for run in ("one", "two")
        ]
        return [{"two runs": "the same bytes" if made[0] == made[1] else "other bytes"}]

    def _stylize(self, clip: Path, output: Path, **options: Any) -> Any:
        return stylize(
            clip,
            self.style,
            output,
            overwrite=True,
            restart=True,
            device=str(self.device),
            **options,
        )

    def _engine(self, size: tuple[int, int], **options: Any) -> OptimizingEngine:
        settings = Settings(**{"device": str(self.device)} | options)
        return OptimizingEngine(settings, StyleSchedule.of(self.look), size)

    def _painted(self, engine: OptimizingEngine, source: Image) -> tuple[Image, dict[str, float]]:
        objective, start = engine.task(source)
        optimizer = BoxLBFGS(start, torch.zeros_like(start), torch.ones_like(start))
        closure = Recorder(engine.device).closure(objective)
        for _ in range(3 if self.small else STEPS):
            terms = optimizer.step(closure)
        return engine.image(optimizer.picture), dict(zip(objective.names, terms, strict=True))

    def _seconds(self, call: Callable[[], object]) -> float:
        """Seconds of a call: the median of three times ten."""
        count = 1 if self.small else 10
        for _ in range(count // 3):
            call()
        found = []
        for _ in range(3):
            self._wait()
            began = time.perf_counter()
            for _ in range(count):
                call()
            self._wait()
            found.append((time.perf_counter() - began) / count)
        return median(found)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _forget(self) -> None:
        devices.forget(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def _peak(self) -> float:
        if self.device.type != "cuda":
            return float("nan")
        return torch.cuda.max_memory_allocated() / 1e9


def _flop(network: VGG, size: tuple[int, int]) -> float:
    """Operations of the convolutions, forward."""
    width, height = size
    found = 0.0
    for name in network.order:
        if name.startswith("pool"):
            width, height = width // 2, height // 2
        elif name.startswith("conv"):
            weight = network.convolutions[name].get_parameter("weight")
            found += 2 * weight.numel() * width * height
    return found


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--clip", action="append", required=True, metavar="NAME=PATH[@SIZE]")
    made.add_argument("--frames", type=int, default=25)
    made.add_argument("--device", default="cuda")
    made.add_argument("--small", action="store_true")
    given = made.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    clips = {}
    for text in given.clip:
        name, _, rest = text.partition("=")
        path, _, size = rest.partition("@")
        clips[name] = Path(path), int(size or 640)
    path, size = next(iter(clips.values()))
    bench = Bench(given.work, given.style, given.device, given.small)
    parts: dict[str, Callable[[], list[Row]]] = {
        "ceilings": bench.ceilings,
        "steps": bench.steps,
        "clips": lambda: bench.clips(clips, given.frames),
        "pictures": bench.pictures,
        "twice": lambda: bench.twice(path, size),
        "memory": lambda: bench.memory(path),
    }
    found: dict[str, Any] = {"machine": machine()}
    print(found["machine"])
    for name, rows in _done(parts):
        found[name] = rows
        show(rows)
        if given.json:
            given.json.write_text(json.dumps(found, indent=1))


def _done(parts: dict[str, Callable[[], list[Row]]]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each part; where it has failed, what it says."""
    for name, part in parts.items():
        began = time.perf_counter()
        try:
            rows = part()
        except Exception as error:
            traceback.print_exc()
            rows = [{"failed": f"{type(error).__name__}: {error}"}]
        print(f"\n{name}: {time.perf_counter() - began:.0f} s", flush=True)
        yield name, rows


if __name__ == "__main__":
    main()
