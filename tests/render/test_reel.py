"""The way of the frames through a painter, seen with one that only notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np

from vidstyle.core.events import Event, Painted, Step
from vidstyle.media import Frame
from vidstyle.render.reel import TAIL, PaintedFrame, SequentialScheduler, paintings

from ..conftest import scene

Told = Callable[[Step], None]


class FakeEngine:
    """Paints a frame as its number, the mean of both where it paints again."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.beside = 0.0

    def reset(self) -> None:
        self.asked.append(("cut", 0))

    def prefetch_flow(self, source: np.ndarray, before: np.ndarray) -> None:
        self.asked.append(("expect", int(source[0, 0, 0])))

    def is_duplicate(self, frame: Frame, before: Frame) -> bool:
        return np.array_equal(frame.rgb, before.rgb)

    def paint(self, frame: Frame, progress: Told) -> np.ndarray:
        progress(Step(1.0, 0.5, {}, lambda: frame.rgb))
        self.asked.append(("paint", int(frame.rgb[0, 0, 0])))
        return frame.rgb.copy()

    def anchor(self, frame: Frame, painted: np.ndarray) -> None:
        self.asked.append(("turn", int(frame.rgb[0, 0, 0])))
        self.beside = float(painted[0, 0, 1])

    def repaint(
        self, frame: Frame, painted: np.ndarray, share: float, progress: Told
    ) -> np.ndarray:
        self.asked.append(("again", int(frame.rgb[0, 0, 0])))
        self.beside = painted[0, 0, 1] + share * (self.beside - painted[0, 0, 1])
        result = painted.copy()
        result[..., 1] = round(self.beside)
        return result


def numbered(count: int, first: int = 0) -> list[tuple[Frame, bool]]:
    """Frames that say their number in red; green is what will be blended."""
    frames = []
    for i in range(first, first + count):
        rgb = scene(0).copy()
        rgb[0, 0] = i, 10 * i, 0
        alpha = np.full(rgb.shape[:2], i, np.uint8)
        frames.append((Frame(rgb, Fraction(i, 25), Fraction(1, 25), alpha), i == first))
    return frames


def names(done: list[PaintedFrame]) -> list[int]:
    return [int(one.frame.rgb[0, 0, 0]) for one in done]


def test_frames_come_out_in_order_and_one_at_a_time() -> None:
    clerk = FakeEngine()
    reel = SequentialScheduler(clerk, lambda event: None).paint(numbered(3) + numbered(2, 3))
    assert next(reel).starts_shot
    assert [what for what, _ in clerk.asked] == ["cut", "expect", "paint"]
    rest = list(reel)
    assert names(rest) == [1, 2, 3, 4]
    assert [one.starts_shot for one in rest] == [False, False, True, False]
    assert ("expect", 3) not in clerk.asked, "nothing carries over a cut"
    assert {one.loss for one in rest} == {0.5}


def test_passes_go_backward_and_forward_within_a_shot() -> None:
    clerk = FakeEngine()
    events: list[Event] = []
    done = list(
        SequentialScheduler(clerk, events.append, passes=3).paint(numbered(3) + numbered(2, 3))
    )
    assert names(done) == [0, 1, 2, 3, 4]
    again = [number for what, number in clerk.asked if what in ("turn", "again")]
    assert again == [2, 1, 0, 0, 1, 2, 4, 3, 3, 4]
    assert [one.frame.alpha[0, 0] for one in done if one.frame.alpha is not None] == [0, 1, 2, 3, 4]
    assert [one.starts_shot for one in done] == [True, False, False, True, False]
    counted = [event.frame for event in events if isinstance(event, Painted)]
    assert counted == sorted(set(counted)), "what is painted again counts again"


def test_the_end_of_a_loop_leads_into_its_beginning_step_by_step() -> None:
    clerk = FakeEngine()
    done = list(SequentialScheduler(clerk, lambda event: None, closes=True).paint(numbered(20)))
    assert names(done) == list(range(20))
    assert [n for what, n in clerk.asked if what == "again"] == list(range(19, 19 - TAIL, -1))
    green = [int(one.painted[0, 0, 1]) for one in done]
    assert green[-1] == green[0], "the last frame goes on from the first"
    assert green[: 20 - TAIL] == [10 * i for i in range(20 - TAIL)]
    steps = [abs(b - a) for a, b in pairwise([*green, green[0]])]
    assert max(steps) < 10 * 19 / 2, "where the loop jumped by ten times as much"


def test_how_many_pictures_are_painted_is_known_before() -> None:
    for count, passes, closes in ((1, 1, False), (5, 1, True), (20, 3, True), (2, 2, True)):
        events: list[Event] = []
        reel = SequentialScheduler(FakeEngine(), events.append, passes=passes, closes=closes)
        list(reel.paint(numbered(count)))
        assert sum(isinstance(e, Painted) for e in events) == paintings(count, passes, closes)


def test_a_loop_with_a_cut_is_left_alone() -> None:
    clerk = FakeEngine()
    frames = numbered(6)
    other = [(Frame(255 - f.rgb, f.time, f.duration), False) for f, _ in numbered(6)]
    done = list(SequentialScheduler(clerk, lambda event: None, closes=True).paint(frames + other))
    assert len(done) == 12
    assert not [what for what, _ in clerk.asked if what == "again"]


def test_clips_too_short_to_close() -> None:
    for count in (0, 1, 2):
        reel = SequentialScheduler(FakeEngine(), lambda event: None, passes=2, closes=True)
        assert len(list(reel.paint(numbered(count)))) == count
