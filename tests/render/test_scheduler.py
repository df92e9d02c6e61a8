"""The order in which frames are painted, seen with an engine that notes what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from vidstyle.core.events import Event, Painted, Step
from vidstyle.core.frames import Frame
from vidstyle.engines.protocol import OnStep
from vidstyle.render.chunks import TAIL_FRAMES, PaintedFrame, tasks
from vidstyle.render.scheduler import Scheduler, paintings
from vidstyle.temporal.shots import segmented

from ..conftest import FakeEngine, scene


class NotingEngine(FakeEngine):
    """Paints each frame one shade of green further than the frame before; where it repaints, what
    lies between both. Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.shares: list[float] = []
        self.green = 0.0

    def named(self, name: str) -> list[int]:
        """The frames that it was asked this of."""
        return [number for what, number in self.asked if what == name]

    def reset(self) -> None:
        self.asked.append(("reset", 0))
        self.green = 0.0

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return np.array_equal(frame.rgb, before.rgb)

    def paint_span(
        self, frames: Sequence[Frame], on_step: OnStep
    ) -> list[tuple[np.ndarray, float]]:
        return [self.paint(frame, on_step) for frame in frames]

    def paint(self, frame: Frame, on_step: OnStep) -> tuple[np.ndarray, float]:
        self.asked.append(("paint", number(frame.rgb)))
        self.green += 10
        on_step(Step(1.0, 0.5, {}, lambda: frame.rgb))
        return np.full_like(frame.rgb, (number(frame.rgb), self.green, 0)), 0.5

    def anchor(self, frame: Frame, painted: np.ndarray) -> None:
        self.asked.append(("anchor", number(frame.rgb)))
        self.green = float(painted[0, 0, 1])

    def repaint(
        self, frame: Frame, painted: np.ndarray, share: float, on_step: OnStep
    ) -> tuple[np.ndarray, float]:
        self.asked.append(("repaint", number(frame.rgb)))
        self.shares.append(share)
        self.green = round(share * self.green + (1 - share) * int(painted[0, 0, 1]))
        return np.full_like(frame.rgb, (number(frame.rgb), self.green, 0)), 0.25

    def state(self) -> dict[str, np.ndarray]:
        return {"green": np.array(self.green)}

    def restore(self, state: Any) -> None:
        self.asked.append(("restore", 0))
        self.green = float(state["green"])


def number(picture: np.ndarray) -> int:
    return int(picture[0, 0, 0])


def numbered(count: int, cuts: Sequence[int] = (0,)) -> list[Frame]:
    """Frames that say their number in red."""
    frames = []
    for i in range(count):
        rgb = scene(0).copy()
        rgb[0, 0] = i, 0, 0
        alpha = np.full(rgb.shape[:2], i, np.uint8)
        time, each = Fraction(i, 25), Fraction(1, 25)
        frames.append(Frame(rgb, time, each, alpha, starts_shot=i in cuts))
    return frames


def scheduled(engine: NotingEngine, events: list[Event] | None = None, **options: Any) -> Scheduler:
    emit = (lambda event: None) if events is None else events.append
    return Scheduler(engine, emit, **options)


def order(done: Sequence[PaintedFrame]) -> list[int]:
    return [number(one.frame.rgb) for one in done]


def greens(done: Sequence[PaintedFrame]) -> list[int]:
    return [int(one.painted[0, 0, 1]) for one in done]


def test_a_whole_shot_is_painted_one_frame_at_a_time() -> None:
    found = [
        (one.section, one.at, len(one.frames)) for one in tasks(numbered(5, cuts=(0, 3)), False)
    ]
    assert found == [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 0, 1), (1, 1, 1)]


def test_shots_are_cut_into_segments_that_begin_with_a_key_frame() -> None:
    found = [
        (one.section, one.at, [number(frame.rgb) for frame in one.frames])
        for one in tasks(segmented(numbered(18, cuts=(0, 8)), 7), True)
    ]
    assert found == [
        (0, 0, [0]),
        (0, 1, [1, 2, 3, 4]),
        (0, 5, [5, 6]),
        (1, 0, [7]),
        (2, 0, [8]),
        (2, 1, [9, 10, 11, 12]),
        (2, 5, [13, 14]),
        (3, 0, [15]),
        (3, 1, [16, 17]),
    ]
    assert not list(tasks([], True)) and not list(tasks([], False))


def test_frames_come_out_in_order_and_as_soon_as_they_are_painted() -> None:
    engine = NotingEngine()
    done = scheduled(engine).paint(numbered(5, cuts=(0, 3)))
    assert next(done).frame.starts_shot
    assert [what for what, _ in engine.asked] == ["reset", "paint"]
    rest = list(done)
    assert order(rest) == [1, 2, 3, 4]
    assert greens(rest) == [20, 30, 10, 20] and {one.loss for one in rest} == {0.5}
    assert not engine.named("restore"), "the engine stands where it is needed"


def test_a_frame_that_repeats_the_one_before_is_not_painted() -> None:
    engine = NotingEngine()
    first, second = numbered(2)
    again = Frame(first.rgb.copy(), Fraction(1, 25), Fraction(1, 25))
    done = list(scheduled(engine).paint([first, again, second]))
    assert engine.named("paint") == [0, 1] and greens(done) == [10, 10, 20]
    assert [one.frame.time for one in done] == [0, Fraction(1, 25), Fraction(1, 25)]


def test_the_end_of_a_loop_leads_into_its_beginning_step_by_step() -> None:
    engine = NotingEngine()
    done = list(scheduled(engine, closes=True).paint(numbered(20)))
    assert order(done) == list(range(20))
    assert engine.named("repaint")[-TAIL_FRAMES:] == list(range(19, 19 - TAIL_FRAMES, -1))
    green = greens(done)
    assert green[-1] == green[0], "the last frame goes on from the first"
    steps = [abs(b - a) for a, b in pairwise([*green, green[0]])]
    assert max(steps) < 10 * 19 / 2, "where the loop jumped by ten times as much"
    assert green[: 20 - TAIL_FRAMES] == [10 + 10 * i for i in range(20 - TAIL_FRAMES)]


def test_segments_go_on_from_key_frames_and_lead_into_the_next() -> None:
    engine = NotingEngine()
    done = list(scheduled(engine, segments=True).paint(segmented(numbered(50, cuts=(0, 40)), 20)))
    assert order(done) == list(range(50))
    assert [i for i, one in enumerate(done) if one.frame.starts_shot] == [0, 40]
    green = greens(done)
    assert [green[0], green[20]] == [10, 20], "a key frame goes on from the one before"
    assert green[40] == 10, "nothing goes over a cut"
    assert green[19] == green[20] and green[:12] == [10 + 10 * i for i in range(12)]
    assert engine.named("repaint") == list(range(19, 11, -1)), (
        "nothing leads over a cut, nor out of a clip's end"
    )
    assert engine.shares == [1 - i / 8 for i in range(8)]
    assert sorted(engine.named("paint")) == list(range(50))


def test_the_last_segment_of_a_loop_leads_into_the_first() -> None:
    scheduler = scheduled(NotingEngine(), segments=True, closes=True)
    green = greens(list(scheduler.paint(segmented(numbered(10), 6))))
    assert green[-1] == green[0]


@pytest.mark.parametrize(
    ("count", "segment", "closes"),
    [
        (1, None, False),
        (5, None, True),
        (20, None, True),
        (2, None, True),
        (1, 4, False),
        (20, 6, True),
        (9, 4, True),
        (12, 4, False),
    ],
)
def test_how_many_pictures_are_painted_is_known_before(
    count: int, segment: int | None, closes: bool
) -> None:
    events: list[Event] = []
    options = {"segments": segment is not None, "closes": closes}
    list(scheduled(NotingEngine(), events, **options).paint(segmented(numbered(count), segment)))
    painted = sum(isinstance(event, Painted) for event in events)
    assert painted == paintings(count, segment, closes)


@pytest.mark.parametrize("segment", [None, 4])
def test_a_loop_with_a_cut_is_left_alone(segment: int | None) -> None:
    engine = NotingEngine()
    frames = numbered(6)
    frames += [Frame(255 - frame.rgb, frame.time + 1, frame.duration) for frame in frames]
    scheduler = scheduled(engine, closes=True, segments=segment is not None)
    done = list(scheduler.paint(segmented(frames, segment)))
    assert len(done) == 12
    led = engine.named("repaint")
    assert not {*led} & {253, 252, 251, 250}, "not the end of the clip"
    assert bool(led) == (segment is not None), "segments lead into each other"


@pytest.mark.parametrize("segment", [None, 4])
def test_clips_too_short_to_close(segment: int | None) -> None:
    for count in (0, 1, 2):
        scheduler = scheduled(NotingEngine(), closes=True, segments=segment is not None)
        assert len(list(scheduler.paint(segmented(numbered(count), segment)))) == count
