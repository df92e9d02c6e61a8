"""How painting scales with workers, what joints look like, and what the head of a cluster does.

    python -m benchmarks.cluster WORK --clip PATH --style IMAGE [--only NAME,NAME] [--json FILE]

``scale`` paints the clip whole and in segments, by one process with one thread and with two, and by
Ray clusters of one worker and of two on this machine. Paintings stay in the folder WORK. Rows:
seconds from the first painting to the last, and frames a second in them; the share of the run that
went into the journal (where this process writes it); the warping error from frame to frame over the
last frames of segments, where these lead into the next, and elsewhere.

``head`` has Ray's workers on this machine paint the clip at 1920x1080 as it is, so that what is
measured is the head: its processor's seconds and bytes for each frame, and its memory.

``lost`` has 64 threads, which only wait in the place of painting, paint 20,000 frames while one in
ten of the segments loses its worker.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from vidstyle import Settings, media, stylize
from vidstyle.core import events
from vidstyle.core.folders import LocalFolder
from vidstyle.core.frames import Frame
from vidstyle.core.images import resized
from vidstyle.journal import FACTS_FILE, ChunkStore
from vidstyle.metrics import MetricAccumulator
from vidstyle.plan import plan
from vidstyle.render.chunks import CHUNK_FRAMES, TAIL_FRAMES
from vidstyle.render.cluster import Cluster, Head, WorkOrder, encoded
from vidstyle.render.output import OutputWriter
from vidstyle.render.ray import RayCluster

from . import simulated
from .table import Row, machine, parser, show

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
HEAD_FRAMES, HEAD_SEGMENT = 96, 24
"""Frames at 1920x1080, in all and in a segment."""
IDLE = 15
"""Seconds in which it is measured what a cluster costs that has nothing to do."""
WORKERS = (1, 2, 4)
"""How many paint these."""
MANY, LONG, SHORT, PICTURE, ONE_IN = 64, 20_000, 48, 1.5, 10
"""Workers, frames, those of a segment, seconds for each, and of how many segments one loses its
worker: the last round of segments keeps few at work, so that there must be many rounds."""


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
        stack.enter_context(mock.patch.object(ChunkStore, "put", timed(ChunkStore.put)))
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
        "at joints": float(np.mean([error(key - TAIL_FRAMES, key) for key in keys])),
        "elsewhere": float(np.mean([error(k - segment + 1, k - TAIL_FRAMES) for k in keys])),
    }


def film(path: Path, source: Path, size: tuple[int, int], count: int, shot: int) -> Path:
    """A clip of so many frames at this size, made of those of another one, with a cut after each
    ``shot`` of frames."""
    frames = [
        resized(frame.rgb, size) for frame in media.trim(media.open_clip(source), max_frames=96)
    ]
    info = replace(media.open_clip(source).info, sound=(), chapters=(), alpha=False)
    mp4, each = media.FORMATS["mp4"], 1 / (info.rate or Fraction(25))
    with media.open_writer(path, info, mp4, size, overwrite=True, crf=26) as writer:
        for number, picture in enumerate(islice(cycle(frames), count)):
            shown = 255 - picture if number // shot % 2 else picture
            writer.write(Frame(shown, number * each, each))
    return path


def ordered(clip: Path, style: Path, output: Path, segment: int, size: Any) -> WorkOrder:
    """The order of a painting whose parts lie beside the output."""
    settings = Settings(engine="gatys", size=size, segment=segment, threads=1, device="cpu")
    work = plan(clip, [style], output, settings=settings, overwrite=True)
    order = WorkOrder(work, LocalFolder(output.with_suffix(".parts")))
    discard(order)
    order.parts.make()
    order.parts.write(FACTS_FILE, b"{}")
    return order


def joined(order: WorkOrder, cluster: Cluster) -> tuple[int, int]:
    """Have all painted and join it; returns how many frames that is, and bytes of parts."""
    frames, size = 0, 0
    output = OutputWriter(order.plan.output, order.plan.footage)
    with output:
        for segment, _ in Head(order.plan, cluster, lambda event: None).painting():
            part = order.parts.path / encoded(segment)  # type: ignore[attr-defined]
            size += part.stat().st_size
            output.join(part, segment.frames)
            order.parts.remove(part.name)
            frames += len(segment.places)
    return frames, size


def head(clip: Path, style: Path, work: Path) -> list[Row]:
    """What the head of a cluster does for each frame of 1920x1080."""
    import ray

    size = (1920, 1080)
    source = film(work / "head.mp4", clip, size, HEAD_FRAMES, 2 * HEAD_SEGMENT)
    rows: list[Row] = []
    for workers in WORKERS:
        order = ordered(source, style, work / f"head-{workers}.out.mp4", HEAD_SEGMENT, "full")
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"worker_process_setup_hook": "benchmarks.simulated.install"},
        )
        cluster = RayCluster(order)
        idle = time.process_time()
        for _ in range(IDLE):
            time.sleep(1)
            cluster.told()
        idle = (time.process_time() - idle) / IDLE
        began, spent = time.monotonic(), time.process_time()
        frames, written = joined(order, cluster)
        seconds = time.monotonic() - began
        spent = time.process_time() - spent - idle * seconds
        ray.shutdown()
        rows.append(
            {
                "workers": workers,
                "frames": frames,
                "frames a second": frames / seconds,
                "head idle": idle,
                "head's seconds a frame": spent / frames,
                "frames a second of head": frames / spent,
                "bytes a frame, joined": written / frames,
                "head's memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            }
        )
        discard(order)
    return rows


def lost(clip: Path, style: Path, work: Path) -> list[Row]:
    """Whether all is painted, and once, where workers are lost."""
    simulated.install()
    engine = simulated.IdentityEngine
    engine.seconds, engine.risk = PICTURE, 1 / ONE_IN / SHORT
    source = film(work / "lost.mp4", clip, (64, 36), LONG, 1250)
    order = ordered(source, style, work / "lost.out.mp4", SHORT, 64)
    cluster = simulated.ThreadCluster(order, MANY)
    began = time.monotonic()
    frames, _ = joined(order, cluster)
    seconds = time.monotonic() - began
    begun, needed = sum(engine.begun.values()), len(engine.begun)
    shown = sum(1 for _ in media.open_clip(order.plan.output.path))
    discard(order)
    return [
        {
            "workers": MANY,
            "frames": frames,
            "in the output": shown,
            "pictures": needed,
            "workers lost": cluster.lost,
            "pictures begun again": begun - needed,
            "at most": cluster.lost * CHUNK_FRAMES * 2,
            "seconds": seconds,
            "efficiency": needed * PICTURE / seconds / MANY,
            "threads": threading.active_count(),
        }
    ]


def discard(order: WorkOrder) -> None:
    """Remove the parts of a painting."""
    for name in order.parts.names():
        order.parts.remove(name)
    order.parts.close()


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", type=Path, required=True)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--size", type=int, default=160)
    made.add_argument("--frames", type=int, default=48)
    made.add_argument("--segment", type=int, default=16)
    made.add_argument("--only", default="scale,head,lost")
    given = made.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options = {"engine": "gatys", "size": given.size, "max_frames": given.frames}
    tables: dict[str, Callable[[], list[Row]]] = {
        "scale": lambda: [
            paint(name, given.clip, given.style, given.work, given.segment, options)
            for name in WAYS
        ],
        "head": lambda: head(given.clip, given.style, given.work),
        "lost": lambda: lost(given.clip, given.style, given.work),
    }
    found = {}
    for name in given.only.split(","):
        found[name] = tables[name]()
        print(f"\n{name}\n")
        show(found[name])
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), **found}, indent=1))


if __name__ == "__main__":
    main()
