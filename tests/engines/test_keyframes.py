"""Frames between key frames, whose paint is given: nothing is optimized here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from vidstyle import Settings
from vidstyle.core.events import Event, Painted
from vidstyle.core.frames import Frame
from vidstyle.core.images import Field, Image
from vidstyle.engines.keyframes import Carry, KeyframesEngine
from vidstyle.engines.protocol import settled
from vidstyle.objective.styles import StyleSchedule
from vidstyle.render.scheduler import Scheduler
from vidstyle.temporal.painting import Painting

from ..conftest import HEIGHT, QUICK, WIDTH, scene

SETTINGS = Settings(**QUICK | {"engine": "keyframes", "precision": "fp32"})


def engine(settings: Settings = SETTINGS) -> KeyframesEngine:
    return KeyframesEngine(settings, StyleSchedule.of(scene(9)), (WIDTH, HEIGHT))


def frame(source: Image, at: int, painting: Image | None = None) -> Frame:
    return Frame(source, Fraction(at, 25), Fraction(1, 25), painting=painting)


def paint(made: KeyframesEngine, sources: Sequence[Image], given: dict[int, Image]) -> list[Image]:
    """All ``sources``, of which those that are ``given`` are key frames."""
    found: list[Image] = []
    span: list[Frame] = []
    for at, source in enumerate(sources):
        span.append(frame(source, at, given.get(at)))
        if at in given:
            found += [settled(one) for one, _ in made.paint_span(span, lambda step: None)]
            span = []
    return found


def inverted(source: Image) -> Image:
    return 255 - source


def test_what_lies_still_is_as_it_was_painted_to_the_bit() -> None:
    still = scene(0)
    paint_of = inverted(still)
    found = paint(engine(), [still] * 6, {0: paint_of, 5: paint_of})
    assert all(np.array_equal(picture, paint_of) for picture in found)


def test_what_moves_takes_its_paint_along_and_uncovers_the_ground() -> None:
    sources = [scene(step) for step in range(7)]
    found = paint(engine(), sources, {0: inverted(sources[0]), 6: inverted(sources[6])})
    assert len(found) == len(sources)
    for picture, source in zip(found, sources, strict=True):
        error = np.abs(picture.astype(int) - inverted(source)).mean(-1)
        assert error.mean() < 2
        square = np.abs(source.astype(int) - (220, 30, 30)).sum(-1) < 40
        assert square.any() and error[square].mean() < 12


def test_a_shot_may_follow_a_painting_of_a_later_frame() -> None:
    sources = [scene(step) for step in range(4)]
    found = paint(engine(), sources, {3: inverted(sources[3])})
    for picture, source in zip(found, sources, strict=True):
        assert np.abs(picture.astype(int) - inverted(source)).mean() < 3


def test_a_span_that_failed_can_be_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [scene(step) for step in range(5)]
    given = {0: inverted(sources[0]), 4: inverted(sources[4])}
    whole = paint(engine(), sources, given)
    made = engine()
    paint(made, sources[:1], given)
    span = [frame(source, at, given.get(at)) for at, source in enumerate(sources) if at]
    to, calls = Carry.to, 0

    def fail(self: Carry, *rest: Any) -> tuple[Field, Field, Field]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise MemoryError
        return to(self, *rest)

    monkeypatch.setattr(Carry, "to", fail)
    with pytest.raises(MemoryError):
        made.paint_span(span, lambda step: None)
    again = [settled(picture) for picture, _ in made.paint_span(span, lambda step: None)]
    assert all(np.array_equal(*pair) for pair in zip(again, whole[1:], strict=True))


def test_paint_that_is_carried_by_other_threads_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They carry it while later key frames are painted, and may be done in any order."""
    sources = [scene(step) for step in range(25)]
    given = {at: inverted(sources[at]) for at in range(0, 25, 4)}
    frames = [
        replace(frame(source, at, given.get(at)), starts_shot=at == 0, is_key=at in given)
        for at, source in enumerate(sources)
    ]
    whole = [one.painted for one in Scheduler(engine(), lambda event: None).paint(frames)]
    first, to = threading.Event(), Carry.to

    def wait(self: Carry, source: Image, at: int, last: Painting | None) -> Any:
        if np.array_equal(source, sources[5]):
            assert first.wait(10), "the spans after it are carried meanwhile"
        if np.array_equal(source, sources[11]):
            first.set()
        return to(self, source, at, last)

    monkeypatch.setattr(Carry, "to", wait)
    made = engine()
    made.carriers = ThreadPoolExecutor(2)
    told: list[Event] = []
    later = [*Scheduler(made, told.append).paint(frames)]
    assert all(np.array_equal(one.painted, other) for one, other in zip(later, whole, strict=True))
    assert [one.frame for one in told if isinstance(one, Painted)] == [*range(1, 26)]
    monkeypatch.setattr(Carry, "to", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        [*Scheduler(made, told.append).paint(frames)]


def test_repair_paints_what_no_key_frame_shows_and_nothing_else() -> None:
    sources = [scene(0)] * 2 + [scene(12)] * 2 + [scene(0)] * 2
    given = {0: inverted(sources[0]), 5: inverted(sources[5])}
    steps = Settings(**QUICK | {"engine": "keyframes", "precision": "fp32", "repair": 2})
    plain, repaired = (paint(engine(settings), sources, given) for settings in (SETTINGS, steps))
    changed = [(one != other).any(-1) for one, other in zip(plain, repaired, strict=True)]
    assert not any(changed[at].any() for at in (0, 1, 4, 5))
    assert all(changed[at].any() for at in (2, 3))
    moved = (sources[0] != sources[2]).any(-1).astype(np.uint8)
    around = cv2.dilate(moved, np.ones((31, 31), np.uint8)) > 0
    assert not changed[2][~around].any()


def test_a_given_painting_is_never_painted_again() -> None:
    made, source = engine(), scene(0)
    painting = inverted(source)
    paint(made, [source], {0: painting})
    kept, loss = made.repaint(frame(scene(1), 1, painting), painting, 0.5)
    assert np.array_equal(kept, painting) and loss == 0


def test_costs_fall_with_the_distance_of_key_frames() -> None:
    size, frames = (WIDTH, HEIGHT), 400
    near, far, repaired = (
        KeyframesEngine.cost(Settings(key_every=every, repair=repair), size, frames)
        for every, repair in ((2, 0), (8, 0), (8, 3))
    )
    assert far < near < repaired + near
    assert repaired > far
