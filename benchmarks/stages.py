"""Where the time of a run goes, by stage, and what it saves that stages run side by side.

    python -m benchmarks.stages WORK --clip PATH --style IMAGE [--size 1920] [--json FILE]

Paints some frames with the default engine twice: stages side by side, as ever, and one after the
other. The optimizer takes one step at the first layer, for what else is done does not depend on it;
what a step at all layers costs on a whole frame is measured by itself.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from vidstyle import Settings, stylize
from vidstyle.core.background import Behind
from vidstyle.core.frames import Frame
from vidstyle.engines.gatys import OptimizingEngine
from vidstyle.engines.keyframes import Carry
from vidstyle.journal import ChunkStore
from vidstyle.plan import plan
from vidstyle.plan.describe import step_seconds
from vidstyle.render import painting
from vidstyle.render.frames import frames_of
from vidstyle.render.output import OutputWriter
from vidstyle.temporal import flow

from .table import Row, machine, parser, show

STAGES: dict[str, tuple[type, str]] = {
    "between key frames": (Carry, "to"),
    "journal": (ChunkStore, "_put"),
    "encode": (OutputWriter, "write"),
}
"""What is timed, beside reading and flow."""


class AtOnce(Behind):
    """Makes its calls as they come."""

    def submit(self, call: Callable[..., None], *given: Any) -> None:
        call(*given)


def run(clip: Path, style: Path, output: Path, side_by_side: bool, **options: Any) -> Row:
    """Seconds of a run, and of each stage."""
    spent: defaultdict[str, float] = defaultdict(float)
    plain, both_ways = frames_of, flow.both_ways

    def timed(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                spent[stage] += time.perf_counter() - began

        return called

    def reading(work: Any) -> Iterator[Frame]:
        frames = plain(work)
        following = timed("read", lambda: next(frames, None))
        while (frame := following()) is not None:
            yield frame

    def one_by_one(items: Iterable[Any], count: int) -> Iterable[Any]:
        return items

    with ExitStack() as stack:
        for stage, (kind, name) in STAGES.items():
            stack.enter_context(mock.patch.object(kind, name, timed(stage, getattr(kind, name))))
        stack.enter_context(mock.patch.object(painting, "frames_of", reading))
        flows = mock.patch.object(flow, "both_ways", lambda one: timed("flow", both_ways(one)))
        stack.enter_context(flows)
        if not side_by_side:
            stack.enter_context(mock.patch.object(painting, "ahead", one_by_one))
            for module in ("vidstyle.render.painting", "vidstyle.journal.chunks"):
                stack.enter_context(mock.patch(f"{module}.Behind", AtOnce))
        began = time.perf_counter()
        done = stylize(clip, style, output, overwrite=True, restart=True, **options)
        seconds = time.perf_counter() - began
    each = {stage: spent[stage] / done.frames for stage in ("read", "flow", *STAGES)}
    return {"frames": done.frames, "seconds": seconds, **each}


def whole_step(clip: Path, style: Path, **options: Any) -> float:
    """Seconds of an optimizer's step on a whole frame at all layers, from one of a quarter."""
    made = plan(clip, [style], settings=Settings(**options))
    quarter = made.size[0] // 2, made.size[1] // 2
    engine = OptimizingEngine(made.settings, made.schedule, quarter)
    return 4 * step_seconds(engine, quarter)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", type=Path, required=True)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--size", type=int, default=1920)
    made.add_argument("--frames", type=int, default=26)
    made.add_argument("--device", default="auto")
    given = made.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    options = {
        "engine": "keyframes",
        "size": given.size,
        "max_frames": given.frames,
        "device": given.device,
    }
    cheap = options | {
        "first_iterations": 1,
        "iterations": 1,
        "coarse_to_fine": 1.0,
        "style_layers": ("relu1_1",),
        "content_layers": ("relu1_1",),
    }
    rows = [
        {"stages": name, **run(given.clip, given.style, given.work / "o.mp4", beside, **cheap)}
        for name, beside in (("side by side", True), ("one after the other", False))
    ]
    rows[0]["of that"] = rows[0]["seconds"] / rows[1]["seconds"]
    rows[0]["a step"] = whole_step(given.clip, given.style, **options)
    show(rows)
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
