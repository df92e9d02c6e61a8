"""How painting scales with workers, what joints look like, and what the journal costs.

    python -m benchmarks.cluster WORK --clip PATH --style IMAGE [--json FILE]

Paints the clip whole and in segments, by one process with one thread and with two, and by Ray
clusters of one worker and of two on this machine. Paintings stay in the folder WORK.

Rows: seconds from the first painting to the last, and frames a second in them; the share of the run
that went into the journal (where this process writes it); the warping error from frame to frame
over the last frames of segments, where these lead into the next, and elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from vidstyle import media, stylize
from vidstyle.core import events
from vidstyle.core.images import resized
from vidstyle.metrics import MetricAccumulator
from vidstyle.render.checkpoint import CheckpointStore
from vidstyle.render.chunks import TAIL

from .table import Row, parser, show

WAYS: dict[str, tuple[int, int]] = {
    "whole shots, 1 thread": (1, 0),
    "whole shots, 2 threads": (2, 0),
    "segments, 1 thread": (1, 0),
    "cluster, 1 worker": (2, 1),
    "cluster, 2 workers": (2, 2),
}
"""Threads of this process, and workers."""
PORT = 21001
SETTLED = 20.0
"""Seconds after which a new cluster answers."""


@contextmanager
def ray(workers: int) -> Iterator[str]:
    """The address of a cluster of so many workers."""
    command = [str(Path(sys.executable).with_name("ray"))]
    options = [
        *("--head", "--num-cpus", str(workers), "--node-ip-address", "127.0.0.1"),
        *("--ray-client-server-port", str(PORT), "--include-dashboard", "false"),
        "--disable-usage-stats",
    ]
    subprocess.run([*command, "start", *options], check=True, capture_output=True)
    try:
        time.sleep(SETTLED)
        yield f"ray://127.0.0.1:{PORT}"
    finally:
        subprocess.run([*command, "stop", "--force"], check=False, capture_output=True)


def paint(
    name: str, clip: Path, style: Path, work: Path, segment: int, options: dict[str, Any]
) -> Row:
    """Paint the clip in one way."""
    threads, workers = WAYS[name]
    torch.set_num_threads(threads)
    painted: list[float] = []
    spent = 0.0

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Painted):
            painted.append(time.monotonic())

    def timed(work: Callable[..., None]) -> Callable[..., None]:
        def run(*given: Any) -> None:
            nonlocal spent
            began = time.monotonic()
            work(*given)
            spent += time.monotonic() - began

        return run

    if not name.startswith("whole"):
        options = options | {"segment": segment}
    output = work / name.replace(", ", "-").replace(" ", "-")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(CheckpointStore, "put", timed(CheckpointStore.put)))
        if workers:
            options = options | {"cluster": stack.enter_context(ray(workers))}
        began = time.monotonic()
        done = stylize(clip, style, output, overwrite=True, listener=listen, **options)
        whole = time.monotonic() - began
    seconds = painted[-1] - painted[0]
    return {
        "way": name,
        "whole run": whole,
        "seconds": seconds,
        "frames a second": (done.frames - 1) / seconds,
        "journal": spent / whole,
        **joints(clip, style, output, segment),
    }


def joints(clip: Path, style: Path, painted: Path, segment: int) -> Row:
    """The warping error where segments lead into the next, and elsewhere."""
    paintings = [frame.rgb for frame in media.open_clip(painted)]
    size = paintings[0].shape[1::-1]
    most = len(paintings)
    sources = [resized(f.rgb, size) for f in media.trim(media.open_clip(clip), max_frames=most)]
    picture, _ = media.read_image(style)

    def error(first: int, last: int) -> float:
        accumulator = MetricAccumulator(picture, size[::-1])
        for i in range(first, last + 1):
            accumulator.add(sources[i], paintings[i])
        return float(accumulator.measures().warping)

    keys = range(segment, most, segment)
    return {
        "at joints": float(np.mean([error(key - TAIL, key) for key in keys])),
        "elsewhere": float(np.mean([error(k - segment + 1, k - TAIL) for k in keys])),
    }


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", type=Path, required=True)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--size", type=int, default=160)
    made.add_argument("--frames", type=int, default=48)
    made.add_argument("--segment", type=int, default=16)
    given = made.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options = {"engine": "gatys", "size": given.size, "max_frames": given.frames}
    rows = [
        paint(name, given.clip, given.style, given.work, given.segment, options) for name in WAYS
    ]
    show(rows, given.json)


if __name__ == "__main__":
    main()
