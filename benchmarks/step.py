"""What a step of the optimizer costs over its floor: the network's convolutions alone.

python -m benchmarks.step [--width 512 --height 288] [--device auto] [--json FILE]
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from vidstyle import Settings, networks
from vidstyle.core import devices
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.objective.optimizers import BoxLBFGS
from vidstyle.objective.recording import Recorder
from vidstyle.objective.styles import StyleSchedule

from .table import Row, parser, show


def floor(network: networks.VGG, picture: torch.Tensor) -> float:
    """Seconds of the convolutions, forward and backward to their input, each timed alone: the
    faster of two, so that nothing is counted that only comes with the first."""
    with torch.no_grad():
        sizes = _sizes(network, picture)
        return sum(
            min(_alone(conv, sizes[name]) for _ in range(2))
            for name, conv in network.convolutions.items()
        )


def _alone(conv: torch.nn.Module, size: tuple[int, int]) -> float:
    weight = conv.get_parameter("weight")
    high, wide = size
    given = torch.rand((1, weight.shape[1], high + 2, wide + 2), device=weight.device)
    given = given.to(weight.dtype, memory_format=torch.channels_last)
    _wait(given.device)
    began = time.perf_counter()
    out = conv(given)
    torch.ops.aten.convolution_backward(
        out, given, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (True, False, False)
    )
    _wait(given.device)
    return time.perf_counter() - began


def _sizes(network: networks.VGG, picture: torch.Tensor) -> dict[str, tuple[int, int]]:
    """Height and width of each convolution's output."""
    high, wide = picture.shape[2:]
    sizes = {}
    for name in network.order:
        if name.startswith("pool"):
            high, wide = high // 2, wide // 2
        sizes[name] = high, wide
    return sizes


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(width: int, height: int, precision: str, device: str, rounds: int) -> Row:
    """A row: medians of ``rounds`` turns of floor and step, taken one after the other."""
    random = np.random.default_rng(0)
    source, style = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    settings = Settings(precision=precision, device=device)  # type: ignore[arg-type]
    engine = OptimizingEngine(settings, StyleSchedule.of(style), (width, height))
    objective, start = engine.task(source)
    optimizer = BoxLBFGS(start, torch.zeros_like(start), torch.ones_like(start))
    floors, steps = [], []
    closure = Recorder(engine.device).closure(objective)
    network = engine.network
    assert isinstance(network, networks.VGG)
    for turn in range(rounds + 3):
        lowest = floor(network, start)
        _wait(start.device)
        began = time.perf_counter()
        optimizer.step(closure)
        _wait(start.device)
        if turn >= 3:  # the first ones are slower, and the very first step evaluates twice
            steps.append(time.perf_counter() - began)
            floors.append(lowest)
    ratios = [s / f for s, f in zip(steps, floors, strict=True)]
    return {
        "size": f"{width}x{height}",
        "device": str(engine.device),
        "precision": precision,
        "floor s": statistics.median(floors),
        "step s": statistics.median(steps),
        "step / floor": statistics.median(ratios),
        "spread": f"{min(ratios):.2f} to {max(ratios):.2f}",
        "share of convolution": 1 / statistics.median(ratios),
    }


def precisions(device: str = "auto") -> list[str]:
    """Those worth measuring: where bf16 is not in the hardware it is slower by far."""
    fastest = devices.pick_precision("auto", devices.pick_device(device))
    return ["fp32", "bf16"] if fastest == "bf16" else ["fp32"]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--width", type=int, default=512)
    options.add_argument("--height", type=int, default=288)
    options.add_argument("--device", default="auto")
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    rows = [
        measure(given.width, given.height, precision, given.device, given.rounds)
        for precision in precisions(given.device)
    ]
    show(rows, given.json)


if __name__ == "__main__":
    main()
