"""Where the time of a run goes, by stage, and what it saves that stages run side by side.

    python -m benchmarks.stages WORK --clip PATH --style IMAGE [--size 1920] [--json FILE]

Paints some frames with the default engine and few steps, twice: stages side by side, as ever, and
one after the other. Seconds a frame do not depend on the number of steps, but those of the
optimiser, which are given for one step on a whole frame.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from vidstyle import render, stylize
from vidstyle.core.background import Behind
from vidstyle.engines.keyframes import KeyframesEngine
from vidstyle.media import Frame
from vidstyle.objective.objective import Objective
from vidstyle.render.checkpoint import ChunkStore
from vidstyle.render.output import OutputWriter
from vidstyle.temporal.flow import Flows

from .table import Row, machine, parser, show

STAGES: dict[str, tuple[type, str]] = {
    "flow": (Flows, "_both"),
    "step": (Objective, "__call__"),
    "between key frames": (KeyframesEngine, "_between"),
    "journal": (ChunkStore, "_put"),
    "encode": (OutputWriter, "write"),
}
"""What is timed; reading is, too."""


class AtOnce(Behind):
    """Makes its calls as they come."""

    def submit(self, call: Callable[..., None], *given: Any) -> None:
        call(*given)


def run(clip: Path, style: Path, output: Path, side_by_side: bool, **options: Any) -> Row:
    """Seconds of a run, and of each stage."""
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    plain = render.frames_of

    def timed(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                spent[stage] += time.perf_counter() - began
                calls[stage] += 1

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
        stack.enter_context(mock.patch.object(render, "frames_of", reading))
        if not side_by_side:
            stack.enter_context(mock.patch.object(render, "ahead", one_by_one))
            for module in ("vidstyle.render", "vidstyle.render.checkpoint"):
                stack.enter_context(mock.patch(f"{module}.Behind", AtOnce))
        began = time.perf_counter()
        done = stylize(clip, style, output, overwrite=True, **options)
        seconds = time.perf_counter() - began
    each = {stage: spent[stage] / done.frames for stage in ("read", *STAGES) if stage != "step"}
    each["step"] = spent["step"] / max(1, calls["step"])
    return {"frames": done.frames, "seconds": seconds, **each}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("--clip", type=Path, required=True)
    made.add_argument("--style", type=Path, required=True)
    made.add_argument("--size", type=int, default=1920)
    made.add_argument("--frames", type=int, default=26)
    made.add_argument("--steps", type=int, default=2)
    made.add_argument("--device", default="auto")
    given = made.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    options = {
        "engine": "keyframes",
        "size": given.size,
        "max_frames": given.frames,
        "first_iterations": given.steps,
        "iterations": given.steps,
        "device": given.device,
    }
    rows = [
        {"stages": name, **run(given.clip, given.style, given.work / "o.mp4", beside, **options)}
        for name, beside in (("side by side", True), ("one after the other", False))
    ]
    rows[0]["of that"] = rows[0]["seconds"] / rows[1]["seconds"]
    show(rows)
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
